/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header in front of every virtio-net frame. VIRTIO 1.3, 5.1.6.
 */
#ifndef VSW_VIRTIO_NET_HEADER_H
#define VSW_VIRTIO_NET_HEADER_H

#include <stdint.h>

#include "packet/packet.h"
#include "virtio/feature_bits.h"

/* With num_buffers, which is there with VERSION_1 or MRG_RXBUF; legacy devices have 10 bytes. */
#define NET_HEADER_SIZE        ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define NET_HEADER_LEGACY_SIZE ((uint32_t)sizeof(struct virtio_net_hdr))

/* Any of them is written in front of a head as it is, without a look at its headroom. */
_Static_assert(sizeof(struct virtio_net_hdr_v1_hash) <= PACKET_NET_HEADER,
	"a net header must fit the room that is kept for it");

/* The size that goes with a set of acknowledged features; computed once, when they are. */
static inline uint32_t net_header_size(uint64_t features)
{
	const uint64_t with_buffers = (1ULL << VIRTIO_F_VERSION_1) |
				      (1ULL << VIRTIO_NET_F_MRG_RXBUF);

	return features & with_buffers ? NET_HEADER_SIZE : NET_HEADER_LEGACY_SIZE;
}

#endif
