/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/packed_driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/packed_device.h"

/* Kept in private memory: what the device can write is not believed. */
struct packed_driver_chain {
	uint64_t token;
	uint32_t writable; /* bytes */
	uint16_t count;    /* descriptors; 0: not in flight */
	uint16_t next;     /* of a free id: the next free one; in flight: the one added after it */
};

int packed_driver_init(struct packed_driver *driver, void *descriptors, void *driver_event,
	void *device_event, unsigned size, uint64_t features)
{
	if (!size || size > RING_SIZE_MAX || (uintptr_t)descriptors % 16 ||
		(uintptr_t)driver_event % 4 || (uintptr_t)device_event % 4)
		return -EINVAL;
	*driver = (struct packed_driver){
		.descriptors = descriptors,
		.driver_event = driver_event,
		.device_event = device_event,
		.size = (uint16_t)size,
		.event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.in_order = features >> VIRTIO_F_IN_ORDER & 1,
		.free_count = (uint16_t)size,
		.added = packed_place_available(0, true),
		.used = packed_place_used(0, true),
	};
	driver->chains = calloc(size, sizeof(*driver->chains));
	if (!driver->chains)
		return -ENOMEM;
	for (unsigned i = 0; i < size; i++)
		driver->chains[i].next = (uint16_t)(i + 1);
	memset(descriptors, 0, packed_descriptors_size(size));
	memset(device_event, 0, packed_event_size());
	packed_driver_disarm(driver);
	return 0;
}

void packed_driver_fini(struct packed_driver *driver)
{
	free(driver->chains);
	driver->chains = NULL;
}

static void fill_table(const struct packed_driver_table *table, const struct driver_buffer *buffers,
	unsigned readable, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		table->entries[i] = (struct vring_packed_desc){
			.addr = buffers[i].address,
			.len = buffers[i].length,
			.flags = i < readable ? 0 : VRING_DESC_F_WRITE,
		};
}

/* Fills the next slot; the word of a burst's first one waits for publish. */
static void fill_slot(struct packed_driver *driver, const struct driver_buffer *buffer, uint16_t id,
	unsigned flags)
{
	struct vring_packed_desc *descriptor = &driver->descriptors[driver->added.slot];
	uint64_t word = packed_word(buffer->length, id, flags | driver->added.flags);

	ring_store(*(uint64_t *)descriptor, buffer->address);
	if (driver->burst) {
		ring_store(*packed_second_word(descriptor), word);
	} else {
		driver->first_slot = driver->added.slot;
		driver->first_word = word;
	}
	driver->burst++;
	packed_place_advance(&driver->added, 1, driver->size);
}

/* Takes an id for a chain of `count` descriptors. */
static uint16_t take_id(struct packed_driver *driver, unsigned count, uint64_t token)
{
	uint16_t id = driver->free_first;
	struct packed_driver_chain *chain = &driver->chains[id];

	driver->free_first = chain->next;
	if (driver->in_order) {
		if (driver->free_count == driver->size)
			driver->oldest = id;
		else
			driver->chains[driver->newest].next = id;
		driver->newest = id;
	}
	driver->free_count -= (uint16_t)count;
	*chain = (struct packed_driver_chain){.token = token, .count = (uint16_t)count};
	return id;
}

int packed_driver_add(struct packed_driver *driver, const struct driver_buffer *buffers,
	unsigned readable, unsigned writable, const struct packed_driver_table *table,
	uint64_t token)
{
	unsigned count = readable + writable;
	uint16_t id;

	if (!count)
		return -EINVAL;
	if (table ? count > table->count || !driver->free_count : count > driver->free_count)
		return -ENOSPC;
	id = take_id(driver, table ? 1 : count, token);
	for (unsigned i = readable; i < count; i++)
		driver->chains[id].writable += buffers[i].length;
	if (table) {
		const struct driver_buffer indirect = {
			table->address, count * (uint32_t)sizeof(struct vring_packed_desc)};

		fill_table(table, buffers, readable, count);
		fill_slot(driver, &indirect, id, VRING_DESC_F_INDIRECT);
		return 0;
	}
	for (unsigned i = 0; i < count; i++)
		fill_slot(driver, &buffers[i], id,
			(i < readable ? 0 : VRING_DESC_F_WRITE) |
				(i + 1 < count ? VRING_DESC_F_NEXT : 0));
	return 0;
}

bool packed_driver_publish(struct packed_driver *driver)
{
	unsigned count = driver->burst;
	bool first = !driver->notified_valid;

	if (!count)
		return false;
	ring_store_release(
		*packed_second_word(&driver->descriptors[driver->first_slot]), driver->first_word);
	driver->burst = 0;
	driver->notified_valid = true;
	ring_full_barrier();
	return packed_event_wanted(ring_load(*driver->device_event), driver->event_index, first,
		driver->added, count, driver->size);
}

/* True where the descriptor at the next used place is used; its second word. */
static bool read_used(const struct packed_driver *driver, uint64_t *word)
{
	*word = ring_load_acquire(*packed_second_word(&driver->descriptors[driver->used.slot]));
	return (packed_word_flags(*word) & PACKED_STATE) == driver->used.flags;
}

/* Notes what the next used descriptor says, if there is one. */
static bool begin_batch(struct packed_driver *driver)
{
	uint64_t word;
	uint16_t id;

	if (!read_used(driver, &word))
		return false;
	id = packed_word_id(word);
	if (id >= driver->size || !driver->chains[id].count) {
		driver->broken = true;
		return false;
	}
	driver->batch_id = id;
	driver->batch_written = (uint32_t)word;
	/* Without IN_ORDER a used descriptor stands for one chain. */
	if (!driver->in_order)
		driver->oldest = id;
	return true;
}

static void free_chain(struct packed_driver *driver, uint16_t id)
{
	struct packed_driver_chain *chain = &driver->chains[id];

	packed_place_advance(&driver->used, chain->count, driver->size);
	driver->free_count += chain->count;
	chain->count = 0;
	chain->next = driver->free_first;
	driver->free_first = id;
}

bool packed_driver_take(struct packed_driver *driver, uint64_t *token, uint32_t *written)
{
	struct packed_driver_chain *chain;
	uint16_t id;

	if (driver->broken || (!driver->batch && !begin_batch(driver)))
		return false;
	id = driver->oldest;
	chain = &driver->chains[id];
	/* The device tells of a batch's last chain only; it used those before completely
	 * (2.8.12). */
	driver->batch = id != driver->batch_id;
	*written = driver->batch ? chain->writable : driver->batch_written;
	*token = chain->token;
	driver->oldest = chain->next;
	free_chain(driver, id);
	return true;
}

bool packed_driver_arm(struct packed_driver *driver)
{
	uint64_t word;

	ring_store(*driver->driver_event, packed_event_on(driver->event_index, driver->used));
	ring_full_barrier();
	return driver->batch || read_used(driver, &word);
}

void packed_driver_disarm(struct packed_driver *driver)
{
	ring_store(*driver->driver_event, packed_event_off());
}
