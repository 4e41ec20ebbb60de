/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio_net/outlook.h"

void net_outlook_begin(struct net_outlook *outlook, const struct device_ring *ring)
{
	outlook->start = *ring;
	net_outlook_note(outlook, ring, ring->packed);
}

const uint8_t *net_outlook_fetch(const struct net_outlook *outlook)
{
	const union net_outlook_place place = {
		.word = __atomic_load_n(&outlook->place.word, __ATOMIC_RELAXED)};
	const uint8_t *buffer = outlook->start.packed
					? packed_device_look(
						  &outlook->start.packed_ring, place.packed)
					: split_device_look(&outlook->start.split, place.split);

	if (likely(buffer))
		net_outlook_prefetch(buffer);
	return buffer;
}
