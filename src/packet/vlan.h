/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking the 802.1Q tag off a packet and putting it on: edits of the private head. The two MAC
 * addresses move by four bytes, nothing else does, and parsed offsets stay right (packet_push()).
 * Worker thread that owns the batch.
 */
#ifndef VSW_PACKET_VLAN_H
#define VSW_PACKET_VLAN_H

#include <stdbool.h>
#include <string.h>

#include "packet/headers.h"
#include "packet/packet.h"

/* Set in each type that says "a tag", clear in those of IPv4 and ARP: one test decides most
 * frames. */
#define VLAN_TYPE_BIT 0x8000u

/* Ether types that bridges and kernels take for a tag: 802.1Q, 802.1ad, and three older ones of
 * QinQ. */
static inline bool vlan_type_is_tag(uint16_t type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD || type == ETH_P_QINQ1 ||
	       type == ETH_P_QINQ2 || type == ETH_P_QINQ3;
}

/* Removes the tag. False where the head does not hold Ethernet and a tag: nothing has changed. */
static inline bool packet_vlan_pop(struct packet *packet)
{
	uint8_t addresses[ETHERNET_TYPE];

	if (unlikely(packet->head_length < VLAN_HEADER))
		return false;
	/* Over a copy: the two places overlap. */
	memcpy(addresses, packet->head, sizeof(addresses));
	memcpy(packet->head + VLAN_TAG, addresses, sizeof(addresses));
	return packet_pull(packet, VLAN_TAG);
}

/* Inserts a tag with this TCI; the head holds at least ETHERNET_HEADER bytes. False where there is
 * no headroom for it: nothing has changed. */
MUST_USE static inline bool packet_vlan_push(struct packet *packet, uint16_t tci)
{
	uint8_t addresses[ETHERNET_TYPE];
	uint8_t *head;

	memcpy(addresses, packet->head, sizeof(addresses));
	head = packet_push(packet, VLAN_TAG);
	if (unlikely(!head))
		return false;
	memcpy(head, addresses, sizeof(addresses));
	store_be32(head + ETHERNET_TYPE, (uint32_t)ETH_P_8021Q << 16 | tci);
	return true;
}

#endif
