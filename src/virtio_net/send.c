/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending into a receiveq: the first pass finds a place for each packet and asks for its cache
 * lines, the second copies. What does not fit that pattern (several buffers, segmentation) is
 * copied at once. See virtio_net/device.h.
 */
#include <string.h>

#include "base/copy.h"
#include "packet/egress.h"
#include "packet/fate.h"
#include "virtio_net/device.h"
#include "virtio_net/header.h"
#include "virtio_net/offload.h"

_Static_assert(NET_HEADER_SIZE <= EGRESS_HEADROOM, "a piece has no room for its header");

/* Chains that one frame may be spread over with mergeable buffers: 65,535 bytes in buffers of 64,
 * which no driver makes smaller. */
#define MERGE_MAX 1025

/* Buffers that one call walks over, for frames that fit and frames that do not, and that one
 * frame is spread over at most: twice what the longest needs in buffers of 64 bytes. It bounds
 * the time that the send lock is held, and that whoever sends is charged with, for a receiver
 * with absurd buffers; a chain of more breaks its ring. */
#define SEND_PIECES_MAX 4096

/* The chains that one frame goes into. */
struct landing {
	struct iovec *pieces;
	unsigned piece_count;
	unsigned chain_count;
	unsigned slots; /* of the chains */
	struct {
		struct ring_chain chain;
		uint32_t length;
	} chains[MERGE_MAX];
};

/* A frame whose place is known and whose copy waits for the cache: one chain of one piece. */
struct waiting {
	struct packet *packet;
	uint8_t *to;
};

/* One call of net_device_send(). */
struct sending {
	struct net_device_queue *queue;
	struct counters *counters;
	unsigned pieces_max;  /* of landing.pieces[] */
	unsigned pieces_seen; /* so far, those of frames that did not fit included */
	uint64_t packets, bytes;
	unsigned waiting_count;
	struct waiting waiting[PACKET_BATCH];
	struct landing landing;
};

/* Takes chains until `need` bytes fit; otherwise takes none and says why. */
ALWAYS_INLINE enum drop_reason take_landing(struct sending *sending, bool packed, uint32_t need)
{
	struct landing *landing = &sending->landing;
	struct device_ring *ring = &sending->queue->ring;
	uint64_t capacity = 0;
	enum drop_reason reason;

	landing->piece_count = 0;
	landing->chain_count = 0;
	landing->slots = 0;
	/* Maybe by the frame before, of the same call. */
	if (unlikely(device_ring_broken(ring)))
		return DROP_RING_ERROR;
	if (unlikely(sending->pieces_seen > SEND_PIECES_MAX))
		return DROP_RECEIVE_RING_FULL;
	do {
		uint32_t length;
		int count;

		if (unlikely(landing->chain_count == MERGE_MAX ||
			     (landing->chain_count && !sending->queue->mergeable))) {
			reason = DROP_RECEIVE_BUFFER_TOO_SMALL;
			goto put_back;
		}
		if (unlikely(!device_ring_available(ring, packed))) {
			reason = device_ring_broken(ring) ? DROP_RING_ERROR
							  : DROP_RECEIVE_RING_FULL;
			goto put_back;
		}
		count = device_ring_take(ring, packed, &landing->chains[landing->chain_count].chain,
			true, landing->pieces + landing->piece_count,
			sending->pieces_max - landing->piece_count, &length);
		if (unlikely(count < 0)) {
			reason = DROP_RING_ERROR;
			goto put_back;
		}
		net_outlook_prefetch(landing->pieces[landing->piece_count].iov_base);
		landing->piece_count += (unsigned)count;
		sending->pieces_seen += (unsigned)count;
		landing->slots += landing->chains[landing->chain_count].chain.count;
		landing->chains[landing->chain_count++].length = length;
		capacity += length;
	} while (unlikely(capacity < need));
	return DROP_REASON_COUNT;

put_back:
	device_ring_untake(ring, packed, landing->slots);
	return reason;
}

/* Where the next byte goes. */
struct scatter {
	struct device_ring *ring;
	struct iovec *piece;
	size_t offset;
};

/* Stops where the receiver's memory vanished: what it has many buffers in may be many pages, and
 * each that is touched is ours by now. */
static void scatter_copy(struct scatter *to, const uint8_t *from, size_t length, uint32_t frame)
{
	while (length && !device_ring_failed(to->ring, to->ring->packed)) {
		size_t room = to->piece->iov_len - to->offset;
		size_t step = MIN(room, length);

		copy_piece((uint8_t *)to->piece->iov_base + to->offset, from, step, frame);
		from += step;
		length -= step;
		to->offset += step;
		if (to->offset == to->piece->iov_len) {
			to->piece++;
			to->offset = 0;
		}
	}
}

