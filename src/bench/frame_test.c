/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of the generator: what is built passes, and no single changed byte does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bench/frame.h"
#include "virtio_net/header.h"

#define SOURCE      UINT64_C(0x020001000000)
#define DESTINATION UINT64_C(0x020002000007)

static uint8_t frame[BENCH_FRAME_MAX + 1];

static void build(uint32_t length, uint32_t seed, bool segment)
{
	const struct bench_frame_spec spec = {
		.length = length,
		.segment = segment,
		.destination = DESTINATION,
		.source = SOURCE,
		.source_port = 1,
		.destination_port = 2,
		.seed = seed,
	};

	bench_frame_build(frame, &spec);
}

static bool passes(uint32_t length, uint32_t sequence, uint32_t stream, bool segment)
{
	const uint8_t *stamp = frame + bench_frame_stamp_at(segment);
	uint32_t got_sequence, got_stream;

	return bench_frame_check(stamp, length, &got_sequence, &got_stream) &&
	       got_sequence == sequence && got_stream == stream &&
	       bench_frame_verify(frame, length, got_stream, segment);
}

static void stamp(uint32_t length, uint32_t sequence, uint32_t stream, bool segment)
{
	bench_frame_stamp(frame + bench_frame_stamp_at(segment), sequence, stream, length);
}

static void what_is_built_passes(void **state)
{
	static const uint32_t lengths[] = {
		60, 61, 64, 128, 590, 1500, 1514, BENCH_SEGMENT_MIN, 9000, 65000, BENCH_FRAME_MAX};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (uint32_t seed = 0; seed < 200000; seed += 65535) {
			uint32_t sequence = seed * 77777 + i;
			uint32_t stream = bench_stream(i * 30, seed % BENCH_FLOWS_MAX);

			for (unsigned segment = 0; segment < 2; segment++) {
				if (segment && lengths[i] < BENCH_SEGMENT_MIN)
					continue;
				build(lengths[i], seed, segment);
				assert_false(passes(lengths[i], 0, 0, segment));
				bench_frame_set_flow(frame, seed % BENCH_FLOWS_MAX);
				stamp(lengths[i], sequence, stream, segment);
				assert_true(passes(lengths[i], sequence, stream, segment));
				assert_false(passes(lengths[i], sequence, stream, !segment));
				assert_false(bench_frame_is_foreign(frame, lengths[i]));
			}
		}
	}
}

static void headers_are_right(void **state)
{
	static const uint8_t expected[] = {0x02, 0, 2, 0, 0, 7, 0x02, 0, 1, 0, 0, 0, 8, 0, 0x45, 0,
		0, 100 - 14, 0, 0, 0, 0, 64, 17, 0xed, 0x6f, 198, 18, 0, 1, 198, 18, 0, 2, 0x04,
		0x03, 0, 9, 0, 100 - 34, 0, 0};
	uint32_t sum = 0;

	build(100, 0, false);
	bench_frame_set_flow(frame, 3);
	/* The checksum is proved on its own: the sum over a right header is 0xffff. */
	for (unsigned i = ETHERNET_HEADER; i < ETHERNET_HEADER + IPV4_HEADER; i += 2)
		sum += load_be16(frame + i);
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	for (unsigned i = 0; i < sizeof(expected); i++)
		if (i != 24 && i != 25)
			assert_int_equal(frame[i], expected[i]);
}

