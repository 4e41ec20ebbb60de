/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving from a transmitq: the first pass finds buffers and asks for their cache lines, the
 * second copies heads. See virtio_net/device.h.
 */
#include <linux/if_ether.h>
#include <string.h>

#include "packet/fate.h"
#include "virtio_net/device.h"
#include "virtio_net/header.h"
#include "virtio_net/offload.h"

/* A batch of such frames stays within the bytes of a visit. */
#define SIMPLE_LENGTH_MAX (NET_DEVICE_VISIT_BYTES / PACKET_BATCH - ETH_HLEN)

/* The sender's buffers were last touched by another core. Two lines hold a small frame with its
 * header; behind those the hardware's own prefetching has found the stream. */
ALWAYS_INLINE void prefetch_for_read(const uint8_t *buffer)
{
	__builtin_prefetch(buffer);
	__builtin_prefetch(buffer + CACHE_LINE);
}

/* Copies the first `length` bytes of the packet's tail to `to` and moves the tail behind them. The
 * caller knows that the tail is that long. */
ALWAYS_INLINE void tail_gather(struct packet *packet, uint8_t *to, uint32_t length)
{
	struct iovec *piece = packet->tail;

	while (unlikely(piece->iov_len < length)) {
		memcpy(to, piece->iov_base, piece->iov_len);
		to += piece->iov_len;
		length -= (uint32_t)piece->iov_len;
		piece++;
		packet->tail_count--;
	}
	memcpy(to, piece->iov_base, length);
	piece->iov_base = (uint8_t *)piece->iov_base + length;
	piece->iov_len -= length;
	if (!piece->iov_len) {
		piece++;
		packet->tail_count--;
	}
	packet->tail = piece;
}

/* Why a chain of `length` bytes holds no frame; DROP_REASON_COUNT where it may. */
ALWAYS_INLINE enum drop_reason judge_length(uint32_t length, uint32_t header_size)
{
	if (unlikely(length < header_size + ETH_HLEN))
		return length <= header_size ? DROP_BAD_NET_HEADER : DROP_FRAME_TOO_SHORT;
	if (unlikely(length - header_size > PACKET_LENGTH_MAX))
		return DROP_FRAME_TOO_LONG;
	return DROP_REASON_COUNT;
}

/*
 * The common case by itself: frames of one buffer each. Works on a copy of the ring's state, which
 * stays in registers. Returns how many chains it took, and stops where something else comes up.
 */
ALWAYS_INLINE unsigned take_simple(
	struct net_device_queue *queue, bool packed, struct packet_batch *batch)
{
	const uint32_t header_size = queue->header_size;
	struct device_ring ring = queue->ring;
	unsigned count = 0;

	while (count < PACKET_BATCH && device_ring_known(&ring, packed)) {
		struct packet *packet = &batch->packets[count];
		struct ring_chain chain;
		uint32_t length;
		uint8_t *from = device_ring_take_simple(&ring, packed, false, &chain, &length);

		if (unlikely(!from))
			break;
		/* Long frames are for the general case, which counts bytes; so are too short
		 * ones. */
		if (unlikely(length - header_size - ETH_HLEN > SIMPLE_LENGTH_MAX)) {
			device_ring_untake_simple(&ring, packed);
			break;
		}
		device_ring_give(&ring, packed, chain, 0);
		prefetch_for_read(from);
		batch->pieces[count] = (struct iovec){from, length};
		packet->tail = &batch->pieces[count];
		packet->tail_count = 1;
		packet->length = length - header_size;
		count++;
	}
	queue->ring = ring;
	return count;
}

/* First pass: takes chains and notes where their buffers are; touches no frame. */
ALWAYS_INLINE void take_chains(struct net_device_queue *queue, bool packed,
	struct packet_batch *batch, struct counters *counters)
{
	struct device_ring *ring = &queue->ring;
	unsigned taken = 0;
	uint64_t bytes = 0;

	/* For a split ring this reads the index once; then all that it shows is known. */
	if (!device_ring_available(ring, packed))
		return;
	if (likely(batch->frames_max == PACKET_BATCH))
		taken = take_simple(queue, packed, batch);
	batch->count += taken;
	batch->pieces_used += taken;
	for (; taken < batch->frames_max && device_ring_available(ring, packed) &&
		batch->pieces_used < PACKET_PIECES_VISIT && bytes < NET_DEVICE_VISIT_BYTES;
		taken++) {
		struct packet *packet = &batch->packets[batch->count];
		struct iovec *pieces = &batch->pieces[batch->pieces_used];
		struct ring_chain chain;
		enum drop_reason reason;
		uint32_t length;
		int count = device_ring_take(ring, packed, &chain, false, pieces,
			PACKET_PIECES - PACKET_PIECES_CHAIN - batch->pieces_used, &length);

		if (unlikely(count < 0)) {
			frames_drop(1, DROP_RING_ERROR, counters);
			return;
		}
		device_ring_give(ring, packed, chain, 0);
		/* Work that was done counts, whatever becomes of the frame. */
		batch->pieces_used += (unsigned)count;
		bytes += length;
		reason = judge_length(length, queue->header_size);
		if (unlikely(reason != DROP_REASON_COUNT)) {
			frames_drop(1, reason, counters);
			continue;
		}
		prefetch_for_read(pieces->iov_base);
		packet->tail = pieces;
		packet->tail_count = (uint16_t)count;
		packet->length = length - queue->header_size;
		batch->count++;
	}
	if (unlikely(bytes >= NET_DEVICE_VISIT_BYTES))
		batch->more = true;
}

/* Second pass: copies header and head of the frame into the private buffer `i` of the batch. */
ALWAYS_INLINE void copy_head(
	struct packet_batch *batch, unsigned i, struct packet *packet, uint32_t header_size)
{
	uint8_t *head = packet_buffer(batch, i);
	uint32_t length = MIN(packet->length, PACKET_HEAD_SIZE);

	tail_gather(packet, head - header_size, header_size + length);
	packet->head = head;
	packet->head_length = (uint16_t)length;
	/* Neighbours, and constant: one store. */
	packet->headroom = PACKET_PUSH_MAX;
	packet->network = NETWORK_NONE;
	packet->vlan_pcp = 0;
	packet->parsed = false;
	packet->l4_protocol = 0;
}

static void copy_heads(
	struct net_device_queue *queue, struct packet_batch *batch, struct counters *counters)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[kept];
		const void *header;

		if (unlikely(kept != i))
			*packet = batch->packets[i];
		copy_head(batch, kept, packet, queue->header_size);
		header = packet->head - queue->header_size;
		if (unlikely(!net_offload_receive(header, queue->requests, packet))) {
			packet_drop(batch, UINT64_C(1) << kept, DROP_BAD_NET_HEADER, counters);
			continue;
		}
		kept++;
	}
	batch->count = kept;
}

void net_device_receive(
	struct net_device_queue *queue, struct packet_batch *batch, struct counters *counters)
{
	bool packed = queue->ring.packed;

	if (device_ring_failed(&queue->ring, packed))
		return;
	if (packed)
		take_chains(queue, true, batch, counters);
	else
		take_chains(queue, false, batch, counters);
	if (unlikely(queue->discard)) {
		frames_drop(batch->count, DROP_QUEUE_DISABLED, counters);
		batch->count = 0;
		return;
	}
	copy_heads(queue, batch, counters);
}

bool net_device_release(struct net_device_queue *queue)
{
	return device_ring_publish(&queue->ring, queue->ring.packed);
}
