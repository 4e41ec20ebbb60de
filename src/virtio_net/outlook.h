/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the next frame will probably be put in a receiveq. Whoever reads a frame can have the
 * receiver's cache lines fetched meanwhile, before it holds the lock that sending needs: what the
 * guest wrote there lies in another core's cache, as the frame itself does, and two waits become
 * one.
 *
 * A hint only. It may be old, and it believes the ring no more than sending does; nothing is
 * changed.
 *
 * Threads: the control thread begins, while no worker sees the ring; from then on whoever sends
 * notes where the ring is, and any worker may fetch while the ring is in service.
 */
#ifndef VSW_VIRTIO_NET_OUTLOOK_H
#define VSW_VIRTIO_NET_OUTLOOK_H

#include <stdint.h>

#include "virtio/device_ring.h"

/* Where a ring is: the chain that is taken next, and the one that is given next. */
union net_outlook_place {
	struct split_outlook split;
	struct packed_outlook packed;
	uint64_t word; /* read and written whole */
};

_Static_assert(sizeof(union net_outlook_place) == sizeof(uint64_t), "one word says all");

struct net_outlook {
	struct device_ring start; /* the ring as it was set up */
	union net_outlook_place place;
};

/* Begins with a ring that was just set up. */
void net_outlook_begin(struct net_outlook *outlook, const struct device_ring *ring);

/* Notes where the ring is now. */
ALWAYS_INLINE void net_outlook_note(
	struct net_outlook *outlook, const struct device_ring *ring, bool packed)
{
	union net_outlook_place place;

	if (packed)
		place.packed = packed_device_outlook(&ring->packed_ring);
	else
		place.split = split_device_outlook(&ring->split);
	__atomic_store_n(&outlook->place.word, place.word, __ATOMIC_RELAXED);
}

/*
 * Asks for the cache lines that sending one frame needs: the next chain's descriptor and buffer,
 * and the place where it is returned. Returns the buffer, NULL where the next chain is not a plain
 * one.
 */
const uint8_t *net_outlook_fetch(const struct net_outlook *outlook);

/* Asks for the cache lines of a small frame with its header, to be written at `buffer`. */
ALWAYS_INLINE void net_outlook_prefetch(const uint8_t *buffer)
{
	prefetch_write(buffer);
	prefetch_write(buffer + CACHE_LINE);
}

#endif
