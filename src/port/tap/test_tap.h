/* SPDX-License-Identifier: BSD-3-Clause */
/* A TAP port, a batch for its frames, and a packet socket at the kernel's side of its interface,
 * for the tests of the port. They run in a network namespace of their own. */
#ifndef VSW_PORT_TAP_TEST_TAP_H
#define VSW_PORT_TAP_TEST_TAP_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "packet/headers.h"
#include "port/tap/tap_private.h"

#define NAME  "vswtest0"
#define OTHER "vswtest1"

static struct event_base *base;
static struct port *port;
static int wire = -1; /* the kernel's side */
static struct packet_batch *batch;

static const uint8_t ethernet[14] = {
	0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5}; /* a type for experiments */

/* A frame that nobody in the kernel cares for, each byte of its payload told by its place. */
static inline void fill(uint8_t *frame, unsigned length)
{
	memcpy(frame, ethernet, sizeof(ethernet));
	for (unsigned i = sizeof(ethernet); i < length; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8));
}

static inline void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

static inline struct host_tap settings(unsigned queues)
{
	struct host_tap wanted = {.name = NAME, .queues = queues};

	wanted.set.mtu = 65521;
	wanted.set.up = true;
	return wanted;
}

static inline int open_wire(bool headers)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = 4 << 20, yes = 1;

	address.sll_ifindex = (int)if_nametoindex(NAME);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (headers)
		assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)), 0);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The frames of the next visits that have this type, until there are none. */
static inline unsigned receive(unsigned queue)
{
	batch->count = 0;
	batch->frames_max = PACKET_BATCH;
	batch->pieces_used = 0;
	batch->more = false;
	/* It was woken, so it looks at once. */
	port->class->disarm(port, queue);
	port->class->receive(port, queue, batch);
	return batch->count;
}

/* The kernel lets frames out a moment after it has seen the carrier. */
static inline void settle(void)
{
	int fd = open_wire(false);
	unsigned tries = 0, got = 0;

	while (!got) {
		assert_true(++tries < 5000);
		assert_int_equal(send(fd, ethernet, sizeof(ethernet), 0), sizeof(ethernet));
		usleep(1000);
		for (unsigned i = 0; i < port->queue_count; i++)
			got += receive(i);
	}
	while (got) {
		got = 0;
		for (unsigned i = 0; i < port->queue_count; i++)
			got += receive(i);
	}
	close(fd);
}

static inline void open_port(unsigned queues, bool headers)
{
	struct host_tap wanted = settings(queues);
	struct error error = {""};

	port = tap_port_new(
		base, NULL, "p", 0, &wanted, TAP_PORT_VHOST_AUTO, TAP_PORT_ALL, NULL, &error);
	if (!port)
		fail_msg("%s", error.text);
	settle();
	wire = open_wire(headers);
}

static inline uint64_t dropped(enum drop_reason reason)
{
	struct port_totals totals;

	port_totals(port, &totals);
	return totals.drops[reason];
}

/* Puts a frame into the batch: a head, and a tail of pieces that are `step` bytes long. */
static inline void stage(unsigned slot, uint8_t *frame, unsigned length, unsigned step)
{
	struct packet *packet = &batch->packets[slot];
	unsigned head = MIN(length, PACKET_HEAD_SIZE);

	*packet = (struct packet){.head = packet_buffer(batch, slot),
		.tail = &batch->pieces[batch->pieces_used],
		.length = length,
		.head_length = (uint16_t)head,
		.network = NETWORK_NONE};
	memcpy(packet->head, frame, head);
	for (unsigned at = head; at < length; at += step) {
		batch->pieces[batch->pieces_used++] = (struct iovec){
			frame + at, MIN(step, length - at)};
		packet->tail_count++;
	}
	batch->count = MAX(batch->count, slot + 1);
}

static inline void clear_batch(void)
{
	batch->flooded = 0;
	batch->count = 0;
	batch->pieces_used = 0;
}

static inline int set_up(void **state)
{
	base = event_base_new();
	batch = malloc(sizeof(*batch));
	return base && batch ? 0 : -1;
}

static inline int tear_down(void **state)
{
	if (port)
		port->class->destroy(port);
	port = NULL;
	fd_close(&wire);
	event_base_free(base);
	free(batch);
	return system("ip link show " NAME " >/dev/null 2>&1") != 0 ? 0 : -1;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
