/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which work on a frame the two sides of the NIC may leave to each other: TUN_F_* of the TAP,
 * feature bits of virtio-net, and the header that both put in front of a frame (VIRTIO 1.3, 5.1.6;
 * the kernel's is the same). A header of either side is judged before it is passed on: the backend
 * is trusted no more than a network is, and what the kernel queued under an earlier agreement may
 * not suit the present one.
 *
 * Pure functions and plain data.
 */
#ifndef VSW_NIC_OFFLOAD_H
#define VSW_NIC_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio_net/header.h"

/* What one direction admits. */
struct offload_rules {
	bool checksum;        /* NEEDS_CSUM */
	bool ecn;             /* VIRTIO_NET_HDR_GSO_ECN beside a TCP type */
	uint32_t kinds;       /* 1 << gso_type without that bit */
	uint16_t segment_max; /* bytes of payload of a segment */
	uint32_t frame_max;   /* bytes of a frame that is not to be cut */
};

/* The features to ask for where the kernel has these TUN_F_*. */
uint64_t offload_features(unsigned tap_offloads);

/* The TUN_F_* that the kernel may use under agreed features: what the backend finishes. */
unsigned offload_to_tap(uint64_t features);

/* The rules for frames from the kernel to the backend, and the other way. */
struct offload_rules offload_rules_to_backend(uint64_t features, uint16_t mtu, uint32_t frame_max);
struct offload_rules offload_rules_to_tap(uint64_t features, uint16_t mtu, uint32_t frame_max);

/* Writes to *checked what may be passed on in front of a frame of `length` bytes that came with
 * `header`. False where the frame must be dropped. The two may be the same. */
bool offload_check(const struct offload_rules *rules, const struct virtio_net_hdr *header,
	uint32_t length, struct virtio_net_hdr *checked);

#endif
