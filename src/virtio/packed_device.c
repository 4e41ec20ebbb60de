/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/packed_device.h"

#include <errno.h>

#include "virtio/chain.h"

uint64_t packed_descriptors_size(unsigned size)
{
	return (uint64_t)size * sizeof(struct vring_packed_desc);
}

uint64_t packed_event_size(void)
{
	return sizeof(struct vring_packed_desc_event);
}

int packed_device_init(struct packed_device *queue, const struct guest_memory *memory,
	void *descriptors, void *driver_event, void *device_event, unsigned size, uint64_t features,
	uint32_t base)
{
	uint16_t taken = (uint16_t)base;
	uint16_t given = base >> 16 ? (uint16_t)(base >> 16) : taken;

	if (!size || size > RING_SIZE_MAX)
		return -EINVAL;
	if ((taken & 0x7fff) >= size || (given & 0x7fff) >= size)
		return -EINVAL;
	/* 2.8: descriptors on 16 bytes, the event suppression structures on 4. */
	if ((uintptr_t)descriptors % 16 || (uintptr_t)driver_event % 4 ||
		(uintptr_t)device_event % 4)
		return -EINVAL;
	*queue = (struct packed_device){
		.descriptors = descriptors,
		.driver_event = driver_event,
		.device_event = device_event,
		.memory = memory,
		.size = (uint16_t)size,
		.event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
		.in_order = features >> VIRTIO_F_IN_ORDER & 1,
		.taken = packed_place_available(taken & 0x7fff, taken >> 15),
		.given = packed_place_used(given & 0x7fff, given >> 15),
		.faults = __atomic_load_n(&guest_memory_faults, __ATOMIC_ACQUIRE),
	};
	if (packed_device_outstanding(queue) > size)
		return -EINVAL;
	packed_device_disarm(queue);
	return 0;
}

uint32_t packed_device_base(const struct packed_device *queue)
{
	return packed_place_encode(queue->taken) | (uint32_t)packed_place_encode(queue->given)
							   << 16;
}

static void write_event(struct packed_device *queue, uint32_t event)
{
	const struct queue_log *log = queue_log_find(queue->log);

	ring_store(*queue->device_event, event);
	if (unlikely(log))
		queue_log_area(log, 0, sizeof(event));
}

bool packed_device_arm(struct packed_device *queue)
{
	write_event(queue, packed_event_on(queue->event_index, queue->taken));
	ring_full_barrier();
	return packed_device_available(queue);
}

void packed_device_disarm(struct packed_device *queue)
{
	write_event(queue, packed_event_off());
}

/* Writes the burst's first word, which makes all of it visible, with a note before and after. */
ALWAYS_INLINE void show_burst(struct packed_device *queue)
{
	uint64_t *word = packed_second_word(&queue->descriptors[queue->first_slot]);

	if (!queue->place) {
		ring_store_release(*word, queue->first_word);
		return;
	}
	ring_place_publishing(queue->place, queue->given);
	ring_store_release(*word, queue->first_word);
	ring_place_published(queue->place, queue->given);
}

/* Slots of the burst. With a ring shorter than a batch, a driver that makes buffers available while
 * we take them may have had us go round. */
ALWAYS_INLINE unsigned burst_slots(const struct packed_device *queue)
{
	return MIN(queue->burst, queue->size);
}

/* The same, logged: the used descriptors before they are visible, and the first one's word
 * after. */
static NO_INLINE void show_burst_logged(struct packed_device *queue, const struct queue_log *log)
{
	const uint64_t element = sizeof(struct vring_packed_desc);

	queue_log_elements(
		log, log->descriptors, element, queue->size, queue->first_slot, burst_slots(queue));
	show_burst(queue);
	queue_log_elements(log, log->descriptors, element, queue->size, queue->first_slot, 1);
	queue_log_signal(log);
}

