/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any bytes as a frame. The head is a buffer of exactly its length, so that a read past
 * it is seen; the promises of parse.h are checked.
 */
#include <stdlib.h>

#include "packet/headers.h"
#include "packet/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static unsigned l4_size(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return TCP_HEADER;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t head_length = (uint16_t)MIN(size, PACKET_HEAD_SIZE);
	uint8_t *head = malloc(head_length + 1u);
	struct packet packet = {
		.head = head, .length = head_length, .head_length = head_length, .parsed = false};

	memcpy(head, data, head_length);
	head = realloc(head, head_length ? head_length : 1);
	packet.head = head;
	packet_parse(&packet);

	require(packet.parsed);
	require(!packet.l4_offset == !packet.l4_protocol);
	if (packet.l3_offset) {
		require(packet.l3_offset == 14 || packet.l3_offset == 18);
		require(packet.l3_offset + 20 <= head_length);
		require(packet.ether_type == ETH_P_IP || packet.ether_type == ETH_P_IPV6 ||
			packet.ether_type == ETH_P_ARP);
	}
	if (packet.l4_offset) {
		require(packet.l3_offset && packet.l4_offset >= packet.l3_offset + 20);
		require(packet.l4_offset + l4_size(packet.l4_protocol) <= head_length);
	}
	free(head);
	return 0;
}
