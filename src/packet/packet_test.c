/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers pushed onto a head and pulled off it, in every order, compared with a model that is an
 * array of bytes; what becomes of parsed offsets; and that every lost frame is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/fate.h"
#include "packet/parse.h"
#include "packet/test_frames.h"

#define ROUNDS 20000
#define TUNNEL (ETHERNET_HEADER + IPV6_HEADER + UDP_HEADER + VXLAN_HEADER)

static struct packet_batch batch;

/* The bytes of the whole frame, last first, so that its beginning is where an array grows. */
struct model {
	uint8_t reversed[PACKET_LENGTH_MAX];
	unsigned length;
};

static void check(const struct model *model, const struct packet *packet, unsigned pushed_max)
{
	const uint8_t *buffer = batch.buffers[0].bytes;
	unsigned tail = packet->length - packet->head_length;

	assert_int_equal(packet->length, model->length);
	assert_int_equal(tail, packet->tail_count ? packet->tail[0].iov_len : 0);
	for (unsigned i = 0; i < packet->head_length; i++)
		assert_int_equal(packet->head[i], model->reversed[model->length - 1 - i]);
	/* What may still be pushed ends where a net header's room begins. */
	assert_ptr_equal(packet->head - packet->headroom, buffer + PACKET_NET_HEADER);
	assert_true(packet->headroom <= pushed_max);
}

/* One edit, as likely to be refused as not. */
static void edit(struct model *model, struct packet *packet)
{
	unsigned bytes = (unsigned)rand() % (rand() % 2 ? 60 : 200);
	struct packet before = *packet;

	if (rand() % 2) {
		uint8_t *head = packet_push(packet, bytes);

		if (bytes > before.headroom) {
			assert_null(head);
			assert_memory_equal(packet, &before, sizeof(before));
			return;
		}
		assert_ptr_equal(head, packet->head);
		for (unsigned i = bytes; i-- > 0;)
			head[i] = model->reversed[model->length++] = (uint8_t)rand();
		return;
	}
	if (bytes > before.head_length) {
		assert_false(packet_pull(packet, bytes));
		assert_memory_equal(packet, &before, sizeof(before));
		return;
	}
	assert_true(packet_pull(packet, bytes));
	model->length -= bytes;
}

static void test_any_order(void **state)
{
	static uint8_t bytes[1000];
	static struct model model;
	struct packet *packet = NULL;

	srand(7);
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round % 20 == 0) {
			unsigned length = (unsigned)rand() % sizeof(bytes);

			batch_begin(&batch, 0);
			for (unsigned i = 0; i < length; i++)
				model.reversed[length - 1 - i] = bytes[i] = (uint8_t)rand();
			model.length = length;
			packet = batch_add(&batch, bytes, length);
		}
		edit(&model, packet);
		check(&model, packet, PACKET_PUSH_MAX + PACKET_HEAD_SIZE);
	}
}

/* The deepest stack that the switch may make goes onto a head that nobody has edited, and a net
 * header before it. */
static void test_deepest_stack(void **state)
{
	static uint8_t bytes[300];
	struct packet *packet;

	batch_begin(&batch, 0);
	packet = batch_add(&batch, bytes, sizeof(bytes));
	assert_non_null(packet_push(packet, 2 * VLAN_TAG));
	assert_non_null(packet_push(packet, VXLAN_HEADER + UDP_HEADER));
	assert_non_null(packet_push(packet, IPV6_HEADER));
	assert_non_null(packet_push(packet, VLAN_HEADER));
	assert_true(packet->head - PACKET_NET_HEADER >= batch.buffers[0].bytes);
	assert_null(packet_push(packet, packet->headroom + 1u));
	assert_non_null(packet_push(packet, packet->headroom));
	assert_null(packet_push(packet, 1));
	assert_ptr_equal(packet->head - PACKET_NET_HEADER, batch.buffers[0].bytes);
}

static void expect_inner(const struct packet *packet, unsigned l3, unsigned l4)
{
	assert_true(packet->parsed);
	assert_int_equal(packet->l3_offset, l3);
	assert_int_equal(packet->l4_offset, l4);
	assert_int_equal(packet->l4_protocol, IPPROTO_UDP);
}

/* In a tunnel the inner headers stay found; out of one the outer headers are forgotten. */
static void test_parsed_through_tunnel(void **state)
{
	struct test_frame inner, outer;
	struct packet *packet;

	frame_begin(&inner, 1, 0x525400000001);
	frame_type(&inner, ETH_P_IP);
	frame_ipv4(&inner, IPPROTO_UDP, 0x0a000001, 0x0a000002, 0, 0);
	frame_ports(&inner, 1, 2, UDP_HEADER);
	batch_begin(&batch, 0);
	packet = batch_add(&batch, inner.bytes, inner.length);
	packet_parse(packet);
	expect_inner(packet, 14, 34);
	assert_non_null(packet_push(packet, TUNNEL));
	expect_inner(packet, 14 + TUNNEL, 34 + TUNNEL);
	assert_true(packet_pull(packet, TUNNEL));
	expect_inner(packet, 14, 34);

	/* As it comes in: what was found is the tunnel's. */
	frame_begin(&outer, 1, 0x525400000002);
	frame_type(&outer, ETH_P_IP);
	frame_ipv4(&outer, IPPROTO_UDP, 0x0a000003, 0x0a000004, 0, 0);
	frame_ports(&outer, 1, 4789, UDP_HEADER);
	frame_append(&outer, NULL, VXLAN_HEADER);
	memcpy(frame_append(&outer, NULL, inner.length), inner.bytes, inner.length);
	batch_begin(&batch, 0);
	packet = batch_add(&batch, outer.bytes, outer.length);
	packet_parse(packet);
	expect_inner(packet, 14, 34);
	assert_true(packet_pull(packet, (unsigned)(outer.length - inner.length)));
	assert_false(packet->parsed);
	packet_parse(packet);
	expect_inner(packet, 14, 34);
	assert_memory_equal(packet->head, inner.bytes, inner.length);
}

static void test_drops_are_counted(void **state)
{
	struct counters counters = {0};

	packet_drop(&batch, 0x8000000000000005, DROP_HAIRPIN, &counters);
	packet_drop(&batch, 0, DROP_HAIRPIN, &counters);
	packet_drop_frames(&batch, 3, 40, DROP_RECEIVE_RING_FULL, &counters);
	frames_drop(2, DROP_RECEIVE_RING_FULL, &counters);
	assert_int_equal(counters.drops[DROP_HAIRPIN], 3);
	assert_int_equal(counters.drops[DROP_RECEIVE_RING_FULL], 42);
	assert_int_equal(counters.packets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_deepest_stack),
		cmocka_unit_test(test_parsed_through_tunnel),
		cmocka_unit_test(test_drops_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
