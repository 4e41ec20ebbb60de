/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/if_ether.h>
#include <string.h>

#include "base/copy.h"
#include "base/fd.h"
#include "packet/fate.h"
#include "port/tap/vhost_private.h"
#include "virtio_net/header.h"
#include "virtio_net/offload.h"

/* Bytes that a visit takes before it stops: five of the longest frames, as with a guest's ring. */
#define VISIT_BYTES (5 * PACKET_LENGTH_MAX)

/* Buffers of the longest frame with its header. */
#define CHAIN_MAX ((PACKET_LENGTH_MAX + NET_HEADER_SIZE + TAP_VHOST_BUFFER - 1) / TAP_VHOST_BUFFER)

static void fail(struct tap_vhost *vhost)
{
	if (!__atomic_exchange_n(&vhost->failed, true, __ATOMIC_RELAXED))
		fd_signal(vhost->error_fd);
}

/* The next buffer that the kernel has filled, which stays with us until release. */
static bool take(struct tap_vhost *vhost, uint8_t **buffer, uint32_t *written)
{
	struct split_driver *ring = &vhost->receive.ring;
	uint64_t index;

	if (!split_driver_take(ring, &index, written)) {
		if (unlikely(ring->broken))
			fail(vhost);
		return false;
	}
	vhost->taken[vhost->taken_count++] = (uint16_t)index;
	*buffer = tap_vhost_buffer(&vhost->receive, (unsigned)index);
	if (likely(*written && *written <= TAP_VHOST_BUFFER))
		return true;
	ring->broken = true;
	fail(vhost);
	return false;
}

/* The buffers behind a frame's first. All of them are published at once (VIRTIO 1.3, 5.1.6.4). */
static bool take_rest(struct tap_vhost *vhost, unsigned buffers, struct packet_batch *batch,
	struct packet *packet)
{
	while (--buffers) {
		struct iovec *piece = &batch->pieces[batch->pieces_used];
		uint32_t written;
		uint8_t *buffer;

		if (!take(vhost, &buffer, &written)) {
			vhost->receive.ring.broken = true;
			fail(vhost);
			return false;
		}
		*piece = (struct iovec){buffer, written};
		batch->pieces_used++;
		packet->tail_count++;
		packet->length += written;
	}
	return true;
}

/* Makes the next packet of what the kernel has put into the ring; false where there is nothing.
 * *reason says why it is none, else DROP_REASON_COUNT. */
static bool take_frame(struct tap_vhost *vhost, struct packet_batch *batch, unsigned slot,
	uint8_t requests, enum drop_reason *reason)
{
	struct packet *packet = &batch->packets[batch->count];
	uint8_t *head = packet_buffer(batch, slot);
	struct virtio_net_hdr_mrg_rxbuf *header = (void *)(head - NET_HEADER_SIZE);
	uint32_t written, copied;
	uint8_t *buffer;

	if (!take(vhost, &buffer, &written))
		return false;
	copied = MIN(written, NET_HEADER_SIZE + PACKET_HEAD_SIZE);
	memcpy(header, buffer, copied);
	packet->head = head;
	packet->tail = &batch->pieces[batch->pieces_used];
	packet->tail_count = written > copied;
	packet->headroom = PACKET_PUSH_MAX;
	packet->network = NETWORK_NONE;
	packet->vlan_pcp = 0;
	packet->parsed = false;
	packet->length = written - MIN(written, NET_HEADER_SIZE);
	*reason = DROP_FRAME_TOO_SHORT;
	if (unlikely(packet->length < ETH_HLEN))
		return true;
	packet->head_length = (uint16_t)(copied - NET_HEADER_SIZE);
	if (packet->tail_count)
		batch->pieces[batch->pieces_used++] = (struct iovec){
			buffer + copied, written - copied};
	if (header->num_buffers > 1 && !take_rest(vhost, header->num_buffers, batch, packet))
		return false;
	*reason = DROP_FRAME_TOO_LONG;
	if (unlikely(packet->length > PACKET_LENGTH_MAX))
		return true;
	*reason = net_offload_receive(&header->hdr, requests, packet) ? DROP_REASON_COUNT
								      : DROP_BAD_NET_HEADER;
	return true;
}

void tap_vhost_receive(struct tap_vhost *vhost, uint8_t requests, struct packet_batch *batch,
	struct counters *counters)
{
	enum drop_reason reason;
	uint32_t bytes = 0;
	unsigned slot = 0;

	batch->pieces_used = 0;
	while (slot < batch->frames_max && bytes < VISIT_BYTES) {
		if (!take_frame(vhost, batch, slot, requests, &reason))
			break;
		bytes += batch->packets[batch->count].length;
		slot++;
		if (likely(reason == DROP_REASON_COUNT))
			batch->count++;
		else
			frames_drop(1, reason, counters);
	}
	batch->pieces_used = MAX(batch->pieces_used, slot);
	batch->more = bytes >= VISIT_BYTES;
}

void tap_vhost_release(struct tap_vhost *vhost)
{
	struct tap_vhost_lane *lane = &vhost->receive;

	for (unsigned i = 0; i < vhost->taken_count; i++)
		tap_vhost_offer(lane, vhost->taken[i]);
	vhost->taken_count = 0;
	if (split_driver_publish(&lane->ring))
		fd_signal(lane->kick_fd);
}

enum port_arm tap_vhost_arm(struct tap_vhost *vhost)
{
	return split_driver_arm(&vhost->receive.ring) && !vhost->receive.ring.broken ? PORT_PENDING
										     : PORT_ARMED;
}

void tap_vhost_disarm(struct tap_vhost *vhost)
{
	split_driver_disarm(&vhost->receive.ring);
}

