/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data side of the TAP port; see port/tap/tap_private.h for who may touch what.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "packet/fate.h"
#include "packet/parse.h"
#include "port/tap/tap_private.h"
#include "virtio_net/offload.h"

/* Bytes that a visit takes before it stops: five of the longest frames, as with a guest's ring. */
#define VISIT_BYTES (5 * PACKET_LENGTH_MAX)

/* After it was found empty a TAP is left alone for a microsecond or two, by clock_cycles(): looking
 * is a system call, and what else the worker has to do, its look at sleeping queues included, shall
 * not wait for many. */
#define REST_CYCLES 4000u

/* Pieces that wait to be written; a frame of more, which no driver makes, is not sent. */
#define PIECES_MAX 1024u

/* One visit of a queue. */
struct visit {
	struct tap_queue *queue;
	uint8_t requests;
	struct packet_batch *batch;
	struct counters *counters;
	unsigned slots;  /* of the queue's rooms that are used */
	unsigned frames; /* that came, those that are dropped, too */
	uint32_t bytes;
	uint32_t longest;
	struct frame_io ios[PACKET_BATCH];
	struct iovec rooms[PACKET_BATCH];
};

/* Where the head of frame `slot` begins; the rest follows it, and there is the headroom before. */
static uint8_t *room(const struct visit *visit, unsigned slot)
{
	return visit->queue->rooms + (size_t)slot * TAP_ROOM_STRIDE + PACKET_HEADROOM;
}

/* One piece: a list would be more work for the kernel. */
static void make_room(struct visit *visit, unsigned slot, struct frame_io *io)
{
	visit->rooms[slot] = (struct iovec){
		room(visit, slot) - TAP_HEADER_SIZE, TAP_HEADER_SIZE + TAP_FRAME_MAX};
	*io = (struct frame_io){.pieces = &visit->rooms[slot], .count = 1};
}

/* Makes a packet of what was read into `slot`; says why it is none. */
static enum drop_reason accept_frame(struct visit *visit, unsigned slot, uint32_t size)
{
	struct packet_batch *batch = visit->batch;
	struct packet *packet = &batch->packets[batch->count];
	uint32_t length = size - TAP_HEADER_SIZE;
	uint32_t head = MIN(length, PACKET_HEAD_SIZE);

	if (unlikely(size < TAP_HEADER_SIZE + ETH_HLEN))
		return DROP_FRAME_TOO_SHORT;
	if (unlikely(length > PACKET_LENGTH_MAX))
		return DROP_FRAME_TOO_LONG;
	packet->head = room(visit, slot);
	packet->tail = &batch->pieces[slot];
	packet->length = length;
	packet->head_length = (uint16_t)head;
	packet->tail_count = length > head;
	packet->headroom = PACKET_PUSH_MAX;
	packet->network = NETWORK_NONE;
	packet->vlan_pcp = 0;
	packet->parsed = false;
	batch->pieces[slot] = (struct iovec){packet->head + head, length - head};
	if (unlikely(!net_offload_receive((struct virtio_net_hdr *)(packet->head - TAP_HEADER_SIZE),
		    visit->requests, packet)))
		return DROP_BAD_NET_HEADER;
	batch->count++;
	return DROP_REASON_COUNT;
}

/* No more than `wanted`, and than the visit may take. */
static unsigned limit_window(const struct visit *visit, unsigned wanted)
{
	uint32_t longest = MAX(visit->queue->longest, visit->longest);
	uint32_t left = (VISIT_BYTES - visit->bytes) / MAX(longest, 1u) + 1;
	unsigned slots = visit->batch->frames_max - visit->slots;

	slots = MIN(slots, left);
	return MIN(wanted, slots);
}

/* A read that fails for another reason than that there is no frame, or no interface any more, took
 * one that nobody gets. */
static void count_error(struct visit *visit, int code)
{
	if (likely(code == EAGAIN || code == EINTR || code == EBADFD))
		return;
	frames_drop(1, DROP_READ_ERROR, visit->counters);
}

