/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/packed_resume.h"

#include "virtio/packed_device.h"

/* What a record says, read once. */
struct recorded {
	struct packed_place next, ahead;
	uint16_t chain_slot, chain_count;
};

/* An unfinished burst, in slots behind recorded.next. */
struct burst {
	unsigned first_count; /* of its first chain, which nothing was written over */
	uint16_t first_id;
	unsigned end; /* behind the last chain that was given; 0: none was but the first */
};

static unsigned state_of(const struct vring_packed_desc *descriptors, unsigned slot)
{
	return packed_word_flags(ring_load_acquire(*packed_second_word(&descriptors[slot]))) &
	       PACKED_STATE;
}

static uint32_t both(uint16_t code)
{
	return code | (uint32_t)code << 16;
}

/* Peers that know one place only leave the upper half zero. */
static uint32_t widen(uint32_t base)
{
	return base >> 16 ? base : both((uint16_t)base);
}

/* True where some slot's flags, masked with PACKED_STATE, have all of `flags`. */
static bool any_slot(const struct vring_packed_desc *descriptors, unsigned size, unsigned flags)
{
	for (unsigned slot = 0; slot < size; slot++)
		if ((state_of(descriptors, slot) & flags) == flags)
			return true;
	return false;
}

/* True where the ring is one that its driver has zeroed, and made some descriptors of available,
 * and that nobody has served: a slot that was ever used has an address. */
static bool is_fresh(const struct vring_packed_desc *descriptors, unsigned size)
{
	for (unsigned slot = 0; slot < size; slot++) {
		unsigned state = state_of(descriptors, slot);

		if (state != PACKED_AVAIL && (state || ring_load(descriptors[slot].addr)))
			return false;
	}
	return true;
}

/* True where the slot that is to be used next at `base` is used in its lap: a device was there
 * already. */
static bool is_used(const struct vring_packed_desc *descriptors, unsigned size, uint32_t base)
{
	struct packed_place place = packed_place_used(base >> 16 & 0x7fff, base >> 31);

	return place.slot < size && state_of(descriptors, place.slot) == place.flags;
}

/* A place within the ring, with the flags of one lap or the other. */
static bool is_place(struct packed_place place, unsigned size)
{
	return place.slot < size && (place.flags == 0 || place.flags == PACKED_STATE);
}

static bool read_record(const struct ring_place *place, unsigned size, struct recorded *recorded)
{
	const struct ring_place now = {.position = ring_load(place->position)};
	uint32_t chain = ring_load(place->chain);

	*recorded = (struct recorded){
		.next = now.next,
		.ahead = now.ahead,
		.chain_slot = (uint16_t)chain,
		.chain_count = (uint16_t)(chain >> 16),
	};
	return is_place(now.next, size) && is_place(now.ahead, size);
}

static bool same_place(struct packed_place one, struct packed_place other)
{
	return one.slot == other.slot && one.flags == other.flags;
}

/* The chain at recorded->next, which is available and whole. */
static bool walk_first(const struct vring_packed_desc *descriptors, unsigned size,
	const struct recorded *recorded, struct burst *burst)
{
	unsigned slot = recorded->next.slot;

	for (burst->first_count = 1; burst->first_count <= size; burst->first_count++) {
		struct packed_descriptor descriptor = packed_read(&descriptors[slot]);

		burst->first_id = descriptor.id;
		if (descriptor.flags & VRING_DESC_F_INDIRECT ||
			!(descriptor.flags & VRING_DESC_F_NEXT))
			return true;
		if (++slot == size)
			slot = 0;
	}
	return false;
}

/*
 * Finds what was written over behind the first chain: no slot there can be used in this lap but by
 * the burst. In a ring that we write into, those lose their length.
 */
