/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/ring.h"

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
		.in_order = config->features >> VIRTIO_F_IN_ORDER & 1,
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

/* The owner is about to read a receive buffer's beginning, or to write a transmit buffer's. */
ALWAYS_INLINE void prefetch_slot(const struct bench_ring *ring, unsigned id)
{
	if (ring->flags)
		__builtin_prefetch(bench_ring_slot(ring, id));
	else
		prefetch_write(bench_ring_slot(ring, id));
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
	prefetch_slot(ring, id);
	return true;
}

/* Reads the used index where all is taken that it told of; how many buffers it tells of. */
ALWAYS_INLINE uint16_t split_ready(struct bench_ring *ring)
{
	uint16_t ready = (uint16_t)(ring->seen - ring->next_take);

	if (ready)
		return ready;
	ring->seen = ring_load_acquire(ring->used->idx);
	ready = (uint16_t)(ring->seen - ring->next_take);
	if (ready > ring->outstanding) {
		ring->broken = true;
		return 0;
	}
	return ready;
}

static unsigned split_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	unsigned count = MIN((unsigned)split_ready(ring), max);
	uint16_t mask = (uint16_t)(ring->size - 1);

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

/* True where the device has written a used descriptor at the next place. */
ALWAYS_INLINE bool packed_ready(const struct bench_ring *ring)
{
	const struct vring_packed_desc *descriptors = ring->descriptors;
	uint16_t flags = ring_load_acquire(descriptors[ring->next_take].flags);

	return !(flags & PACKED_AVAILABLE) == !(flags & PACKED_USED) &&
	       !(flags & PACKED_USED) != ring->used_wrap;
}

static unsigned packed_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	const struct vring_packed_desc *descriptors = ring->descriptors;
	unsigned count;

	for (count = 0; count < max && ring->outstanding && packed_ready(ring); count++) {
		const struct vring_packed_desc *descriptor = &descriptors[ring->next_take];
		uint16_t id;

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

/* Reads the next used entry, if there is one: it names the last buffer of a batch, in the place of
 * the first one's ("In-Order Use of Descriptors"). Entry i is always that of buffer i. */
ALWAYS_INLINE bool begin_batch(struct bench_ring *ring, bool packed)
{
	uint16_t mask = (uint16_t)(ring->size - 1), next = ring->next_take & mask;
	unsigned ready;
	uint32_t id;

	if (packed) {
		const struct vring_packed_desc *descriptors = ring->descriptors;

		ready = ring->outstanding;
		if (!ready || !packed_ready(ring))
			return false;
		id = ring_load(descriptors[next].id);
		ring->batch_written = ring_load(descriptors[next].len);
	} else {
		ready = split_ready(ring);
		if (!ready)
			return false;
		id = ring_load(ring->used->ring[next].id);
		ring->batch_written = ring_load(ring->used->ring[next].len);
	}
	ring->batch = ((id - next) & mask) + 1u;
	if (likely(id < ring->size && ring->batch <= ready))
		return true;
	ring->batch = 0;
	ring->broken = true;
	return false;
}

ALWAYS_INLINE unsigned take_in_order(
	struct bench_ring *ring, bool packed, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	unsigned count;

	for (count = 0; count < max; count++) {
		uint16_t id;

		if (!ring->batch && !begin_batch(ring, packed))
			break;
		id = ring->next_take & (uint16_t)(ring->size - 1);
		ring->batch--;
		ring->outstanding--;
		ids[count] = id;
		/* The others of a batch were used completely. */
		lengths[count] = ring->batch ? ring->slot_size : ring->batch_written;
		prefetch_slot(ring, id);
		if (!packed) {
			prefetch_write((const struct vring_desc *)ring->descriptors + id);
			ring->next_take++;
		} else if (++ring->next_take == ring->size) {
			ring->next_take = 0;
			ring->used_wrap = !ring->used_wrap;
		}
	}
	return unlikely(ring->broken) ? 0 : count;
}

unsigned bench_ring_take(struct bench_ring *ring, uint16_t *ids, uint32_t *lengths, unsigned max)
{
	if (unlikely(ring->broken))
		return 0;
	if (ring->in_order)
		return ring->packed ? take_in_order(ring, true, ids, lengths, max)
				    : take_in_order(ring, false, ids, lengths, max);
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
