/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/parse.h"

#include "packet/headers.h"
#include "packet/vlan.h"

/* Odd constants with well-mixed bits (fractions of the golden ratio and of square roots). */
#define MIX_SUM   UINT64_C(0x9e3779b97f4a7c15)
#define MIX_XOR   UINT64_C(0x6a09e667f3bcc909)
#define MIX_FINAL UINT64_C(0xbb67ae8584caa73b)

/* The sum and the exclusive or of two ends are the same from either side, and tell pairs apart. */
static uint32_t mix_ends(uint64_t a, uint64_t b, uint32_t salt)
{
	uint64_t mixed = ((a + b) * MIX_SUM ^ (a ^ b) * MIX_XOR) + salt;

	mixed = (mixed ^ mixed >> 32) * MIX_FINAL;
	return (uint32_t)(mixed >> 32);
}

static uint64_t fold_ipv6(const uint8_t *address)
{
	uint64_t high = load_be64(address), low = load_be64(address + 8);

	return (high ^ low << 29 ^ low >> 35) * MIX_SUM + low;
}

/* The two ends of a flow, from which its hash comes. */
struct flow_ends {
	uint64_t source;
	uint64_t destination;
};

/* The fixed bytes that a transport header must have in the head to count as found. */
static unsigned l4_header_size(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return TCP_HEADER;
	case IPPROTO_UDP:
		return UDP_HEADER;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ICMP_HEADER;
	default:
		return 0;
	}
}

/* Accepts the transport header at `offset`; adds its ports to the ends unless this is a fragment,
 * of which only the first has ports. */
static void parse_l4(struct packet *packet, unsigned offset, uint8_t protocol, bool fragment,
	struct flow_ends *ends)
{
	const uint8_t *l4 = packet->head + offset;

	if (!protocol || protocol == IPPROTO_NONE ||
		offset + l4_header_size(protocol) > packet->head_length)
		return;
	packet->l4_protocol = protocol;
	packet->l4_offset = (uint16_t)offset;
	if (!fragment && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)) {
		ends->source += load_be16(l4 + L4_SOURCE_PORT);
		ends->destination += load_be16(l4 + L4_DESTINATION_PORT);
	}
}

static bool parse_ipv4(struct packet *packet, unsigned offset)
{
	const uint8_t *ip = packet->head + offset;
	struct flow_ends ends;
	unsigned header_size;
	uint16_t fragment;

	if (offset + IPV4_HEADER > packet->head_length)
		return false;
	header_size = (ip[IPV4_VERSION_IHL] & 0x0fu) * 4;
	if (ip[IPV4_VERSION_IHL] >> 4 != 4 || header_size < IPV4_HEADER ||
		offset + header_size > packet->head_length)
		return false;

	packet->l3_offset = (uint16_t)offset;
	/* Above the 16 bits that the ports are added to. */
	ends.source = (uint64_t)load_be32(ip + IPV4_SOURCE) << 16;
	ends.destination = (uint64_t)load_be32(ip + IPV4_DESTINATION) << 16;
	fragment = load_be16(ip + IPV4_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
	if (!(fragment & IPV4_FRAGMENT_OFFSET))
		parse_l4(packet, offset + header_size, ip[IPV4_PROTOCOL], fragment, &ends);
	packet->flow_hash = mix_ends(ends.source, ends.destination, ip[IPV4_PROTOCOL]);
	return true;
}

/*
 * Follows the chain of extension headers (RFC 8200, section 4) from *offset. Returns the protocol
 * of the transport header at *offset, or 0 where there is none: another fragment than the first,
 * a chain cut short or too long. *fragment: whether a fragment header says that this is one.
 */
static uint8_t skip_extensions(
	const struct packet *packet, unsigned *offset, uint8_t next, bool *fragment)
{
	for (unsigned hops = 0; hops <= PARSE_EXTENSIONS_MAX; hops++) {
		const uint8_t *extension = packet->head + *offset;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
			next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			return next;
		if (*offset + IPV6_EXTENSION > packet->head_length)
			return 0;
		if (next == IPPROTO_FRAGMENT) {
			uint16_t field = load_be16(extension + IPV6_FRAGMENT);

			*fragment |= field & (IPV6_FRAGMENT_OFFSET | IPV6_MORE_FRAGMENTS);
			if (field & IPV6_FRAGMENT_OFFSET)
				return 0;
			*offset += IPV6_EXTENSION;
		} else if (next == IPPROTO_AH) {
			/* RFC 4302: in words of four bytes, less two. */
			*offset += (extension[1] + 2u) * 4;
		} else {
			*offset += (extension[1] + 1u) * 8;
		}
		next = extension[0];
	}
	return 0;
}

static bool parse_ipv6(struct packet *packet, unsigned offset)
{
	const uint8_t *ip = packet->head + offset;
	unsigned l4_offset = offset + IPV6_HEADER;
	struct flow_ends ends;
	bool fragment = false;
	uint8_t protocol;

	if (l4_offset > packet->head_length || ip[0] >> 4 != 6)
		return false;
	packet->l3_offset = (uint16_t)offset;
	ends.source = fold_ipv6(ip + IPV6_SOURCE);
	ends.destination = fold_ipv6(ip + IPV6_DESTINATION);
	protocol = skip_extensions(packet, &l4_offset, ip[IPV6_NEXT_HEADER], &fragment);
	parse_l4(packet, l4_offset, protocol, fragment, &ends);
	packet->flow_hash = mix_ends(ends.source, ends.destination, 0);
	return true;
}

void packet_parse_now(struct packet *packet)
{
	const uint8_t *head = packet->head;
	unsigned offset = ETHERNET_HEADER;
	uint16_t type;

	packet->parsed = true;
	packet->l4_protocol = 0;
	packet->ether_type = 0;
	packet->l3_offset = 0;
	packet->l4_offset = 0;
	packet->flow_hash = 0;
	if (packet->head_length < ETHERNET_HEADER)
		return;

	type = load_be16(head + ETHERNET_TYPE);
	if (vlan_type_is_tag(type) && packet->head_length >= VLAN_HEADER) {
		type = load_be16(head + VLAN_TYPE);
		offset = VLAN_HEADER;
	}
	packet->ether_type = type >= ETH_P_802_3_MIN ? type : 0;

	if (type == ETH_P_IP && parse_ipv4(packet, offset))
		return;
	if (type == ETH_P_IPV6 && parse_ipv6(packet, offset))
		return;
	if (type == ETH_P_ARP && offset + ARP_HEADER <= packet->head_length)
		packet->l3_offset = (uint16_t)offset;
	packet->flow_hash = mix_ends(load_be64(head + ETHERNET_DESTINATION) >> 16,
		load_be64(head + ETHERNET_SOURCE) >> 16, type);
}
