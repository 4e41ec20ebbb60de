/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device side of a split virtqueue (VIRTIO 1.3, 2.7): takes the chains that the driver made
 * available, hands out their buffers, and returns them as used.
 *
 * Ownership: the control thread fills the struct with split_device_init() while no worker sees it.
 * After that exactly one thread at a time calls the functions below (a queue's worker, or the
 * holder of the port's send lock).
 *
 * Order of use, a burst at a time:
 *
 *	n = split_device_available()              chains that may be taken now
 *	split_device_take() ...                   the next chain's head; split_device_untake()
 *	                                          undoes
 *	split_device_buffers()                    its buffers, translated
 *	split_device_give() ...                   returned, in any order, not yet visible
 *	split_device_publish()                    visible; says whether to signal the driver
 *
 * Trust: nothing in the ring is believed. A chain that is invalid in any way sets `broken`; from
 * then on the queue yields nothing until it is set up again. Steps are bounded by the queue's size.
 * What is taken and not yet given never exceeds the ring, however often the driver moves its index
 * meanwhile: split_device_buffers() breaks the queue where it does.
 */
#ifndef VSW_VIRTIO_SPLIT_DEVICE_H
#define VSW_VIRTIO_SPLIT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/common.h"
#include "virtio/dirty_log.h"
#include "virtio/guest_memory.h"
#include "virtio/ring.h"

struct split_device {
	/* Set by split_device_init(). */
	const struct vring_desc *descriptors;
	const struct vring_avail *available;
	struct vring_used *used;
	const struct guest_memory *memory;
	uint16_t size; /* a power of two */
	bool event_index;
	bool indirect; /* VIRTIO_F_INDIRECT_DESC acknowledged */
	/* Where to find what is logged at present; not in here, because the control thread writes
	 * it while the queue runs. NULL: nothing ever. */
	const struct queue_log *const *log;

	/* Written by the one thread that runs the queue. */
	bool broken;          /* also read by the control thread */
	bool signalled_valid; /* something was published in this life of the ring */
	uint16_t next_taken;  /* available index of the chain that is taken next */
	uint16_t seen;        /* available->idx as last read */
	uint16_t next_given; /* used index of the next returned chain; ahead of the published one */
	uint16_t published;  /* used->idx as last published */
	uint16_t distance;   /* next_taken - next_given where nothing is taken and not yet given */
	uint16_t last_head;  /* of the last chain published, read back: a hint, may be anything */
	unsigned region;     /* hint of guest_memory_translate() */
	unsigned faults;     /* guest_memory_faults as last seen */
};

/* Pointers to the three parts are checked by the caller to hold as many bytes as `size` asks for.
 * `next` is the base: the available index at which to go on. -EINVAL where size is not legal. */
int split_device_init(struct split_device *queue, const struct guest_memory *memory,
	void *descriptors, void *available, void *used, unsigned size, uint64_t features,
	uint16_t next);

/* Bytes of the three parts of a ring of `size` entries, event fields included (2.7, 2.7.7). */
uint64_t split_descriptors_size(unsigned size);
uint64_t split_available_size(unsigned size);
uint64_t split_used_size(unsigned size);

/* How many chains of a ring were returned, as its used ring says, modulo 2^16. A ring at rest owes
 * its driver nothing, so that this is also the base at which to go on. */
uint16_t split_used_index(const void *used);

/* The descriptor at which the next chain will probably begin: drivers use them in turn. A hint. */
ALWAYS_INLINE const struct vring_desc *split_device_guess(const struct split_device *queue)
{
	return &queue->descriptors[(queue->last_head + 1u) & (queue->size - 1u)];
}

/* Turns the driver's notifications on: true where it made chains available meanwhile, so that the
 * caller must look again instead of sleeping. / off again. */
bool split_device_arm(struct split_device *queue);
void split_device_disarm(struct split_device *queue);

/* Reads available->idx; sets broken where it jumped further than the ring has entries. */
unsigned split_device_refresh(struct split_device *queue);

/* Chains that are taken and not yet given. */
ALWAYS_INLINE unsigned split_device_outstanding(const struct split_device *queue)
{
	return (uint16_t)(queue->next_taken - queue->next_given - queue->distance);
}

/* How many chains may be taken, without reading shared memory where some are known already. */
ALWAYS_INLINE unsigned split_device_available(struct split_device *queue)
{
	uint16_t known = (uint16_t)(queue->seen - queue->next_taken);

	return likely(known) ? known : split_device_refresh(queue);
}

/* The head of the next chain; the caller knows that one is available. It may be out of bounds:
 * split_device_buffers() judges it. */
ALWAYS_INLINE uint16_t split_device_take(struct split_device *queue)
{
	uint16_t head = ring_load(queue->available->ring[queue->next_taken & (queue->size - 1)]);

	queue->next_taken++;
	return head;
}

/*
 * By far the most common chain: one direct buffer inside one region, in the direction asked. Takes
 * it and returns where it is, its bytes in *length; otherwise takes nothing and returns NULL, and
 * split_device_take() and split_device_buffers() look again, from the beginning. The caller knows
 * that a chain is available.
 */
ALWAYS_INLINE uint8_t *split_device_take_simple(
	struct split_device *queue, bool writable, uint16_t *head, uint32_t *length)
{
	uint16_t index = ring_load(queue->available->ring[queue->next_taken & (queue->size - 1)]);
	struct ring_descriptor descriptor;
	uint32_t contiguous;
	uint8_t *host;

	if (unlikely(index >= queue->size))
		return NULL;
	descriptor = ring_read_descriptor(&queue->descriptors[index]);
	contiguous = descriptor.length;
	if (unlikely(descriptor.flags != (writable ? VRING_DESC_F_WRITE : 0) || !contiguous))
		return NULL;
	host = guest_memory_translate(
		queue->memory, descriptor.address, &contiguous, &queue->region);
	if (unlikely(!host || contiguous != descriptor.length))
		return NULL;
	queue->next_taken++;
	*head = index;
	*length = contiguous;
	return host;
}

/* Where a ring is, small enough to be read and written whole: for who looks ahead without the lock
 * that the ring needs. */
struct split_outlook {
	uint16_t taken; /* the next chain that is taken, and */
	uint16_t given; /* that is given */
	uint16_t last_head;
	uint16_t region;
};

ALWAYS_INLINE struct split_outlook split_device_outlook(const struct split_device *queue)
{
	return (struct split_outlook){
		queue->next_taken, queue->next_given, queue->last_head, (uint16_t)queue->region};
}

/*
 * The buffer of the chain that is next in a ring that was set up as `start` and is at `outlook` now
 * or was a moment ago; the cache lines of its descriptor, and of where it is returned, are asked
 * for. NULL where it is no chain as split_device_take_simple() takes. Changes nothing.
 *
 * A ring of its own is made out of what taking a chain reads: what is left zero is not used, so
 * that the compiler keeps all of it in registers. A copy of the whole would cost more than this.
 */
ALWAYS_INLINE const uint8_t *split_device_look(
	const struct split_device *start, struct split_outlook outlook)
{
	struct split_device ring = {
		.descriptors = start->descriptors,
		.available = start->available,
		.memory = start->memory,
		.size = start->size,
		.next_taken = outlook.taken,
		.last_head = outlook.last_head,
		.region = outlook.region,
	};
	uint16_t head;
	uint32_t length;

	__builtin_prefetch(split_device_guess(&ring));
	prefetch_write(&start->used->ring[outlook.given & (ring.size - 1)]);
	return split_device_take_simple(&ring, true, &head, &length);
}

/* Puts back the last `count` chains taken, of which none was given. */
ALWAYS_INLINE void split_device_untake(struct split_device *queue, unsigned count)
{
	queue->next_taken -= (uint16_t)count;
}

/*
 * The buffers of the chain at `head` as pieces of our address space, in order; the chain must be
 * entirely device-writable or entirely device-readable as asked. Returns the number of pieces and
 * the sum of their bytes in *length, or -1 and sets `broken`: head or next out of bounds, a loop, a
 * nested, empty, oversized or un-negotiated indirect table, a wrong direction, an empty buffer, an
 * address outside guest memory, more than pieces_max pieces, a sum of 4 GiB or more, or more chains
 * taken and not given than the ring has entries.
 */
int split_device_buffers(struct split_device *queue, uint16_t head, bool writable,
	struct iovec *pieces, unsigned pieces_max, uint32_t *length);

/* Returns a chain with `written` bytes written into it; visible after the next publish. */
ALWAYS_INLINE void split_device_give(struct split_device *queue, uint16_t head, uint32_t written)
{
	struct vring_used_elem *element = &queue->used->ring[queue->next_given & (queue->size - 1)];

	ring_store(element->id, head);
	ring_store(element->len, written);
	queue->next_given++;
}

/* Makes given chains visible; true where the driver wants to be signalled for them (2.7.7.2). */
bool split_device_publish(struct split_device *queue);

/* True where the ring can no longer be served: broken, or its memory vanished. Call once a
 * visit. */
ALWAYS_INLINE bool split_device_failed(struct split_device *queue)
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
