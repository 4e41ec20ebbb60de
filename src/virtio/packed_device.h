/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device side of a packed virtqueue (VIRTIO 1.3, 2.8): takes the chains that the driver made
 * available, hands out their buffers, and returns them as used.
 *
 * Ownership: the control thread fills the struct with packed_device_init() while no worker sees it.
 * After that exactly one thread at a time calls the functions below (a queue's worker, or the
 * holder of the port's send lock).
 *
 * Order of use, a burst at a time, as with a split ring; but where a chain ends and what its id is
 * shows only when it is walked, so that taking a chain and finding its buffers is one step:
 *
 *	packed_device_available()                 may a chain be taken? ask before each take
 *	packed_device_take() ...                  the next chain, its buffers translated
 *	packed_device_untake()                    undoes the last takes
 *	packed_device_give() ...                  returned, in any order, not yet visible
 *	packed_device_publish()                   visible; says whether to signal the driver
 *
 * Used descriptors are written where they belong as chains are given, all but the first one's word
 * of a burst: a driver looks at that one first, so that nothing is visible before publish writes
 * it.
 *
 * Trust: nothing in the ring is believed. A chain that is invalid in any way sets `broken`; from
 * then on the queue yields nothing until it is set up again. Steps are bounded by the queue's size.
 * What is taken and not yet published never exceeds the ring, however often the driver makes a
 * descriptor available meanwhile: packed_device_take() breaks the queue where a chain does not fit
 * beside the others. So `taken` is at most one lap ahead of `given`, and putting back whatever was
 * taken moves back by at most one lap. Ids are the driver's own and are returned as they came. A
 * driver that makes a descriptor available again before it was used gets nonsense back, within its
 * own ring.
 */
#ifndef VSW_VIRTIO_PACKED_DEVICE_H
#define VSW_VIRTIO_PACKED_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/common.h"
#include "virtio/dirty_log.h"
#include "virtio/guest_memory.h"
#include "virtio/packed_ring.h"
#include "virtio/ring.h"
#include "virtio/ring_place.h"

struct packed_device {
	/* Set by packed_device_init(). */
	struct vring_packed_desc *descriptors;
	const uint32_t *driver_event; /* when to signal the driver */
	uint32_t *device_event;       /* when to notify us */
	const struct guest_memory *memory;
	uint16_t size; /* any number from 1 to RING_SIZE_MAX */
	bool event_index;
	bool indirect; /* VIRTIO_F_INDIRECT_DESC acknowledged */
	bool in_order; /* VIRTIO_F_IN_ORDER acknowledged: chains are given in the order taken */
	/* Where to find what is logged at present; not in here, because the control thread writes
	 * it while the queue runs. NULL: nothing ever. */
	const struct queue_log *const *log;
	struct ring_place *place; /* where the ring's thread notes how far it is; NULL: nowhere */

	/* Written by the one thread that runs the queue. */
	bool broken;               /* also read by the control thread */
	bool signalled_valid;      /* something was published in this life of the ring */
	bool batch;                /* the burst so far is one used descriptor for many chains */
	uint16_t burst;            /* slots given since the last publish */
	struct packed_place taken; /* of the chain that is taken next */
	struct packed_place given; /* of the next used descriptor; ahead of the published ones */
	uint16_t first_slot;       /* of the burst's first used descriptor ... */
	uint64_t first_word;       /* ... and its second word, which publish writes */
	unsigned region;           /* hint of guest_memory_translate() */
	unsigned faults;           /* guest_memory_faults as last seen */
};

/* A ring that was never used: both places at slot 0, both wrap counters 1 (2.8.1). */
#define PACKED_BASE_FRESH UINT32_C(0x80008000)

/*
 * Pointers to the three parts (descriptors, driver's and device's event suppression structure) are
 * checked by the caller to hold as many bytes as packed_*_size() ask for. `base` says where to go
 * on: bits 0-14 the slot of the next available chain, bit 15 its wrap counter, bits 16-30 and 31
 * the same of the next used descriptor; an upper half of zero comes from peers that know one place
 * only, which is then both. -EINVAL where size, base or an alignment is not legal, or the two
 * places are more than one lap apart.
 */
int packed_device_init(struct packed_device *queue, const struct guest_memory *memory,
	void *descriptors, void *driver_event, void *device_event, unsigned size, uint64_t features,
	uint32_t base);

/* The base at which another device may go on, once every chain taken was given and published. */
uint32_t packed_device_base(const struct packed_device *queue);

/* Bytes of the descriptor ring of `size` entries, and of an event suppression structure (2.8). */
uint64_t packed_descriptors_size(unsigned size);
uint64_t packed_event_size(void);

/* Turns the driver's notifications on: true where it made chains available meanwhile, so that the
 * caller must look again instead of sleeping. / off again. */
bool packed_device_arm(struct packed_device *queue);
void packed_device_disarm(struct packed_device *queue);

/* Slots that are taken and not yet given: never more than the ring has. */
ALWAYS_INLINE unsigned packed_device_outstanding(const struct packed_device *queue)
{
	bool lap = (queue->taken.flags ^ queue->given.flags) & PACKED_AVAIL;

	return queue->taken.slot + (lap ? queue->size : 0u) - queue->given.slot;
}

/*
 * 1 where a chain may be taken, else 0. The word that tells is the one that take needs next, so
 * that asking before each take costs less than counting ahead would.
 */
ALWAYS_INLINE unsigned packed_device_available(struct packed_device *queue)
{
	const struct vring_packed_desc *descriptor = &queue->descriptors[queue->taken.slot];
	uint64_t word = ring_load_acquire(*packed_second_word(descriptor));

	return (packed_word_flags(word) & PACKED_STATE) == queue->taken.flags &&
	       likely(!queue->broken);
}

/*
 * Takes the next chain; the caller knows that one is available. Its buffers become pieces of our
 * address space, in order; it must be entirely device-writable or entirely device-readable as
 * asked. Returns the number of pieces, the sum of their bytes in *length and what give needs in
 * *chain; or -1, sets `broken`, takes nothing and leaves *chain with no slots: a chain longer than
 * the ring, a nested, empty, oversized or un-negotiated indirect table or one with NEXT, a wrong
 * direction, an empty buffer, an address outside guest memory, more than pieces_max pieces, a sum
 * of 4 GiB or more, a chain that is no longer available, or one that does not fit into the ring
 * beside those that are taken and not yet published.
 */
int packed_device_take(struct packed_device *queue, struct ring_chain *chain, bool writable,
	struct iovec *pieces, unsigned pieces_max, uint32_t *length);

/*
 * By far the most common chain: one direct buffer inside one region, in the direction asked. Takes
 * it and returns where it is, its bytes in *length; otherwise takes nothing and returns NULL, and
 * packed_device_take() looks again, from the beginning. The caller knows that a chain is available
 * and that nothing is outstanding: it gives this chain, or takes it back, before it takes another,
 * which is why nothing is counted here.
 */
ALWAYS_INLINE uint8_t *packed_device_take_simple(
	struct packed_device *queue, bool writable, struct ring_chain *chain, uint32_t *length)
{
	struct packed_descriptor descriptor = packed_read(&queue->descriptors[queue->taken.slot]);
	uint32_t contiguous = descriptor.length;
	uint16_t expected = queue->taken.flags | (writable ? VRING_DESC_F_WRITE : 0);
	uint8_t *host;

	if (unlikely(descriptor.flags != expected || !contiguous))
		return NULL;
	host = guest_memory_translate(
		queue->memory, descriptor.address, &contiguous, &queue->region);
	if (unlikely(!host || contiguous != descriptor.length))
		return NULL;
	*chain = (struct ring_chain){descriptor.id, 1};
	*length = contiguous;
	packed_place_advance(&queue->taken, 1, queue->size);
	return host;
}

/* As split_outlook and its functions, for a packed ring. */
struct packed_outlook {
	struct packed_place taken;
	uint16_t given; /* slot */
	uint16_t region;
};

ALWAYS_INLINE struct packed_outlook packed_device_outlook(const struct packed_device *queue)
{
	return (struct packed_outlook){queue->taken, queue->given.slot, (uint16_t)queue->region};
}

ALWAYS_INLINE const uint8_t *packed_device_look(
	const struct packed_device *start, struct packed_outlook outlook)
{
	struct packed_device ring = {
		.descriptors = start->descriptors,
		.memory = start->memory,
		.size = start->size,
		.taken = outlook.taken,
		.region = outlook.region,
	};
	struct ring_chain chain;
	uint32_t length;

	prefetch_write(&ring.descriptors[outlook.given]);
	return packed_device_take_simple(&ring, true, &chain, &length);
}

/* Puts back what packed_device_take_simple() took. */
ALWAYS_INLINE void packed_device_untake_simple(struct packed_device *queue)
{
	packed_place_retreat(&queue->taken, 1, queue->size);
}

/* Puts back the last chains taken, of which none was given: `slots` is the sum of their counts.
 * More than is outstanding, which would be a mistake of the caller's, breaks the queue. */
void packed_device_untake(struct packed_device *queue, unsigned slots);

/*
 * Returns a chain with `written` bytes written into it; visible after the next publish. With
 * IN_ORDER chains that nothing was written into share one used descriptor, which carries the id of
 * the last (2.8.12); the driver takes the others for used completely, so that a device-writable
 * chain must be given with the length that was written, not 0.
 */
ALWAYS_INLINE void packed_device_give(
	struct packed_device *queue, struct ring_chain chain, uint32_t written)
{
	unsigned flags = queue->given.flags | (written ? VRING_DESC_F_WRITE : 0);
	uint64_t word = packed_word(written, chain.id, flags);

	if (!queue->burst) {
		queue->first_slot = queue->given.slot;
		queue->first_word = word;
		queue->batch = queue->in_order && !written;
	} else if (queue->batch && !written) {
		queue->first_word = packed_word(0, chain.id, packed_word_flags(queue->first_word));
	} else {
		queue->batch = false;
		/* With one slot the end shows without a note. */
		if (chain.count != 1 && queue->place)
			ring_place_giving(queue->place, queue->given.slot, chain.count);
		ring_store(*packed_second_word(&queue->descriptors[queue->given.slot]), word);
	}
	queue->burst += chain.count;
	packed_place_advance(&queue->given, chain.count, queue->size);
}

/* Makes given chains visible; true where the driver wants to be signalled for them (2.8.10). */
bool packed_device_publish(struct packed_device *queue);

/* True where the ring can no longer be served: broken, or its memory vanished. Call once a
 * visit. */
ALWAYS_INLINE bool packed_device_failed(struct packed_device *queue)
{
	unsigned faults = __atomic_load_n(&guest_memory_faults, __ATOMIC_ACQUIRE);

	if (unlikely(faults != queue->faults)) {
		queue->faults = faults;
		if (guest_memory_broken(queue->memory) ||
			queue_log_broken(queue_log_find(queue->log)))
			__atomic_store_n(&queue->broken, true, __ATOMIC_RELAXED);
	}
	return unlikely(queue->broken);
}

#endif
