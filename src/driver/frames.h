/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames in the buffers of a device's queue, where they lie: for those who pass them on to the
 * kernel without a copy of their own. net_driver_receive() and net_driver_send() copy, and know no
 * offloads.
 *
 * One thread owns a queue.
 */
#ifndef VSW_DRIVER_FRAMES_H
#define VSW_DRIVER_FRAMES_H

#include <sys/uio.h>

#include "virtio_net/driver.h"
#include "virtio_net/header.h"

/* As many buffers as the longest frame takes where they are of DRIVER_MERGEABLE_SLOT_SIZE bytes. */
#define DRIVER_PIECES_MAX 33

/* A received frame. Its bytes may change while it is looked at: the backend has the memory, too. */
struct driver_frame {
	struct virtio_net_hdr header; /* a copy, not checked */
	uint32_t length;              /* bytes, without header */
	unsigned count;               /* of buffers */
	uint16_t slots[DRIVER_PIECES_MAX];
	/* pieces[1] .. pieces[count]: the frame without header. The first one is the caller's, for
	 * what it puts in front. */
	struct iovec pieces[1 + DRIVER_PIECES_MAX];
};

/* Receiveq: takes the next frame. 1, or 0 where there is none, or -EMSGSIZE for one whose lengths
 * make no sense: its buffers are available again. A device that breaks the rules makes the ring
 * `broken`. */
int driver_frame_take(struct net_driver_queue *queue, struct driver_frame *frame);

/* Makes the buffers of a taken frame available again. Publish afterwards. */
void driver_frame_return(struct net_driver_queue *queue, const struct driver_frame *frame);

/* Transmitq: the buffer (slot_size bytes) for a header and frame: the next one, or so many ahead of
 * it. NULL where the ring has no more. */
uint8_t *driver_frame_reserve(struct net_driver_queue *queue, unsigned ahead);
/* Adds that buffer, now the next one, with `length` bytes of frame, once both are written; those
 * between come behind it. Publish afterwards. */
void driver_frame_send(struct net_driver_queue *queue, unsigned ahead, uint32_t length);

#endif
