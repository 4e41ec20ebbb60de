/* SPDX-License-Identifier: BSD-3-Clause */
/* The bridge: what passes, what does not, and what ends it. */
#include "nic/test_bridge.h"

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
