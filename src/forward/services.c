/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/services.h"

#include "forward/security.h"
#include "packet/headers.h"

#define IPV4_BROADCAST       UINT32_MAX
#define ARP_REQUEST          1
#define ND_ROUTER_SOLICIT    133
#define UDP_DHCPV6_SERVER    547
/* ff02::1:2, in halves. */
#define DHCPV6_SERVERS_FIRST UINT64_C(0xff02000000000000)
#define DHCPV6_SERVERS_LAST  UINT64_C(0x0000000000010002)

static bool wants_arp(const struct topology_network *network, const uint8_t *arp, size_t length)
{
	return length >= ARP_HEADER && load_be16(arp + ARP_OPERATION) == ARP_REQUEST &&
	       load_be32(arp + ARP_TARGET_PROTOCOL) == network->service_address;
}

static bool wants_ipv4(const struct topology_network *network, const uint8_t *ip, size_t length)
{
	uint32_t destination;
	size_t header;

	if (length < IPV4_HEADER || ip[IPV4_PROTOCOL] != IPPROTO_UDP)
		return false;
	header = (ip[IPV4_VERSION_IHL] & 0x0fu) * 4;
	destination = load_be32(ip + IPV4_DESTINATION);
	return header >= IPV4_HEADER && length >= header + UDP_HEADER &&
	       load_be16(ip + header + L4_DESTINATION_PORT) == UDP_DHCP_SERVER &&
	       (destination == IPV4_BROADCAST || destination == network->service_address) &&
	       !(load_be16(ip + IPV4_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET));
}

static bool wants_ipv6(const struct topology_network *network, const uint8_t *ip, size_t length)
{
	const uint8_t *upper = ip + IPV6_HEADER;

	if (length < IPV6_HEADER + UDP_HEADER)
		return false;
	if (ip[IPV6_NEXT_HEADER] == IPPROTO_ICMPV6)
		return network->services & TOPOLOGY_ROUTER && upper[0] == ND_ROUTER_SOLICIT;
	return network->services & TOPOLOGY_DHCPV6 && ip[IPV6_NEXT_HEADER] == IPPROTO_UDP &&
	       load_be16(upper + L4_DESTINATION_PORT) == UDP_DHCPV6_SERVER &&
	       load_be64(ip + IPV6_DESTINATION) == DHCPV6_SERVERS_FIRST &&
	       load_be64(ip + IPV6_DESTINATION + 8) == DHCPV6_SERVERS_LAST;
}

static bool wants(const struct topology_network *network, const struct packet *packet)
{
	const uint8_t *payload = packet->head + ETHERNET_HEADER;
	size_t length = packet->head_length - ETHERNET_HEADER;

	switch (load_be16(packet->head + ETHERNET_TYPE)) {
	case ETH_P_IP:
		return network->services & TOPOLOGY_DHCP && wants_ipv4(network, payload, length);
	case ETH_P_ARP:
		return network->services & TOPOLOGY_ARP && wants_arp(network, payload, length);
	case ETH_P_IPV6:
		return wants_ipv6(network, payload, length);
	default:
		return false;
	}
}

/* The usual frame, which no server says anything with. */
static bool is_tcp(const struct packet *packet)
{
	return packet->head_length >= ETHERNET_HEADER + IPV4_HEADER &&
	       load_be16(packet->head + ETHERNET_TYPE) == ETH_P_IP &&
	       packet->head[ETHERNET_HEADER + IPV4_PROTOCOL] == IPPROTO_TCP;
}

uint64_t services_refuse(struct stage_run *run, uint16_t network, uint64_t mask)
{
	static const struct security_rules nothing_but_servers;
	const struct topology_port *ingress = &run->topology->ports[run->batch->port];
	uint64_t servers = 0, hidden = 0;
	unsigned i;

	/* A secured port's frames have been judged. */
	if (!run->topology->networks[network].services || ingress->trusted || ingress->security ||
		ingress->mode == TOPOLOGY_LOCAL)
		return mask;
	PACKET_MASK_FOR_EACH (i, mask) {
		const struct packet *packet = &run->batch->packets[i];
		enum drop_reason reason;

		if (is_tcp(packet))
			continue;
		reason = security_judge(&nothing_but_servers, packet);
		servers |= (uint64_t)(reason == DROP_UNTRUSTED_SERVER) << i;
		hidden |= (uint64_t)(reason == DROP_UNVERIFIABLE) << i;
	}
	stage_drop(run, DROP_UNTRUSTED_SERVER, servers);
	stage_drop(run, DROP_UNVERIFIABLE, hidden);
	return mask & ~(servers | hidden);
}

uint64_t services_divert(struct stage_run *run, uint16_t network, uint64_t mask)
{
	const struct topology_network *served = &run->topology->networks[network];
	uint64_t ours = 0;
	unsigned i, verdict;

	if (!served->services || run->batch->port == TOPOLOGY_PORT_LOCAL)
		return mask;
	PACKET_MASK_FOR_EACH (i, mask)
		ours |= (uint64_t)wants(served, &run->batch->packets[i]) << i;
	if (!ours)
		return mask;
	verdict = stage_divert(run, ours);
	if (verdict < STAGE_NEXT)
		stage_drop(run, (enum drop_reason)verdict, ours);
	return mask & ~ours;
}