/* Asks for frames once; false where the TAP has no more. A frame that comes meanwhile is taken by
 * one read although the one before has found none. */
static bool read_some(struct visit *visit, unsigned wanted)
{
	struct tap_queue *queue = visit->queue;

	for (unsigned i = 0; i < wanted; i++)
		make_room(visit, visit->slots + i, &visit->ios[i]);
	frame_io_read(queue->reader, queue->fd, visit->ios, wanted);
	for (unsigned i = 0; i < wanted; i++) {
		uint32_t size = (uint32_t)visit->ios[i].result;
		enum drop_reason reason;

		if (visit->ios[i].result < 0) {
			count_error(visit, -visit->ios[i].result);
			continue;
		}
		reason = accept_frame(visit, visit->slots + i, size);
		visit->frames++;
		visit->bytes += size;
		visit->longest = MAX(visit->longest, size);
		if (unlikely(reason != DROP_REASON_COUNT))
			frames_drop(1, reason, visit->counters);
	}
	visit->slots += wanted;
	return visit->ios[wanted - 1].result >= 0;
}

static void read_all(struct visit *visit)
{
	struct frame_io_window *window = &visit->queue->window;
	unsigned wanted = frame_io_first(window);

	while (visit->slots < visit->batch->frames_max && visit->bytes < VISIT_BYTES) {
		if (!read_some(visit, limit_window(visit, wanted)))
			break;
		wanted = frame_io_next(wanted, visit->frames);
	}
	frame_io_learn(window, visit->frames);
}

/* 0: it may have frames. */
static void set_empty_since(struct tap_queue *queue, uint64_t cycles)
{
	__atomic_store_n(&queue->empty_since, cycles, __ATOMIC_RELAXED);
}

static bool rests(const struct tap_queue *queue)
{
	uint64_t since = __atomic_load_n(&queue->empty_since, __ATOMIC_RELAXED);

	return since && clock_cycles() - since < REST_CYCLES;
}

void tap_port_receive(struct port *port, unsigned index, struct packet_batch *batch)
{
	struct tap_port *tap = tap_port(port);
	struct tap_queue *queues = rcu_read(&tap->live);
	struct visit visit; /* large: only what is used is set */

	if (unlikely(!queues))
		return;
	if (queues[index].vhost) {
		tap_vhost_receive(
			queues[index].vhost, tap->requests, batch, &port->counters[index].rx);
		return;
	}
	if (rests(&queues[index]))
		return;
	visit.queue = &queues[index];
	visit.requests = tap->requests;
	visit.batch = batch;
	visit.counters = &port->counters[index].rx;
	visit.slots = visit.frames = 0;
	visit.bytes = visit.longest = 0;
	set_empty_since(visit.queue, 0);
	read_all(&visit);
	if (visit.longest)
		visit.queue->longest = visit.longest;
	else
		set_empty_since(visit.queue, clock_cycles());
	batch->pieces_used = visit.slots;
	batch->more = visit.bytes >= VISIT_BYTES;
}

void tap_port_release(struct port *port, unsigned index, struct packet_batch *batch)
{
	struct tap_queue *queues = rcu_read(&tap_port(port)->live);

	/* Buffers that are read into are ours, and free with the next visit. */
	if (queues && queues[index].vhost)
		tap_vhost_release(queues[index].vhost);
}

enum port_arm tap_port_arm(struct port *port, unsigned index)
{
	struct tap_queue *queues = rcu_read(&tap_port(port)->live);
	struct pollfd look = {.events = POLLIN};

	if (!queues)
		return PORT_ARMED;
	if (queues[index].vhost)
		return tap_vhost_arm(queues[index].vhost);
	/* Each frame that comes from now on wakes whoever watches the descriptor. Those that came
	 * before may have done so already, while nobody slept. */
	look.fd = queues[index].fd;
	return poll(&look, 1, 0) > 0 && look.revents & POLLIN ? PORT_PENDING : PORT_ARMED;
}