static void copy_scattered(struct device_ring *ring, const struct packet *packet,
	uint32_t header_size, const struct landing *landing)
{
	struct scatter to = {.ring = ring, .piece = landing->pieces, .offset = 0};

	scatter_copy(
		&to, packet->head - header_size, header_size + packet->head_length, packet->length);
	for (unsigned i = 0; i < packet->tail_count; i++)
		scatter_copy(
			&to, packet->tail[i].iov_base, packet->tail[i].iov_len, packet->length);
}

ALWAYS_INLINE void copy_contiguous(const struct packet *packet, uint32_t header_size, uint8_t *to)
{
	uint32_t length = header_size + packet->head_length;

	memcpy(to, packet->head - header_size, length);
	to += length;
	for (unsigned i = 0; i < packet->tail_count; i++) {
		copy_piece(to, packet->tail[i].iov_base, packet->tail[i].iov_len, packet->length);
		to += packet->tail[i].iov_len;
	}
}

/* Writes the header into the room before the head, where the copy of the frame begins. Every byte
 * is set: nothing of another guest's memory leaks. */
ALWAYS_INLINE void push_header(struct packet *packet, uint32_t header_size, unsigned buffers)
{
	struct virtio_net_hdr_mrg_rxbuf *header = (struct virtio_net_hdr_mrg_rxbuf *)(packet->head -
										      header_size);

	net_offload_header(packet, &header->hdr);
	/* Also without MRG_RXBUF: num_buffers is 1 then (5.1.6.4). */
	if (likely(header_size == NET_HEADER_SIZE))
		header->num_buffers = (uint16_t)buffers;
}

/* Returns the chains with `need` bytes spread over them in order. */
ALWAYS_INLINE void give_landing(
	struct device_ring *ring, bool packed, const struct landing *landing, uint32_t need)
{
	for (unsigned i = 0; i < landing->chain_count; i++) {
		uint32_t written = MIN(need, landing->chains[i].length);

		device_ring_give(ring, packed, landing->chains[i].chain, written);
		need -= written;
	}
}

/* Logs a frame of `length` bytes, with its header, that was written to these pieces. */
static NO_INLINE void log_frame(
	const struct net_device_queue *queue, const struct iovec *pieces, uint32_t length)
{
	const struct queue_log *log = rcu_read(&queue->log);

	if (log)
		queue_log_pieces(log, pieces, length);
}

/* Finds a place for a frame that the receiver takes as it is, and copies it there now or later.
 * Says why there is none; DROP_REASON_COUNT where there is. */
ALWAYS_INLINE enum drop_reason place(
	struct sending *sending, bool packed, struct packet *packet, bool now)
{
	struct net_device_queue *queue = sending->queue;
	struct landing *landing = &sending->landing;
	uint32_t need = queue->header_size + packet->length;
	enum drop_reason reason = take_landing(sending, packed, need);

	if (unlikely(reason != DROP_REASON_COUNT))
		return reason;
	give_landing(&queue->ring, packed, landing, need);
	sending->packets++;
	sending->bytes += packet->length;
	if (likely(landing->piece_count == 1 && !now)) {
		struct waiting *waiting = &sending->waiting[sending->waiting_count++];

		waiting->packet = packet;
		waiting->to = landing->pieces->iov_base;
		return DROP_REASON_COUNT;
	}
	push_header(packet, queue->header_size, landing->chain_count);
	copy_scattered(&queue->ring, packet, queue->header_size, landing);
	if (unlikely(rcu_read(&queue->log)))
		log_frame(queue, landing->pieces, need);
	return DROP_REASON_COUNT;
}

/* Why the ring has no place for any frame now, or DROP_REASON_COUNT. */
static enum drop_reason ring_unready(struct device_ring *ring)
{
	if (device_ring_available(ring, ring->packed))
		return DROP_REASON_COUNT;
	return device_ring_broken(ring) ? DROP_RING_ERROR : DROP_RECEIVE_RING_FULL;
}

/* Finds places for the frames that a packet becomes which the receiver cannot take as it is.
 * Ends at the first one that has none: neither have the others, and a receiver whose ring is
 * full shall cost nothing. */
static NO_INLINE void place_finished(
	struct sending *sending, struct packet_batch *batch, unsigned i)
{
	struct net_device_queue *queue = sending->queue;
	struct egress egress;
	struct egress_room room;
	struct packet *packet = &batch->packets[i], *frame;
	enum drop_reason reason = egress_begin(&egress, packet, &queue->limits);
	unsigned lost = 1;

	if (reason == DROP_REASON_COUNT) {
		reason = ring_unready(&queue->ring);
		lost = 0;
		while (reason == DROP_REASON_COUNT && (frame = egress_next(&egress, &room))) {
			reason = place(sending, queue->ring.packed, frame, frame != packet);
			lost = reason != DROP_REASON_COUNT;
		}
		lost += egress_end(&egress);
	}
	if (lost)
		packet_drop_frames(batch, i, lost, reason, sending->counters);
}

