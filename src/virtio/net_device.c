/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/net_device.h"

#include <linux/if_ether.h>
#include <string.h>

#include "virtio/net_header.h"

/* An 802.1Q tag in front of a full-sized payload is not a larger MTU. */
#define VLAN_TAG_SIZE 4

/* Chains that one frame may be spread over with mergeable buffers: 65,535 bytes in buffers of 64,
 * which no driver makes smaller. */
#define MERGE_MAX 1025

/* Buffers of a receiver that one send looks at: twice the longest legal chain. A guest that offers
 * its memory byte by byte loses frames; it does not hold up the sender. */
#define SEND_PIECES_MAX (2 * PACKET_PIECES_CHAIN)

int net_device_init(struct net_device_queue *queue, const struct guest_memory *memory,
	void *descriptors, void *available, void *used, unsigned size, uint64_t features,
	uint16_t next, uint16_t mtu)
{
	queue->header_size = net_header_size(features);
	queue->mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1;
	queue->frame_length_max = mtu ? (uint32_t)mtu + ETH_HLEN + VLAN_TAG_SIZE
				      : PACKET_LENGTH_MAX;
	queue->discard = false;
	return split_device_init(
		&queue->ring, memory, descriptors, available, used, size, features, next);
}

/* The sender's and the receiver's buffers were last touched by another core. Two lines hold a small
 * frame with its header; behind those the hardware's own prefetching has found the stream. */
ALWAYS_INLINE void prefetch_for_read(const uint8_t *buffer)
{
	__builtin_prefetch(buffer);
	__builtin_prefetch(buffer + CACHE_LINE);
}

