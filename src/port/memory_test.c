/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packet/parse.h"
#include "packet/test_request.h"
#include "port/memory.h"

#define DEPTH 128
#define FRAME 2000

static struct packet_batch *batch;
static int watched[2] = {-1, -1};

static int watch(void *owner, struct port *port, unsigned queue, int fd)
{
	watched[queue] = fd;
	return 0;
}

static void unwatch(void *owner, struct port *port, unsigned queue, int fd)
{
	assert_int_equal(watched[queue], fd);
	watched[queue] = -1;
}

static void poke(void *owner, struct port *port)
{
}

static const struct port_notifier notifier = {NULL, watch, unwatch, poke};

static struct port *begin(bool timed)
{
	const struct memory_port_options options = {
		.queues = 2, .depth = DEPTH, .frame_size = FRAME, .timed = timed};
	struct port *port = memory_port_new(&notifier, "m", 3, &options, NULL);

	assert_non_null(port);
	return port;
}

static void fill(uint8_t *frame, uint32_t length, unsigned number)
{
	for (uint32_t i = 0; i < length; i++)
		frame[i] = (uint8_t)(number * 7 + i * 3);
}

/* The lengths of frames: below, at and above the size of a head. */
static uint32_t length_of(unsigned number)
{
	static const uint32_t lengths[] = {14, 255, 256, 257, 1500, FRAME};

	return lengths[number % ARRAY_SIZE(lengths)];
}

static void receive(struct port *port, unsigned queue)
{
	batch->count = 0;
	batch->pieces_used = 0;
	batch->frames_max = PACKET_BATCH;
	port->class->receive(port, queue, batch);
}

static void what_is_pushed_is_received_and_what_is_sent_is_popped(void **state)
{
	struct port *port = begin(false);
	uint8_t frame[FRAME], got[FRAME];
	unsigned pushed = 0, popped = 0;

	while (fill(frame, FRAME, pushed), memory_port_push(port, 1, frame, length_of(pushed)))
		pushed++;
	assert_int_equal(pushed, DEPTH);
	assert_int_equal(memory_port_pending(port), DEPTH);
	receive(port, 0);
	assert_int_equal(batch->count, 0);
	for (unsigned round = 0; round < 2; round++) {
		receive(port, 1);
		assert_int_equal(batch->count, PACKET_BATCH);
		/* Its slots are not free yet. */
		assert_int_equal(memory_port_push(port, 1, frame, 14), round > 0);
		port->class->send(port, batch, UINT64_MAX);
		port->class->release(port, 1, batch);
		for (int length; (length = memory_port_pop(port, got, FRAME)) > 0; popped++) {
			fill(frame, FRAME, popped);
			assert_int_equal(length, length_of(popped));
			assert_memory_equal(got, frame, (size_t)length);
		}
	}
	assert_int_equal(popped, DEPTH);
	assert_int_equal(port->counters[0].tx.packets, DEPTH);
	port->class->destroy(port);
}

static void what_does_not_fit_is_counted(void **state)
{
	struct port *port = begin(false);
	const uint64_t *drops = port->counters[0].tx.drops;
	uint8_t frame[FRAME] = {0};

	assert_false(memory_port_push(port, 0, frame, FRAME + 1));
	for (unsigned i = 0; i < 64; i++)
		assert_true(memory_port_push(port, 0, frame, 300));
	receive(port, 0);
	for (unsigned i = 0; i < 3; i++)
		port->class->send(port, batch, UINT64_MAX);
	assert_int_equal(port->counters[0].tx.packets, DEPTH);
	assert_int_equal(port->counters[0].tx.bytes, DEPTH * 300);
	assert_int_equal(drops[DROP_RECEIVE_RING_FULL], 64);
	assert_int_equal(memory_port_pop(port, frame, 299), -EMSGSIZE);
	batch->packets[0].length = FRAME + 1;
	port->class->send(port, batch, 1);
	assert_int_equal(drops[DROP_RECEIVE_BUFFER_TOO_SMALL], 1);
	port->class->destroy(port);
}

/* A packet of four TCP segments, as a guest leaves it to be cut. */
static void load_large(void)
{
	static uint8_t frame[VERIFY_FRAME_SIZE];
	const struct test_request request = {.protocol = IPPROTO_TCP, .payload = 4000};
	struct test_layout at = request_frame(&request, frame);
	struct packet *packet = &batch->packets[0];

	batch->pieces[0] = (struct iovec){frame + PACKET_HEAD_SIZE, at.length - PACKET_HEAD_SIZE};
	*packet = (struct packet){
		.head = packet_buffer(batch, 0),
		.tail = batch->pieces,
		.length = at.length,
		.head_length = PACKET_HEAD_SIZE,
		.tail_count = 1,
	};
	memcpy(packet->head, frame, PACKET_HEAD_SIZE);
	packet_parse(packet);
	packet->offload = (struct offload){
		.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4,
		.gso_size = 1000,
		.l4_header = (uint8_t)at.l4_header,
	};
}

