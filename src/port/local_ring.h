/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bounded ring of frames of any length, each in one piece, with what travels beside it. One side
 * fills, the other empties; where several threads fill, a lock of theirs makes them one. Inside
 * port/ only.
 *
 * filled and emptied count bytes from the start of time; each is written by its side and read by
 * both. A record that would reach beyond the end of the memory begins at its start again, behind
 * one that says so (length LOCAL_RECORD_SKIP).
 */
#ifndef VSW_PORT_LOCAL_RING_H
#define VSW_PORT_LOCAL_RING_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/common.h"

#define LOCAL_RECORD_SKIP UINT32_MAX
/* record->port of a frame that shall not be delivered any more. */
#define LOCAL_RECORD_VOID UINT16_MAX

struct local_record {
	uint32_t length; /* of the frame */
	uint16_t network;
	uint16_t port;
	bool forgotten; /* the reading side's */
	uint8_t bytes[] __attribute__((aligned(8)));
};

struct local_ring {
	uint8_t *bytes;
	uint32_t size;  /* a power of two */
	uint64_t begin; /* of the record that is reserved; the filling side's */
	uint64_t filled CACHE_ALIGNED;
	uint64_t emptied CACHE_ALIGNED;
};

/* size: a power of two. 0 or -ENOMEM. */
static inline int local_ring_init(struct local_ring *ring, uint32_t size)
{
	ring->bytes = aligned_alloc(CACHE_LINE, size);
	ring->size = size;
	return ring->bytes ? 0 : -ENOMEM;
}

static inline void local_ring_fini(struct local_ring *ring)
{
	free(ring->bytes);
	ring->bytes = NULL;
}

/* Bytes of the ring that a frame takes. */
static inline uint32_t local_record_size(uint32_t length)
{
	return (uint32_t)(sizeof(struct local_record) + length + 7) & ~7u;
}

static inline struct local_record *local_ring_at(const struct local_ring *ring, uint64_t at)
{
	return (struct local_record *)(ring->bytes + (at & (ring->size - 1)));
}

/* Filling side: bytes that are free. */
static inline uint32_t local_ring_free(const struct local_ring *ring)
{
	return ring->size -
	       (uint32_t)(ring->filled - __atomic_load_n(&ring->emptied, __ATOMIC_ACQUIRE));
}

/* Filling side: room for a frame, of which all but `length` is to be written, and then
 * local_ring_fill() called; NULL where there is none. */
static inline struct local_record *local_ring_reserve(struct local_ring *ring, uint32_t length)
{
	uint32_t left = ring->size - (uint32_t)(ring->filled & (ring->size - 1));
	uint32_t size = local_record_size(length), skip = size > left ? left : 0;
	struct local_record *record;

	if (size + skip > local_ring_free(ring))
		return NULL;
	if (skip)
		local_ring_at(ring, ring->filled)->length = LOCAL_RECORD_SKIP;
	ring->begin = ring->filled + skip;
	record = local_ring_at(ring, ring->begin);
	record->length = length;
	record->forgotten = false;
	return record;
}

/* Where the ring goes on behind a record at `at`. */
static inline uint64_t local_ring_after(const struct local_record *record, uint64_t at)
{
	return at + local_record_size(record->length);
}

/* Filling side: makes the record that was reserved the ring's newest. */
static inline void local_ring_fill(struct local_ring *ring, const struct local_record *record)
{
	__atomic_store_n(&ring->filled, local_ring_after(record, ring->begin), __ATOMIC_SEQ_CST);
}

/* Emptying side: the record at *at, which moves to its beginning; NULL where there is none yet. */
static inline struct local_record *local_ring_next(const struct local_ring *ring, uint64_t *at)
{
	struct local_record *record;

	if (__atomic_load_n(&ring->filled, __ATOMIC_ACQUIRE) == *at)
		return NULL;
	record = local_ring_at(ring, *at);
	if (record->length != LOCAL_RECORD_SKIP)
		return record;
	*at += ring->size - (*at & (ring->size - 1));
	return local_ring_at(ring, *at);
}

/* Emptying side: what stands before `at` is free again. */
static inline void local_ring_empty(struct local_ring *ring, uint64_t at)
{
	__atomic_store_n(&ring->emptied, at, __ATOMIC_RELEASE);
}

#endif
