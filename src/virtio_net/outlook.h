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
	struct {
		uint16_t taken;
		uint16_t given;
		uint16_t last_head;
		uint16_t region;
	} split;
	struct {
		struct packed_place taken;
		uint16_t given;
		uint16_t region;
	} packed;
	uint64_t word; /* read and written whole */
};

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

	if (packed) {
		place.packed.taken = ring->packed_ring.taken;
		place.packed.given = ring->packed_ring.given.slot;
		place.packed.region = (uint16_t)ring->packed_ring.region;
	} else {
		place.split.taken = ring->split.next_taken;
		place.split.given = ring->split.next_given;
		place.split.last_head = ring->split.last_head;
		place.split.region = (uint16_t)ring->split.region;
	}
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