ALWAYS_INLINE void place_packet(
	struct sending *sending, bool packed, struct packet_batch *batch, unsigned i)
{
	struct packet *packet = &batch->packets[i];
	enum drop_reason reason;

	if (unlikely(!egress_as_is(packet, &sending->queue->limits))) {
		place_finished(sending, batch, i);
		return;
	}
	reason = place(sending, packed, packet, false);
	if (unlikely(reason != DROP_REASON_COUNT))
		packet_drop(batch, UINT64_C(1) << i, reason, sending->counters);
}

/*
 * The common case by itself: packets that the receiver takes as they are, each into one chain of
 * one buffer. Works on a copy of the ring's state, which stays in registers. Returns the packets
 * that are left when something else comes up: their first one is for place_packet().
 */
ALWAYS_INLINE uint64_t place_simple(
	struct sending *sending, bool packed, struct packet_batch *batch, uint64_t mask)
{
	struct net_device_queue *queue = sending->queue;
	const uint32_t header_size = queue->header_size;
	const uint32_t length_max = queue->limits.frame_length_max;
	struct device_ring ring;
	unsigned count = sending->waiting_count;
	uint64_t bytes = 0;

	/* Where no chain of a split ring is known any more this reads its index. */
	if (unlikely(!device_ring_available(&queue->ring, packed)))
		return mask;
	ring = queue->ring;
	while (mask && device_ring_known(&ring, packed)) {
		struct packet *packet = &batch->packets[__builtin_ctzll(mask)];
		const uint32_t length = packet->length, need = header_size + length;
		struct ring_chain chain;
		uint32_t capacity;
		uint8_t *to;

		if (unlikely(packet->offload.needs || length > length_max))
			break;
		to = device_ring_take_simple(&ring, packed, true, &chain, &capacity);
		if (unlikely(!to))
			break;
		if (unlikely(capacity < need)) {
			device_ring_untake_simple(&ring, packed);
			break;
		}
		device_ring_give(&ring, packed, chain, need);
		net_outlook_prefetch(to);
		sending->waiting[count++] = (struct waiting){packet, to};
		bytes += length;
		mask &= mask - 1;
	}
	sending->packets += count - sending->waiting_count;
	sending->bytes += bytes;
	sending->waiting_count = count;
	queue->ring = ring;
	return mask;
}

/* Logs what was copied into the places of waiting frames. */
static NO_INLINE void log_waiting(const struct sending *sending)
{
	for (unsigned i = 0; i < sending->waiting_count; i++) {
		uint32_t length = sending->queue->header_size + sending->waiting[i].packet->length;
		struct iovec piece = {sending->waiting[i].to, length};

		log_frame(sending->queue, &piece, length);
	}
}

ALWAYS_INLINE bool send_all(
	struct sending *sending, bool packed, struct packet_batch *batch, uint64_t mask)
{
	uint32_t header_size = sending->queue->header_size;
	bool signal;

	while (mask && (mask = place_simple(sending, packed, batch, mask))) {
		place_packet(sending, packed, batch, (unsigned)__builtin_ctzll(mask));
		mask &= mask - 1;
	}
	for (unsigned i = 0; i < sending->waiting_count; i++) {
		struct packet *packet = sending->waiting[i].packet;

		push_header(packet, header_size, 1);
		copy_contiguous(packet, header_size, sending->waiting[i].to);
	}
	if (unlikely(rcu_read(&sending->queue->log)))
		log_waiting(sending);
	signal = device_ring_publish(&sending->queue->ring, packed);
	net_outlook_note(&sending->queue->outlook, &sending->queue->ring, packed);
	return signal;
}

bool net_device_send(struct net_device_queue *queue, struct packet_batch *batch, uint64_t mask,
	struct counters *counters)
{
	bool packed = queue->ring.packed;
	struct sending sending; /* large: only what is used is set */
	bool signal;

	if (device_ring_failed(&queue->ring, packed)) {
		packet_drop(batch, mask, DROP_RING_ERROR, counters);
		return false;
	}
	sending.queue = queue;
	sending.counters = counters;
	/* The batch's own pieces come first; what is left is room for one receiver's chain. */
	sending.landing.pieces = &batch->pieces[batch->pieces_used];
	sending.pieces_max = MIN(PACKET_PIECES - batch->pieces_used, SEND_PIECES_MAX);
	sending.pieces_seen = 0;
	sending.packets = sending.bytes = 0;
	sending.waiting_count = 0;
	if (packed)
		signal = send_all(&sending, true, batch, mask);
	else
		signal = send_all(&sending, false, batch, mask);
	counter_add(&counters->packets, sending.packets);
	counter_add(&counters->bytes, sending.bytes);
	return signal;
}
