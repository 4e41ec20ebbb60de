/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a packed ring stands, written down as it moves, so that a successor of this process can go
 * on (docs/decisions/ring-positions.md). One record a ring, in memory of ours that outlives the
 * process; no peer ever sees it. A split ring needs none: its used index lies in the guest's
 * memory.
 *
 * Writers: the control thread while the ring is out of service; the moving part the ring's thread,
 * while it runs. The next process reads it, and believes nothing that the ring's own flags do not
 * confirm (packed_resume.h). A process that is killed has executed a prefix of its instructions,
 * and what it stored stays: so only the compiler must keep the stores below in order.
 *
 * No errors. All zero: no record.
 */
#ifndef VSW_VIRTIO_RING_PLACE_H
#define VSW_VIRTIO_RING_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"
#include "virtio/packed_ring.h"

/* Also the version of the layout: anything else is no record. */
enum ring_place_state {
	RING_PLACE_NONE = 0,
	RING_PLACE_RUNNING =
		0x52500101, /* in service, or was when the process or the connection ended */
	RING_PLACE_STOPPED = 0x52500102, /* the frontend was told where it stands */
};

/* Which ring it is. */
struct ring_identity {
	uint64_t descriptors, driver_area, device_area; /* addresses as the frontend names them */
	uint32_t size;                                  /* entries */
	bool in_order;                                  /* VIRTIO_F_IN_ORDER */
};

struct ring_place {
	/* The moving part: places of used descriptors. */
	union {
		uint64_t position; /* both */
		struct {
			struct packed_place next;  /* of the next one */
			struct packed_place ahead; /* once the burst before that is published */
		};
	};
	/* The last chain of several slots in the burst that is not published: slot, and slots <<
	 * 16; 0: there is none. */
	uint32_t chain;

	uint32_t state; /* enum ring_place_state; written last */
	uint64_t descriptors, driver_area, device_area;
	uint32_t size;
	uint32_t in_order;
	uint32_t base; /* with which the frontend started it */
} CACHE_ALIGNED;
_Static_assert(sizeof(struct ring_place) == CACHE_LINE, "a record a line: threads share none");

static inline uint32_t ring_place_word(struct packed_place place)
{
	return place.slot | (uint32_t)place.flags << 16;
}

/* What was given is about to be published; the ring then goes on at `end`. */
ALWAYS_INLINE void ring_place_publishing(struct ring_place *place, struct packed_place end)
{
	ring_store(*((uint32_t *)&place->position + 1), ring_place_word(end));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* And now it is. */
ALWAYS_INLINE void ring_place_published(struct ring_place *place, struct packed_place end)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_store(*(uint32_t *)&place->position, ring_place_word(end));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_store(place->chain, 0);
}

/* A chain of several slots is about to be given behind others: its first descriptor, from which its
 * length could be seen, is overwritten next. */
ALWAYS_INLINE void ring_place_giving(struct ring_place *place, uint16_t slot, uint16_t count)
{
	ring_store(place->chain, slot | (uint32_t)count << 16);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Begins a record: a ring that the frontend started with `base`, and that stands at `given`. */
static inline void ring_place_begin(struct ring_place *place, const struct ring_identity *identity,
	uint32_t base, struct packed_place given)
{
	ring_store(place->state, RING_PLACE_NONE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_store(place->chain, 0);
	ring_store(
		place->position, ring_place_word(given) | (uint64_t)ring_place_word(given) << 32);
	ring_store(place->descriptors, identity->descriptors);
	ring_store(place->driver_area, identity->driver_area);
	ring_store(place->device_area, identity->device_area);
	ring_store(place->size, identity->size);
	ring_store(place->in_order, identity->in_order);
	ring_store(place->base, base);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_store(place->state, RING_PLACE_RUNNING);
}

/* There is no record any more. */
static inline void ring_place_forget(struct ring_place *place)
{
	ring_store(place->state, RING_PLACE_NONE);
}

/* The frontend knows now. */
static inline void ring_place_stop(struct ring_place *place)
{
	if (ring_load(place->state) == RING_PLACE_RUNNING)
		ring_store(place->state, RING_PLACE_STOPPED);
}

/* True where there is a record, of this ring. */
static inline bool ring_place_is_of(
	const struct ring_place *place, const struct ring_identity *identity)
{
	uint32_t state = ring_load(place->state);

	return (state == RING_PLACE_RUNNING || state == RING_PLACE_STOPPED) &&
	       ring_load(place->descriptors) == identity->descriptors &&
	       ring_load(place->driver_area) == identity->driver_area &&
	       ring_load(place->device_area) == identity->device_area &&
	       ring_load(place->size) == identity->size &&
	       ring_load(place->in_order) == identity->in_order;
}

#endif
