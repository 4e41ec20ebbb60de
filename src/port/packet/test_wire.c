/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/packet/test_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

struct event_base *base;
struct port *port;
int wire = -1;
struct packet_batch *batch;

const uint8_t ethernet[14] = {
	0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5}; /* a type for experiments */

/* A frame that nobody in the kernel cares for, each byte of its payload told by its place. */
void wire_fill(uint8_t *frame, unsigned length)
{
	memcpy(frame, ethernet, sizeof(ethernet));
	for (unsigned i = sizeof(ethernet); i < length; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8));
}

void wire_shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int open_wire(void)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int size = 8 << 20, yes = 1;

	address.sll_ifindex = (int)if_nametoindex(PEER);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)), 0);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void wire_put(const struct virtio_net_hdr *header, const uint8_t *frame, unsigned length)
{
	struct iovec pieces[2] = {
		{(void *)(uintptr_t)header, sizeof(*header)}, {(void *)(uintptr_t)frame, length}};

	assert_int_equal(writev(wire, pieces, 2), sizeof(*header) + length);
}

const struct virtio_net_hdr plain;

unsigned wire_receive(void)
{
	batch->count = 0;
	batch->frames_max = PACKET_BATCH;
	batch->pieces_used = 0;
	batch->more = false;
	port->class->disarm(port, 0);
	port->class->receive(port, 0, batch);
	return batch->count;
}

/* The next visit that finds something; the kernel may take a moment. */
unsigned wire_receive_some(void)
{
	for (unsigned tries = 0; tries < 5000; tries++) {
		if (wire_receive())
			return batch->count;
		port->class->release(port, 0, batch);
		usleep(tries > 10 ? 1000 : 0);
	}
	return 0;
}

/* Puts a frame into the batch: a head, and a tail of pieces that are `step` bytes long. */
void wire_stage(unsigned slot, uint8_t *frame, unsigned length, unsigned step)
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

void wire_clear_batch(void)
{
	batch->count = 0;
	batch->pieces_used = 0;
}

/* The kernel lets frames out a moment after it has seen the carrier: until one has passed each way,
 * and no other is on its way. */
void wire_settle(void)
{
	uint8_t frame[60];
	unsigned in = 0, out = 0;

	fd_close(&wire);
	wire = open_wire();
	wire_fill(frame, sizeof(frame));
	for (unsigned tries = 0; !in || !out; tries++) {
		assert_true(tries < 5000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		wire_put(&plain, frame, sizeof(frame));
		wire_clear_batch();
		wire_stage(0, frame, sizeof(frame), 100);
		port->class->send(port, batch, 1);
		usleep(1000);
		in += wire_receive();
		port->class->release(port, 0, batch);
		out += recv(wire, frame, sizeof(frame), 0) > 0;
	}
	for (unsigned idle = 0; idle < 5; idle++) {
		while (wire_receive()) {
			port->class->release(port, 0, batch);
			idle = 0;
		}
		while (recv(wire, frame, sizeof(frame), 0) > 0)
			idle = 0;
		usleep(1000);
	}
}

void wire_open_port(const struct host_packet *settings)
{
	struct error error = {""};

	port = packet_port_new(base, NULL, "p", 0, settings, false, &error);
	if (!port)
		fail_msg("%s", error.text);
	wire_settle();
	port_reset_totals(port);
}

void wire_open_usual(void)
{
	const struct host_packet settings = {.name = NAME, .up = true};

	wire_open_port(&settings);
}

uint64_t wire_dropped(enum drop_reason reason)
{
	struct port_totals totals;

	port_totals(port, &totals);
	return totals.drops[reason];
}

bool wire_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0 ||
		system("ip link add vswprobe type veth peer name vswprobe2 2>/dev/null") != 0) {
		printf("skipped: it takes root and veth: %s\n", strerror(errno));
		return false;
	}
	wire_shell("ip link del vswprobe; sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	return true;
}

int wire_set_up(void **state)
{
	base = event_base_new();
	batch = calloc(1, sizeof(*batch));
	wire_shell("ip link add " NAME " type veth peer name " PEER " && ip link set " PEER " up");
	return base && batch ? 0 : -1;
}

int wire_tear_down(void **state)
{
	if (port)
		port->class->destroy(port);
	port = NULL;
	fd_close(&wire);
	event_base_free(base);
	free(batch);
	wire_shell("ip link del " NAME);
	return 0;
}
