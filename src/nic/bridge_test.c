/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bridge between a socket pair, which stands for the TAP, and the device side of the rings:
 *
 *	test -> wire -> [bridge] -> transmit ring -> test        (as TAP's user, and as backend)
 *	test <- wire <- [bridge] <- receive ring  <- test
 *
 * The event loop runs only when told to, and until nothing is left to do.
 */
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

static void on_device_failed(void *owner, const char *reason)
{
	struct rig *rig = owner;

	rig->device_failures++;
	/* As a session does. */
	bridge_stop(rig->bridge);
}

static void on_tap_failed(void *owner, const char *reason)
{
	struct rig *rig = owner;

	rig->tap_failures++;
	bridge_stop(rig->bridge);
}

static const struct bridge_ops ops = {
	.device_failed = on_device_failed,
	.tap_failed = on_tap_failed,
};

static void backend_open(struct rig *rig, struct split_device *queue,
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
static void rig_connect(struct rig *rig, uint64_t features)
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
static void rig_open_with(
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

static void rig_open(struct rig *rig, unsigned queue_size, uint16_t mtu, uint64_t features)
{
	rig_open_with(rig, queue_size, mtu, features, false);
}

static void rig_close(struct rig *rig)
{
	bridge_free(rig->bridge);
	guest_memory_free(rig->memory);
	driver_device_close(&rig->device);
	fd_close(&rig->tap.fds[0]);
	fd_close(&rig->wire);
	event_base_free(rig->base);
}

/* Until the loop finds nothing to do, which it must within a bounded number of turns. */
static void settle(struct rig *rig)
{
	for (unsigned turn = 0; turn < 200; turn++) {
		struct bridge_counters before = *bridge_counters(rig->bridge);

		event_base_loop(rig->base, EVLOOP_NONBLOCK);
		if (turn > 2 && memcmp(&before, bridge_counters(rig->bridge), sizeof(before)) == 0)
			return;
	}
	fail_msg("the bridge does not come to rest");
}

static uint64_t signals(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static void fill_frame(uint8_t *frame, size_t length, unsigned number)
{
	for (size_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(number * 7 + i);
}

static void wire_send(struct rig *rig, unsigned number, size_t length)
{
	uint8_t frame[FRAME_ROOM];

	fill_frame(frame, length, number);
	assert_int_equal(write(rig->wire, frame, length), length);
}

static void wire_expect(struct rig *rig, unsigned number, size_t length)
{
	uint8_t expected[FRAME_ROOM], frame[FRAME_ROOM];

	fill_frame(expected, length, number);
	assert_int_equal(read(rig->wire, frame, sizeof(frame)), length);
	assert_memory_equal(frame, expected, length);
}

/* Takes a frame off the transmit ring and gives its buffer back, not yet visible. */
static void backend_expect(struct rig *rig, unsigned number, size_t length)
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

static void backend_publish(struct split_device *queue, const struct driver_queue *ours)
{
	if (split_device_publish(queue))
		fd_signal(ours->call_fd);
}

/* Puts a frame into as many receive buffers as it takes, at most `pieces_max`; not yet visible. */
static void backend_send(struct rig *rig, unsigned number, size_t length, unsigned pieces_max)
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

static void a_burst_is_one_kick(void **state)
{
	for (unsigned set = 0; set < ARRAY_SIZE(feature_sets); set++) {
		struct rig rig;

		rig_open(&rig, 64, 1500, feature_sets[set]);
		settle(&rig);
		split_device_arm(&rig.transmit);
		for (unsigned i = 0; i < 10; i++)
			wire_send(&rig, i, 60 + i);
		settle(&rig);
		assert_int_equal(signals(rig.device.queues[1].kick_fd), 1);
		for (unsigned i = 0; i < 10; i++)
			backend_expect(&rig, i, 60 + i);
		assert_int_equal(split_device_available(&rig.transmit), 0);
		assert_int_equal(bridge_counters(rig.bridge)->sent, 10);
		rig_close(&rig);
	}
}

static void a_full_ring_rests_and_goes_on(void **state)
{
	const unsigned frames = 50, size = 8;

	for (unsigned set = 0; set < ARRAY_SIZE(feature_sets); set++) {
		unsigned next = 0;
		struct rig rig;

		rig_open(&rig, size, 1500, feature_sets[set]);
		for (unsigned i = 0; i < frames; i++)
			wire_send(&rig, i, 100);
		settle(&rig);
		assert_int_equal(bridge_counters(rig.bridge)->sent, size);
		while (next < frames) {
			unsigned available = split_device_available(&rig.transmit);

			assert_int_equal(available, MIN(size, frames - next));
			while (available--)
				backend_expect(&rig, next++, 100);
			backend_publish(&rig.transmit, &rig.device.queues[1]);
			settle(&rig);
		}
		assert_int_equal(bridge_counters(rig.bridge)->sent, frames);
		assert_int_equal(bridge_counters(rig.bridge)->dropped, 0);
		rig_close(&rig);
	}
}

static void received_frames_come_out_and_buffers_go_back(void **state)
{
	const unsigned size = 128, rounds = 3, frames = BRIDGE_BURST + 20;

	for (unsigned set = 0; set < ARRAY_SIZE(feature_sets); set++) {
		struct rig rig;

		rig_open(&rig, size, 1500, feature_sets[set]);
		settle(&rig);
		for (unsigned round = 0; round < rounds; round++) {
			assert_int_equal(split_device_refresh(&rig.receive), size);
			for (unsigned i = 0; i < frames; i++)
				backend_send(&rig, i, 60 + i, 1);
			/* Asleep, so it asks to be woken. */
			assert_true(split_device_publish(&rig.receive));
			fd_signal(rig.device.queues[0].call_fd);
			settle(&rig);
			for (unsigned i = 0; i < frames; i++)
				wire_expect(&rig, i, 60 + i);
		}
		assert_int_equal(split_device_refresh(&rig.receive), size);
		assert_int_equal(bridge_counters(rig.bridge)->received, rounds * frames);
		rig_close(&rig);
	}
}

static void large_frames_are_merged(void **state)
{
	struct rig rig;

	rig_open(&rig, 16, 9000, feature_sets[2]);
	settle(&rig);
	backend_send(&rig, 1, 9014, 16);
	backend_send(&rig, 2, 60, 16);
	backend_send(&rig, 3, 5000, 16);
	backend_publish(&rig.receive, &rig.device.queues[0]);
	settle(&rig);
	wire_expect(&rig, 1, 9014);
	wire_expect(&rig, 2, 60);
	wire_expect(&rig, 3, 5000);
	assert_int_equal(split_device_refresh(&rig.receive), 16);
	rig_close(&rig);
}

#define OFFLOADS                                                                                   \
	(feature_sets[2] | BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_HOST_TSO4) |              \
		BIT64(VIRTIO_NET_F_GUEST_CSUM) | BIT64(VIRTIO_NET_F_GUEST_TSO4))

static const struct virtio_net_hdr segment = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.hdr_len = 54,
	.gso_size = 1448,
	.csum_start = 34,
	.csum_offset = 16,
};

/* As the TAP does with IFF_VNET_HDR: a header and a frame in one. */
static void wire_send_with(
	struct rig *rig, const struct virtio_net_hdr *header, unsigned number, size_t length)
{
	uint8_t image[NET_HEADER_SIZE + FRAME_ROOM] = {0};

	memcpy(image, header, sizeof(*header));
	fill_frame(image + NET_HEADER_SIZE, length, number);
	assert_int_equal(
		write(rig->wire, image, NET_HEADER_SIZE + length), NET_HEADER_SIZE + length);
}

static void backend_expect_with(
	struct rig *rig, const struct virtio_net_hdr *header, unsigned number, size_t length)
{
	static const uint8_t no_buffers[NET_HEADER_SIZE - NET_HEADER_LEGACY_SIZE];
	uint8_t expected[FRAME_ROOM], *image;
	struct iovec piece;
	uint32_t bytes;
	uint16_t head;

	assert_true(split_device_available(&rig->transmit) > 0);
	head = split_device_take(&rig->transmit);
	assert_int_equal(split_device_buffers(&rig->transmit, head, false, &piece, 1, &bytes), 1);
	image = piece.iov_base;
	assert_int_equal(bytes, NET_HEADER_SIZE + length);
	assert_memory_equal(image, header, sizeof(*header));
	assert_memory_equal(image + sizeof(*header), no_buffers, sizeof(no_buffers));
	fill_frame(expected, length, number);
	assert_memory_equal(image + NET_HEADER_SIZE, expected, length);
	split_device_give(&rig->transmit, head, 0);
}

static void wire_expect_with(
	struct rig *rig, const struct virtio_net_hdr *header, unsigned number, size_t length)
{
	uint8_t expected[FRAME_ROOM], image[NET_HEADER_SIZE + FRAME_ROOM];

	fill_frame(expected, length, number);
	assert_int_equal(read(rig->wire, image, sizeof(image)), NET_HEADER_SIZE + length);
	assert_memory_equal(image, header, sizeof(*header));
	assert_memory_equal(image + NET_HEADER_SIZE, expected, length);
}

/* Puts a frame with this header into the receive ring. */
static void backend_send_with(
	struct rig *rig, const struct virtio_net_hdr *header, unsigned number, size_t length)
{
	uint16_t next = rig->receive.next_taken;
	struct split_device *queue = &rig->receive;
	struct iovec piece;
	uint32_t bytes;
	uint16_t head;

	/* Where its first buffer will be: backend_send() leaves the header to zeros. */
	assert_true(split_device_available(queue) > 0);
	head = split_device_take(queue);
	assert_int_equal(split_device_buffers(queue, head, true, &piece, 1, &bytes), 1);
	queue->next_taken = next;
	backend_send(rig, number, length, 16);
	memcpy(piece.iov_base, header, sizeof(*header));
}

static void offloads_pass_where_they_are_agreed(void **state)
{
	static const struct virtio_net_hdr nothing = {0};
	struct virtio_net_hdr odd = segment, unknown = segment;
	struct rig rig;

	odd.flags |= VIRTIO_NET_HDR_F_DATA_VALID | 0x80;
	unknown.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	rig_open_with(&rig, 16, 1500, OFFLOADS, true);
	settle(&rig);
	wire_send_with(&rig, &segment, 1, 9000);
	wire_send_with(&rig, &odd, 2, 3000);
	wire_send_with(&rig, &nothing, 3, 60);
	wire_send_with(&rig, &unknown, 4, 3000);
	wire_send_with(&rig, &nothing, 5, 1519);
	backend_send_with(&rig, &segment, 6, 9000);
	backend_send_with(&rig, &odd, 7, 3000);
	backend_send_with(&rig, &nothing, 8, 60);
	backend_send_with(&rig, &unknown, 9, 3000);
	backend_send_with(&rig, &nothing, 10, 1519);
	backend_publish(&rig.receive, &rig.device.queues[0]);
	settle(&rig);
	backend_expect_with(&rig, &segment, 1, 9000);
	backend_expect_with(&rig, &segment, 2, 3000);
	backend_expect_with(&rig, &nothing, 3, 60);
	assert_int_equal(split_device_available(&rig.transmit), 0);
	wire_expect_with(&rig, &segment, 6, 9000);
	wire_expect_with(&rig, &segment, 7, 3000);
	wire_expect_with(&rig, &nothing, 8, 60);
	assert_int_equal(bridge_counters(rig.bridge)->dropped, 4);
	assert_int_equal(split_device_refresh(&rig.receive), 16);
	rig_close(&rig);
}

/* What was queued under an earlier agreement, or comes from a backend that keeps to none. */
static void offloads_that_are_not_agreed_are_dropped(void **state)
{
	static const struct virtio_net_hdr nothing = {0};
	struct rig rig;

	rig_open_with(&rig, 16, 1500, feature_sets[2], true);
	settle(&rig);
	wire_send_with(&rig, &segment, 1, 9000);
	wire_send_with(&rig, &segment, 2, 1000);
	wire_send_with(&rig, &nothing, 3, 1000);
	backend_send_with(&rig, &segment, 4, 1000);
	backend_send_with(&rig, &nothing, 5, 1000);
	backend_publish(&rig.receive, &rig.device.queues[0]);
	settle(&rig);
	backend_expect_with(&rig, &nothing, 3, 1000);
	assert_int_equal(split_device_available(&rig.transmit), 0);
	wire_expect_with(&rig, &nothing, 5, 1000);
	assert_int_equal(bridge_counters(rig.bridge)->dropped, 3);
	/* The first of them does not fit a buffer either. */
	assert_int_equal(bridge_counters(rig.bridge)->length, 1);
	rig_close(&rig);
}

static void frames_that_are_too_long_are_dropped(void **state)
{
	struct rig rig;

	rig_open(&rig, 16, 1500, feature_sets[2]);
	settle(&rig);
	wire_send(&rig, 1, 1519);
	wire_send(&rig, 2, 1518);
	wire_send(&rig, 3, 4000);
	backend_send(&rig, 4, 1519, 16);
	backend_send(&rig, 5, 1518, 16);
	backend_publish(&rig.receive, &rig.device.queues[0]);
	settle(&rig);
	backend_expect(&rig, 2, 1518);
	assert_int_equal(split_device_available(&rig.transmit), 0);
	wire_expect(&rig, 5, 1518);
	assert_int_equal(bridge_counters(rig.bridge)->dropped, 3);
	assert_int_equal(bridge_counters(rig.bridge)->length, 3);
	rig_close(&rig);
}

/* Those that are dropped in the middle of a burst do not disturb the order of the others, and cost
 * no buffer. */
static void drops_within_a_burst_are_those_frames_only(void **state)
{
	const unsigned frames = 20, rounds = 5;
	struct rig rig;

	rig_open(&rig, 32, 1500, feature_sets[1]);
	settle(&rig);
	for (unsigned round = 1; round <= rounds; round++) {
		for (unsigned i = 0; i < frames; i++) {
			size_t length = i % 7 == 3 || i == 4 ? 1519 : 60 + 37 * i;

			wire_send(&rig, i, length);
			backend_send(&rig, i, length, 1);
		}
		backend_publish(&rig.receive, &rig.device.queues[0]);
		settle(&rig);
		assert_int_equal(split_device_available(&rig.transmit), frames - 4);
		for (unsigned i = 0; i < frames; i++) {
			if (i % 7 == 3 || i == 4)
				continue;
			backend_expect(&rig, i, 60 + 37 * i);
			wire_expect(&rig, i, 60 + 37 * i);
		}
		backend_publish(&rig.transmit, &rig.device.queues[1]);
		settle(&rig);
		assert_int_equal(bridge_counters(rig.bridge)->dropped, round * 8);
		assert_int_equal(split_device_refresh(&rig.receive), 32);
	}
	rig_close(&rig);
}

/* Each ring in turn gets back a buffer that the backend does not have. */
static void a_lying_backend_is_found_out(void **state)
{
	for (unsigned index = 0; index < 2; index++) {
		struct rig rig;
		struct split_device *queue;

		rig_open(&rig, 8, 1500, feature_sets[index]);
		settle(&rig);
		queue = index ? &rig.transmit : &rig.receive;
		split_device_give(queue, index ? 0 : 8, 0);
		split_device_publish(queue);
		fd_signal(rig.device.queues[index].call_fd);
		/* A transmit queue looks at what is used when it has something to send. */
		wire_send(&rig, 0, 60);
		settle(&rig);
		assert_int_equal(rig.device_failures, 1);
		assert_int_equal(rig.tap_failures, 0);
		rig_close(&rig);
	}
}

static void it_starts_again_after_a_stop(void **state)
{
	struct rig rig;

	rig_open(&rig, 8, 1500, feature_sets[1]);
	bridge_stop(rig.bridge);
	wire_send(&rig, 1, 60);
	settle(&rig);
	assert_int_equal(bridge_counters(rig.bridge)->sent, 0);
	/* Twice is no harm. */
	bridge_stop(rig.bridge);
	rig_connect(&rig, feature_sets[0]);
	wire_send(&rig, 2, 70);
	backend_send(&rig, 3, 80, 1);
	backend_publish(&rig.receive, &rig.device.queues[0]);
	settle(&rig);
	backend_expect(&rig, 1, 60);
	backend_expect(&rig, 2, 70);
	wire_expect(&rig, 3, 80);
	rig_close(&rig);
}

/* A descriptor that answers with an error is what a deleted interface looks like. */
static void a_lost_tap_is_reported(void **state)
{
	struct rig rig;
	int pipes[2];

	rig_open(&rig, 8, 1500, feature_sets[1]);
	bridge_stop(rig.bridge);
	assert_int_equal(pipe(pipes), 0);
	/* A closed reader makes the write end ready with EPOLLERR, and reading of it fails. */
	fd_close(&pipes[0]);
	fd_close(&rig.tap.fds[0]);
	rig.tap.fds[0] = pipes[1];
	rig_connect(&rig, feature_sets[1]);
	settle(&rig);
	assert_int_equal(rig.tap_failures, 1);
	assert_int_equal(rig.device_failures, 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_one_kick),
		cmocka_unit_test(a_full_ring_rests_and_goes_on),
		cmocka_unit_test(received_frames_come_out_and_buffers_go_back),
		cmocka_unit_test(large_frames_are_merged),
		cmocka_unit_test(offloads_pass_where_they_are_agreed),
		cmocka_unit_test(offloads_that_are_not_agreed_are_dropped),
		cmocka_unit_test(frames_that_are_too_long_are_dropped),
		cmocka_unit_test(drops_within_a_burst_are_those_frames_only),
		cmocka_unit_test(a_lying_backend_is_found_out),
		cmocka_unit_test(it_starts_again_after_a_stop),
		cmocka_unit_test(a_lost_tap_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
