/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/split_driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/split_device.h"

/* Kept in private memory: what the device can write is not believed. */
struct split_driver_chain {
	uint64_t token;
	uint16_t count; /* descriptors; 0: not in flight */
	uint16_t next;  /* of a free descriptor: the next free one; else the chain's next */
};

static uint16_t *used_event(struct split_driver *driver)
{
	return &driver->available->ring[driver->size];
}

static const uint16_t *available_event(const struct split_driver *driver)
{
	return (const uint16_t *)&driver->used->ring[driver->size];
}

int split_driver_init(struct split_driver *driver, void *descriptors, void *available, void *used,
	unsigned size, uint64_t features)
{
	if (!size || size > RING_SIZE_MAX || (size & (size - 1)))
		return -EINVAL;
	*driver = (struct split_driver){
		.descriptors = descriptors,
		.available = available,
		.used = used,
		.size = (uint16_t)size,
		.event_index = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.free_count = (uint16_t)size,
	};
	driver->chains = calloc(size, sizeof(*driver->chains));
	if (!driver->chains)
		return -ENOMEM;
	for (unsigned i = 0; i < size; i++)
		driver->chains[i].next = (uint16_t)(i + 1);
	memset(descriptors, 0, split_descriptors_size(size));
	memset(available, 0, split_available_size(size));
	memset(used, 0, split_used_size(size));
	split_driver_disarm(driver);
	return 0;
}

void split_driver_fini(struct split_driver *driver)
{
	free(driver->chains);
	driver->chains = NULL;
}

static void fill_descriptor(struct vring_desc *descriptor, const struct driver_buffer *buffer,
	uint16_t flags, uint16_t next)
{
	*descriptor = (struct vring_desc){
		.addr = buffer->address,
		.len = buffer->length,
		.flags = flags,
		.next = next,
	};
}

/* Fills the table and makes one buffer of it. */
static void fill_table(const struct split_driver_table *table, const struct driver_buffer *buffers,
	unsigned readable, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fill_descriptor(&table->entries[i], &buffers[i],
			(uint16_t)((i < readable ? 0 : VRING_DESC_F_WRITE) |
				   (i + 1 < count ? VRING_DESC_F_NEXT : 0)),
			(uint16_t)(i + 1 < count ? i + 1 : 0));
}

/* Takes free descriptors for the buffers and chains them; returns the head. */
static uint16_t fill_chain(struct split_driver *driver, const struct driver_buffer *buffers,
	unsigned readable, unsigned count)
{
	uint16_t head = driver->free_first;
	uint16_t index = head;

	for (unsigned i = 0; i < count; i++) {
		uint16_t next = driver->chains[index].next;

		fill_descriptor(&driver->descriptors[index], &buffers[i],
			(uint16_t)((i < readable ? 0 : VRING_DESC_F_WRITE) |
				   (i + 1 < count ? VRING_DESC_F_NEXT : 0)),
			i + 1 < count ? next : 0);
		driver->free_first = next;
		index = next;
	}
	driver->free_count -= (uint16_t)count;
	return head;
}

int split_driver_add(struct split_driver *driver, const struct driver_buffer *buffers,
	unsigned readable, unsigned writable, const struct split_driver_table *table,
	uint64_t token)
{
	unsigned count = readable + writable;
	struct driver_buffer indirect;
	uint16_t head;

	if (!count)
		return -EINVAL;
	if (table ? count > table->count || !driver->free_count : count > driver->free_count)
		return -ENOSPC;
	if (table) {
		fill_table(table, buffers, readable, count);
		indirect.address = table->address;
		indirect.length = count * (uint32_t)sizeof(struct vring_desc);
		head = fill_chain(driver, &indirect, 1, 1);
		driver->descriptors[head].flags = VRING_DESC_F_INDIRECT;
		count = 1;
	} else {
		head = fill_chain(driver, buffers, readable, count);
	}
	driver->chains[head].token = token;
	driver->chains[head].count = (uint16_t)count;
	ring_store(driver->available->ring[driver->next_added & (driver->size - 1)], head);
	driver->next_added++;
	return 0;
}

bool split_driver_publish(struct split_driver *driver)
{
	uint16_t before = driver->published;
	uint16_t after = driver->next_added;

	if (after == before)
		return false;
	ring_store_release(driver->available->idx, after);
	driver->published = after;
	ring_full_barrier();
	if (driver->event_index) {
		bool wanted = !driver->notified_valid ||
			      ring_event_passed(ring_load(*available_event(driver)), after, before);

		driver->notified_valid = true;
		return wanted;
	}
	return !(ring_load(driver->used->flags) & VRING_USED_F_NO_NOTIFY);
}

static void free_chain(struct split_driver *driver, uint16_t head)
{
	uint16_t count = driver->chains[head].count;
	uint16_t last = head;

	for (unsigned i = 1; i < count; i++)
		last = driver->chains[last].next;
	driver->chains[head].count = 0;
	driver->chains[last].next = driver->free_first;
	driver->free_first = head;
	driver->free_count += count;
}

bool split_driver_take(struct split_driver *driver, uint64_t *token, uint32_t *written)
{
	const struct vring_used_elem *element;
	uint32_t id;

	if (driver->broken || ring_load_acquire(driver->used->idx) == driver->next_used)
		return false;
	element = &driver->used->ring[driver->next_used & (driver->size - 1)];
	id = ring_load(element->id);
	if (id >= driver->size || !driver->chains[id].count) {
		driver->broken = true;
		return false;
	}
	*token = driver->chains[id].token;
	*written = ring_load(element->len);
	free_chain(driver, (uint16_t)id);
	driver->next_used++;
	return true;
}

bool split_driver_arm(struct split_driver *driver)
{
	if (driver->event_index)
		ring_store(*used_event(driver), driver->next_used);
	else
		ring_store(driver->available->flags, 0);
	ring_full_barrier();
	return ring_load_acquire(driver->used->idx) != driver->next_used;
}

void split_driver_disarm(struct split_driver *driver)
{
	/* With the event index, an event behind us is passed once in 65,536 chains. */
	if (driver->event_index)
		ring_store(*used_event(driver), (uint16_t)(driver->next_used - 1));
	else
		ring_store(driver->available->flags, VRING_AVAIL_F_NO_INTERRUPT);
}
