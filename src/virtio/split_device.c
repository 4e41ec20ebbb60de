/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/split_device.h"

#include <errno.h>

#include "virtio/chain.h"

uint64_t split_descriptors_size(unsigned size)
{
	return (uint64_t)size * sizeof(struct vring_desc);
}

uint64_t split_available_size(unsigned size)
{
	/* flags, idx, ring[], used_event */
	return sizeof(uint16_t) * (2 + (uint64_t)size + 1);
}

uint64_t split_used_size(unsigned size)
{
	/* flags, idx, ring[], avail_event */
	return sizeof(uint16_t) * 3 + (uint64_t)size * sizeof(struct vring_used_elem);
}

uint16_t split_used_index(const void *used)
{
	const struct vring_used *ring = used;

	return ring_load(ring->idx);
}

/* The event fields lie behind the rings (2.7.7): where to ask the driver to notify us ... */
static uint16_t *available_event(struct split_device *queue)
{
	return (uint16_t *)&queue->used->ring[queue->size];
}

/* ... and where the driver asks to be signalled. */
static const uint16_t *used_event(const struct split_device *queue)
{
	return &queue->available->ring[queue->size];
}

int split_device_init(struct split_device *queue, const struct guest_memory *memory,
	void *descriptors, void *available, void *used, unsigned size, uint64_t features,
	uint16_t next)
{
	if (!size || size > RING_SIZE_MAX || (size & (size - 1)))
		return -EINVAL;
	/* 2.7: descriptors on 16 bytes, the available ring on 2, the used ring on 4. */
	if ((uintptr_t)descriptors % 16 || (uintptr_t)available % 2 || (uintptr_t)used % 4)
		return -EINVAL;
	*queue = (struct split_device){
		.descriptors = descriptors,
		.available = available,
		.used = used,
		.memory = memory,
		.size = (uint16_t)size,
		.event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
		.next_taken = next,
		.seen = next,
		.faults = __atomic_load_n(&guest_memory_faults, __ATOMIC_ACQUIRE),
	};
	/* The used index is in memory: that of a ring which a predecessor served goes on from
	 * there. */
	queue->next_given = queue->published = split_used_index(used);
	queue->distance = (uint16_t)(next - queue->next_given);
	split_device_disarm(queue);
	return 0;
}

static int broken(struct split_device *queue)
{
	__atomic_store_n(&queue->broken, true, __ATOMIC_RELAXED);
	return -1;
}

unsigned split_device_refresh(struct split_device *queue)
{
	uint16_t index = ring_load_acquire(queue->available->idx);
	uint16_t count = (uint16_t)(index - queue->next_taken);

	if (unlikely(queue->broken))
		return 0;
	if (unlikely(count > queue->size)) {
		broken(queue);
		return 0;
	}
	queue->seen = index;
	/* Where the head of the next chain is read, its descriptor is on the way already. */
	if (count)
		__builtin_prefetch(split_device_guess(queue));
	return count;
}

static void write_field(struct split_device *queue, uint16_t *field, uint16_t value)
{
	const struct queue_log *log = queue_log_find(queue->log);

	ring_store(*field, value);
	if (unlikely(log))
		queue_log_area(
			log, (uint64_t)((uint8_t *)field - (uint8_t *)queue->used), sizeof(*field));
}

bool split_device_arm(struct split_device *queue)
{
	if (queue->event_index)
		write_field(queue, available_event(queue), queue->next_taken);
	else
		write_field(queue, &queue->used->flags, 0);
	ring_full_barrier();
	return split_device_refresh(queue) > 0;
}