void tap_port_disarm(struct port *port, unsigned index)
{
	struct tap_queue *queues = rcu_read(&tap_port(port)->live);

	if (!queues)
		return;
	if (queues[index].vhost)
		tap_vhost_disarm(queues[index].vhost);
	/* A TAP wakes for every frame; there is nothing to turn off. Here it has. */
	set_empty_since(&queues[index], 0);
}

/* Why the kernel did not take a frame. */
static enum drop_reason reason_of(int code)
{
	switch (code) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_RECEIVE_RING_FULL;
	case EFAULT: /* the sender's memory is gone */
		return DROP_RING_ERROR;
	case EINVAL: /* the kernel reads the header in another way than we do */
		return DROP_BAD_NET_HEADER;
	default: /* the interface is down, or gone */
		return DROP_RECEIVER_NOT_READY;
	}
}

/* One call of tap_port_send(), for one queue. */
struct sending {
	struct tap_queue *queue;
	const struct packet_batch *batch;
	struct counters *counters;  /* under queue->counting */
	struct frame_io_ring *ring; /* NULL: another worker uses it, or there is none */
	unsigned count;             /* frames that wait */
	unsigned piece_count;
	uint64_t packets, bytes;
	struct frame_io ios[PACKET_BATCH];
	struct {
		unsigned packet; /* of the batch */
		uint32_t length;
	} frames[PACKET_BATCH];
	struct iovec pieces[PIECES_MAX];
};

/* `count` frames of packet `i` are not sent. */
static NO_INLINE void lose(
	struct sending *sending, unsigned i, unsigned count, enum drop_reason reason)
{
	if (reason == DROP_RECEIVER_NOT_READY && sending->batch->flooded >> i & 1)
		reason = DROP_FLOODED_NOT_READY;
	spinlock_lock(&sending->queue->counting);
	packet_drop_frames(sending->batch, i, count, reason, sending->counters);
	spinlock_unlock(&sending->queue->counting);
}

/* Writes what waits. Why the last frame that was lost was; DROP_REASON_COUNT where none was. */
static enum drop_reason flush(struct sending *sending)
{
	enum drop_reason reason = DROP_REASON_COUNT;

	if (!sending->count)
		return reason;
	frame_io_write(sending->ring, sending->queue->fd, sending->ios, sending->count);
	for (unsigned i = 0; i < sending->count; i++) {
		if (unlikely(sending->ios[i].result < 0)) {
			reason = reason_of(-sending->ios[i].result);
			lose(sending, sending->frames[i].packet, 1, reason);
			continue;
		}
		sending->packets++;
		sending->bytes += sending->frames[i].length;
	}
	sending->count = 0;
	sending->piece_count = 0;
	return reason;
}

/* Puts a frame of packet `i`, which the kernel takes as it is, among those to be written, with its
 * header before it. */
static void add(struct sending *sending, unsigned i, const struct packet *packet)
{
	uint8_t *start = packet->head - TAP_HEADER_SIZE;
	unsigned count = 1u + packet->tail_count;
	struct iovec *pieces;

	if (unlikely(count > PIECES_MAX)) {
		lose(sending, i, 1, DROP_RECEIVE_BUFFER_TOO_SMALL);
		return;
	}
	if (sending->count == PACKET_BATCH || sending->piece_count + count > PIECES_MAX)
		flush(sending);
	net_offload_header(packet, (struct virtio_net_hdr *)start);
	pieces = &sending->pieces[sending->piece_count];
	pieces[0] = (struct iovec){start, TAP_HEADER_SIZE + packet->head_length};
	memcpy(pieces + 1, packet->tail, packet->tail_count * sizeof(*pieces));
	sending->ios[sending->count] = (struct frame_io){.pieces = pieces, .count = count};
	sending->frames[sending->count].packet = i;
	sending->frames[sending->count++].length = packet->length;
	sending->piece_count += count;
}

/* What the kernel does not take is finished first. A piece lies in one room and borrows the
 * packet's tail, so it is written before there is another; where one is lost, so are those that
 * follow. */
