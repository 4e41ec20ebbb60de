/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from the guest through the device side of a transmitq: chains of every legal shape under
 * every combination of the features that matter, each reason to drop, and what bounds a visit.
 */
#include "virtio_net/test_net.h"

#define RING_FEATURES (FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC))

static uint64_t next_address; /* of the next buffer; LEFT to the end of RIGHT */

/* Room for `length` bytes; now and then across the border between the two regions. */
static uint64_t reserve(uint32_t length)
{
	uint64_t address;

	if (length > 1 && !test_below(&seed, 8))
		return RIGHT - 1 - test_below(&seed, length - 1);
	if (next_address < LEFT || next_address + length > RIGHT - 0x20000)
		next_address = LEFT;
	address = next_address;
	next_address += length;
	return address;
}

/* Sends header and frame (already one after the other in `bytes`) as one chain of `count`
 * buffers. */
static void transmit(const struct driver_buffer *buffers, unsigned count, uint8_t *bytes,
	uint32_t total, bool indirect)
{
	access_guest(buffers[0].address, bytes, total, true);
	require(add(buffers, count, false, indirect, 5) == 0);
	split_driver_publish(&driver);
}

/* The driver gets its one chain back, with nothing written. */
static void expect_returned(uint64_t token)
{
	uint32_t written;
	uint64_t got;

	net_device_release(&queue);
	require(split_driver_take(&driver, &got, &written) && got == token && written == 0);
	require(!split_driver_take(&driver, &got, &written));
	require(driver.free_count == SIZE && !driver.broken && !queue.ring.split.broken);
}

static void any_chain_carries_any_frame(void **state)
{
	static uint8_t bytes[12 + LONGEST];
	struct driver_buffer buffers[SIZE];

	for (unsigned f = 0; f < FEATURE_SETS; f++) {
		begin(feature_set(f), 0);
		require(queue.header_size == (f & 3 ? 12 : 10));
		for (unsigned i = 0; i < 400; i++) {
			uint32_t length = random_length();
			uint32_t total = queue.header_size + length;
			unsigned count = split(reserve(total), total,
				1 + (unsigned)test_below(&seed, SIZE), buffers);

			memset(bytes, 0, NET_HEADER_SIZE);
			random_bytes(bytes + queue.header_size, length);
			transmit(buffers, count, bytes, total, f & 8 && test_below(&seed, 2));
			receive();
			require(batch->count == 1);
			expect_packet(&batch->packets[0], bytes + queue.header_size, length);
			expect_returned(5);
		}
		require(drops() == 0);
		end();
	}
}

/* The header ends, and the head, at every offset of a buffer. */
static void headers_may_be_split_anywhere(void **state)
{
	uint8_t bytes[12 + 400];
	struct driver_buffer buffers[3];

	for (unsigned f = 0; f < 2; f++) {
		begin(feature_set(f), 0);
		memset(bytes, 0, queue.header_size);
		random_bytes(bytes + queue.header_size, 400);
		for (uint32_t first = 1; first < 300; first++)
			for (uint32_t second = 1; second < 30; second += 3) {
				uint64_t at = RIGHT - 17; /* the border moves along, too */
				uint32_t total = queue.header_size + 400;

				buffers[0] = (struct driver_buffer){at, first};
				buffers[1] = (struct driver_buffer){at + first, second};
				buffers[2] = (struct driver_buffer){
					at + first + second, total - first - second};
				transmit(buffers, 3, bytes, total, false);
				receive();
				require(batch->count == 1);
				expect_packet(&batch->packets[0], bytes + queue.header_size, 400);
				expect_returned(5);
			}
		end();
	}
}

static void bad_frames_are_dropped_and_returned(void **state)
{
	/* lengths are of header and frame, with a header of 12 */
	static const struct {
		uint32_t total;
		uint8_t flags, gso;
		int reason; /* -1: received */
	} frames[] = {
		{1, 0, 0, DROP_BAD_NET_HEADER},
		{11, 0, 0, DROP_BAD_NET_HEADER},
		{12, 0, 0, DROP_BAD_NET_HEADER},
		{13, 0, 0, DROP_FRAME_TOO_SHORT},
		{25, 0, 0, DROP_FRAME_TOO_SHORT},
		{26, 0, 0, -1},
		{12 + LONGEST, 0, 0, -1},
		{12 + LONGEST + 1, 0, 0, DROP_FRAME_TOO_LONG},
		{0x40000, 0, 0, DROP_FRAME_TOO_LONG},
		{100, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, DROP_BAD_NET_HEADER},
		{100, VIRTIO_NET_HDR_F_DATA_VALID, 0, -1},
		{100, 0, VIRTIO_NET_HDR_GSO_TCPV4, DROP_BAD_NET_HEADER},
		{100, 0, VIRTIO_NET_HDR_GSO_UDP, DROP_BAD_NET_HEADER},
		{100, 0, VIRTIO_NET_HDR_GSO_ECN, DROP_BAD_NET_HEADER},
		{100, 0, 0xff, DROP_BAD_NET_HEADER},
		{100, 0, 0, -1},
	};
	static uint8_t bytes[0x40000];

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
		struct driver_buffer buffer = {LEFT, frames[i].total};
		struct virtio_net_hdr header = {
			.flags = frames[i].flags, .gso_type = frames[i].gso};
		uint64_t before = drops();

		random_bytes(bytes, 200);
		memset(bytes, 0, 12);
		memcpy(bytes, &header, sizeof(header));
		transmit(&buffer, 1, bytes, frames[i].total, false);
		receive();
		require(batch->count == (frames[i].reason < 0));
		require(drops() == before + (frames[i].reason >= 0));
		if (frames[i].reason < 0)
			expect_packet(&batch->packets[0], bytes + 12, frames[i].total - 12);
		else
			require(counters.drops[frames[i].reason] > 0);
		expect_returned(5);
	}
	require(counters.drops[DROP_BAD_NET_HEADER] == 8);
	require(counters.drops[DROP_FRAME_TOO_SHORT] == 2);
	require(counters.drops[DROP_FRAME_TOO_LONG] == 2);
	end();
}

