/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any frame from a secured port. Reads nothing but the head, and what passes a port
 * that is bound to addresses does not claim another one in the places where receivers look first.
 *
 * Input: a byte of flags (1: mac, 2: trusted, 4: a link-local address is listed), then the frame.
 */
#include <stdlib.h>

#include "forward/security.h"
#include "packet/test_frames.h"
#include "packet/vlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t ipv4[4] = {10, 0, 0, 5};
static const uint8_t ipv6[16] = {0xfd, [15] = 5};
static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 5};
static const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 0, 0, 1};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_ipv6(const uint8_t *ip, size_t length, unsigned flags)
{
	const uint8_t *source = ip + IPV6_SOURCE;
	static const uint8_t none[16];
	bool local = source[0] == 0xfe && (source[1] & 0xc0) == 0x80;

	require(length >= IPV6_HEADER);
	require(memcmp(source, ipv6, sizeof(ipv6)) == 0 ||
		memcmp(source, none, sizeof(none)) == 0 ||
		(flags & 4 ? memcmp(source, link_local, sizeof(link_local)) == 0 : local));
	/* A router's advertisement with nothing before it. */
	if (ip[IPV6_NEXT_HEADER] == IPPROTO_ICMPV6)
		require(length > IPV6_HEADER && (flags & 2 || ip[IPV6_HEADER] != 134));
}

static void check_passed(const struct packet *packet, unsigned flags)
{
	const uint8_t *head = packet->head;
	size_t offset = ETHERNET_TYPE;
	size_t length;

	require(!(flags & 1) || mac_equal(head + ETHERNET_SOURCE, mac));
	while (vlan_type_is_tag(load_be16(head + offset)))
		offset += VLAN_TAG;
	require(offset + 2 <= packet->head_length);
	length = packet->head_length - offset - 2;
	head += offset + 2;
	switch (load_be16(head - 2)) {
	case ETH_P_ARP:
		require(length >= ARP_HEADER);
		require(mac_equal(head + ARP_SENDER_HARDWARE, packet->head + ETHERNET_SOURCE));
		require(memcmp(head + ARP_SENDER_PROTOCOL, ipv4, sizeof(ipv4)) == 0 ||
			load_be32(head + ARP_SENDER_PROTOCOL) == 0);
		break;
	case ETH_P_IP:
		require(length >= IPV4_HEADER);
		require(memcmp(head + IPV4_SOURCE, ipv4, sizeof(ipv4)) == 0 ||
			load_be32(head + IPV4_SOURCE) == 0);
		break;
	case ETH_P_IPV6:
		check_ipv6(head, length, flags);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct security_rules rules = {0};
	struct packet packet = {0};
	enum drop_reason reason;

	if (size < 1 + ETHERNET_HEADER)
		return 0;
	rules.has_mac = data[0] & 1;
	rules.trusted = data[0] & 2;
	memcpy(rules.mac, mac, sizeof(mac));
	security_allow_ipv4(&rules, ipv4, 32);
	security_allow_ipv6(&rules, ipv6, 128);
	if (data[0] & 4)
		security_allow_ipv6(&rules, link_local, 128);
	packet.length = (uint32_t)(size - 1);
	packet.head_length = (uint16_t)MIN(size - 1, PACKET_HEAD_SIZE);
	/* In memory of its own size: a read past it is seen. */
	packet.head = malloc(packet.head_length);
	require(packet.head);
	memcpy(packet.head, data + 1, packet.head_length);
	reason = security_judge(&rules, &packet);
	if (reason == STAGE_NEXT)
		check_passed(&packet, data[0]);
	else
		require(reason == DROP_SPOOFED_SOURCE || reason == DROP_SPOOFED_ADDRESS ||
			reason == DROP_UNTRUSTED_SERVER || reason == DROP_UNVERIFIABLE);
	free(packet.head);
	return 0;
}
