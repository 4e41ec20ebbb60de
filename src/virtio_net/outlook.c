/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio_net/outlook.h"

void net_outlook_begin(struct net_outlook *outlook, const struct device_ring *ring)
{
	outlook->start = *ring;
	net_outlook_note(outlook, ring, ring->packed);
}

/*
 * Each makes a ring of its own out of what taking a chain reads: what is left zero is not used, so
 * that the compiler keeps all of it in registers. A copy of the whole would cost more than the look
 * itself.
 */
static const uint8_t *fetch_packed(const struct packed_device *start, union net_outlook_place place)
{
	struct packed_device ring = {
		.descriptors = start->descriptors,
		.memory = start->memory,
		.size = start->size,
		.taken = place.packed.taken,
		.region = place.packed.region,
	};
	struct ring_chain chain;
	uint32_t length;

	prefetch_write(&ring.descriptors[place.packed.given]);
	return packed_device_take_simple(&ring, true, &chain, &length);
}

static const uint8_t *fetch_split(const struct split_device *start, union net_outlook_place place)
{
	struct split_device ring = {
		.descriptors = start->descriptors,
		.available = start->available,
		.memory = start->memory,
		.size = start->size,
		.next_taken = place.split.taken,
		.last_head = place.split.last_head,
		.region = place.split.region,
	};
	uint16_t head;
	uint32_t length;

	__builtin_prefetch(split_device_guess(&ring));
	prefetch_write(&start->used->ring[place.split.given & (ring.size - 1)]);
	return split_device_take_simple(&ring, true, &head, &length);
}

const uint8_t *net_outlook_fetch(const struct net_outlook *outlook)
{
	const union net_outlook_place place = {
		.word = __atomic_load_n(&outlook->place.word, __ATOMIC_RELAXED)};
	const uint8_t *buffer = outlook->start.packed
					? fetch_packed(&outlook->start.packed_ring, place)
					: fetch_split(&outlook->start.split, place);

	if (likely(buffer))
		net_outlook_prefetch(buffer);
	return buffer;
}
