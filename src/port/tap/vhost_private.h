/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-net's carrying of a TAP's queue from inside: vhost.c sets it up, vhost_data.c carries.
 */
#ifndef VSW_PORT_TAP_VHOST_PRIVATE_H
#define VSW_PORT_TAP_VHOST_PRIVATE_H

#include "port/tap/vhost.h"
#include "vhost/kernel.h"
#include "virtio/split_driver.h"

/* A ring with its buffers. */
struct tap_vhost_lane {
	struct split_driver ring;
	uint8_t *buffers; /* [ring.size] of TAP_VHOST_BUFFER bytes */
	int kick_fd;
};

struct tap_vhost {
	struct vhost_kernel kernel;
	uint8_t *memory;
	uint64_t memory_size;
	int call_fd;
	int error_fd;
	bool failed; /* set by whoever finds it, once; of no consequence but that nothing passes */

	/* Of the worker that visits the queue. */
	struct tap_vhost_lane receive CACHE_ALIGNED;
	unsigned taken_count;
	uint16_t taken[TAP_VHOST_RECEIVE]; /* buffers of the frames under way */

	/* Of whoever sends, under the queue's lock. */
	struct tap_vhost_lane send CACHE_ALIGNED;
	unsigned free_count;
	uint16_t free_first;           /* the buffer that was used last is the next one */
	uint16_t next[TAP_VHOST_SEND]; /* of a free buffer or one in a chain: the one after it */
};

static inline uint8_t *tap_vhost_buffer(const struct tap_vhost_lane *lane, unsigned index)
{
	return lane->buffers + (size_t)index * TAP_VHOST_BUFFER;
}

/* Makes a buffer available that is with us. Publish afterwards. */
static inline void tap_vhost_offer(struct tap_vhost_lane *lane, unsigned index)
{
	const struct driver_buffer buffer = {
		.address = (uintptr_t)tap_vhost_buffer(lane, index),
		.length = TAP_VHOST_BUFFER,
	};

	/* A buffer is available, or with us: there is a descriptor for each. */
	split_driver_add(&lane->ring, &buffer, 0, 1, NULL, index);
}

#endif
