/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes in by a packet port: from the slots of its ring, which the kernel fills in order and
 * we give back in order.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>

#include "base/rcu.h"
#include "packet/fate.h"
#include "packet/vlan.h"
#include "port/packet/packet_port_private.h"
#include "virtio_net/offload.h"

/* Bytes that a visit takes before it stops: five of the longest frames, as with a guest's ring. */
#define VISIT_BYTES (5 * PACKET_LENGTH_MAX)

/* One visit of the queue. */
struct visit {
	struct packet_queue *queue;
	uint8_t requests;
	struct packet_batch *batch;
	struct counters *counters;
	unsigned slots; /* of the batch's buffers that are used, by frames that are dropped, too */
	uint32_t bytes;
};

static struct tpacket2_hdr *slot_of(const struct packet_queue *queue, uint32_t number)
{
	return (struct tpacket2_hdr *)(queue->ring + (size_t)number * queue->slot_size);
}

static uint32_t status_of(const struct tpacket2_hdr *slot)
{
	return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

/* The kernel has dropped frames because the ring was full, and says so in each one until it is
 * asked. */
static NO_INLINE void count_lost(struct visit *visit)
{
	struct tpacket_stats statistics;
	socklen_t size = sizeof(statistics);

	if (getsockopt(visit->queue->fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0)
		frames_drop(statistics.tp_drops, DROP_OVERRUN, visit->counters);
}

/* Where the frame goes, with its header in front: a tag that is to be put back has room. */
static void begin_packet(struct visit *visit, struct packet *packet, const uint8_t *frame,
	uint32_t length, uint32_t head)
{
	uint8_t *start = packet_buffer(visit->batch, visit->slots);

	packet->head = start;
	packet->tail = &visit->batch->pieces[visit->slots];
	packet->length = length;
	packet->head_length = (uint16_t)head;
	packet->headroom = PACKET_PUSH_MAX;
	packet->network = NETWORK_NONE;
	packet->vlan_pcp = 0;
	packet->parsed = false;
	if (frame)
		memcpy(start - PACKET_SOCKET_HEADER, frame - PACKET_SOCKET_HEADER,
			PACKET_SOCKET_HEADER + head);
}

/* A frame that lies in its slot: its tail stays there until release(). */
static enum drop_reason take_short(struct visit *visit, struct packet *packet,
	const struct tpacket2_hdr *slot, uint32_t head_max)
{
	uint32_t length = slot->tp_len, head = MIN(length, head_max);
	uint8_t *frame = (uint8_t *)(uintptr_t)slot + slot->tp_mac;

	/* Longer than the slot, and the kernel had no room for it elsewhere. */
	if (unlikely(slot->tp_snaplen < length))
		return DROP_OVERRUN;
	/* The kernel's word is good, but it costs nothing to look. */
	if (unlikely(slot->tp_mac < sizeof(*slot) + PACKET_SOCKET_HEADER ||
		     slot->tp_mac > visit->queue->slot_size ||
		     length > visit->queue->slot_size - slot->tp_mac))
		return DROP_FRAME_TOO_LONG;
	begin_packet(visit, packet, frame, length, head);
	*packet->tail = (struct iovec){frame + head, length - head};
	return DROP_REASON_COUNT;
}

/* A frame that the slot is the mark of: it waits to be read, and is the first of those. */
static enum drop_reason take_long(struct visit *visit, struct packet *packet, uint32_t head_max)
{
	uint8_t *tail = visit->queue->tails + (size_t)visit->slots * PACKET_TAIL_STRIDE;
	uint8_t *start = packet_buffer(visit->batch, visit->slots) - PACKET_SOCKET_HEADER;
	struct iovec pieces[2] = {
		{start, PACKET_SOCKET_HEADER + head_max}, {tail, PACKET_TAIL_SIZE}};
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = ARRAY_SIZE(pieces)};
	ssize_t size = recvmsg(visit->queue->fd, &message, MSG_DONTWAIT | MSG_TRUNC);
	uint32_t length, head;

	/* EINVAL: the kernel cannot say in a header of virtio-net what is left to do. */
	if (unlikely(size < (ssize_t)PACKET_SOCKET_HEADER))
		return size < 0 && errno != EINVAL ? DROP_READ_ERROR : DROP_BAD_NET_HEADER;
	length = (uint32_t)size - PACKET_SOCKET_HEADER;
	head = MIN(length, head_max);
	begin_packet(visit, packet, NULL, length, head);
	*packet->tail = (struct iovec){tail, length - head};
	return DROP_REASON_COUNT;
}

/* Puts back the tag that the kernel has taken off, with the header of virtio-net in front of it. */
static void restore_tag(struct packet *packet, const struct tpacket2_hdr *slot, uint32_t status,
	struct virtio_net_hdr *header)
{
	uint16_t type = status & TP_STATUS_VLAN_TPID_VALID ? slot->tp_vlan_tpid : ETH_P_8021Q;

	if (!packet_vlan_push(packet, slot->tp_vlan_tci))
		return;
	store_be16(packet->head + ETHERNET_TYPE, type);
	header->csum_start = (uint16_t)(header->csum_start + VLAN_TAG);
	header->hdr_len = (uint16_t)(header->hdr_len + VLAN_TAG);
}

/* Makes a packet of what the slot has; says why it is none. */
static enum drop_reason accept_frame(
	struct visit *visit, const struct tpacket2_hdr *slot, uint32_t status)
{
	struct packet_batch *batch = visit->batch;
	struct packet *packet = &batch->packets[batch->count];
	bool tagged = status & TP_STATUS_VLAN_VALID;
	uint32_t head_max = PACKET_HEAD_SIZE - (tagged ? VLAN_TAG : 0);
	struct virtio_net_hdr header;
	enum drop_reason reason;

	if (unlikely(status & TP_STATUS_COPY))
		reason = take_long(visit, packet, head_max);
	else
		reason = take_short(visit, packet, slot, head_max);
	if (unlikely(reason != DROP_REASON_COUNT))
		return reason;
	visit->bytes += packet->length;
	if (unlikely(packet->length < ETHERNET_HEADER))
		return DROP_FRAME_TOO_SHORT;
	packet->tail_count = packet->tail->iov_len > 0;
	memcpy(&header, packet->head - PACKET_SOCKET_HEADER, sizeof(header));
	if (tagged)
		restore_tag(packet, slot, status, &header);
	if (unlikely(packet->length > PACKET_LENGTH_MAX))
		return DROP_FRAME_TOO_LONG;
	if (unlikely(!net_offload_receive(&header, visit->requests, packet)))
		return DROP_BAD_NET_HEADER;
	batch->count++;
	return DROP_REASON_COUNT;
}

static void give_back(struct packet_queue *queue)
{
	while (queue->first != queue->next) {
		struct tpacket2_hdr *slot = slot_of(queue, queue->first);

		__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		queue->first = queue->first + 1 == queue->slot_count ? 0 : queue->first + 1;
	}
}

void packet_port_receive(struct port *port, unsigned index, struct packet_batch *batch)
{
	struct packet_port *packet = packet_port(port);
	struct packet_queue *queue = rcu_read(&packet->live);
	struct visit visit = {.queue = queue,
		.requests = packet->offloads,
		.batch = batch,
		.counters = &port->counters[index].rx};

	if (unlikely(!queue))
		return;
	while (visit.slots < batch->frames_max && visit.bytes < VISIT_BYTES) {
		const struct tpacket2_hdr *slot = slot_of(queue, queue->next);
		uint32_t status = status_of(slot);
		enum drop_reason reason;

		if (!(status & TP_STATUS_USER))
			break;
		__builtin_prefetch(slot_of(queue, (queue->next + 1) % queue->slot_count));
		if (unlikely(status & TP_STATUS_LOSING))
			count_lost(&visit);
		reason = accept_frame(&visit, slot, status);
		if (unlikely(reason != DROP_REASON_COUNT))
			frames_drop(1, reason, visit.counters);
		queue->next = queue->next + 1 == queue->slot_count ? 0 : queue->next + 1;
		visit.slots++;
	}
	batch->pieces_used = visit.slots;
	batch->more = visit.bytes >= VISIT_BYTES;
}

void packet_port_release(struct port *port, unsigned index, struct packet_batch *batch)
{
	struct packet_queue *queue = rcu_read(&packet_port(port)->live);

	if (likely(queue))
		give_back(queue);
}

enum port_arm packet_port_arm(struct port *port, unsigned index)
{
	struct packet_queue *queue = rcu_read(&packet_port(port)->live);

	/* A frame that comes from now on wakes whoever watches the descriptor: the kernel fills the
	 * slot first. */
	if (!queue || !(status_of(slot_of(queue, queue->next)) & TP_STATUS_USER))
		return PORT_ARMED;
	return PORT_PENDING;
}

void packet_port_disarm(struct port *port, unsigned index)
{
	/* The kernel wakes for every frame; there is nothing to turn off. */
}
