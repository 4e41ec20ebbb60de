/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio_net/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/split_device.h"
#include "virtio_net/header.h"

/* Where the parts of a queue lie in its memory. */
struct layout {
	uint64_t descriptors, available, used, slots, end;
};

static uint64_t align(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

static struct layout lay_out(unsigned size, uint32_t slot_size)
{
	struct layout layout = {.descriptors = 0};

	layout.available = split_descriptors_size(size);
	/* The used ring, which the device writes, begins on a page of its own. */
	layout.used = align(layout.available + split_available_size(size), 4096);
	layout.slots = align(layout.used + split_used_size(size), 4096);
	layout.end = align(layout.slots + (uint64_t)size * slot_size, 4096);
	return layout;
}

uint64_t net_driver_memory_size(unsigned size, uint32_t slot_size)
{
	return lay_out(size, slot_size).end;
}

int net_driver_init(struct net_driver_queue *queue, void *memory, uint64_t address, unsigned size,
	uint32_t slot_size, uint64_t features)
{
	struct layout layout = lay_out(size, slot_size);
	uint8_t *base = memory;
	int result;

	*queue = (struct net_driver_queue){
		.slots = base + layout.slots,
		.slots_address = address + layout.slots,
		.slot_size = slot_size,
		.header_size = net_header_size(features),
		.mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1,
		.descriptors = address + layout.descriptors,
		.available = address + layout.available,
		.used = address + layout.used,
		.free_slot_count = size,
	};
	result = split_driver_init(&queue->ring, base + layout.descriptors, base + layout.available,
		base + layout.used, size, features);
	if (result < 0)
		return result;
	queue->free_slots = calloc(size, sizeof(*queue->free_slots));
	if (!queue->free_slots) {
		split_driver_fini(&queue->ring);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < size; i++)
		queue->free_slots[i] = (uint16_t)i;
	return 0;
}

void net_driver_fini(struct net_driver_queue *queue)
{
	free(queue->free_slots);
	split_driver_fini(&queue->ring);
	memset(queue, 0, sizeof(*queue));
}

void net_driver_offer(struct net_driver_queue *queue, uint64_t index)
{
	const struct driver_buffer buffer = {
		.address = queue->slots_address + index * queue->slot_size,
		.length = queue->slot_size,
	};

	/* A slot is available, or with us: there is a descriptor for each. */
	split_driver_add(&queue->ring, &buffer, 0, 1, NULL, index);
}

void net_driver_fill(struct net_driver_queue *queue)
{
	for (unsigned i = 0; i < queue->ring.size; i++)
		net_driver_offer(queue, i);
	queue->free_slot_count = 0;
}

/* The frame's parts behind its first buffer. The device publishes all buffers of a frame at once
 * (5.1.6.4), so one that is missing is a fault of the device. */
static int receive_rest(struct net_driver_queue *queue, unsigned buffers, uint8_t *frame,
	uint32_t size, uint32_t length)
{
	bool fits = true;

	while (--buffers) {
		uint64_t token;
		uint32_t written;

		if (!split_driver_take(&queue->ring, &token, &written) ||
			written > queue->slot_size) {
			queue->ring.broken = true;
			return -EPROTO;
		}
		fits = fits && written <= size - length;
		if (fits) {
			memcpy(frame + length, net_driver_slot(queue, token), written);
			length += written;
		}
		net_driver_offer(queue, token);
	}
	return fits ? (int)length : -EMSGSIZE;
}

int net_driver_receive(struct net_driver_queue *queue, uint8_t *frame, uint32_t size)
{
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 1};
	uint32_t written, length;
	uint64_t token;
	int result;

	if (!split_driver_take(&queue->ring, &token, &written))
		return 0;
	if (written < queue->header_size || written > queue->slot_size) {
		queue->bad_frames++;
		net_driver_offer(queue, token);
		return -EMSGSIZE;
	}
	memcpy(&header, net_driver_slot(queue, token), queue->header_size);
	length = written - queue->header_size;
	if (length <= size)
		memcpy(frame, net_driver_slot(queue, token) + queue->header_size, length);
	else
		queue->bad_frames++;
	net_driver_offer(queue, token);
	if (queue->mergeable && header.num_buffers > 1) {
		result = receive_rest(queue, header.num_buffers, frame, size, MIN(length, size));
		return length <= size ? result : -EMSGSIZE;
	}
	return length <= size ? (int)length : -EMSGSIZE;
}

void net_driver_reclaim(struct net_driver_queue *queue)
{
	uint64_t token;
	uint32_t written;

	while (split_driver_take(&queue->ring, &token, &written))
		queue->free_slots[queue->free_slot_count++] = (uint16_t)token;
}

uint8_t *net_driver_reserve(struct net_driver_queue *queue)
{
	if (!queue->free_slot_count)
		net_driver_reclaim(queue);
	if (!queue->free_slot_count)
		return NULL;
	return net_driver_slot(queue, queue->free_slots[queue->free_slot_count - 1]) +
	       queue->header_size;
}

void net_driver_send(struct net_driver_queue *queue, uint32_t length)
{
	uint16_t index = queue->free_slots[--queue->free_slot_count];
	const struct driver_buffer buffer = {
		.address = queue->slots_address + (uint64_t)index * queue->slot_size,
		.length = queue->header_size + length,
	};

	memset(net_driver_slot(queue, index), 0, queue->header_size);
	split_driver_add(&queue->ring, &buffer, 1, 0, NULL, index);
}
