/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bridge from inside: bridge.c is about events and full rings, burst.c moves frames. As many
 * frames as there are cross the border of the kernel by one call (frame_io/).
 *
 * Thread: the one that runs the event base.
 */
#ifndef VSW_NIC_BRIDGE_PRIVATE_H
#define VSW_NIC_BRIDGE_PRIVATE_H

#include "driver/frames.h"
#include "frame_io/frame_io.h"
#include "nic/bridge.h"
#include "nic/offload.h"
#include "packet/packet.h"

/* Frames up to this length are copied behind their header, so that the kernel gets one piece: a
 * list of them would cost it more. */
#define BRIDGE_SHORT 256

/* What a burst works with; the next one starts afresh. */
struct bridge_burst {
	struct frame_io ios[BRIDGE_BURST];
	struct iovec rooms[BRIDGE_BURST];         /* reading: where frames go */
	struct driver_frame frames[BRIDGE_BURST]; /* writing: what is taken from the ring */
	uint8_t written[BRIDGE_BURST];            /* writing: of which frame ios[i] is */
	struct {
		uint8_t header[NET_HEADER_SIZE];
		uint8_t frame[BRIDGE_SHORT];
	} fronts[BRIDGE_BURST]; /* writing: header, and a short frame behind it */
};

/* One receive queue, one transmit queue, one queue of the TAP. */
struct bridge_pair {
	struct bridge *bridge;
	int tap_fd;
	struct frame_io_ring *reader, *writer; /* NULL: a system call a frame */
	struct frame_io_window window;
	uint32_t longest; /* bytes of the longest frame of the last burst that was read */
	struct driver_queue *receive;
	struct driver_queue *transmit;
	struct event *tap_readable; /* not pending while `full` */
	struct event *received;     /* the receive queue's call */
	struct event *sent;         /* the transmit queue's call */
	bool full;                  /* waits for the device to use transmit buffers */
};

struct bridge {
	struct event_base *base;
	const struct tap *tap;
	const struct bridge_ops *ops;
	void *owner;
	struct bridge_counters counters;
	unsigned running_pairs; /* of pairs[]; 0: stopped */
	struct bridge_pair pairs[DRIVER_QUEUES_MAX];
	uint32_t frame_max;
	struct offload_rules to_backend, to_tap; /* while running */
	struct bridge_burst burst;
};

/* Tells the backend what was made available, if it wants to know. */
void bridge_publish(struct driver_queue *queue);

/* Reads frames into the transmit queue; says in *full whether that has no room for more. 0, or
 * -errno of the TAP's end. Publish afterwards. */
int bridge_read_burst(struct bridge_pair *pair, bool *full);

/* Writes received frames to the TAP; returns how many there were. Publish afterwards. */
unsigned bridge_write_burst(struct bridge_pair *pair);

#endif