/* A chain's token: which buffers it has, so that they are free again without a walk. */
static uint64_t chain_token(unsigned first, unsigned last, unsigned count)
{
	return (uint64_t)count << 32 | (uint64_t)last << 16 | first;
}

/* Takes back what the kernel has sent. */
static void reclaim(struct tap_vhost *vhost)
{
	uint32_t written;
	uint64_t token;

	while (split_driver_take(&vhost->send.ring, &token, &written)) {
		vhost->next[(uint16_t)(token >> 16)] = vhost->free_first;
		vhost->free_first = (uint16_t)token;
		vhost->free_count += (unsigned)(token >> 32);
	}
	if (unlikely(vhost->send.ring.broken))
		fail(vhost);
}

/* Where the next bytes of a frame go. */
struct filling {
	struct tap_vhost *vhost;
	uint8_t *place;
	uint32_t left; /* in this buffer */
	unsigned last; /* buffer */
};

static void put(struct filling *filling, const void *from, size_t length, uint32_t frame)
{
	const uint8_t *bytes = from;

	while (length) {
		size_t part = MIN(length, (size_t)filling->left);

		copy_piece(filling->place, bytes, part, frame);
		bytes += part;
		length -= part;
		filling->place += part;
		filling->left -= (uint32_t)part;
		if (filling->left || !length)
			continue;
		filling->last = filling->vhost->next[filling->last];
		filling->place = tap_vhost_buffer(&filling->vhost->send, filling->last);
		filling->left = TAP_VHOST_BUFFER;
	}
}

/* Names the buffers of a frame of `size` bytes to the ring, from the free ones. */
static void add_chain(struct tap_vhost *vhost, uint32_t size, unsigned count)
{
	struct driver_buffer buffers[CHAIN_MAX];
	unsigned first = vhost->free_first, last = first, next = first;

	for (unsigned i = 0; i < count; i++) {
		last = next;
		buffers[i].address = (uintptr_t)tap_vhost_buffer(&vhost->send, last);
		buffers[i].length = MIN(size, TAP_VHOST_BUFFER);
		size -= buffers[i].length;
		next = vhost->next[last];
	}
	vhost->free_first = (uint16_t)next;
	vhost->free_count -= count;
	/* There are as many descriptors as buffers. */
	split_driver_add(
		&vhost->send.ring, buffers, count, 0, NULL, chain_token(first, last, count));
}

/* Copies a frame, which the kernel takes as it is, into the ring; false where that is full. */
static bool add(struct tap_vhost *vhost, const struct packet *packet)
{
	struct virtio_net_hdr_mrg_rxbuf *header = (void *)(packet->head - NET_HEADER_SIZE);
	uint32_t size = NET_HEADER_SIZE + packet->length;
	unsigned count = (size + TAP_VHOST_BUFFER - 1) / TAP_VHOST_BUFFER;
	struct filling filling = {
		.vhost = vhost,
		.left = TAP_VHOST_BUFFER,
		.last = vhost->free_first,
	};

	if (unlikely(count > vhost->free_count))
		return false;
	filling.place = tap_vhost_buffer(&vhost->send, filling.last);
	net_offload_header(packet, &header->hdr);
	header->num_buffers = 0;
	put(&filling, header, NET_HEADER_SIZE + packet->head_length, packet->length);
	for (unsigned i = 0; i < packet->tail_count; i++)
		put(&filling, packet->tail[i].iov_base, packet->tail[i].iov_len, packet->length);
	add_chain(vhost, size, count);
	return true;
}

/* What is counted of one call. */
struct sent {
	uint64_t packets, bytes;
};

/* False where the ring is full. */
static bool add_frame(struct tap_vhost *vhost, const struct packet *packet, struct sent *sent)
{
	if (unlikely(!add(vhost, packet)))
		return false;
	sent->packets++;
	sent->bytes += packet->length;
	return true;
}

/* What the kernel does not take is finished first. */
static NO_INLINE void add_finished(struct tap_vhost *vhost, struct packet_batch *batch, unsigned i,
	const struct egress_limits *limits, struct counters *counters, struct sent *sent)
{
	struct egress_room room;
	struct packet *frame;
	struct egress egress;
	enum drop_reason reason = egress_begin(&egress, &batch->packets[i], limits);

	if (reason != DROP_REASON_COUNT) {
		packet_drop_frames(batch, i, 1, reason, counters);
		return;
	}
	while ((frame = egress_next(&egress, &room))) {
		if (likely(add_frame(vhost, frame, sent)))
			continue;
		packet_drop_frames(
			batch, i, 1 + egress_end(&egress), DROP_RECEIVE_RING_FULL, counters);
		return;
	}
}

bool tap_vhost_send(struct tap_vhost *vhost, const struct egress_limits *limits,
	struct packet_batch *batch, uint64_t mask, struct counters *counters)
{
	struct sent sent = {0};
	unsigned i;

	reclaim(vhost);
	if (unlikely(__atomic_load_n(&vhost->failed, __ATOMIC_RELAXED))) {
		packet_drop(batch, mask, DROP_RING_ERROR, counters);
		return false;
	}
	PACKET_MASK_FOR_EACH (i, mask) {
		if (unlikely(!egress_as_is(&batch->packets[i], limits)))
			add_finished(vhost, batch, i, limits, counters, &sent);
		else if (unlikely(!add_frame(vhost, &batch->packets[i], &sent)))
			packet_drop_frames(batch, i, 1, DROP_RECEIVE_RING_FULL, counters);
	}
	counter_add(&counters->packets, sent.packets);
	counter_add(&counters->bytes, sent.bytes);
	return split_driver_publish(&vhost->send.ring);
}

void tap_vhost_kick(const struct tap_vhost *vhost)
{
	fd_signal(vhost->send.kick_fd);
}