bool packed_device_publish(struct packed_device *queue)
{
	const struct queue_log *log = queue_log_find(queue->log);
	unsigned count;
	bool first;

	if (!queue->burst)
		return false;
	if (unlikely(log))
		show_burst_logged(queue, log);
	else
		show_burst(queue);
	ring_full_barrier();
	/* Read only now, so that nothing has to be kept while the burst is shown. */
	count = burst_slots(queue);
	first = !queue->signalled_valid;
	queue->burst = 0;
	queue->signalled_valid = true;
	return packed_event_wanted(ring_load(*queue->driver_event), queue->event_index, first,
		queue->given, count, queue->size);
}

static bool walk_indirect(
	struct packed_device *queue, struct chain_walk *walk, const struct packed_descriptor *table)
{
	unsigned entries = table->length / sizeof(struct vring_packed_desc);

	/* 2.8.7: a table is the last of its chain, whole, and no longer than the queue. */
	if (!queue->indirect || table->flags & VRING_DESC_F_NEXT || !entries ||
		table->length % sizeof(struct vring_packed_desc) || entries > queue->size)
		return false;
	for (unsigned i = 0; i < entries; i++) {
		struct vring_packed_desc entry;
		uint64_t address;

		/* All entries are used, in order; NEXT and the id mean nothing here. */
		if (__builtin_add_overflow(table->address, i * sizeof(entry), &address) ||
			!chain_copy(walk, address, &entry, sizeof(entry)) ||
			entry.flags & VRING_DESC_F_INDIRECT ||
			!chain_append(
				walk, entry.addr, entry.len, entry.flags & VRING_DESC_F_WRITE))
			return false;
	}
	return true;
}

static bool walk_chain(
	struct packed_device *queue, struct chain_walk *walk, struct ring_chain *chain)
{
	unsigned used = packed_device_outstanding(queue) + queue->burst;
	unsigned room = used < queue->size ? queue->size - used : 0;
	unsigned slot = queue->taken.slot;

	for (unsigned count = 1; count <= room; count++) {
		struct packed_descriptor descriptor = packed_read(&queue->descriptors[slot]);
		bool table = descriptor.flags & VRING_DESC_F_INDIRECT;

		/* Only the head's state counts: the driver writes it last (2.8.6). */
		if (count == 1 && (descriptor.flags & PACKED_STATE) != queue->taken.flags)
			return false;
		if (table ? !walk_indirect(queue, walk, &descriptor)
			  : !chain_append(walk, descriptor.address, descriptor.length,
				    descriptor.flags & VRING_DESC_F_WRITE))
			return false;
		if (table || !(descriptor.flags & VRING_DESC_F_NEXT)) {
			*chain = (struct ring_chain){descriptor.id, (uint16_t)count};
			return true;
		}
		if (++slot == queue->size)
			slot = 0;
	}
	return false; /* longer than what is left of the ring */
}

void packed_device_untake(struct packed_device *queue, unsigned slots)
{
	if (slots > packed_device_outstanding(queue)) {
		__atomic_store_n(&queue->broken, true, __ATOMIC_RELAXED);
		return;
	}
	packed_place_retreat(&queue->taken, slots, queue->size);
}

int packed_device_take(struct packed_device *queue, struct ring_chain *chain, bool writable,
	struct iovec *pieces, unsigned pieces_max, uint32_t *length)
{
	struct chain_walk walk = {
		.memory = queue->memory,
		.region = &queue->region,
		.writable = writable,
		.pieces = pieces,
		.pieces_max = pieces_max,
	};

	*chain = (struct ring_chain){0, 0};
	if (!walk_chain(queue, &walk, chain)) {
		*chain = (struct ring_chain){0, 0};
		__atomic_store_n(&queue->broken, true, __ATOMIC_RELAXED);
		return -1;
	}
	*length = (uint32_t)walk.length;
	packed_place_advance(&queue->taken, chain->count, queue->size);
	return (int)walk.count;
}
