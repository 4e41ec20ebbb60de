/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/checksum.h"
#include "packet/headers.h"
#include "packet/parse.h"
#include "packet/test_frames.h"
#include "packet/test_verify.h"

static uint8_t noise[70000];

static void fill_noise(void)
{
	srand(1);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)rand();
}

static uint16_t sum_of(const uint8_t *bytes, size_t length)
{
	struct checksum checksum = {0};

	checksum_add(&checksum, bytes, length);
	return checksum_fold(&checksum);
}

/* The example of RFC 1071, section 3. */
static void test_known_sum(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	struct checksum checksum = {0};

	assert_int_equal(checksum_fold(&checksum), 0);
	checksum_add(&checksum, bytes, sizeof(bytes));
	assert_int_equal(checksum_fold(&checksum), 0xddf2);
	assert_int_equal(checksum_finish(&checksum), 0x220d);
}

static void test_every_length_and_alignment(void **state)
{
	for (size_t offset = 0; offset < 9; offset++)
		for (size_t length = 0; length < 300; length++)
			assert_int_equal(sum_of(noise + offset, length),
				dumb_sum(0, noise + offset, length));
	assert_int_equal(sum_of(noise, 65535), dumb_sum(0, noise, 65535));
}

/* All ones carries at every step. */
static void test_carries(void **state)
{
	static uint8_t ones[65536];

	memset(ones, 0xff, sizeof(ones));
	for (size_t length = 2; length <= sizeof(ones); length += 1 + length / 3)
		assert_int_equal(sum_of(ones, length), dumb_sum(0, ones, length));
}

static void test_pieces_of_any_length(void **state)
{
	for (unsigned round = 0; round < 20000; round++) {
		size_t length = (size_t)rand() % 2000, at = 0;
		struct checksum checksum = {0};

		while (at < length) {
			size_t step = MIN((size_t)rand() % 70, length - at);

			checksum_add(&checksum, noise + at, step);
			at += step;
		}
		assert_int_equal(checksum_fold(&checksum), dumb_sum(0, noise, length));
	}
}

static void test_change_of_a_field(void **state)
{
	uint8_t bytes[20];

	for (unsigned round = 0; round < 100000; round++) {
		unsigned field = (unsigned)rand() % 10 * 2;
		uint16_t before, sum, value = (uint16_t)rand();

		memcpy(bytes, noise + round % 60000, sizeof(bytes));
		before = load_be16(bytes + field);
		sum = checksum_change(sum_of(bytes, sizeof(bytes)), before, value);
		store_be16(bytes + field, value);
		/* Zero has two forms. */
		assert_int_equal(sum % 0xffff, dumb_sum(0, bytes, sizeof(bytes)) % 0xffff);
	}
}

static void test_pseudo_headers(void **state)
{
	for (unsigned round = 0; round < 10000; round++) {
		const uint8_t *ip = noise + round;
		uint8_t protocol = round % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		uint16_t length = (uint16_t)rand();

		assert_int_equal(checksum_pseudo_ipv4(ip, protocol, length),
			dumb_pseudo(ip, false, protocol, length));
		assert_int_equal(checksum_pseudo_ipv6(ip, protocol, length),
			dumb_pseudo(ip, true, protocol, length));
	}
}

static void test_ipv4_header(void **state)
{
	uint8_t ip[60];

	for (unsigned size = 20; size <= sizeof(ip); size += 4) {
		memcpy(ip, noise + size, size);
		checksum_ipv4_header(ip, size);
		assert_int_equal(dumb_sum(0, ip, size), 0xffff);
	}
}

/* A packet of UDP or TCP over IPv4 whose field holds the pseudo header's sum, with padding. */
static struct packet *build_partial(
	struct packet_batch *batch, struct test_frame *frame, uint8_t protocol, size_t l4_length)
{
	uint8_t *ip, *l4;

	frame_begin(frame, 1, 2);
	frame_type(frame, ETH_P_IP);
	frame_ipv4(frame, protocol, 0x0a000001, 0x0a000002, 0, 0);
	frame_append(frame, noise, l4_length);
	ip = frame->bytes + ETHERNET_HEADER;
	l4 = ip + IPV4_HEADER;
	store_be16(ip + IPV4_TOTAL_LENGTH, (uint16_t)(IPV4_HEADER + l4_length));
	if (protocol == IPPROTO_UDP)
		store_be16(l4 + UDP_LENGTH, (uint16_t)l4_length);
	else
		l4[TCP_DATA_OFFSET] = 0x50;
	store_be16(l4 + checksum_l4_offset(protocol),
		checksum_pseudo_ipv4(ip, protocol, (uint16_t)l4_length));
	frame_append(frame, noise, 9);
	batch_begin(batch, 0);
	return batch_add(batch, frame->bytes, frame->length);
}

static void test_complete_packet(void **state)
{
	static struct packet_batch batch;
	static uint8_t bytes[VERIFY_FRAME_SIZE];
	struct test_frame frame;

	for (size_t length = 20; length < 1500; length++) {
		uint8_t protocol = length % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		struct packet *packet = build_partial(&batch, &frame, protocol, length);

		packet->offload.needs = OFFLOAD_CHECKSUM;
		packet_parse(packet);
		assert_int_equal(packet_l4_length(packet), length);
		packet_checksum_complete(packet);
		assert_int_equal(packet->offload.needs, 0);
		verify_frame(bytes, verify_flatten(packet, bytes), VERIFY_COMPLETE);
	}
}

/* In UDP a checksum that comes out as zero is written as all ones. */
static void test_udp_never_zero(void **state)
{
	static struct packet_batch batch;
	struct test_frame frame;
	struct packet *packet = build_partial(&batch, &frame, IPPROTO_UDP, 100);
	uint8_t *udp = packet->head + ETHERNET_HEADER + IPV4_HEADER;

	packet_parse(packet);
	/* The last word of the data makes up for all the rest. */
	store_be16(udp + 98, 0);
	store_be16(udp + 98, packet_l4_checksum(packet));
	packet_checksum_complete(packet);
	assert_int_equal(load_be16(udp + UDP_CHECKSUM), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_sum),
		cmocka_unit_test(test_every_length_and_alignment),
		cmocka_unit_test(test_carries),
		cmocka_unit_test(test_pieces_of_any_length),
		cmocka_unit_test(test_change_of_a_field),
		cmocka_unit_test(test_pseudo_headers),
		cmocka_unit_test(test_ipv4_header),
		cmocka_unit_test(test_complete_packet),
		cmocka_unit_test(test_udp_never_zero),
	};

	fill_noise();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