/* Good and bad frames in one visit: the good ones close ranks and keep their bytes. */
static void bad_frames_do_not_disturb_good_ones(void **state)
{
	uint8_t bytes[64][12 + 500];
	unsigned good = 0;

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct driver_buffer buffer = {LEFT + i * 0x1000, 12 + 500};

		memset(bytes[i], 0, 12);
		random_bytes(bytes[i] + 12, 500);
		bytes[i][1] = i % 3 == 0;                   /* an offload */
		buffer.length = i % 5 == 4 ? 20 : 12 + 500; /* too short */
		access_guest(buffer.address, bytes[i], 12 + 500, true);
		require(add(&buffer, 1, false, false, i) == 0);
	}
	split_driver_publish(&driver);
	receive();
	for (unsigned i = 0; i < 64; i++)
		if (i % 3 && i % 5 != 4)
			expect_packet(&batch->packets[good++], bytes[i] + 12, 500);
	require(batch->count == good && drops() == 64 - good);
	end();
}

static void a_visit_is_bounded(void **state)
{
	static const struct {
		uint32_t length;
		unsigned taken;
	} visits[] = {{60, PACKET_BATCH}, {4000, PACKET_BATCH}, {65000, 6}, {0x30000, 2}};

	for (unsigned v = 0; v < ARRAY_SIZE(visits); v++) {
		unsigned returned = 0;
		uint32_t written;
		uint64_t token;

		begin(FEATURE(VIRTIO_F_VERSION_1), 0);
		memset(memory.regions[1].host, 0, visits[v].length + 12);
		for (unsigned i = 0; i < 200; i++) {
			const struct driver_buffer buffer = {LEFT, 12 + visits[v].length};

			require(add(&buffer, 1, false, false, i) == 0);
		}
		split_driver_publish(&driver);
		for (unsigned left = 200; left;) {
			unsigned expected = MIN(left, visits[v].taken);

			receive();
			require(batch->count + drops() <= 200);
			net_device_release(&queue);
			for (unsigned i = 0; i < expected; i++, returned++)
				require(split_driver_take(&driver, &token, &written) &&
					token == returned);
			require(!split_driver_take(&driver, &token, &written));
			left -= expected;
		}
		require(returned == 200);
		end();
	}
}

/* 1-byte buffers: a visit stops between chains, when it has seen enough of them. */
static void many_small_buffers_are_bounded(void **state)
{
	struct driver_buffer buffers[SIZE];
	unsigned visits = 0, frames = 0;

	begin(RING_FEATURES | FEATURE(VIRTIO_F_VERSION_1), 0);
	memset(memory.regions[1].host, 0, 512);
	for (unsigned i = 0; i < SIZE; i++)
		buffers[i] = (struct driver_buffer){LEFT + i, 1};
	for (unsigned i = 0; i < 64; i++)
		require(add(buffers, SIZE, false, true, i) == 0);
	split_driver_publish(&driver);
	while (frames < 64) {
		receive();
		require(batch->count == PACKET_PIECES_VISIT / SIZE);
		for (unsigned i = 0; i < batch->count; i++)
			expect_packet(&batch->packets[i], memory.regions[1].host + 12, SIZE - 12);
		frames += batch->count;
		visits++;
		net_device_release(&queue);
	}
	require(visits == 64 * SIZE / PACKET_PIECES_VISIT && drops() == 0);
	end();
}

static void a_broken_ring_is_counted_once(void **state)
{
	const struct driver_buffer good = {LEFT, 100}, bad = {8, 100};
	uint32_t written;
	uint64_t token;

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	memset(memory.regions[1].host, 0, 100);
	require(add(&good, 1, false, false, 0) == 0 && add(&bad, 1, false, false, 1) == 0);
	require(add(&good, 1, false, false, 2) == 0);
	split_driver_publish(&driver);
	for (unsigned i = 0; i < 3; i++) {
		receive();
		require(batch->count == (i == 0));
		net_device_release(&queue);
	}
	require(queue.ring.split.broken && drops() == 1 && counters.drops[DROP_RING_ERROR] == 1);
	require(queue.ring.split.next_taken == 1); /* where it went wrong */
	require(split_driver_take(&driver, &token, &written) && token == 0);
	require(!split_driver_take(&driver, &token, &written));
	end();
}

static void a_disabled_queue_is_drained(void **state)
{
	const struct driver_buffer buffer = {LEFT, 100};

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	queue.discard = true;
	require(add(&buffer, 1, false, false, 5) == 0);
	split_driver_publish(&driver);
	receive();
	require(batch->count == 0);
	expect_returned(5);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_chain_carries_any_frame),
		cmocka_unit_test(headers_may_be_split_anywhere),
		cmocka_unit_test(bad_frames_are_dropped_and_returned),
		cmocka_unit_test(bad_frames_do_not_disturb_good_ones),
		cmocka_unit_test(a_visit_is_bounded),
		cmocka_unit_test(many_small_buffers_are_bounded),
		cmocka_unit_test(a_broken_ring_is_counted_once),
		cmocka_unit_test(a_disabled_queue_is_drained),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
