/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load generator's virtqueues: the driver side, whole bursts at a time, for buffers of one
 * descriptor each that belong to the ring for good. Buffer `id` is slot `id` of the queue's memory.
 * For anything else there is virtio/split_driver.h; this is the part of it that must cost almost
 * nothing, so that a measurement shows the switch. Split and packed rings (VIRTIO 1.3, 2.7 and
 * 2.8).
 *
 *	put -> publish -> (the device uses them) -> take -> put ...
 *
 * As in a kernel's driver, descriptors are written anew for each put; an available entry that has
 * the right value already is left alone.
 *
 * With IN_ORDER buffers go round in the ring's order, which put() is then bound to: from 0 on, as
 * they were taken. So the next one to come back is known, and a used entry may stand for a batch.
 *
 * The device is not trusted: what it returns is checked, and a fault makes the ring `broken`.
 * Notifications by the device are off for good; the owner polls. One thread.
 */
#ifndef VSW_BENCH_RING_H
#define VSW_BENCH_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/ring.h"

/* Buffers that one take or put handles. */
#define BENCH_BURST 64

struct bench_ring_config {
	void *descriptors, *available,
		*used;          /* room as split_*_size() ask for, for packed rings too */
	unsigned size;          /* a power of two */
	uint8_t *slots;         /* [size] buffers of slot_size bytes */
	uint64_t slots_address; /* the same as the device names it */
	uint32_t slot_size;
	bool writable;     /* by the device: a receiveq */
	uint64_t features; /* agreed */
};

struct bench_ring {
	void *descriptors;
	union {
		struct vring_avail *available;
		struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		const struct vring_packed_desc_event *device_event;
	};
	uint8_t *slots;
	uint64_t slots_address;
	uint32_t slot_size;
	uint16_t size;
	uint16_t flags; /* of every descriptor */
	bool packed;
	bool event_index;
	bool in_order;
	bool broken;
	bool notified; /* something was published */
	bool wrap;     /* packed: of the next put, and of the next take */
	bool used_wrap;
	uint16_t next_put;    /* split: free running; packed: index */
	uint16_t next_take;   /* likewise */
	uint16_t published;   /* split: available->idx as last written */
	uint16_t seen;        /* split: used->idx as last read */
	uint16_t pending;     /* packed: put and not published */
	uint16_t first;       /* packed: where those begin, */
	uint16_t first_flags; /* and what makes the first, and so all, available */
	unsigned outstanding; /* with the device */
	bool *with_device;    /* [size], owned; not kept with IN_ORDER */
	/* IN_ORDER: buffers that a used entry has returned and that are not taken yet; bytes in the
	 * last of them. */
	unsigned batch;
	uint32_t batch_written;
};

/* Lays an empty ring over its parts. 0, -EINVAL for a size that is no power of two, -ENOMEM. */
int bench_ring_init(struct bench_ring *ring, const struct bench_ring_config *config);
void bench_ring_fini(struct bench_ring *ring);

/* Takes back up to `max` (at most BENCH_BURST) buffers that the device has used: their ids, and the
 * bytes that it says it wrote (all, where it says so by leaving the buffer out of a batch's entry);
 * their first cache lines are on their way. Returns how many. */
unsigned bench_ring_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max);

/* Gives the device `count` buffers that it does not have, each with its length in bytes. Not
 * visible before the next publish. */
void bench_ring_put(
	struct bench_ring *ring, const uint16_t *ids, const uint32_t *lengths, unsigned count);

/* Makes what was put available; true where the device wants a kick for it. */
bool bench_ring_publish(struct bench_ring *ring);

ALWAYS_INLINE uint8_t *bench_ring_slot(const struct bench_ring *ring, unsigned id)
{
	return ring->slots + (uint64_t)id * ring->slot_size;
}

#endif
