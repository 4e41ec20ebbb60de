/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/net_outlook.h"

void net_outlook_begin(struct net_outlook *outlook, const struct device_ring *ring)
{
	outlook->start = *ring;
	net_outlook_note(outlook, ring, ring->packed);
}

static void fetch_packed(struct packed_device *ring, union net_outlook_place place)
{
	ring->taken = place.packed.taken;
	ring->region = place.packed.region;
	prefetch_write(&ring->descriptors[place.packed.given]);
}

static void fetch_split(struct split_device *ring, union net_outlook_place place)
{
	ring->next_taken = place.split.taken;
	ring->next_given = place.split.given;
	ring->last_head = place.split.last_head;
	ring->region = place.split.region;
	__builtin_prefetch(split_device_guess(ring));
	prefetch_write(&ring->used->ring[ring->next_given & (ring->size - 1)]);
}

const uint8_t *net_outlook_fetch(const struct net_outlook *outlook)
{
	const union net_outlook_place place = {
		.word = __atomic_load_n(&outlook->place.word, __ATOMIC_RELAXED)};
	struct device_ring ring = outlook->start;
	struct packed_chain chain;
	uint32_t length;
	const uint8_t *buffer;

	if (ring.packed)
		fetch_packed(&ring.packed_ring, place);
	else
		fetch_split(&ring.split, place);
	buffer = device_ring_take_simple(&ring, ring.packed, true, &chain, &length);
	if (likely(buffer))
		net_outlook_prefetch(buffer);
	return buffer;
}
