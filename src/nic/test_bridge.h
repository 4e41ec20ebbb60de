/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bridge between a socket pair, which stands for the TAP, and the device side of the rings:
 *
 *	test -> wire -> [bridge] -> transmit ring -> test        (as TAP's user, and as backend)
 *	test <- wire <- [bridge] <- receive ring  <- test
 *
 * The event loop runs only when told to, and until nothing is left to do.
 */
#ifndef VSW_NIC_TEST_BRIDGE_H
#define VSW_NIC_TEST_BRIDGE_H

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "nic/bridge.h"
#include "virtio/split_device.h"
#include "virtio_net/header.h"

#define FRAME_ROOM 16384

struct rig {
	struct event_base *base;
	struct tap tap;
	int wire; /* the other end of the TAP */
	struct driver_device device;
	struct guest_memory *memory;
	struct split_device receive, transmit; /* the backend's view */
	struct bridge *bridge;
	unsigned device_failures, tap_failures;
};

static inline void on_device_failed(void *owner, const char *reason)
{
	struct rig *rig = owner;

	rig->device_failures++;
	/* As a session does. */
	bridge_stop(rig->bridge);
}

static inline void on_tap_failed(void *owner, const char *reason)
{
	struct rig *rig = owner;

	rig->tap_failures++;
	bridge_stop(rig->bridge);
}

static const struct bridge_ops ops = {
	.device_failed = on_device_failed,
	.tap_failed = on_tap_failed,
};

static inline void backend_open(struct rig *rig, struct split_device *queue,
	const struct vhost_frontend_ring *ring, uint64_t features)
{
	void *descriptors = guest_memory_from_user(
		rig->memory, ring->descriptor, split_descriptors_size(ring->size));
	void *available = guest_memory_from_user(
		rig->memory, ring->available, split_available_size(ring->size));
	void *used = guest_memory_from_user(rig->memory, ring->used, split_used_size(ring->size));

	assert_non_null(descriptors);
	assert_non_null(available);
	assert_non_null(used);
	assert_int_equal(split_device_init(queue, rig->memory, descriptors, available, used,
				 ring->size, features, 0),
		0);
}

/* A new session: queues laid out afresh, and a backend that has just been told of them. */
static inline void rig_connect(struct rig *rig, uint64_t features)
{
	struct vhost_frontend_ring rings[2];
	struct vhost_region region;
	struct error error;
	int fd;

	assert_int_equal(driver_device_lay_out(&rig->device, features, 1, rings, &error), 0);
	driver_device_region(&rig->device, &region, &fd);
	guest_memory_free(rig->memory);
	rig->memory = guest_memory_new();
	assert_int_equal(guest_memory_add(rig->memory, region.guest_address, region.size,
				 region.user_address, region.mmap_offset, fd, &error),
		0);
	backend_open(rig, &rig->receive, &rings[0], features);
	backend_open(rig, &rig->transmit, &rings[1], features);
	assert_int_equal(bridge_start(rig->bridge, &rig->device, features), 0);
}

/* offload: the wire has headers in front of frames, and segments may pass. */
static inline void rig_open_with(
	struct rig *rig, unsigned queue_size, uint16_t mtu, uint64_t features, bool offload)
{
	const struct driver_device_config config = {
		.queue_pairs = 1, .queue_size = queue_size, .mtu = mtu, .segments = offload};
	struct error error;
	int sockets[2];

	memset(rig, 0, sizeof(*rig));
	rig->base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets), 0);
	rig->tap.queues = 1;
	rig->tap.header_size = offload ? NET_HEADER_SIZE : 0;
	rig->tap.fds[0] = sockets[0];
	rig->wire = sockets[1];
	assert_int_equal(driver_device_open(&rig->device, &config, &error), 0);
	rig->bridge = bridge_new(rig->base, &rig->tap, rig->device.frame_max, &ops, rig);
	assert_non_null(rig->bridge);
	rig_connect(rig, features);
}

static inline void rig_open(struct rig *rig, unsigned queue_size, uint16_t mtu, uint64_t features)
{
	rig_open_with(rig, queue_size, mtu, features, false);
}

