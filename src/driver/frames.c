/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/frames.h"

#include <errno.h>
#include <string.h>

#include "base/common.h"

/* Appends a buffer with its first `skip` bytes left out; false where the frame has too many. */
static bool append(const struct net_driver_queue *queue, struct driver_frame *frame, uint64_t index,
	uint32_t written, uint32_t skip)
{
	if (frame->count == DRIVER_PIECES_MAX)
		return false;
	frame->slots[frame->count++] = (uint16_t)index;
	frame->pieces[frame->count] = (struct iovec){
		.iov_base = net_driver_slot(queue, index) + skip,
		.iov_len = written - skip,
	};
	frame->length += written - skip;
	return true;
}

/* The buffers behind the first. The device publishes all buffers of a frame at once (5.1.6.4), so
 * one that is missing is a fault of the device. */
static bool take_rest(struct net_driver_queue *queue, struct driver_frame *frame, unsigned buffers)
{
	bool fits = true;

	while (--buffers) {
		uint64_t token;
		uint32_t written;

		if (!split_driver_take(&queue->ring, &token, &written)) {
			queue->ring.broken = true;
			return false;
		}
		if (written > queue->slot_size)
			queue->ring.broken = true;
		else if (append(queue, frame, token, written, 0))
			continue;
		net_driver_offer(queue, token);
		fits = false;
	}
	return fits;
}

int driver_frame_take(struct net_driver_queue *queue, struct driver_frame *frame)
{
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 1};
	uint32_t written;
	uint64_t token;

	if (!split_driver_take(&queue->ring, &token, &written))
		return 0;
	frame->count = 0;
	frame->length = 0;
	if (written < queue->header_size || written > queue->slot_size) {
		queue->bad_frames++;
		net_driver_offer(queue, token);
		return -EMSGSIZE;
	}
	memcpy(&header, net_driver_slot(queue, token), queue->header_size);
	frame->header = header.hdr;
	append(queue, frame, token, written, queue->header_size);
	if (!queue->mergeable || header.num_buffers <= 1 ||
		take_rest(queue, frame, header.num_buffers))
		return 1;
	queue->bad_frames++;
	driver_frame_return(queue, frame);
	return -EMSGSIZE;
}

void driver_frame_return(struct net_driver_queue *queue, const struct driver_frame *frame)
{
	for (unsigned i = 0; i < frame->count; i++)
		net_driver_offer(queue, frame->slots[i]);
}

uint8_t *driver_frame_reserve(struct net_driver_queue *queue, unsigned ahead)
{
	if (queue->free_slot_count <= ahead)
		return NULL;
	return net_driver_slot(queue, queue->free_slots[queue->free_slot_count - 1 - ahead]);
}

void driver_frame_send(struct net_driver_queue *queue, unsigned ahead, uint32_t length)
{
	uint16_t *next = &queue->free_slots[--queue->free_slot_count];
	uint16_t index = *(next - ahead);
	const struct driver_buffer buffer = {
		.address = queue->slots_address + (uint64_t)index * queue->slot_size,
		.length = queue->header_size + length,
	};

	*(next - ahead) = *next;
	split_driver_add(&queue->ring, &buffer, 1, 0, NULL, index);
}