/* Judged by itself, not by what the generator knows: as a device cuts it. */
static void a_segment_is_what_a_guest_leaves_to_the_device(void **state)
{
	const uint8_t *ip = frame + ETHERNET_HEADER, *tcp = ip + IPV4_HEADER;
	struct virtio_net_hdr header;
	uint32_t sum = 0;

	for (uint32_t length = BENCH_SEGMENT_MIN; length <= BENCH_FRAME_MAX; length += 6403) {
		build(length, 5, true);
		bench_frame_set_flow(frame, 3);
		bench_segment_build_header((uint8_t *)&header);
		assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(header.hdr_len + header.gso_size, 1500 + ETHERNET_HEADER);
		assert_int_equal(header.csum_start, tcp - frame);
		assert_int_equal(header.csum_offset, 16);
		assert_int_equal(header.hdr_len, tcp - frame + (tcp[TCP_DATA_OFFSET] >> 4) * 4);
		assert_int_equal(ip[IPV4_PROTOCOL], 6);
		assert_int_equal(load_be16(ip + IPV4_TOTAL_LENGTH), length - ETHERNET_HEADER);
		assert_int_equal(load_be16(tcp + L4_SOURCE_PORT), BENCH_FLOW_PORT + 3);
		assert_int_equal(tcp[TCP_FLAGS], 0x10);
		/* RFC 9293, 3.1: addresses, protocol, length. */
		sum = 6 + length - ETHERNET_HEADER - IPV4_HEADER;
		for (unsigned i = IPV4_SOURCE; i < IPV4_HEADER; i += 2)
			sum += load_be16(ip + i);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		assert_int_equal(load_be16(tcp + TCP_CHECKSUM), sum);
	}
}

static void a_segment_keeps_its_header(void **state)
{
	uint8_t header[NET_HEADER_LEGACY_SIZE];

	bench_segment_build_header(header);
	assert_true(bench_segment_check_header(header));
	for (unsigned i = 0; i < sizeof(header); i++) {
		bool hint = i - offsetof(struct virtio_net_hdr, hdr_len) < 2;

		header[i] ^= 0x10;
		assert_int_equal(bench_segment_check_header(header), hint);
		header[i] ^= 0x10;
	}
	memset(header, 0, sizeof(header));
	assert_false(bench_segment_check_header(header));
}

static void no_changed_byte_of_a_segment_passes(void **state)
{
	build(1600, 99, true);
	stamp(1600, 12345, bench_stream(1, 0), true);
	for (unsigned at = ETHERNET_TYPE; at < 1600; at++) {
		frame[at] ^= 0x04;
		assert_false(passes(1600, 12345, bench_stream(1, 0), true));
		frame[at] ^= 0x04;
	}
	assert_true(passes(1600, 12345, bench_stream(1, 0), true));
}

static void no_changed_byte_passes(void **state)
{
	static const uint32_t lengths[] = {60, 64, 300};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		build(lengths[i], 99, false);
		stamp(lengths[i], 12345, bench_stream(1, 0), false);
		for (unsigned at = ETHERNET_TYPE; at < lengths[i]; at++) {
			/* Not looked at: TOS, id, flags and time to live are in the checksum. */
			for (unsigned bit = 0; bit < 8; bit++) {
				frame[at] ^= (uint8_t)(1u << bit);
				assert_false(passes(lengths[i], 12345, bench_stream(1, 0), false));
				frame[at] ^= (uint8_t)(1u << bit);
			}
		}
		assert_true(passes(lengths[i], 12345, bench_stream(1, 0), false));
	}
}

static void no_other_length_passes(void **state)
{
	unsigned passed = 0;

	build(1500, 5, false);
	stamp(1500, 9, bench_stream(3, 4), false);
	bench_frame_set_flow(frame, 4);
	for (uint32_t length = BENCH_FRAME_MIN; length <= 3000; length++)
		passed += passes(length, 9, bench_stream(3, 4), false);
	assert_int_equal(passed, 1);
}

static void announcements_are_foreign(void **state)
{
	uint32_t sequence, stream;

	bench_frame_build_announcement(frame, SOURCE);
	assert_true(bench_frame_is_foreign(frame, BENCH_FRAME_MIN));
	assert_int_equal(mac_to_u64(frame), MAC_BROADCAST);
	assert_int_equal(mac_to_u64(frame + ETHERNET_SOURCE), SOURCE);
	assert_false(
		bench_frame_check(frame + BENCH_FRAME_STAMP, BENCH_FRAME_MIN, &sequence, &stream));
	assert_true(bench_frame_is_foreign(frame, 13));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_passes),
		cmocka_unit_test(headers_are_right),
		cmocka_unit_test(a_segment_is_what_a_guest_leaves_to_the_device),
		cmocka_unit_test(a_segment_keeps_its_header),
		cmocka_unit_test(no_changed_byte_of_a_segment_passes),
		cmocka_unit_test(no_changed_byte_passes),
		cmocka_unit_test(no_other_length_passes),
		cmocka_unit_test(announcements_are_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
