/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local port between threads: two that send into it, as two workers would, and one that is its
 * far end and echoes, while one of the two takes what comes back. Nothing may be lost without being
 * counted, doubled, spoilt or out of order, and nobody may sleep while there is work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/local.h"

#define INDEX   0
#define SENDERS 2
#define FRAMES  20000u
#define LONGEST 3000u
#define WAIT_MS 20000

struct message {
	uint8_t addresses[14];
	uint16_t sender;
	uint32_t number;
	uint32_t length;
};

static struct port *port;
static int wake = -1;
static unsigned senders_done;
static uint32_t received, echoed, echo_lost;
static uint32_t last[SENDERS];

static void require(bool condition)
{
	if (!condition)
		abort();
}

static int watch(void *owner, struct port *watched, unsigned queue, int fd)
{
	wake = fd;
	return 0;
}

static void unwatch(void *owner, struct port *watched, unsigned queue, int fd)
{
}

static void poke(void *owner, struct port *poked)
{
}

static const struct port_notifier notifier = {NULL, watch, unwatch, poke};

static uint32_t length_of(uint32_t number)
{
	return (uint32_t)sizeof(struct message) + number * 37 % LONGEST;
}

/* Takes what comes back and checks it; the first sender is the worker of the port's queue. */
static void take_echoes(struct packet_batch *batch)
{
	static uint32_t last_number;

	batch->frames_max = PACKET_BATCH;
	port->class->receive(port, 0, batch);
	for (unsigned i = 0; i < batch->count; i++) {
		struct message message;

		memcpy(&message, batch->packets[i].head, sizeof(message));
		require(batch->port == message.sender + 1);
		require(batch->packets[i].length == message.length);
		require(message.sender || message.number > last_number);
		if (!message.sender)
			last_number = message.number;
		echoed++;
	}
	port->class->release(port, 0, batch);
}

static void send_one(struct packet_batch *batch, uint16_t sender, uint32_t number)
{
	static uint8_t zeroes[LONGEST + sizeof(struct message)];
	const struct message message = {
		.sender = sender, .number = number, .length = length_of(number)};
	uint32_t head = MIN(message.length, PACKET_HEAD_SIZE);

	batch->port = (uint16_t)(sender + 1);
	batch->packets[0] = (struct packet){
		.head = packet_buffer(batch, 0),
		.tail = batch->pieces,
		.length = message.length,
		.head_length = (uint16_t)head,
		.tail_count = message.length > head,
		.network = sender,
	};
	memset(batch->packets[0].head, 0, head);
	memcpy(batch->packets[0].head, &message, sizeof(message));
	batch->pieces[0] = (struct iovec){zeroes, message.length - head};
	port->class->send(port, batch, 1);
}

static void *run_sender(void *argument)
{
	uint16_t sender = (uint16_t)(uintptr_t)argument;
	struct packet_batch *batch = aligned_alloc(CACHE_LINE, sizeof(*batch));

	require(batch);
	for (uint32_t number = 1; number <= FRAMES; number++) {
		send_one(batch, sender, number);
		if (sender == 0)
			take_echoes(batch);
		if (number % 64 == 0)
			sched_yield();
	}
	__atomic_add_fetch(&senders_done, 1, __ATOMIC_RELEASE);
	free(batch);
	return NULL;
}

static void echo(void *owner, const struct local_frame *frame)
{
	struct message message;

	memcpy(&message, frame->bytes, sizeof(message));
	require(message.sender < SENDERS && frame->port == message.sender + 1);
	require(frame->network == message.sender && frame->length == message.length);
	require(frame->length == length_of(message.number));
	require(message.number > last[message.sender]);
	last[message.sender] = message.number;
	received++;
	echo_lost += !local_port_send_as(port, frame->port, frame->bytes, frame->length);
}

/* Sleeps as the control thread does, so that a wake-up that is lost is a test that hangs. */
static void serve(void)
{
	while (__atomic_load_n(&senders_done, __ATOMIC_ACQUIRE) < SENDERS) {
		struct pollfd poll_fd = {.fd = local_port_event(port), .events = POLLIN};

		/* The last frame may have been taken before its sender says that it is done. */
		if (poll(&poll_fd, 1, 100) == 1)
			local_port_receive(port, 16, echo, NULL);
	}
	while (local_port_receive(port, 16, echo, NULL))
		continue;
}

static void nothing_is_lost_between_threads(void **state)
{
	struct packet_batch *batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	pthread_t threads[SENDERS];
	uint64_t dropped;

	port = local_port_new(&notifier, INDEX, SENDERS + 1, NULL);
	assert_true(port && batch && wake >= 0);
	for (uintptr_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_sender, (void *)i), 0);
	serve();
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	do {
		batch->count = 0;
		take_echoes(batch);
	} while (batch->count);
	dropped = port->counters[0].tx.drops[DROP_LOCAL_BUSY];
	assert_int_equal(received + (dropped - echo_lost), SENDERS * FRAMES);
	assert_int_equal(port->counters[0].tx.packets, received);
	assert_int_equal(echoed, received - echo_lost);
	assert_true(received > 100);
	port->class->destroy(port);
	free(batch);
}

/* Frames one at a time, each waited for in a poll: a wake-up that is lost never comes. */
static void *run_pinger(void *argument)
{
	struct packet_batch *batch = argument;

	for (uint32_t number = 1; number <= 2000; number++) {
		struct pollfd poll_fd = {.fd = wake, .events = POLLIN};
		uint64_t count;

		batch->count = 0;
		send_one(batch, 0, number);
		for (;;) {
			batch->frames_max = PACKET_BATCH;
			port->class->receive(port, 0, batch);
			port->class->release(port, 0, batch);
			if (batch->count)
				break;
			if (port->class->arm(port, 0) == PORT_ARMED) {
				require(poll(&poll_fd, 1, WAIT_MS) == 1);
				require(read(wake, &count, sizeof(count)) == sizeof(count));
			}
			port->class->disarm(port, 0);
		}
	}
	__atomic_store_n(&senders_done, SENDERS, __ATOMIC_RELEASE);
	return NULL;
}

static void no_wake_up_is_lost(void **state)
{
	struct packet_batch *batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	pthread_t thread;

	senders_done = received = echo_lost = 0;
	memset(last, 0, sizeof(last));
	port = local_port_new(&notifier, INDEX, SENDERS + 1, NULL);
	assert_true(port && batch && wake >= 0);
	assert_int_equal(pthread_create(&thread, NULL, run_pinger, batch), 0);
	serve();
	pthread_join(thread, NULL);
	assert_true(received == 2000 && !echo_lost);
	port->class->destroy(port);
	free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
