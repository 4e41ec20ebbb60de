/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all virtqueues share: access to memory that the other side writes, and the arithmetic of
 * notifications. VIRTIO 1.3, 2.6 to 2.8.
 *
 * Ring memory is volatile and hostile: each field is read once, into a local, by ring_load*(). The
 * rings are little endian; so are the machines that we run on (checked at compile time).
 */
#ifndef VSW_VIRTIO_RING_H
#define VSW_VIRTIO_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"
#include "virtio/feature_bits.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio 1 rings are little endian");

/* The largest queue of the specification (2.6, 2.8). */
#define RING_SIZE_MAX 32768

/* One read of a field that the other side may write at any time. */
#define ring_load(field)                 __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define ring_load_acquire(field)         __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
/* One write of a field that the other side may read at any time. */
#define ring_store(field, value)         __atomic_store_n(&(field), value, __ATOMIC_RELAXED)
#define ring_store_release(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)

/* Orders our write of an index before our read of the other side's wish to be notified
 * (2.6.7.1). */
static inline void ring_full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* True where an index that went from `before` to `after` has passed `event` (2.6.7.2, 2.6.10). */
static inline bool ring_event_passed(uint16_t event, uint16_t after, uint16_t before)
{
	return (uint16_t)(after - event - 1) < (uint16_t)(after - before);
}

/* A chain in a device's hands. */
struct ring_chain {
	uint16_t id;    /* a packed ring's buffer id; a split ring's head */
	uint16_t count; /* slots of the ring that it takes: always 1 in a split ring */
};

/* A buffer as a driver names it to the device. */
struct driver_buffer {
	uint64_t address; /* guest physical */
	uint32_t length;  /* bytes */
};

/* A descriptor of a split ring, read once (2.6.5). */
struct ring_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

static inline struct ring_descriptor ring_read_descriptor(const struct vring_desc *descriptor)
{
	uint64_t word = ring_load(*((const uint64_t *)descriptor + 1));

	return (struct ring_descriptor){
		.address = ring_load(*(const uint64_t *)descriptor),
		.length = (uint32_t)word,
		.flags = (uint16_t)(word >> 32),
		.next = (uint16_t)(word >> 48),
	};
}

#endif