static NO_INLINE void add_finished(struct sending *sending, unsigned i, struct packet *packet,
	const struct egress_limits *limits)
{
	enum drop_reason reason;
	struct egress egress;
	struct egress_room room;
	struct packet *frame;

	reason = egress_begin(&egress, packet, limits);
	if (reason != DROP_REASON_COUNT) {
		lose(sending, i, 1, reason);
		return;
	}
	while ((frame = egress_next(&egress, &room))) {
		if (frame == packet) {
			add(sending, i, frame);
			return;
		}
		/* What waits belongs to other packets, whose loss is not this one's. */
		flush(sending);
		add(sending, i, frame);
		reason = flush(sending);
		if (reason != DROP_REASON_COUNT) {
			lose(sending, i, egress_end(&egress), reason);
			return;
		}
	}
}

static void send_by_vhost(struct tap_queue *queue, const struct egress_limits *limits,
	struct counters *counters, struct packet_batch *batch, uint64_t mask)
{
	bool kick;

	spinlock_lock(&queue->counting);
	kick = tap_vhost_send(queue->vhost, limits, batch, mask, counters);
	spinlock_unlock(&queue->counting);
	if (kick)
		tap_vhost_kick(queue->vhost);
}

static void send_to_queue(struct tap_port *tap, struct tap_queue *queue, struct counters *counters,
	struct packet_batch *batch, uint64_t mask)
{
	const struct egress_limits limits = {
		.frame_length_max = __atomic_load_n(&tap->frame_length_max, __ATOMIC_RELAXED),
		.abilities = tap->abilities,
	};
	struct sending sending; /* large: only what is used is set */
	unsigned i;

	if (queue->vhost) {
		send_by_vhost(queue, &limits, counters, batch, mask);
		return;
	}
	sending.queue = queue;
	sending.batch = batch;
	sending.counters = counters;
	sending.ring = queue->writer && spinlock_try(&queue->writing) ? queue->writer : NULL;
	sending.count = sending.piece_count = 0;
	sending.packets = sending.bytes = 0;
	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &batch->packets[i];

		if (likely(egress_as_is(packet, &limits)))
			add(&sending, i, packet);
		else
			add_finished(&sending, i, packet, &limits);
	}
	flush(&sending);
	if (sending.ring)
		spinlock_unlock(&queue->writing);
	/* The far end has run in these calls, and may have answered. */
	set_empty_since(queue, 0);
	spinlock_lock(&queue->counting);
	counter_add(&counters->packets, sending.packets);
	counter_add(&counters->bytes, sending.bytes);
	spinlock_unlock(&queue->counting);
}

/* Spreads flows over the queues: the frames of a flow use one, and the kernel answers on the
 * same. */
static void send_spread(
	struct tap_port *tap, struct tap_queue *queues, struct packet_batch *batch, uint64_t mask)
{
	uint64_t masks[TAP_PORT_QUEUES_MAX] = {0};
	unsigned count = tap->port.queue_count;
	unsigned i;

	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &batch->packets[i];

		packet_parse(packet);
		masks[(uint64_t)packet->flow_hash * count >> 32] |= 1ULL << i;
	}
	for (i = 0; i < count; i++)
		if (masks[i])
			send_to_queue(tap, &queues[i], &tap->port.counters[i].tx, batch, masks[i]);
}

static void drop_all(struct tap_port *tap, const struct packet_batch *batch, uint64_t mask)
{
	struct counters *counters = &tap->port.counters[0].tx;
	struct tap_queue *queue = &tap->queues[0];

	spinlock_lock(&queue->counting);
	packet_drop(batch, mask & ~batch->flooded, DROP_RECEIVER_NOT_READY, counters);
	packet_drop(batch, mask & batch->flooded, DROP_FLOODED_NOT_READY, counters);
	spinlock_unlock(&queue->counting);
}

void tap_port_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	struct tap_port *tap = tap_port(port);
	struct tap_queue *queues = rcu_read(&tap->live);

	if (unlikely(!queues))
		drop_all(tap, batch, mask);
	else if (likely(port->queue_count == 1))
		send_to_queue(tap, queues, &port->counters[0].tx, batch, mask);
	else
		send_spread(tap, queues, batch, mask);
}
