/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/bench_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/split_device.h"

#define PACKED_AVAILABLE (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED      (1u << VRING_PACKED_DESC_F_USED)

int bench_ring_init(struct bench_ring *ring, const struct bench_ring_config *config)
{
	unsigned size = config->size;

	if (!size || size > RING_SIZE_MAX || (size & (size - 1)))
		return -EINVAL;
	*ring = (struct bench_ring){
		.descriptors = config->descriptors,
		.available = config->available,
		.used = config->used,
		.slots = config->slots,
		.slots_address = config->slots_address,
		.slot_size = config->slot_size,
		.size = (uint16_t)size,
		.flags = config->writable ? VRING_DESC_F_WRITE : 0,
		.packed = config->features >> VIRTIO_F_RING_PACKED & 1,
		.event_index = config->features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.wrap = true,
		.used_wrap = true,
	};
	ring->with_device = calloc(size, sizeof(*ring->with_device));
	if (!ring->with_device)
		return -ENOMEM;
	memset(config->descriptors, 0, split_descriptors_size(size));
	memset(config->available, 0, split_available_size(size));
	memset(config->used, 0, split_used_size(size));
	if (ring->packed)
		ring->driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	else if (ring->event_index)
		/* An event behind us: passed once in 65,536 buffers. */
		ring->available->ring[size] = UINT16_MAX;
	else
		ring->available->flags = VRING_AVAIL_F_NO_INTERRUPT;
	return 0;
}

void bench_ring_fini(struct bench_ring *ring)
{
	free(ring->with_device);
	ring->with_device = NULL;
}

/* Asks for a cache line that will be written: the other side's copy goes at once, not at the store.
 * (The compiler's builtin does without where the oldest processors lack the instruction.) */
ALWAYS_INLINE void prefetch_write(const void *address)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}

/* Judges a used buffer and makes it ours. */
ALWAYS_INLINE bool take_back(struct bench_ring *ring, uint32_t id)
{
	if (unlikely(id >= ring->size || !ring->with_device[id])) {
		ring->broken = true;
		return false;
	}
	ring->with_device[id] = false;
	ring->outstanding--;
	if (ring->flags)
		__builtin_prefetch(bench_ring_slot(ring, id));
	else
		prefetch_write(bench_ring_slot(ring, id));
	return true;
}

static unsigned split_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	uint16_t ready = (uint16_t)(ring->seen - ring->next_take);
	uint16_t mask = (uint16_t)(ring->size - 1);
	unsigned count;

	if (!ready) {
		ring->seen = ring_load_acquire(ring->used->idx);
		ready = (uint16_t)(ring->seen - ring->next_take);
		if (!ready)
			return 0;
		if (ready > ring->outstanding) {
			ring->broken = true;
			return 0;
		}
	}
	count = MIN((unsigned)ready, max);
	for (unsigned i = 0; i < count; i++) {
		const struct vring_used_elem *element =
			&ring->used->ring[(uint16_t)(ring->next_take + i) & mask];
		uint32_t id = ring_load(element->id);

		if (!take_back(ring, id))
			return 0;
		prefetch_write((const struct vring_desc *)ring->descriptors + id);
		ids[i] = (uint16_t)id;
		lengths[i] = ring_load(element->len);
	}
	ring->next_take = (uint16_t)(ring->next_take + count);
	return count;
}

static void split_put(
	struct bench_ring *ring, const uint16_t *ids, const uint32_t *lengths, unsigned count)
{
	struct vring_desc *descriptors = ring->descriptors;
	uint16_t mask = (uint16_t)(ring->size - 1);

	for (unsigned i = 0; i < count; i++) {
		uint16_t id = ids[i];
		uint16_t *entry = &ring->available->ring[(uint16_t)(ring->next_put + i) & mask];

		descriptors[id] = (struct vring_desc){
			.addr = ring->slots_address + (uint64_t)id * ring->slot_size,
			.len = lengths[i],
			.flags = ring->flags,
		};
		if (*entry != id)
			*entry = id;
		ring->with_device[id] = true;
	}
	ring->next_put = (uint16_t)(ring->next_put + count);
	ring->outstanding += count;
}