static bool find_burst(struct vring_packed_desc *descriptors, unsigned size,
	const struct recorded *recorded, bool writable, struct burst *burst)
{
	struct packed_place at = recorded->next;
	unsigned last = 0, last_slot = 0;

	if (!walk_first(descriptors, size, recorded, burst))
		return false;
	for (unsigned distance = 1; distance < size; distance++) {
		uint64_t *word;

		packed_place_advance(&at, 1, size);
		if (state_of(descriptors, at.slot) != at.flags)
			continue;
		if (distance < burst->first_count)
			return false;
		last = distance;
		last_slot = at.slot;
		word = packed_second_word(&descriptors[at.slot]);
		if (writable)
			ring_store(
				*word, packed_word(0, packed_word_id(ring_load(*word)), at.flags));
	}
	burst->end = last ? last + 1 : 0;
	if (last && recorded->chain_count > 1 && recorded->chain_slot == last_slot)
		burst->end = last + recorded->chain_count;
	return burst->end <= size;
}

/* Publishes the burst, as packed_device_publish() does; returns where the ring goes on. */
static struct packed_place finish_burst(struct vring_packed_desc *descriptors, unsigned size,
	struct ring_place *place, const struct recorded *recorded, const struct burst *burst)
{
	struct packed_place end = recorded->next;

	packed_place_advance(&end, burst->end, size);
	ring_place_publishing(place, end);
	ring_store_release(*packed_second_word(&descriptors[recorded->next.slot]),
		packed_word(0, burst->first_id, recorded->next.flags));
	ring_place_published(place, end);
	return end;
}

/* The place that the record and the ring agree on; false where they do not. */
static bool go_on(struct vring_packed_desc *descriptors, unsigned size, struct ring_place *place,
	bool writable, struct packed_place *found)
{
	struct recorded recorded;
	struct burst burst;
	unsigned state;

	if (!read_record(place, size, &recorded))
		return false;
	*found = recorded.next;
	state = state_of(descriptors, recorded.next.slot);
	if (!same_place(recorded.ahead, recorded.next) &&
		!((state ^ recorded.next.flags) & PACKED_USED)) {
		/* Published, but not noted any more: used, or available in the next lap. */
		*found = recorded.ahead;
		return true;
	}
	if (state == (recorded.next.flags ^ PACKED_USED)) {
		/* Available: nothing from there on was published. */
		if (!find_burst(descriptors, size, &recorded, writable, &burst))
			return false;
		if (burst.end)
			*found = finish_burst(descriptors, size, place, &recorded, &burst);
		return true;
	}
	/* Not available yet: anything that the lap before may have left. */
	return same_place(recorded.ahead, recorded.next) && state != recorded.next.flags;
}

enum packed_resume packed_resume(struct vring_packed_desc *descriptors, unsigned size,
	struct ring_place *place, const struct ring_identity *identity, bool writable,
	uint32_t *base)
{
	uint32_t asked = widen(*base);
	bool recorded = place && ring_place_is_of(place, identity);
	struct packed_place found;
	bool running;

	/* A frontend that was told nothing since then repeats where the ring began. */
	running = recorded && ring_load(place->state) == RING_PLACE_RUNNING &&
		  widen(ring_load(place->base)) == asked;
	/* A frontend that knows the place may be believed, but where the ring was served beyond
	 * it. */
	if (asked && !running && asked != PACKED_BASE_FRESH)
		return is_used(descriptors, size, asked) ? PACKED_RESUME_LOST : PACKED_RESUME_BASE;
	if (asked == PACKED_BASE_FRESH && is_fresh(descriptors, size))
		return PACKED_RESUME_BASE;
	if ((running || !asked) && recorded && go_on(descriptors, size, place, writable, &found)) {
		*base = both(packed_place_encode(found));
		return PACKED_RESUME_RECORDED;
	}
	/* A driver that starts anew over such a descriptor would take it for used. */
	if (asked == PACKED_BASE_FRESH && !any_slot(descriptors, size, PACKED_STATE))
		return PACKED_RESUME_BASE;
	return PACKED_RESUME_LOST;
}