/* Who can nothing gets whole frames; who can all gets the packet, if it is told about. */
static void what_it_cannot_is_done_for_it(void **state)
{
	struct memory_port_options options = {.queues = 1, .depth = 8, .frame_size = 5000};
	struct port *plain = memory_port_new(NULL, "m", 0, &options, NULL), *able, *small;
	const uint64_t *drops = plain->counters[0].tx.drops;
	uint8_t got[5000];

	load_large();
	for (unsigned i = 0; i < 3; i++)
		plain->class->send(plain, batch, 1);
	assert_int_equal(plain->counters[0].tx.packets, 8);
	assert_int_equal(plain->counters[0].tx.bytes, 8 * 1054);
	assert_int_equal(drops[DROP_RECEIVE_RING_FULL], 4);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(memory_port_pop(plain, got, sizeof(got)), 1054);
		verify_frame(got, 1054, VERIFY_COMPLETE | VERIFY_IP_CHECKSUM);
		assert_int_equal(load_be32(got + 38), 0xfffffff0 + i % 4 * 1000);
	}
	options.abilities = OFFLOAD_CHECKSUM | OFFLOAD_TCP4;
	options.mtu = 1040;
	able = memory_port_new(NULL, "m", 0, &options, NULL);
	able->class->send(able, batch, 1);
	assert_int_equal(memory_port_pop(able, got, sizeof(got)), 4054);
	verify_frame(got, 4054, VERIFY_PARTIAL);
	options.mtu = 1030;
	small = memory_port_new(NULL, "m", 0, &options, NULL);
	small->class->send(small, batch, 1);
	assert_int_equal(small->counters[0].tx.drops[DROP_MTU_EXCEEDED], 1);
	assert_int_equal(memory_port_pop(small, got, sizeof(got)), 0);
	plain->class->destroy(plain);
	able->class->destroy(able);
	small->class->destroy(small);
}

static bool announced(unsigned queue)
{
	struct pollfd poll_fd = {.fd = watched[queue], .events = POLLIN};
	uint64_t count;

	if (poll(&poll_fd, 1, 0) != 1)
		return false;
	assert_int_equal(read(watched[queue], &count, sizeof(count)), sizeof(count));
	return true;
}

static void an_armed_queue_announces_the_next_frame(void **state)
{
	struct port *port = begin(false), *timed;
	uint8_t frame[60] = {0};

	assert_true(memory_port_push(port, 0, frame, 60));
	assert_false(announced(0));
	assert_int_equal(port->class->arm(port, 0), PORT_PENDING);
	port->class->disarm(port, 0);
	receive(port, 0);
	port->class->release(port, 0, batch);
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	assert_true(memory_port_push(port, 1, frame, 60));
	assert_false(announced(0) || announced(1));
	assert_true(memory_port_push(port, 0, frame, 60));
	assert_true(announced(0) && !announced(1));
	port->class->destroy(port);
	assert_int_equal(watched[0] + watched[1], -2);
	timed = begin(true);
	assert_int_equal(timed->class->arm(timed, 0), PORT_TIMED);
	timed->class->destroy(timed);
}

static void wrong_sizes_are_refused(void **state)
{
	static const struct memory_port_options wrong[] = {
		{.queues = 0, .depth = 64, .frame_size = 100},
		{.queues = PORT_QUEUE_MAX + 1, .depth = 64, .frame_size = 100},
		{.queues = 1, .depth = 0, .frame_size = 100},
		{.queues = 1, .depth = 65, .frame_size = 100},
		{.queues = 1, .depth = 64, .frame_size = 0},
		{.queues = 1, .depth = 64, .frame_size = PACKET_LENGTH_MAX + 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_null(memory_port_new(NULL, "m", 0, &wrong[i], NULL));
}

static int set_up(void **state)
{
	batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	return batch ? 0 : -1;
}

static int tear_down(void **state)
{
	free(batch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_pushed_is_received_and_what_is_sent_is_popped),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(what_it_cannot_is_done_for_it),
		cmocka_unit_test(an_armed_queue_announces_the_next_frame),
		cmocka_unit_test(wrong_sizes_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
