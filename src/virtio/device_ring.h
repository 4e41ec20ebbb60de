/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue's device side, split or packed, behind one set of words. The hot functions take the
 * layout as an argument that is constant where they are inlined, so that each layout gets code of
 * its own from one text; the rare ones look at the ring.
 *
 * Ownership, threads, order of use and trust are those of split_device.h and packed_device.h.
 */
#ifndef VSW_VIRTIO_DEVICE_RING_H
#define VSW_VIRTIO_DEVICE_RING_H

#include "virtio/packed_device.h"
#include "virtio/split_device.h"

/* What a frontend says of a ring: where its parts are, and where to go on. */
struct device_ring_parts {
	void *descriptors;
	void *driver_area; /* split: available ring; packed: driver event suppression */
	void *device_area; /* split: used ring; packed: device event suppression */
};

struct device_ring {
	bool packed;
	union {
		struct split_device split;
		struct packed_device packed_ring;
	};
};

/* Bytes of each part of a ring with `size` entries under these features. */
struct device_ring_sizes {
	uint64_t descriptors, driver_area, device_area;
};
struct device_ring_sizes device_ring_sizes(unsigned size, uint64_t features);

/* The parts hold as many bytes as device_ring_sizes() says; `base` is SET_VRING_BASE's number. 0,
 * or -EINVAL for a size, base or alignment that is not legal. */
int device_ring_init(struct device_ring *ring, const struct guest_memory *memory,
	const struct device_ring_parts *parts, unsigned size, uint64_t features, uint32_t base);

/* The base at which to go on (GET_VRING_BASE), once all that was taken is given and published. */
uint32_t device_ring_base(const struct device_ring *ring);

/* Has the ring's writes to guest memory logged as *log says, which the control thread may change
 * while the ring runs, and which lives as long as the ring. After init. */
void device_ring_set_log(struct device_ring *ring, const struct queue_log *const *log);

/* Has a packed ring's thread note in *place how far it is; NULL: nowhere. A split ring needs no
 * note. After init; the record lives as long as the ring. */
void device_ring_set_place(struct device_ring *ring, struct ring_place *place);

/* Notifications on: true where there is work already. / off. */
bool device_ring_arm(struct device_ring *ring);
void device_ring_disarm(struct device_ring *ring);

/* Written by the ring's thread only; it is also the only one to use this. */
static inline bool device_ring_broken(const struct device_ring *ring)
{
	return ring->packed ? ring->packed_ring.broken : ring->split.broken;
}

/* True where the driver never made a chain available in this ring: it is as it was zeroed. */
bool device_ring_untouched(const struct device_ring *ring);

ALWAYS_INLINE bool device_ring_failed(struct device_ring *ring, bool packed)
{
	return packed ? packed_device_failed(&ring->packed_ring)
		      : split_device_failed(&ring->split);
}

/* 0: nothing to take; otherwise at least one chain. */
ALWAYS_INLINE unsigned device_ring_available(struct device_ring *ring, bool packed)
{
	return packed ? packed_device_available(&ring->packed_ring)
		      : split_device_available(&ring->split);
}

/* Takes the next chain, which is available: see packed_device_take(). -1 takes nothing. */
ALWAYS_INLINE int device_ring_take(struct device_ring *ring, bool packed, struct ring_chain *chain,
	bool writable, struct iovec *pieces, unsigned pieces_max, uint32_t *length)
{
	uint16_t head;
	int count;

	if (packed)
		return packed_device_take(
			&ring->packed_ring, chain, writable, pieces, pieces_max, length);
	head = split_device_take(&ring->split);
	count = split_device_buffers(&ring->split, head, writable, pieces, pieces_max, length);
	if (unlikely(count < 0))
		split_device_untake(&ring->split, 1);
	*chain = (struct ring_chain){.id = head, .count = 1};
	return count;
}

/* The next chain if it is of the most common kind: see packed_device_take_simple(). NULL takes
 * nothing. What it took is given, or taken back, before another one is taken. */
ALWAYS_INLINE uint8_t *device_ring_take_simple(struct device_ring *ring, bool packed, bool writable,
	struct ring_chain *chain, uint32_t *length)
{
	if (packed)
		return packed_device_take_simple(&ring->packed_ring, writable, chain, length);
	chain->count = 1;
	return split_device_take_simple(&ring->split, writable, &chain->id, length);
}

/* How many chains are known to be available, without reading more of a split ring's index. */
ALWAYS_INLINE unsigned device_ring_known(struct device_ring *ring, bool packed)
{
	if (packed)
		return packed_device_available(&ring->packed_ring);
	return (uint16_t)(ring->split.seen - ring->split.next_taken);
}

/* Puts back what device_ring_take_simple() took. */
ALWAYS_INLINE void device_ring_untake_simple(struct device_ring *ring, bool packed)
{
	if (packed)
		packed_device_untake_simple(&ring->packed_ring);
	else
		split_device_untake(&ring->split, 1);
}

/* Puts back the last chains taken, of which none was given; slots: the sum of their counts. */
ALWAYS_INLINE void device_ring_untake(struct device_ring *ring, bool packed, unsigned slots)
{
	if (packed)
		packed_device_untake(&ring->packed_ring, slots);
	else
		split_device_untake(&ring->split, slots);
}

ALWAYS_INLINE void device_ring_give(
	struct device_ring *ring, bool packed, struct ring_chain chain, uint32_t written)
{
	if (packed)
		packed_device_give(&ring->packed_ring, chain, written);
	else
		split_device_give(&ring->split, chain.id, written);
}

/* Makes what was given visible; true where the driver wants a signal. */
ALWAYS_INLINE bool device_ring_publish(struct device_ring *ring, bool packed)
{
	return packed ? packed_device_publish(&ring->packed_ring)
		      : split_device_publish(&ring->split);
}

#endif
