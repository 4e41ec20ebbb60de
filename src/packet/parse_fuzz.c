/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any bytes as a frame. The head is a buffer of exactly its length, so that a read
 * past it is seen; the promises of parse.h are checked, and that a tag put in front and taken off
 * again leaves everything where it was.
 */
#include <stdlib.h>

#include "packet/headers.h"
#include "packet/parse.h"
#include "packet/vlan.h"

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

/* No frame is too odd for a tag, and nothing that was found is lost by it. */
static void check_tag(const struct packet *parsed, const uint8_t *bytes)
{
	uint8_t room[VLAN_TAG + PACKET_HEAD_SIZE];
	struct packet packet = *parsed, again;

	if (packet.head_length < ETHERNET_HEADER)
		return;
	packet.head = memcpy(room + VLAN_TAG, bytes, packet.head_length);
	require(!packet_vlan_push(&packet, 10) && packet.head == room + VLAN_TAG);
	packet.headroom = VLAN_TAG;
	require(packet_vlan_push(&packet, 10) && packet.headroom == 0);
	require(packet.head == room && packet.head_length == parsed->head_length + VLAN_TAG);
	require(packet.l3_offset == (parsed->l3_offset ? parsed->l3_offset + VLAN_TAG : 0));
	require(packet.l4_offset == (parsed->l4_offset ? parsed->l4_offset + VLAN_TAG : 0));
	require(packet_vlan_pop(&packet) && memcmp(packet.head, bytes, packet.head_length) == 0);
	again = packet;
	again.parsed = false;
	packet_parse(&again);
	packet_parse(&packet);
	require(packet.l3_offset == again.l3_offset && packet.l4_offset == again.l4_offset);
	require(!packet_pull(&packet, packet.head_length + 1u) && packet.headroom == VLAN_TAG);
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
	check_tag(&packet, head);
	free(head);
	return 0;
}