static inline void rig_close(struct rig *rig)
{
	bridge_free(rig->bridge);
	guest_memory_free(rig->memory);
	driver_device_close(&rig->device);
	fd_close(&rig->tap.fds[0]);
	fd_close(&rig->wire);
	event_base_free(rig->base);
}

/* Until the loop finds nothing to do, which it must within a bounded number of turns. */
static inline void settle(struct rig *rig)
{
	for (unsigned turn = 0; turn < 200; turn++) {
		struct bridge_counters before = *bridge_counters(rig->bridge);

		event_base_loop(rig->base, EVLOOP_NONBLOCK);
		if (turn > 2 && memcmp(&before, bridge_counters(rig->bridge), sizeof(before)) == 0)
			return;
	}
	fail_msg("the bridge does not come to rest");
}

static inline uint64_t signals(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static inline void fill_frame(uint8_t *frame, size_t length, unsigned number)
{
	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(number * 7 + i);
}

static inline void wire_send(struct rig *rig, unsigned number, size_t length)
{
	uint8_t frame[FRAME_ROOM];

	fill_frame(frame, length, number);
	assert_int_equal(write(rig->wire, frame, length), length);
}

static inline void wire_expect(struct rig *rig, unsigned number, size_t length)
{
	uint8_t expected[FRAME_ROOM], frame[FRAME_ROOM];

	fill_frame(expected, length, number);
	assert_int_equal(read(rig->wire, frame, sizeof(frame)), length);
	assert_memory_equal(frame, expected, length);
}

/* Takes a frame off the transmit ring and gives its buffer back, not yet visible. */
static inline void backend_expect(struct rig *rig, unsigned number, size_t length)
{
	static const uint8_t no_offload[NET_HEADER_SIZE];
	uint8_t expected[FRAME_ROOM];
	struct iovec piece;
	uint32_t bytes;
	uint16_t head;

	assert_true(split_device_available(&rig->transmit) > 0);
	head = split_device_take(&rig->transmit);
	assert_int_equal(split_device_buffers(&rig->transmit, head, false, &piece, 1, &bytes), 1);
	assert_int_equal(bytes, NET_HEADER_SIZE + length);
	assert_memory_equal(piece.iov_base, no_offload, NET_HEADER_SIZE);
	fill_frame(expected, length, number);
	assert_memory_equal((uint8_t *)piece.iov_base + NET_HEADER_SIZE, expected, length);
	split_device_give(&rig->transmit, head, 0);
}

static inline void backend_publish(struct split_device *queue, const struct driver_queue *ours)
{
	if (split_device_publish(queue))
		fd_signal(ours->call_fd);
}

/* Puts a frame into as many receive buffers as it takes, at most `pieces_max`; not yet visible. */
static inline void backend_send(
	struct rig *rig, unsigned number, size_t length, unsigned pieces_max)
{
	uint8_t image[NET_HEADER_SIZE + FRAME_ROOM] = {0};
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 0};
	size_t left = NET_HEADER_SIZE + length, done = 0;
	struct iovec first = {0};

	fill_frame(image + NET_HEADER_SIZE, length, number);
	for (unsigned i = 0; i < pieces_max && left; i++) {
		struct iovec piece;
		uint32_t bytes;
		uint16_t head;

		assert_true(split_device_available(&rig->receive) > 0);
		head = split_device_take(&rig->receive);
		assert_int_equal(
			split_device_buffers(&rig->receive, head, true, &piece, 1, &bytes), 1);
		bytes = MIN(bytes, (uint32_t)left);
		memcpy(piece.iov_base, image + done, bytes);
		if (i == 0)
			first = piece;
		header.num_buffers++;
		done += bytes;
		left -= bytes;
		split_device_give(&rig->receive, head, bytes);
	}
	assert_int_equal(left, 0);
	memcpy(first.iov_base, &header, sizeof(header));
}

static const uint64_t feature_sets[] = {
	BIT64(VIRTIO_F_VERSION_1),
	BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_RING_F_EVENT_IDX),
	BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_RING_F_EVENT_IDX) | BIT64(VIRTIO_NET_F_MRG_RXBUF),
};

#endif
