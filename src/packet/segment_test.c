/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/checksum.h"
#include "packet/parse.h"
#include "packet/segment.h"
#include "packet/test_verify.h"

/* Where cutting meets the borders of the head and of the tail's pieces; what the pieces' headers
 * say is judged together with the requests that ask for it, in virtio/. */

#define HEADERS (ETHERNET_HEADER + IPV4_HEADER + TCP_HEADER)

static uint8_t frame[VERIFY_FRAME_SIZE], out[VERIFY_FRAME_SIZE], head[SEGMENT_HEAD_SIZE];
static uint8_t buffer[PACKET_HEADROOM + PACKET_HEAD_SIZE];
static struct iovec tail[PACKET_PIECES_CHAIN], tail_before[PACKET_PIECES_CHAIN];

/* A TCP frame over IPv4 with `payload` bytes. */
static void build_frame(unsigned payload)
{
	uint8_t *ip = frame + ETHERNET_HEADER, *tcp = ip + IPV4_HEADER;

	memset(frame, 0, HEADERS);
	frame[0] = 2;
	frame[6] = 4;
	store_be16(frame + ETHERNET_TYPE, ETH_P_IP);
	ip[0] = 0x45;
	store_be16(ip + IPV4_TOTAL_LENGTH, (uint16_t)(IPV4_HEADER + TCP_HEADER + payload));
	ip[IPV4_PROTOCOL] = IPPROTO_TCP;
	store_be32(ip + IPV4_SOURCE, 0xc0000201);
	store_be32(ip + IPV4_DESTINATION, 0xc0000202);
	tcp[TCP_DATA_OFFSET] = 0x50;
	store_be16(tcp + TCP_CHECKSUM,
		checksum_pseudo_ipv4(ip, IPPROTO_TCP, (uint16_t)(TCP_HEADER + payload)));
	for (unsigned i = 0; i < payload; i++)
		frame[HEADERS + i] = (uint8_t)(i + i / 251 + 1);
}

/* The frame as a packet with a head of head_length bytes and tail pieces of cut bytes each, every
 * `empty`th of them empty (0: none). */
static struct packet load_packet(
	unsigned payload, unsigned head_length, unsigned cut, unsigned empty, uint16_t gso_size)
{
	struct packet packet = {
		.head = buffer + PACKET_HEADROOM,
		.tail = tail,
		.length = HEADERS + payload,
		.head_length = (uint16_t)MIN(head_length, HEADERS + payload),
	};
	unsigned at = packet.head_length;

	memcpy(packet.head, frame, packet.head_length);
	while (at < packet.length) {
		unsigned step = MIN(cut, packet.length - at);

		if (empty && packet.tail_count % empty == 0)
			step = 0;
		assert_true(packet.tail_count < PACKET_PIECES_CHAIN);
		tail[packet.tail_count++] = (struct iovec){.iov_base = frame + at, .iov_len = step};
		at += step;
	}
	memcpy(tail_before, tail, packet.tail_count * sizeof(*tail));
	packet_parse(&packet);
	packet.offload = (struct offload){
		.gso_size = gso_size,
		.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4,
		.l4_header = TCP_HEADER,
	};
	return packet;
}

static void check_tail_restored(const struct packet *packet)
{
	assert_ptr_equal(packet->tail, tail);
	assert_memory_equal(tail, tail_before, packet->tail_count * sizeof(*tail));
}

static void check_cut(struct packet *packet, unsigned payload, bool complete)
{
	struct segmenter segmenter;
	struct packet piece;
	unsigned done = 0;

	segment_begin(&segmenter, packet, complete);
	while (segment_next(&segmenter, &piece, head)) {
		unsigned length = verify_flatten(&piece, out);

		verify_frame(out, length,
			VERIFY_IP_CHECKSUM | (complete ? VERIFY_COMPLETE : VERIFY_PARTIAL));
		assert_int_equal(
			length, HEADERS + MIN((unsigned)packet->offload.gso_size, payload - done));
		assert_memory_equal(out + HEADERS, frame + HEADERS + done, length - HEADERS);
		/* The tail is shared, not copied. */
		for (unsigned i = 0; i < piece.tail_count; i++)
			assert_in_range((uintptr_t)piece.tail[i].iov_base, (uintptr_t)frame,
				(uintptr_t)(frame + HEADERS + payload));
		done += length - HEADERS;
	}
	assert_int_equal(done, payload);
	check_tail_restored(packet);
}

/* Every payload, piece size, head and way of cutting the tail, as far as they are small. */
static void test_all_small(void **state)
{
	for (unsigned payload = 1; payload <= 24; payload++) {
		build_frame(payload);
		for (unsigned variant = 0; variant < 12 * 6 * 8 * 3; variant++) {
			unsigned head_length = HEADERS + variant % 12;
			unsigned cut = 1 + variant / 12 % 6;
			uint16_t gso_size = (uint16_t)(1 + variant / 72 % 8);
			unsigned empty = variant / 576 ? variant / 576 + 1 : 0;
			struct packet packet = load_packet(
				payload, head_length, cut, empty, gso_size);

			check_cut(&packet, payload, variant % 5 < 3);
		}
	}
}

/* The longest legal chain of the smallest pieces. */
static void test_long_tail(void **state)
{
	unsigned payload = PACKET_HEAD_SIZE - HEADERS + PACKET_PIECES_CHAIN;
	struct packet packet;

	build_frame(payload);
	packet = load_packet(payload, PACKET_HEAD_SIZE, 1, 0, 1460);
	assert_int_equal(packet.tail_count, PACKET_PIECES_CHAIN);
	check_cut(&packet, payload, true);
}

/* Ending after any number of pieces gives the tail back, and a new beginning starts over. */
static void test_end_early(void **state)
{
	struct segmenter segmenter;
	struct packet packet, piece;

	build_frame(3000);
	packet = load_packet(3000, PACKET_HEAD_SIZE, 700, 0, 500);
	for (unsigned pieces = 0; pieces <= 7; pieces++) {
		segment_begin(&segmenter, &packet, true);
		for (unsigned i = 0; i < pieces; i++)
			assert_int_equal(segment_next(&segmenter, &piece, head), i < 6);
		segment_end(&segmenter);
		check_tail_restored(&packet);
		segment_end(&segmenter);
		check_tail_restored(&packet);
	}
	check_cut(&packet, 3000, true);
}

static void test_frame_length(void **state)
{
	struct packet packet;

	build_frame(3000);
	packet = load_packet(3000, PACKET_HEAD_SIZE, 700, 0, 500);
	assert_int_equal(segment_frame_length(&packet), HEADERS + 500);
	packet.offload.gso_size = 65535;
	assert_int_equal(segment_frame_length(&packet), HEADERS + 3000);
	packet.offload.needs = OFFLOAD_CHECKSUM;
	assert_int_equal(segment_frame_length(&packet), HEADERS + 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_small),
		cmocka_unit_test(test_long_tail),
		cmocka_unit_test(test_end_early),
		cmocka_unit_test(test_frame_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
