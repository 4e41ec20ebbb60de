/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port security, before anything is learned: where the port has a `mac`, every frame must have it as
 * its Ethernet source, and (R)ARP must name it as the sender, too, so that a guest cannot poison the
 * neighbours' caches with another's address. ARP for anything but Ethernet addresses, or cut off
 * before the sender, cannot be judged and does not pass.
 */
#ifndef VSW_FORWARD_SECURITY_H
#define VSW_FORWARD_SECURITY_H

#include "forward/stage.h"
#include "packet/headers.h"
#include "packet/mac.h"
#include "packet/vlan.h"

/* Where the type stands behind which there is no more tag; beyond the head where tags fill it. */
static inline unsigned security_type_offset(const struct packet *packet)
{
	unsigned offset = ETHERNET_TYPE;

	while (offset + 2u <= packet->head_length &&
		vlan_type_is_tag(load_be16(packet->head + offset)))
		offset += VLAN_TAG;
	return offset;
}

static inline bool security_arp_passes(
	const uint8_t *mac, const struct packet *packet, unsigned offset)
{
	const uint8_t *arp = packet->head + offset;

	return packet->head_length >= offset + ARP_SENDER_HARDWARE + MAC_SIZE &&
	       arp[ARP_HARDWARE_SIZE] == MAC_SIZE && mac_equal(arp + ARP_SENDER_HARDWARE, mac);
}

/* The packet is without its network's tag by now; with `qinq` others may follow. */
ALWAYS_INLINE enum drop_reason security_check(
	const struct topology_port *ingress, const struct packet *packet, uint64_t source)
{
	const uint8_t *mac = ingress->mac;
	unsigned offset = ETHERNET_TYPE;
	uint16_t type;

	if (!ingress->secured)
		return STAGE_NEXT;
	if (unlikely(source != fdb_key(0, mac)))
		return DROP_SPOOFED_SOURCE;
	if (unlikely(ingress->qinq))
		offset = security_type_offset(packet);
	if (unlikely(offset + 2u > packet->head_length))
		return DROP_SPOOFED_SOURCE;
	type = load_be16(packet->head + offset);
	if (unlikely(type == ETH_P_ARP || type == ETH_P_RARP) &&
		!security_arp_passes(mac, packet, offset + 2))
		return DROP_SPOOFED_SOURCE;
	return STAGE_NEXT;
}

#endif
