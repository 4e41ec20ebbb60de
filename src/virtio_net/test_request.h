/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames of packet/test_request.h with the virtio-net header in which a correct guest asks for
 * what they leave undone.
 */
#ifndef VSW_VIRTIO_NET_TEST_REQUEST_H
#define VSW_VIRTIO_NET_TEST_REQUEST_H

#include "packet/test_request.h"
#include "virtio_net/test_offload.h"

/* Writes the frame and the header that goes with it; returns the frame's length. */
static inline unsigned request_build(
	const struct test_request *request, uint8_t *frame, struct virtio_net_hdr *header)
{
	struct test_layout at = request_frame(request, frame);

	*header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = request->gso_type,
		.hdr_len = request->gso_type ? (uint16_t)(at.l4 + at.l4_header) : 0,
		.gso_size = request->gso_size,
		.csum_start = (uint16_t)at.l4,
		.csum_offset = (uint16_t)at.checksum,
	};
	return at.length;
}

#endif