void split_device_disarm(struct split_device *queue)
{
	/* With the event index, an event that is never moved on is passed once in 65,536 chains. */
	if (!queue->event_index)
		write_field(queue, &queue->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool split_device_publish(struct split_device *queue)
{
	const struct queue_log *log = queue_log_find(queue->log);
	uint16_t before = queue->published;
	uint16_t after = queue->next_given;

	if (after == before)
		return false;
	if (unlikely(log))
		queue_log_elements(log, log->device_area + offsetof(struct vring_used, ring),
			sizeof(struct vring_used_elem), queue->size, before & (queue->size - 1),
			(uint16_t)(after - before));
	ring_store_release(queue->used->idx, after);
	if (unlikely(log)) {
		queue_log_area(log, offsetof(struct vring_used, idx), sizeof(queue->used->idx));
		queue_log_signal(log);
	}
	queue->published = after;
	queue->last_head = (uint16_t)ring_load(
		queue->used->ring[(after - 1) & (queue->size - 1)].id);
	ring_full_barrier();
	if (queue->event_index) {
		/* Every publish looks at its own chains only: a distance from the last signal would
		 * wrap after 65,536 chains without one. */
		bool wanted = !queue->signalled_valid ||
			      ring_event_passed(ring_load(*used_event(queue)), after, before);

		queue->signalled_valid = true;
		return wanted;
	}
	return !(ring_load(queue->available->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Reads entry `index` of an indirect table, which may cross regions (2.7.5.3). */
static bool read_indirect(
	struct chain_walk *walk, uint64_t table, unsigned index, struct ring_descriptor *descriptor)
{
	struct vring_desc copy;

	if (!chain_copy(walk, table + (uint64_t)index * sizeof(copy), &copy, sizeof(copy)))
		return false;
	/* `copy` is private: reading its fields again later is harmless. */
	*descriptor = ring_read_descriptor(&copy);
	return true;
}

static bool append(struct chain_walk *walk, const struct ring_descriptor *descriptor)
{
	return chain_append(walk, descriptor->address, descriptor->length,
		descriptor->flags & VRING_DESC_F_WRITE);
}

static bool walk_indirect(const struct split_device *queue, struct chain_walk *walk,
	const struct ring_descriptor *table)
{
	unsigned entries = table->length / sizeof(struct vring_desc);
	struct ring_descriptor descriptor;
	unsigned index = 0;
	uint64_t end;

	/* 2.7.5.3.1: a table is alone at its place in the chain, whole, and no longer than the
	 * queue. */
	if (!queue->indirect || table->flags & VRING_DESC_F_NEXT ||
		table->length % sizeof(struct vring_desc) || !entries || entries > queue->size ||
		!checked_add(table->address, table->length, &end))
		return false;
	for (unsigned steps = 0; steps < entries; steps++) {
		if (!read_indirect(walk, table->address, index, &descriptor) ||
			descriptor.flags & VRING_DESC_F_INDIRECT || !append(walk, &descriptor))
			return false;
		if (!(descriptor.flags & VRING_DESC_F_NEXT))
			return true;
		index = descriptor.next;
		if (index >= entries)
			return false;
	}
	return false; /* a loop */
}

static bool walk_chain(const struct split_device *queue, struct chain_walk *walk, uint16_t head)
{
	struct ring_descriptor descriptor;
	uint16_t index = head;

	for (unsigned steps = 0; steps < queue->size; steps++) {
		if (index >= queue->size)
			return false;
		descriptor = ring_read_descriptor(&queue->descriptors[index]);
		if (descriptor.flags & VRING_DESC_F_INDIRECT)
			return walk_indirect(queue, walk, &descriptor);
		if (!append(walk, &descriptor))
			return false;
		if (!(descriptor.flags & VRING_DESC_F_NEXT))
			return true;
		index = descriptor.next;
	}
	return false; /* a loop */
}

int split_device_buffers(struct split_device *queue, uint16_t head, bool writable,
	struct iovec *pieces, unsigned pieces_max, uint32_t *length)
{
	struct chain_walk walk = {
		.memory = queue->memory,
		.region = &queue->region,
		.writable = writable,
		.pieces = pieces,
		.pieces_max = pieces_max,
	};

	if (split_device_outstanding(queue) > queue->size || !walk_chain(queue, &walk, head))
		return broken(queue);
	*length = (uint32_t)walk.length;
	return (int)walk.count;
}