static bool split_publish(struct bench_ring *ring)
{
	uint16_t before = ring->published, after = ring->next_put;
	bool first = !ring->notified;

	if (after == before)
		return false;
	ring_store_release(ring->available->idx, after);
	ring->published = after;
	ring->notified = true;
	ring_full_barrier();
	if (!ring->event_index)
		return !(ring_load(ring->used->flags) & VRING_USED_F_NO_NOTIFY);
	return first ||
	       ring_event_passed(
		       ring_load(*(const uint16_t *)&ring->used->ring[ring->size]), after, before);
}

static unsigned packed_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	const struct vring_packed_desc *descriptors = ring->descriptors;
	unsigned count;

	for (count = 0; count < max && ring->outstanding; count++) {
		const struct vring_packed_desc *descriptor = &descriptors[ring->next_take];
		uint16_t flags = ring_load_acquire(descriptor->flags);
		uint16_t id;

		if (!(flags & PACKED_AVAILABLE) != !(flags & PACKED_USED) ||
			!(flags & PACKED_USED) == ring->used_wrap)
			break;
		id = ring_load(descriptor->id);
		if (!take_back(ring, id))
			return 0;
		ids[count] = id;
		lengths[count] = ring_load(descriptor->len);
		if (++ring->next_take == ring->size) {
			ring->next_take = 0;
			ring->used_wrap = !ring->used_wrap;
		}
	}
	return count;
}

static void packed_put(
	struct bench_ring *ring, const uint16_t *ids, const uint32_t *lengths, unsigned count)
{
	struct vring_packed_desc *descriptors = ring->descriptors;

	for (unsigned i = 0; i < count; i++) {
		struct vring_packed_desc *descriptor = &descriptors[ring->next_put];
		uint16_t id = ids[i];
		uint16_t flags = (uint16_t)(ring->flags |
					    (ring->wrap ? PACKED_AVAILABLE : PACKED_USED));

		descriptor->addr = ring->slots_address + (uint64_t)id * ring->slot_size;
		descriptor->len = lengths[i];
		descriptor->id = id;
		if (!ring->pending++) {
			ring->first = ring->next_put;
			ring->first_flags = flags;
		} else {
			/* The device stops at the first, so the others may be shown already. */
			ring_store_release(descriptor->flags, flags);
		}
		ring->with_device[id] = true;
		if (++ring->next_put == ring->size) {
			ring->next_put = 0;
			ring->wrap = !ring->wrap;
		}
	}
	ring->outstanding += count;
}

/* The device asked to be told when descriptor `event` is reached (2.8.10). */
static bool packed_event_passed(const struct bench_ring *ring, uint16_t event, uint16_t published)
{
	uint16_t offset = event & 0x7fff;

	/* Counted from the ring's present turn; the event may lie in the one before. */
	if ((event >> 15) != ring->wrap)
		offset = (uint16_t)(offset - ring->size);
	return ring_event_passed(offset, ring->next_put, (uint16_t)(ring->next_put - published));
}

static bool packed_publish(struct bench_ring *ring)
{
	struct vring_packed_desc *descriptors = ring->descriptors;
	uint16_t published = ring->pending;
	uint16_t flags;

	if (!published)
		return false;
	ring_store_release(descriptors[ring->first].flags, ring->first_flags);
	ring->pending = 0;
	ring_full_barrier();
	flags = ring_load(ring->device_event->flags);
	if (flags == VRING_PACKED_EVENT_FLAG_DESC && ring->event_index)
		return packed_event_passed(
			ring, ring_load_acquire(ring->device_event->off_wrap), published);
	return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

unsigned bench_ring_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	if (unlikely(ring->broken))
		return 0;
	return ring->packed ? packed_take(ring, ids, lengths, max)
			    : split_take(ring, ids, lengths, max);
}

void bench_ring_put(
	struct bench_ring *ring, const uint16_t *ids, const uint32_t *lengths, unsigned count)
{
	if (ring->packed)
		packed_put(ring, ids, lengths, count);
	else
		split_put(ring, ids, lengths, count);
}

bool bench_ring_publish(struct bench_ring *ring)
{
	return ring->packed ? packed_publish(ring) : split_publish(ring);
}
