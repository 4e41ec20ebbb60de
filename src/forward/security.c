/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/security.h"

#include "forward/security_private.h"
#include "packet/headers.h"
#include "packet/mac.h"
#include "packet/vlan.h"

/* IEEE 802.2: destination and source SAP, control; RFC 1042: with SNAP then three bytes of OUI and
 * a type. */
#define LLC_SAPS      2
#define LLC_SNAP      8
#define LLC_SNAP_TYPE 6
#define SAP_SNAP      0xaa
#define SAP_IP        0x06
#define SAP_ARP       0x98
#define SAP_GROUP     0x01 /* of a SAP, whoever is meant by it */

#define ARP_REQUEST   1
#define RARP_REQUEST  3
#define ICMP_REDIRECT 5
#define ICMP_ROUTER   9
#define IGMP_QUERY    0x11

static bool is_judged_type(uint16_t type)
{
	return type == ETH_P_IP || type == ETH_P_IPV6 || type == ETH_P_ARP || type == ETH_P_RARP ||
	       vlan_type_is_tag(type);
}

/* Some systems take IP and ARP from within LLC, too. Nobody needs that on Ethernet. */
static enum drop_reason judge_llc(const uint8_t *llc, size_t length)
{
	uint8_t sap;

	if (length < LLC_SAPS)
		return STAGE_NEXT;
	sap = llc[0] & (uint8_t)~SAP_GROUP;
	if (sap == SAP_IP || sap == SAP_ARP)
		return DROP_UNVERIFIABLE;
	if (sap != SAP_SNAP)
		return STAGE_NEXT;
	if (length < LLC_SNAP)
		return DROP_UNVERIFIABLE;
	return is_judged_type(load_be16(llc + LLC_SNAP_TYPE)) ? DROP_UNVERIFIABLE : STAGE_NEXT;
}

static enum drop_reason judge_arp(const struct security_rules *rules, const uint8_t *source,
	const uint8_t *arp, size_t length, bool reverse)
{
	uint16_t operation;
	uint32_t sender;

	if (length < ARP_HEADER || load_be16(arp + ARP_PROTOCOL) != ETH_P_IP ||
		arp[ARP_HARDWARE_SIZE] != MAC_SIZE || arp[ARP_PROTOCOL_SIZE] != sizeof(sender))
		return DROP_UNVERIFIABLE;
	operation = load_be16(arp + ARP_OPERATION);
	sender = load_be32(arp + ARP_SENDER_PROTOCOL);
	if (!mac_equal(arp + ARP_SENDER_HARDWARE, source))
		return DROP_SPOOFED_SOURCE;
	if (reverse && operation != RARP_REQUEST && !rules->trusted)
		return DROP_UNTRUSTED_SERVER;
	if (!rules->has_addresses || security_lists_ipv4(rules, sender))
		return STAGE_NEXT;
	if (!sender && operation == (reverse ? RARP_REQUEST : ARP_REQUEST))
		return STAGE_NEXT;
	return DROP_SPOOFED_ADDRESS;
}

/* What a transport header says about its sender. */
struct claim {
	bool server;         /* speaks as one that others are to trust */
	bool without_source; /* of a kind that is sent before there is an address */
};

/* `length` bytes from the transport header on. False where it is too short to tell. */
static bool read_claim(uint8_t protocol, const uint8_t *l4, size_t length, struct claim *claim)
{
	*claim = (struct claim){0};
	switch (protocol) {
	case IPPROTO_UDP:
		if (length < L4_DESTINATION_PORT + sizeof(uint16_t))
			return false;
		/* Clients do not look at the server's own port. */
		claim->server = load_be16(l4 + L4_DESTINATION_PORT) == UDP_DHCP_CLIENT;
		claim->without_source = load_be16(l4 + L4_SOURCE_PORT) == UDP_DHCP_CLIENT &&
					load_be16(l4 + L4_DESTINATION_PORT) == UDP_DHCP_SERVER;
		return true;
	case IPPROTO_ICMP:
		claim->server = length && (l4[0] == ICMP_REDIRECT || l4[0] == ICMP_ROUTER);
		return length;
	case IPPROTO_IGMP:
		claim->without_source = length && l4[0] != IGMP_QUERY;
		return length;
	default:
		return true;
	}
}

static enum drop_reason judge_ipv4(
	const struct security_rules *rules, const uint8_t *ip, size_t length)
{
	struct claim claim = {0};
	size_t header;
	uint32_t source;

	if (length < IPV4_HEADER)
		return DROP_UNVERIFIABLE;
	header = (ip[IPV4_VERSION_IHL] & 0x0fu) * 4;
	if (ip[IPV4_VERSION_IHL] >> 4 != 4 || header < IPV4_HEADER || length < header)
		return DROP_UNVERIFIABLE;
	/* What lies behind the packet is not of it, whatever it looks like. */
	length = MIN(length, MAX((size_t)load_be16(ip + IPV4_TOTAL_LENGTH), header));
	/* Ports and types are in the first fragment, and whoever loses that one loses the
	 * packet. */
	if (!(load_be16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_OFFSET) &&
		!read_claim(ip[IPV4_PROTOCOL], ip + header, length - header, &claim))
		return DROP_UNVERIFIABLE;
	if (claim.server && !rules->trusted)
		return DROP_UNTRUSTED_SERVER;
	source = load_be32(ip + IPV4_SOURCE);
	if (!rules->has_addresses || security_lists_ipv4(rules, source) ||
		(!source && claim.without_source))
		return STAGE_NEXT;
	return DROP_SPOOFED_ADDRESS;
}

enum drop_reason security_judge(const struct security_rules *rules, const struct packet *packet)
{
	const uint8_t *source = packet->head + ETHERNET_SOURCE;
	const uint8_t *payload;
	size_t offset = ETHERNET_TYPE, length;
	uint16_t type;

	if (rules->has_mac && !mac_equal(source, rules->mac))
		return DROP_SPOOFED_SOURCE;
	/* Tags are left where the port has `qinq`. */
	do {
		if (offset + sizeof(type) > packet->head_length)
			return DROP_UNVERIFIABLE;
		type = load_be16(packet->head + offset);
		offset += VLAN_TAG;
	} while (vlan_type_is_tag(type));
	offset += sizeof(type) - VLAN_TAG;
	payload = packet->head + offset;
	length = packet->head_length - offset;
	switch (type) {
	case ETH_P_IP:
		return judge_ipv4(rules, payload, length);
	case ETH_P_IPV6:
		return security_judge_ipv6(rules, source, payload, length);
	case ETH_P_ARP:
	case ETH_P_RARP:
		return judge_arp(rules, source, payload, length, type == ETH_P_RARP);
	default:
		return type < ETH_P_802_3_MIN ? judge_llc(payload, length) : STAGE_NEXT;
	}
}
