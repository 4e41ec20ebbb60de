/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header's offload requests, in both directions: judged and rebuilt where a packet
 * comes in from a guest, written again where it goes out to one. VIRTIO 1.3, 5.1.6.2 and 5.1.6.4.
 *
 * A guest's header is a hint about what it wants, never a description of the packet: it is compared
 * with our own parse of the private head, and what travels on (struct offload) is made from the
 * parse alone. A request that does not fit the packet, or was not negotiated, drops the packet
 * (DROP_BAD_NET_HEADER). A packet that asks for nothing costs one test in each direction.
 *
 *	guest's header --net_offload_receive()--> packet->offload (or dropped)
 *	               --packet/egress.h--> net_offload_header()
 *
 * Nothing here has state, allocates or looks at the packet's tail. The worker that owns the batch.
 */
#ifndef VSW_VIRTIO_NET_OFFLOAD_H
#define VSW_VIRTIO_NET_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "packet/packet.h"
#include "virtio/feature_bits.h"
#include "virtio_net/header.h"

/* What a guest with these acknowledged features may ask of us (CSUM, HOST_*): OFFLOAD_*. */
uint8_t net_offload_requests(uint64_t features);

/* What a guest with these acknowledged features can take from us (GUEST_*): OFFLOAD_*. Without
 * GUEST_CSUM nothing (5.1.3.1). */
uint8_t net_offload_abilities(uint64_t features);

/* The part of net_offload_receive() for headers that ask for something. */
bool net_offload_rebuild(
	const struct virtio_net_hdr *header, uint8_t requests, struct packet *packet);

/*
 * Sets packet->offload from the header that came with the packet: a private copy. requests: what
 * net_offload_requests() said when the features were acknowledged. Parses the packet where the
 * header asks for anything, and writes the sum of the pseudo header into the checksum field, as it
 * should be already. False where the packet must be dropped: DROP_BAD_NET_HEADER.
 *
 * DATA_VALID is ignored (a guest's word is worth nothing), as are flags that do not exist
 * (5.1.6.2.2).
 */
static inline bool net_offload_receive(
	const struct virtio_net_hdr *header, uint8_t requests, struct packet *packet)
{
	packet->offload = (struct offload){0};
	if (likely(!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
		    header->gso_type == VIRTIO_NET_HDR_GSO_NONE))
		return true;
	return net_offload_rebuild(header, requests, packet);
}

/* The part of net_offload_header() for packets that need something. */
void net_offload_describe(const struct packet *packet, struct virtio_net_hdr *header);

/* Fills the header that goes in front of a packet which the receiver takes as it is. Every byte is
 * written; what the packet does not need is zero. Offsets are those of the head as it is now. */
static inline void net_offload_header(const struct packet *packet, struct virtio_net_hdr *header)
{
	memset(header, 0, sizeof(*header));
	if (unlikely(packet->offload.needs))
		net_offload_describe(packet, header);
}

#endif
