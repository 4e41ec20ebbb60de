/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking the 802.1Q tag off a packet and putting it on: edits of the private head. The two MAC
 * addresses move by four bytes, nothing else does, and parsed offsets stay right. Worker thread that
 * owns the batch.
 */
#ifndef VSW_PACKET_VLAN_H
#define VSW_PACKET_VLAN_H

#include <stdbool.h>
#include <string.h>

#include "packet/headers.h"
#include "packet/packet.h"

/* Set in each type that says "a tag", clear in those of IPv4 and ARP: one test decides most frames. */
#define VLAN_TYPE_BIT 0x8000u

/* Ether types that bridges and kernels take for a tag: 802.1Q, 802.1ad, and three older ones of QinQ. */
static inline bool vlan_type_is_tag(uint16_t type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD || type == ETH_P_QINQ1 ||
	       type == ETH_P_QINQ2 || type == ETH_P_QINQ3;
}

/* Moves what packet_parse() found by `change` bytes, where it found something. */
static inline void packet_offsets_move(struct packet *packet, int change)
{
	if (packet->l3_offset)
		packet->l3_offset = (uint16_t)(packet->l3_offset + change);
	if (packet->l4_offset)
		packet->l4_offset = (uint16_t)(packet->l4_offset + change);
}

/* Removes the tag. The head begins with Ethernet and tag: at least VLAN_HEADER bytes. */
static inline void packet_vlan_pop(struct packet *packet)
{
	uint8_t addresses[ETHERNET_TYPE];

	/* Over a copy: the two places overlap. */
	memcpy(addresses, packet->head, sizeof(addresses));
	memcpy(packet->head + VLAN_TAG, addresses, sizeof(addresses));
	packet->head += VLAN_TAG;
	packet->head_length -= VLAN_TAG;
	packet->length -= VLAN_TAG;
	if (packet->parsed)
		packet_offsets_move(packet, -VLAN_TAG);
}

/* Inserts a tag with this TCI. The head holds at least ETHERNET_HEADER bytes and has VLAN_TAG bytes
 * of headroom left. */
static inline void packet_vlan_push(struct packet *packet, uint16_t tci)
{
	uint8_t addresses[ETHERNET_TYPE];

	memcpy(addresses, packet->head, sizeof(addresses));
	packet->head -= VLAN_TAG;
	memcpy(packet->head, addresses, sizeof(addresses));
	store_be32(packet->head + ETHERNET_TYPE, (uint32_t)ETH_P_8021Q << 16 | tci);
	packet->head_length += VLAN_TAG;
	packet->length += VLAN_TAG;
	if (packet->parsed)
		packet_offsets_move(packet, VLAN_TAG);
}

#endif
