/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both sides of a packed virtqueue share (VIRTIO 1.3, 2.8): a descriptor as two words, places
 * in the ring with their lap, and the event suppression structures as one word each.
 *
 * A descriptor's second word holds length, buffer id and flags. It is read and written whole, by
 * one access, so that what it says about being available or used can never belong to another length
 * or id than the ones beside it. Our peers may write the three fields one by one: flags last.
 *
 * No state of its own, no errors; any thread.
 */
#ifndef VSW_VIRTIO_PACKED_RING_H
#define VSW_VIRTIO_PACKED_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"
#include "virtio/ring.h"

#define PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED  (1u << VRING_PACKED_DESC_F_USED)
/* The two flags whose values tell available from used, and this lap from the last (2.8.1). */
#define PACKED_STATE (PACKED_AVAIL | PACKED_USED)

/* A descriptor, each field read once. */
struct packed_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t id;
	uint16_t flags;
};

static inline uint64_t *packed_second_word(const struct vring_packed_desc *descriptor)
{
	return (uint64_t *)(uintptr_t)descriptor + 1;
}

static inline uint64_t packed_word(uint32_t length, uint16_t id, unsigned flags)
{
	return length | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

static inline uint16_t packed_word_flags(uint64_t word)
{
	return (uint16_t)(word >> 48);
}

static inline uint16_t packed_word_id(uint64_t word)
{
	return (uint16_t)(word >> 32);
}

/* The flags are read before the address, which counts only where they say so. */
ALWAYS_INLINE struct packed_descriptor packed_read(const struct vring_packed_desc *descriptor)
{
	uint64_t word = ring_load_acquire(*packed_second_word(descriptor));

	return (struct packed_descriptor){
		.address = ring_load(*(const uint64_t *)descriptor),
		.length = (uint32_t)word,
		.id = packed_word_id(word),
		.flags = packed_word_flags(word),
	};
}

/*
 * A place in the ring. `flags` are the state flags that a descriptor at this place carries in this
 * lap once it is available (one kind of place) or used (the other kind); they flip at the ring's
 * end.
 */
struct packed_place {
	uint16_t slot;
	uint16_t flags;
};

/* Available: AVAIL is the wrap counter and USED its inverse (2.8.1). */
static inline struct packed_place packed_place_available(uint16_t slot, bool wrap)
{
	return (struct packed_place){slot, wrap ? PACKED_AVAIL : PACKED_USED};
}

/* Used: both are the wrap counter. */
static inline struct packed_place packed_place_used(uint16_t slot, bool wrap)
{
	return (struct packed_place){slot, wrap ? PACKED_STATE : 0};
}

/* Moves on by `count` slots, at most `size`. */
ALWAYS_INLINE void packed_place_advance(struct packed_place *place, unsigned count, unsigned size)
{
	unsigned slot = place->slot + count;

	if (unlikely(slot >= size)) {
		slot -= size;
		place->flags ^= PACKED_STATE;
	}
	place->slot = (uint16_t)slot;
}

/* Moves back by `count` slots, at most `size`. */
ALWAYS_INLINE void packed_place_retreat(struct packed_place *place, unsigned count, unsigned size)
{
	unsigned slot = place->slot;

	if (slot < count) {
		slot += size;
		place->flags ^= PACKED_STATE;
	}
	place->slot = (uint16_t)(slot - count);
}

/* As the other side and VMMs write it: the slot, and the wrap counter in bit 15. In both kinds of
 * place the AVAIL flag is the wrap counter. */
static inline uint16_t packed_place_encode(struct packed_place place)
{
	return (uint16_t)(place.slot | (place.flags & PACKED_AVAIL ? 0x8000 : 0));
}

/* An event suppression structure (2.8.10): off_wrap, then flags. */
static inline uint32_t packed_event(uint16_t off_wrap, unsigned flags)
{
	return off_wrap | (uint32_t)flags << 16;
}

/* The structure that asks to be notified when the descriptor at `place` changes; without the event
 * index, when any does. */
static inline uint32_t packed_event_on(bool event_index, struct packed_place place)
{
	return event_index ? packed_event(packed_place_encode(place), VRING_PACKED_EVENT_FLAG_DESC)
			   : packed_event(0, VRING_PACKED_EVENT_FLAG_ENABLE);
}

static inline uint32_t packed_event_off(void)
{
	return packed_event(0, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/*
 * True where the other side's structure `event` wants a notification for the `count` slots (1 to
 * size) that end before `after`. Reserved flags are taken for ENABLE: a notification too many does
 * no harm. `always` stands for a passed event, not for one that is switched off.
 */
static inline bool packed_event_wanted(uint32_t event, bool event_index, bool always,
	struct packed_place after, unsigned count, unsigned size)
{
	uint16_t off_wrap = (uint16_t)event;
	unsigned flags = event >> 16;
	uint16_t slot = off_wrap & 0x7fff;

	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !event_index || always)
		return true;
	/* Not of the lap of `after`: of the one before, or so far ahead that it is not passed
	 * either. */
	if ((off_wrap ^ packed_place_encode(after)) & 0x8000)
		slot -= (uint16_t)size;
	return ring_event_passed(slot, after.slot, (uint16_t)(after.slot - count));
}

#endif
