/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First stages: is this a frame that a bridge forwards, and which network does it belong to?
 *
 *   port    untagged         VLAN id 0 (priority only)   VLAN id n
 *   access  its network      its network                 vlan-not-allowed
 *   trunk   native network   native network              the network of n where the trunk lists it
 *
 * The tag is taken off here; the network index stands for its VLAN id, and the priority is kept for
 * a tag that may be put on at the output.
 *
 * What then still begins with a tag, of whatever type, is a *stacked* frame. Leaving untagged by a
 * native network, that tag would carry it into a VLAN that nobody allowed it, and it hides from
 * port security what comes after it. So it passes only between ports with `qinq`:
 *
 *   access  every tag but a first one of VLAN id 0 is payload of its network
 *   trunk   payload of the networks that it carries tagged, never of the native one
 *
 * and forward_decide() keeps it from every other port.
 */
#ifndef VSW_FORWARD_CLASSIFY_H
#define VSW_FORWARD_CLASSIFY_H

#include "forward/stage.h"
#include "packet/headers.h"
#include "packet/mac.h"
#include "packet/vlan.h"

/* Reads the two addresses, as keys without a network; refuses frames that a bridge must not
 * forward. */
ALWAYS_INLINE enum drop_reason classify_addresses(
	const struct packet *packet, struct forward_key_pair *addresses)
{
	const uint64_t mac_mask = ~(uint64_t)UINT16_MAX;

	if (unlikely(packet->head_length < ETHERNET_HEADER))
		return DROP_FRAME_TOO_SHORT;
	/* Each load reads two bytes more than the address, all within the 14 of the header. */
	addresses->destination = load_be64(packet->head + ETHERNET_DESTINATION) & mac_mask;
	addresses->source = load_be64(packet->head + ETHERNET_SOURCE) & mac_mask;
	if (unlikely((addresses->source & MAC_GROUP_BIT << 16) || !addresses->source))
		return DROP_BAD_SOURCE;
	return STAGE_NEXT;
}

/* What is meant for the next hop passes only in networks that say so; key: the destination's. */
ALWAYS_INLINE enum drop_reason classify_link_local(
	const struct topology *topology, const struct packet *packet, uint64_t destination)
{
	if (likely(destination >> 20 != MAC_RESERVED >> 4))
		return STAGE_NEXT;
	return topology->networks[packet->network].link_local >> (destination >> 16 & 0xf) & 1
		       ? STAGE_NEXT
		       : DROP_RESERVED_MULTICAST;
}

/* True where the port may send and receive stacked frames of the network. */
static inline bool classify_stacks(const struct topology_port *port, uint16_t network)
{
	return port->qinq && (port->mode == TOPOLOGY_ACCESS || port->network != network);
}

/* The network of a frame that is untagged, or tagged for its priority only. */
static inline enum drop_reason classify_untagged(
	const struct topology_port *ingress, struct packet *packet, uint16_t pcp)
{
	packet->network = ingress->network;
	packet->vlan_pcp = pcp;
	return likely(packet->network != NETWORK_NONE) ? STAGE_NEXT : DROP_NO_NATIVE_NETWORK;
}

/* A frame of the untagged network whose payload begins with a tag. */
static inline enum drop_reason classify_stacked(
	const struct topology_port *ingress, struct packet *packet, uint16_t pcp)
{
	if (!classify_stacks(ingress, ingress->network))
		return DROP_QINQ_NOT_ALLOWED;
	return classify_untagged(ingress, packet, pcp);
}

/* A frame that begins with an 802.1Q tag. */
static inline enum drop_reason classify_tagged(
	const struct topology_port *ingress, struct packet *packet)
{
	uint16_t tci, vlan, pcp, network;
	bool stacked;

	if (packet->head_length < VLAN_HEADER)
		return DROP_FRAME_TOO_SHORT;
	tci = load_be16(packet->head + VLAN_TCI);
	vlan = tci & VLAN_ID_MASK;
	pcp = tci & VLAN_PRIORITY_MASK;
	stacked = vlan_type_is_tag(load_be16(packet->head + VLAN_TYPE));
	if (vlan == 0) {
		if (!packet_vlan_pop(packet))
			return DROP_FRAME_TOO_SHORT;
		return stacked ? classify_stacked(ingress, packet, pcp)
			       : classify_untagged(ingress, packet, pcp);
	}
	if (stacked && !ingress->qinq)
		return DROP_QINQ_NOT_ALLOWED;
	if (ingress->mode == TOPOLOGY_ACCESS && ingress->qinq)
		return classify_stacked(ingress, packet, 0);
	if (ingress->mode != TOPOLOGY_TRUNK || ingress->vlan_network[vlan] == NETWORK_NONE)
		return DROP_VLAN_NOT_ALLOWED;
	network = ingress->vlan_network[vlan];
	if (stacked && !classify_stacks(ingress, network))
		return DROP_QINQ_NOT_ALLOWED;
	if (!packet_vlan_pop(packet))
		return DROP_FRAME_TOO_SHORT;
	packet->network = network;
	packet->vlan_pcp = pcp;
	return STAGE_NEXT;
}

ALWAYS_INLINE enum drop_reason classify_vlan(
	const struct topology_port *ingress, struct packet *packet)
{
	uint16_t type = load_be16(packet->head + ETHERNET_TYPE);

	if (type & VLAN_TYPE_BIT) {
		if (type == ETH_P_8021Q)
			return classify_tagged(ingress, packet);
		if (unlikely(vlan_type_is_tag(type)))
			return classify_stacked(ingress, packet, 0);
	}
	return classify_untagged(ingress, packet, 0);
}

/* Of the classified packets, those that are stacked. Only those of a port with `qinq` can be. */
static inline uint64_t classify_stacked_mask(const struct packet_batch *batch, uint64_t passed)
{
	uint64_t stacked = 0;
	unsigned i;

	PACKET_MASK_FOR_EACH (i, passed)
		if (vlan_type_is_tag(load_be16(batch->packets[i].head + ETHERNET_TYPE)))
			stacked |= UINT64_C(1) << i;
	return stacked;
}

#endif
