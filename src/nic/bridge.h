/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moves frames between a TAP and a device's queues, pair i of queues with queue i of the TAP:
 *
 *   TAP readable   -> frames are read straight into transmit buffers, published and kicked once
 *   device signals -> received frames are written to the TAP, from the buffers where they lie,
 *                     which are then made available again
 *
 * One event moves at most BRIDGE_BURST frames, so that no queue starves another. Nothing is polled:
 * without frames nothing wakes up. Where the transmit ring is full, reading of the TAP rests until
 * the device has used buffers; the kernel then queues, and at last drops, what is sent meanwhile.
 * Where the TAP has a header in front of frames, what the sender left to do passes with the frame,
 * as far as that was agreed (nic/offload.h). Frames that a side does not take are dropped and
 * counted: they were too long, asked for what was not agreed, or the interface was down.
 *
 *   stopped -> bridge_start() -> running -> bridge_stop() -> stopped -> ...
 *
 * Thread: the one that runs the event base.
 */
#ifndef VSW_NIC_BRIDGE_H
#define VSW_NIC_BRIDGE_H

#include "driver/device.h"
#include "host/tap.h"

struct event_base;
struct bridge;

/* Frames a visit: few enough for the other direction not to wait, enough to share one kick and one
 * system call. */
#define BRIDGE_BURST 64

/* Bytes after which the backend is told within a burst: as it takes in one visit or less. */
#define BRIDGE_BURST_BYTES (128 * 1024)

struct bridge_counters {
	uint64_t sent;     /* frames from the TAP to the device */
	uint64_t received; /* frames from the device to the TAP */
	uint64_t dropped;  /* frames of either direction */
	uint64_t length;   /* of those: frames that were too long or too short */
};

/* Called from the event loop, as the last act of the bridge: bridge_stop() and _free() are
 * allowed. */
struct bridge_ops {
	/* The device broke the rules of a ring. */
	void (*device_failed)(void *owner, const char *reason);
	/* The TAP is no more. */
	void (*tap_failed)(void *owner, const char *reason);
};

/* A stopped bridge for a TAP, which must outlive it as `ops` must. frame_max: the longest frame,
 * bytes. NULL where memory is short. */
struct bridge *bridge_new(struct event_base *base, const struct tap *tap, uint32_t frame_max,
	const struct bridge_ops *ops, void *owner);

/* Makes the receive buffers available and moves frames from now on; the backend must be running
 * with the device's queues and these features, the TAP have the same size of header or none, and
 * the device stay until bridge_stop(). 0, or -ENOMEM: then it is stopped. */
int bridge_start(struct bridge *bridge, struct driver_device *device, uint64_t features);

/* Leaves queues and TAP alone. Allowed when stopped. */
void bridge_stop(struct bridge *bridge);

/* Of all times that it ran. */
const struct bridge_counters *bridge_counters(const struct bridge *bridge);

/* Stops first; NULL is accepted. */
void bridge_free(struct bridge *bridge);

#endif
