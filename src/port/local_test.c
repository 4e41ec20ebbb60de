/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "packet/parse.h"
#include "packet/test_request.h"
#include "port/local.h"
#include "port/local_ring.h"

#define INDEX 5
#define PORTS 1025
#define SMALL 60

static struct port *port;
static struct packet_batch *batch;
static uint8_t bytes[VERIFY_FRAME_SIZE];

/* What local_port_receive() has handed over. */
static struct {
	unsigned count;
	uint16_t ports[4096];
	uint16_t network;
	uint32_t length;
	uint8_t bytes[PACKET_LENGTH_MAX];
} got;

static void handle(void *owner, const struct local_frame *frame)
{
	assert_ptr_equal(owner, &got);
	got.ports[got.count++] = frame->port;
	got.network = frame->network;
	got.length = frame->length;
	memcpy(got.bytes, frame->bytes, frame->length);
}

static unsigned take(unsigned max)
{
	got.count = 0;
	return local_port_receive(port, max, handle, &got);
}

static bool readable(void)
{
	struct pollfd poll_fd = {.fd = local_port_event(port), .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static uint64_t drops(enum drop_reason reason)
{
	return port->counters[0].tx.drops[reason];
}

static void fill(uint8_t *frame, uint32_t length, unsigned number)
{
	for (uint32_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(number * 7 + i * 3 + (i >> 8));
}

/* A batch of `count` frames from a port, each with a tail where it is longer than a head. */
static void load(uint16_t from, uint16_t network, uint32_t length, unsigned count)
{
	batch->port = from;
	for (unsigned i = 0; i < count; i++) {
		uint32_t head = MIN(length, PACKET_HEAD_SIZE);

		batch->packets[i] = (struct packet){
			.head = packet_buffer(batch, i),
			.tail = &batch->pieces[i],
			.length = length,
			.head_length = (uint16_t)head,
			.tail_count = length > head,
			.network = network,
		};
		memcpy(batch->packets[i].head, bytes, head);
		batch->pieces[i] = (struct iovec){bytes + head, length - head};
	}
}

static void push(uint16_t from, uint32_t length, unsigned count)
{
	load(from, 3, length, count);
	port->class->send(port, batch, count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1);
}

static void receive(void)
{
	batch->frames_max = PACKET_BATCH;
	batch->more = false;
	batch->port = INDEX;
	port->class->receive(port, 0, batch);
}

static void lengths_from_shortest_to_longest_pass_both_ways(void **state)
{
	static const uint32_t lengths[] = {14, 60, 255, 256, 257, 1514, 9000, PACKET_LENGTH_MAX};

	/* Often enough to go round the rings, whose ends are met everywhere. */
	for (unsigned round = 0; round < 1000; round++) {
		uint32_t length = lengths[round % ARRAY_SIZE(lengths)];

		fill(bytes, length, round);
		load(7, (uint16_t)round, length, 1);
		port->class->send(port, batch, 1);
		assert_int_equal(take(64), 1);
		assert_true(got.length == length && got.network == round && got.ports[0] == 7);
		assert_memory_equal(got.bytes, bytes, length);

		assert_true(local_port_send(port, (uint16_t)round, bytes, length));
		receive();
		assert_true(batch->count == 1 && batch->port == INDEX && !batch->more);
		assert_int_equal(batch->packets[0].network, round);
		assert_int_equal(verify_flatten(&batch->packets[0], got.bytes), length);
		assert_memory_equal(got.bytes, bytes, length);
		port->class->release(port, 0, batch);
	}
	assert_int_equal(port->counters[0].tx.packets, 1000);
	assert_false(local_port_send(port, 0, bytes, PACKET_LENGTH_MAX + 1));
	assert_int_equal(drops(DROP_FRAME_TOO_LONG), 1);
}

/* Every frame is either handed over or counted. */
static void one_port_fills_its_quota_and_no_more(void **state)
{
	unsigned fit = LOCAL_QUOTA_BYTES / local_record_size(SMALL);

	for (unsigned i = 0; i < 100; i++)
		push(7, SMALL, 64);
	assert_int_equal(port->counters[0].tx.packets, fit);
	assert_int_equal(drops(DROP_LOCAL_BUSY), 6400 - fit);
	/* Another has its own. */
	push(8, SMALL, 64);
	assert_int_equal(port->counters[0].tx.packets, fit + 64);
	assert_int_equal(take(4096), fit + 64);
	for (unsigned i = 0; i < got.count; i++)
		assert_int_equal(got.ports[i], i < fit ? 7 : 8);
	push(7, SMALL, 64);
	assert_int_equal(take(4096), 64);
}

/* However many ports send what they can: each that has nothing in the ring finds room. */
static void many_ports_leave_room_for_others(void **state)
{
	const unsigned hogs = PORTS / 2, others = PORTS - hogs;
	unsigned first = 0, sent = 0;

	/* The ring's end comes anywhere. */
	for (unsigned round = 0; round < 8; round++) {
		for (uint16_t from = 0; from < hogs; from++)
			push(from, round % 2 ? PACKET_LENGTH_MAX : 1514, 64);
		sent += hogs * 64;
		assert_true(drops(DROP_LOCAL_BUSY) > 0);
		for (uint16_t from = (uint16_t)hogs; from < PORTS; from++)
			push(from, 490, 2);
		sent += others * 2;
		for (unsigned taken; (taken = take(4096));)
			for (unsigned i = 0; i < taken; i++)
				first += got.ports[i] >= hogs;
		assert_int_equal(first, others * 2 * (round + 1));
	}
	assert_int_equal(drops(DROP_LOCAL_BUSY) + port->counters[0].tx.packets, sent);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
	assert_null(local_port_new(NULL, 0, LOCAL_PORTS_MAX + 1, NULL));
	assert_null(local_port_new(NULL, 8, 8, NULL));
}

static void what_the_control_thread_sends_is_bounded(void **state)
{
	unsigned fit = 0, count = 0;

	while (local_port_send(port, 1, bytes, 1514))
		fit++;
	assert_true(fit > 600 && fit <= LOCAL_OUT_BYTES / 1514);
	assert_int_equal(drops(DROP_LOCAL_BUSY), 1);
	do {
		receive();
		count += batch->count;
		port->class->release(port, 0, batch);
	} while (batch->count);
	assert_int_equal(count, fit);
	assert_true(local_port_send(port, 1, bytes, 1514));
}

/* Frames in a batch have one port, and are not more than a visit may take. */
static void batches_end_where_they_must(void **state)
{
	static const uint16_t as[] = {9, 9, 4, INDEX, 9};
	static const unsigned runs[] = {2, 1, 1, 1, 0};

	for (unsigned i = 0; i < ARRAY_SIZE(as); i++)
		assert_true(as[i] == INDEX ? local_port_send(port, 2, bytes, SMALL)
					   : local_port_send_as(port, as[i], bytes, SMALL));
	for (unsigned i = 0, at = 0; i < ARRAY_SIZE(runs); at += runs[i++]) {
		receive();
		assert_int_equal(batch->count, runs[i]);
		if (batch->count)
			assert_int_equal(batch->port, as[at]);
		port->class->release(port, 0, batch);
	}
	for (unsigned i = 0; i < 8; i++)
		assert_true(local_port_send(port, 2, bytes, PACKET_LENGTH_MAX));
	receive();
	assert_true(batch->count == 5 && batch->more);
	receive();
	assert_true(batch->count == 3 && !batch->more);
	batch->frames_max = 1;
	assert_true(local_port_send(port, 2, bytes, SMALL));
	assert_true(local_port_send(port, 2, bytes, SMALL));
	port->class->receive(port, 0, batch);
	assert_int_equal(batch->count, 1);
}

static void either_side_is_woken_once(void **state)
{
	assert_false(readable());
	push(7, SMALL, 2);
	assert_true(readable());
	assert_int_equal(take(1), 1);
	assert_true(readable()); /* that was not all */
	assert_int_equal(take(64), 1);
	assert_false(readable());
	assert_int_equal(take(64), 0);

	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	assert_true(local_port_send(port, 2, bytes, SMALL));
	assert_int_equal(port->class->arm(port, 0), PORT_PENDING);
	port->class->disarm(port, 0);
}

/* What the control thread gets is whole, whatever the sender left undone. */
static void nothing_is_left_undone(void **state)
{
	const struct test_request request = {.protocol = IPPROTO_TCP, .payload = 4000};
	struct test_layout at = request_frame(&request, bytes);

	load(7, 3, at.length, 1);
	packet_parse(&batch->packets[0]);
	batch->packets[0].offload = (struct offload){
		.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4,
		.gso_size = 1000,
		.l4_header = (uint8_t)at.l4_header,
	};
	port->class->send(port, batch, 1);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(take(1), 1);
		assert_int_equal(got.length, 1054);
		verify_frame(got.bytes, got.length, VERIFY_COMPLETE | VERIFY_IP_CHECKSUM);
	}
	/* Without room nothing is cut, and all that it would have become is counted. */
	while (!drops(DROP_LOCAL_BUSY))
		push(7, SMALL, 1);
	load(7, 3, at.length, 1);
	packet_parse(&batch->packets[0]);
	batch->packets[0].offload.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4;
	batch->packets[0].offload.gso_size = 1000;
	batch->packets[0].offload.l4_header = (uint8_t)at.l4_header;
	port->class->send(port, batch, 1);
	assert_int_equal(drops(DROP_LOCAL_BUSY), 1 + 4);
}

static void frames_of_a_port_that_is_gone_are_forgotten(void **state)
{
	push(7, SMALL, 3);
	push(8, SMALL, 2);
	assert_true(local_port_send_as(port, 7, bytes, SMALL));
	assert_true(local_port_send_as(port, 8, bytes, SMALL));
	assert_true(local_port_send_as(port, 7, bytes, SMALL));
	local_port_forget(port, 7);
	assert_int_equal(take(64), 2);
	assert_true(got.ports[0] == 8 && got.ports[1] == 8);
	receive();
	assert_true(batch->count == 1 && batch->port == 8);
	port->class->release(port, 0, batch);
	/* Its quota is as whole as before. */
	for (unsigned i = 0; i < 100; i++)
		push(7, SMALL, 64);
	assert_int_equal(take(4096), LOCAL_QUOTA_BYTES / local_record_size(SMALL));
}

static int set_up(void **state)
{
	batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	port = local_port_new(NULL, INDEX, PORTS, NULL);
	return batch && port ? 0 : -1;
}

static int tear_down(void **state)
{
	port->class->destroy(port);
	free(batch);
	return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lengths_from_shortest_to_longest_pass_both_ways),
		CASE(one_port_fills_its_quota_and_no_more),
		CASE(many_ports_leave_room_for_others),
		CASE(sizes_that_cannot_be_are_refused),
		CASE(what_the_control_thread_sends_is_bounded),
		CASE(batches_end_where_they_must),
		CASE(either_side_is_woken_once),
		CASE(nothing_is_left_undone),
		CASE(frames_of_a_port_that_is_gone_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
