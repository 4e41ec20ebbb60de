/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/security_note.h"

#include <netinet/in.h>
#include <string.h>

#include "packet/headers.h"
#include "packet/mac.h"
#include "packet/vlan.h"

/* Of ICMPv6, RFC 4861. */
#define ND_SOLICIT 135
#define ND_ADVERT  136
#define ND_TARGET  8
#define ND_OPTIONS 24
/* An option: type, length in units of 8 bytes, address. */
#define ND_UNIT    8

static void note_ip(struct refused_address *address, const uint8_t *ip, uint8_t size)
{
	memcpy(address->ip, ip, size);
	address->ip_size = size;
}

/* The frame's source, but where ARP or neighbour discovery says otherwise. */
static void note_claim(
	const struct security_rules *rules, const uint8_t *claim, struct refused_address *address)
{
	if (address->reason == DROP_SPOOFED_SOURCE && !mac_equal(claim, address->mac) &&
		(!rules->has_mac || mac_equal(address->mac, rules->mac)))
		memcpy(address->mac, claim, sizeof(address->mac));
}

static void note_arp(
	const struct security_rules *rules, const uint8_t *arp, struct refused_address *address)
{
	note_claim(rules, arp + ARP_SENDER_HARDWARE, address);
	note_ip(address, arp + ARP_SENDER_PROTOCOL, 4);
}

/* Link-layer addresses are options 1 and 2; one that is not the frame's is what it was refused
 * for. */
static void note_options(const struct security_rules *rules, const uint8_t *option, size_t length,
	struct refused_address *address)
{
	while (length >= ND_UNIT && option[1] && option[1] * (size_t)ND_UNIT <= length) {
		size_t size = option[1] * (size_t)ND_UNIT;

		if (option[0] == 1 || option[0] == 2)
			note_claim(rules, option + 2, address);
		option += size;
		length -= size;
	}
}

static void note_ipv6(const struct security_rules *rules, const uint8_t *ip, size_t length,
	struct refused_address *address)
{
	const uint8_t *message = ip + IPV6_HEADER, *target = message + ND_TARGET;
	bool discovery = length >= IPV6_HEADER + ND_TARGET + 16 &&
			 ip[IPV6_NEXT_HEADER] == IPPROTO_ICMPV6 &&
			 (message[0] == ND_SOLICIT || message[0] == ND_ADVERT);

	if (discovery && address->reason == DROP_SPOOFED_ADDRESS &&
		!security_lists_ipv6(rules, target))
		note_ip(address, target, 16);
	else
		note_ip(address, ip + IPV6_SOURCE, 16);
	if (discovery && length > IPV6_HEADER + ND_OPTIONS)
		note_options(
			rules, message + ND_OPTIONS, length - IPV6_HEADER - ND_OPTIONS, address);
}

void security_note(const struct security_rules *rules, const struct packet *packet,
	enum drop_reason reason, uint32_t now, struct refused_address *address)
{
	size_t offset = ETHERNET_TYPE, length;
	const uint8_t *payload;
	uint16_t type;

	*address = (struct refused_address){.second = now, .reason = (uint8_t)reason};
	memcpy(address->mac, packet->head + ETHERNET_SOURCE, sizeof(address->mac));
	do {
		if (offset + sizeof(type) > packet->head_length)
			return;
		type = load_be16(packet->head + offset);
		offset += VLAN_TAG;
	} while (vlan_type_is_tag(type));
	offset += sizeof(type) - VLAN_TAG;
	payload = packet->head + offset;
	length = packet->head_length - offset;
	if ((type == ETH_P_ARP || type == ETH_P_RARP) && length >= ARP_HEADER)
		note_arp(rules, payload, address);
	else if (type == ETH_P_IP && length >= IPV4_HEADER)
		note_ip(address, payload + IPV4_SOURCE, 4);
	else if (type == ETH_P_IPV6 && length >= IPV6_HEADER)
		note_ipv6(rules, payload, length, address);
}
