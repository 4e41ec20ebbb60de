/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leaves by a packet port: as many frames as there are, by one sendmmsg().
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>

#include "base/rcu.h"
#include "packet/fate.h"
#include "port/packet/packet_port_private.h"
#include "virtio_net/offload.h"

/* Pieces that wait to be sent; a frame of more, which no driver makes, is not sent. */
#define PIECES_MAX 1024u

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
	case EMSGSIZE: /* the MTU has just become smaller */
		return DROP_MTU_EXCEEDED;
	default: /* the interface is down, or gone */
		return DROP_RECEIVER_NOT_READY;
	}
}

/* One call of packet_port_send(). */
struct sending {
	struct packet_queue *queue;
	const struct packet_batch *batch;
	struct counters *counters; /* under queue->counting */
	unsigned count;            /* frames that wait */
	unsigned piece_count;
	uint64_t packets, bytes;
	struct mmsghdr messages[PACKET_BATCH];
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

/* The kernel has not taken frame `at`; where it has no room, the next ones are not tried. Returns
 * how many are lost. */
static NO_INLINE unsigned refuse(struct sending *sending, unsigned at, enum drop_reason reason)
{
	unsigned count = reason == DROP_RECEIVE_RING_FULL ? sending->count - at : 1;

	for (unsigned i = at; i < at + count; i++)
		lose(sending, sending->frames[i].packet, 1, reason);
	return count;
}

/* Sends what waits. Why the last frame that was lost was; DROP_REASON_COUNT where none was. */
static enum drop_reason flush(struct sending *sending)
{
	enum drop_reason reason = DROP_REASON_COUNT;
	unsigned done = 0;

	while (done < sending->count) {
		int sent = sendmmsg(sending->queue->fd, sending->messages + done,
			sending->count - done, MSG_DONTWAIT);

		if (unlikely(sent <= 0)) {
			reason = reason_of(errno);
			done += refuse(sending, done, reason);
			continue;
		}
		sending->packets += (unsigned)sent;
		for (; sent; sent--)
			sending->bytes += sending->frames[done++].length;
	}
	sending->count = 0;
	sending->piece_count = 0;
	return reason;
}

/* Puts a frame of packet `i`, which the kernel takes as it is, among those to be sent, with its
 * header before it. */
static void add(struct sending *sending, unsigned i, const struct packet *packet)
{
	uint8_t *start = packet->head - PACKET_SOCKET_HEADER;
	unsigned count = 1u + packet->tail_count;
	struct virtio_net_hdr header;
	struct iovec *pieces;

	if (unlikely(count > PIECES_MAX)) {
		lose(sending, i, 1, DROP_RECEIVE_BUFFER_TOO_SMALL);
		return;
	}
	if (sending->count == PACKET_BATCH || sending->piece_count + count > PIECES_MAX)
		flush(sending);
	net_offload_header(packet, &header);
	memcpy(start, &header, sizeof(header));
	pieces = &sending->pieces[sending->piece_count];
	pieces[0] = (struct iovec){start, PACKET_SOCKET_HEADER + packet->head_length};
	memcpy(pieces + 1, packet->tail, packet->tail_count * sizeof(*pieces));
	sending->messages[sending->count].msg_hdr = (struct msghdr){
		.msg_iov = pieces, .msg_iovlen = count};
	sending->frames[sending->count].packet = i;
	sending->frames[sending->count++].length = packet->length;
	sending->piece_count += count;
}

/* What the kernel does not take is finished first. A piece lies in one room and borrows the
 * packet's tail, so it is sent before there is another; where one is lost, so are those that
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

static void drop_all(struct packet_port *packet, const struct packet_batch *batch, uint64_t mask)
{
	struct counters *counters = &packet->port.counters[0].tx;

	spinlock_lock(&packet->queue.counting);
	packet_drop(batch, mask & ~batch->flooded, DROP_RECEIVER_NOT_READY, counters);
	packet_drop(batch, mask & batch->flooded, DROP_FLOODED_NOT_READY, counters);
	spinlock_unlock(&packet->queue.counting);
}

void packet_port_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	struct packet_port *self = packet_port(port);
	struct packet_queue *queue = rcu_read(&self->live);
	struct counters *counters = &port->counters[0].tx;
	const struct egress_limits limits = {
		.frame_length_max = __atomic_load_n(&self->frame_length_max, __ATOMIC_RELAXED),
		.abilities = self->offloads,
	};
	struct sending sending; /* large: only what is used is set */
	unsigned i;

	if (unlikely(!queue)) {
		drop_all(self, batch, mask);
		return;
	}
	sending.queue = queue;
	sending.batch = batch;
	sending.counters = counters;
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
	spinlock_lock(&queue->counting);
	counter_add(&counters->packets, sending.packets);
	counter_add(&counters->bytes, sending.bytes);
	spinlock_unlock(&queue->counting);
}