ALWAYS_INLINE void prefetch_for_write(uint8_t *buffer)
{
	__builtin_prefetch(buffer, 1);
	__builtin_prefetch(buffer + CACHE_LINE, 1);
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

/* First pass of receive: takes chains and notes where their buffers are; touches no frame. */
static void take_chains(
	struct net_device_queue *queue, struct packet_batch *batch, struct counters *counters)
{
	struct split_device *ring = &queue->ring;
	unsigned budget = MIN(split_device_available(ring), PACKET_BATCH);
	uint64_t bytes = 0;

	while (budget-- && batch->pieces_used < PACKET_PIECES_VISIT &&
		bytes < NET_DEVICE_VISIT_BYTES) {
		struct packet *packet = &batch->packets[batch->count];
		struct iovec *pieces = &batch->pieces[batch->pieces_used];
		uint16_t head = split_device_take(ring);
		uint32_t length;
		int count = split_device_buffers(ring, head, false, pieces,
			PACKET_PIECES - PACKET_PIECES_CHAIN - batch->pieces_used, &length);

		if (unlikely(count < 0)) {
			split_device_untake(ring, 1);
			counter_add(&counters->drops[DROP_RING_ERROR], 1);
			return;
		}
		split_device_give(ring, head, 0);
		/* Work that was done counts, whatever becomes of the frame. */
		batch->pieces_used += (unsigned)count;
		bytes += length;
		if (unlikely(length < queue->header_size + ETH_HLEN)) {
			counter_add(&counters->drops[length <= queue->header_size
							     ? DROP_BAD_NET_HEADER
							     : DROP_FRAME_TOO_SHORT],
				1);
			continue;
		}
		if (unlikely(length - queue->header_size > PACKET_LENGTH_MAX)) {
			counter_add(&counters->drops[DROP_FRAME_TOO_LONG], 1);
			continue;
		}
		prefetch_for_read(pieces->iov_base);
		packet->tail = pieces;
		packet->tail_count = (uint16_t)count;
		packet->length = length - queue->header_size;
		batch->count++;
	}
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
	packet->network = NETWORK_NONE;
	packet->vlan_pcp = 0;
	packet->parsed = false;
}

/* No offload is offered to guests, so a frame may not ask for one (5.1.6.2). */
static bool header_is_plain(const struct packet *packet, uint32_t header_size)
{
	const struct virtio_net_hdr *header = (const struct virtio_net_hdr *)(packet->head -
									      header_size);

	return !(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	       header->gso_type == VIRTIO_NET_HDR_GSO_NONE;
}

void net_device_receive(
	struct net_device_queue *queue, struct packet_batch *batch, struct counters *counters)
{
	unsigned kept = 0;

	if (split_device_failed(&queue->ring))
		return;
	take_chains(queue, batch, counters);
	if (unlikely(queue->discard)) {
		counter_add(&counters->drops[DROP_QUEUE_DISABLED], batch->count);
		batch->count = 0;
		return;
	}
	for (unsigned i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[kept];

		if (unlikely(kept != i))
			*packet = batch->packets[i];
		copy_head(batch, kept, packet, queue->header_size);
		if (unlikely(!header_is_plain(packet, queue->header_size))) {
			counter_add(&counters->drops[DROP_BAD_NET_HEADER], 1);
			continue;
		}
		kept++;
	}
	batch->count = kept;
}

bool net_device_release(struct net_device_queue *queue)
{
	return split_device_publish(&queue->ring);
}

/* The chains that one frame goes into. */
struct landing {
	struct iovec *pieces;
	unsigned piece_count;
	unsigned chain_count;
	unsigned pieces_seen; /* by this send, those of frames that did not fit included */
	struct {
		uint16_t head;
		uint32_t length;
	} chains[MERGE_MAX];
};

/* Takes chains until `need` bytes fit; otherwise takes none and says why. */
static enum drop_reason take_landing(
	struct net_device_queue *queue, uint32_t need, struct landing *landing, unsigned pieces_max)
{
	struct split_device *ring = &queue->ring;
	uint64_t capacity = 0;
	enum drop_reason reason;

	landing->piece_count = 0;
	landing->chain_count = 0;
	if (unlikely(landing->pieces_seen > SEND_PIECES_MAX))
		return DROP_RECEIVE_RING_FULL;
	do {
		uint32_t length;
		uint16_t head;
		int count;

		if (unlikely(landing->chain_count == MERGE_MAX ||
			     (landing->chain_count && !queue->mergeable))) {
			reason = DROP_RECEIVE_BUFFER_TOO_SMALL;
			goto put_back;
		}
		if (unlikely(ring->broken || !split_device_available(ring))) {
			reason = ring->broken ? DROP_RING_ERROR : DROP_RECEIVE_RING_FULL;
			goto put_back;
		}
		head = split_device_take(ring);
		count = split_device_buffers(ring, head, true,
			landing->pieces + landing->piece_count, pieces_max - landing->piece_count,
			&length);
		if (unlikely(count < 0)) {
			split_device_untake(ring, 1);
			reason = DROP_RING_ERROR;
			goto put_back;
		}
		landing->piece_count += (unsigned)count;
		landing->pieces_seen += (unsigned)count;
		landing->chains[landing->chain_count].head = head;
		landing->chains[landing->chain_count++].length = length;
		capacity += length;
	} while (unlikely(capacity < need));
	return DROP_REASON_COUNT;

put_back:
	split_device_untake(ring, landing->chain_count);
	return reason;
}

/* Where the next byte goes. */
struct scatter {
	struct iovec *piece;
	size_t offset;
};

static void scatter_copy(struct scatter *to, const uint8_t *from, size_t length)
{
	while (length) {
		size_t room = to->piece->iov_len - to->offset;
		size_t step = MIN(room, length);

		memcpy((uint8_t *)to->piece->iov_base + to->offset, from, step);
		from += step;
		length -= step;
		to->offset += step;
		if (to->offset == to->piece->iov_len) {
			to->piece++;
			to->offset = 0;
		}
	}
}

static void copy_scattered(
	const struct packet *packet, uint32_t header_size, const struct landing *landing)
{
	struct scatter to = {.piece = landing->pieces, .offset = 0};

	scatter_copy(&to, packet->head - header_size, header_size + packet->head_length);
	for (unsigned i = 0; i < packet->tail_count; i++)
		scatter_copy(&to, packet->tail[i].iov_base, packet->tail[i].iov_len);
}

ALWAYS_INLINE void copy_contiguous(const struct packet *packet, uint32_t header_size, uint8_t *to)
{
	uint32_t length = header_size + packet->head_length;

	memcpy(to, packet->head - header_size, length);
	to += length;
	for (unsigned i = 0; i < packet->tail_count; i++) {
		memcpy(to, packet->tail[i].iov_base, packet->tail[i].iov_len);
		to += packet->tail[i].iov_len;
	}
}

/* Writes the header into the room before the head, where the copy of the frame begins. Every byte
 * is set: nothing of another guest's memory leaks. */
ALWAYS_INLINE void push_header(struct packet *packet, uint32_t header_size, unsigned buffers)
{
	struct virtio_net_hdr_mrg_rxbuf *header = (struct virtio_net_hdr_mrg_rxbuf *)(packet->head -
										      header_size);

	memset(&header->hdr, 0, sizeof(header->hdr));
	/* Also without MRG_RXBUF: num_buffers is 1 then (5.1.6.4). */
	if (likely(header_size == NET_HEADER_SIZE))
		header->num_buffers = (uint16_t)buffers;
}

/* Returns the chains with `need` bytes spread over them in order. */
ALWAYS_INLINE void give_landing(
	struct split_device *ring, const struct landing *landing, uint32_t need)
{
	for (unsigned i = 0; i < landing->chain_count; i++) {
		uint32_t written = MIN(need, landing->chains[i].length);

		split_device_give(ring, landing->chains[i].head, written);
		need -= written;
	}
}

/* A frame whose place is known and whose copy waits for the cache: one chain of one piece. */
struct waiting {
	struct packet *packet;
	uint8_t *to;
};

/* First pass of send: finds a place for each packet, and returns its chains in order. */
static unsigned place_packets(struct net_device_queue *queue, struct packet_batch *batch,
	uint64_t mask, struct waiting *waiting, struct counters *counters)
{
	/* The batch's own pieces come first; what is left is room for one receiver's chain. */
	unsigned pieces_max = PACKET_PIECES - batch->pieces_used;
	struct landing landing;
	uint64_t packets = 0, bytes = 0;
	unsigned i, count = 0;

	landing.pieces = &batch->pieces[batch->pieces_used];
	landing.pieces_seen = 0;
	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &batch->packets[i];
		uint32_t need = queue->header_size + packet->length;
		enum drop_reason reason = DROP_MTU_EXCEEDED;

		if (likely(packet->length <= queue->frame_length_max))
			reason = take_landing(queue, need, &landing, pieces_max);
		if (unlikely(reason != DROP_REASON_COUNT)) {
			counter_add(&counters->drops[reason], 1);
			continue;
		}
		give_landing(&queue->ring, &landing, need);
		packets++;
		bytes += packet->length;
		if (likely(landing.piece_count == 1)) {
			waiting[count].packet = packet;
			waiting[count++].to = landing.pieces->iov_base;
			prefetch_for_write(landing.pieces->iov_base);
		} else {
			push_header(packet, queue->header_size, landing.chain_count);
			copy_scattered(packet, queue->header_size, &landing);
		}
	}
	counter_add(&counters->packets, packets);
	counter_add(&counters->bytes, bytes);
	return count;
}

bool net_device_send(struct net_device_queue *queue, struct packet_batch *batch, uint64_t mask,
	struct counters *counters)
{
	struct waiting waiting[PACKET_BATCH];
	unsigned count;

	if (split_device_failed(&queue->ring)) {
		counter_add(
			&counters->drops[DROP_RING_ERROR], (unsigned)__builtin_popcountll(mask));
		return false;
	}
	count = place_packets(queue, batch, mask, waiting, counters);
	for (unsigned i = 0; i < count; i++) {
		push_header(waiting[i].packet, queue->header_size, 1);
		copy_contiguous(waiting[i].packet, queue->header_size, waiting[i].to);
	}
	return split_device_publish(&queue->ring);
}
