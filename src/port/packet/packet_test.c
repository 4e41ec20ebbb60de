/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet port against the kernel: one end of a pair of veths in a namespace of the test's own,
 * and a packet socket of the test's at the other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
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
#include "packet/parse.h"
#include "port/packet/packet_port.h"

#define NAME  "vswtest0"
#define OTHER "vswtest1"
#define PEER  "vswtest9"

static struct event_base *base;
static struct port *port;
static int wire = -1; /* at the other end, with headers */
static struct packet_batch *batch;

static const uint8_t ethernet[14] = {
	0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5}; /* a type for experiments */

/* A frame that nobody in the kernel cares for, each byte of its payload told by its place. */
static void fill(uint8_t *frame, unsigned length)
{
	memcpy(frame, ethernet, sizeof(ethernet));
	for (unsigned i = sizeof(ethernet); i < length; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void shell(const char *command)
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

static void put(const struct virtio_net_hdr *header, const uint8_t *frame, unsigned length)
{
	struct iovec pieces[2] = {
		{(void *)(uintptr_t)header, sizeof(*header)}, {(void *)(uintptr_t)frame, length}};

	assert_int_equal(writev(wire, pieces, 2), sizeof(*header) + length);
}

static const struct virtio_net_hdr plain;

static unsigned receive(void)
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
static unsigned receive_some(void)
{
	for (unsigned tries = 0; tries < 5000; tries++) {
		if (receive())
			return batch->count;
		port->class->release(port, 0, batch);
		usleep(tries > 10 ? 1000 : 0);
	}
	return 0;
}

/* Puts a frame into the batch: a head, and a tail of pieces that are `step` bytes long. */
static void stage(unsigned slot, uint8_t *frame, unsigned length, unsigned step)
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

static void clear_batch(void)
{
	batch->count = 0;
	batch->pieces_used = 0;
}

/* The kernel lets frames out a moment after it has seen the carrier: until one has passed each way,
 * and no other is on its way. */
static void settle(void)
{
	uint8_t frame[60];
	unsigned in = 0, out = 0;

	fd_close(&wire);
	wire = open_wire();
	fill(frame, sizeof(frame));
	for (unsigned tries = 0; !in || !out; tries++) {
		assert_true(tries < 5000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		put(&plain, frame, sizeof(frame));
		clear_batch();
		stage(0, frame, sizeof(frame), 100);
		port->class->send(port, batch, 1);
		usleep(1000);
		in += receive();
		port->class->release(port, 0, batch);
		out += recv(wire, frame, sizeof(frame), 0) > 0;
	}
	for (unsigned idle = 0; idle < 5; idle++) {
		while (receive()) {
			port->class->release(port, 0, batch);
			idle = 0;
		}
		while (recv(wire, frame, sizeof(frame), 0) > 0)
			idle = 0;
		usleep(1000);
	}
}

static void open_port(const struct host_packet *settings)
{
	struct error error = {""};

	port = packet_port_new(base, NULL, "p", 0, settings, &error);
	if (!port)
		fail_msg("%s", error.text);
	settle();
	port_reset_totals(port);
}

static void open_usual(void)
{
	const struct host_packet settings = {.name = NAME, .up = true};

	open_port(&settings);
}

static uint64_t dropped(enum drop_reason reason)
{
	struct port_totals totals;

	port_totals(port, &totals);
	return totals.drops[reason];
}

static bool same(const struct packet *packet, const uint8_t *frame, unsigned length)
{
	if (packet->length != length || memcmp(packet->head, frame, packet->head_length) != 0)
		return false;
	frame += packet->head_length;
	length -= packet->head_length;
	for (unsigned i = 0; i < packet->tail_count; i++) {
		if (packet->tail[i].iov_len > length ||
			memcmp(packet->tail[i].iov_base, frame, packet->tail[i].iov_len) != 0)
			return false;
		frame += packet->tail[i].iov_len;
		length -= (unsigned)packet->tail[i].iov_len;
	}
	return length == 0;
}

/* Within a slot, beyond one, and the longest. */
static void test_receive(void **state)
{
	const unsigned lengths[] = {14, 60, 255, 256, 257, 268, 1514, 9014, 30000, 65535};
	static uint8_t frame[65536];

	shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	open_usual();
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(frame, lengths[i]);
		put(&plain, frame, lengths[i]);
		assert_int_equal(receive_some(), 1);
		assert_true(same(&batch->packets[0], frame, lengths[i]));
		assert_int_equal(batch->packets[0].offload.needs, 0);
		port->class->release(port, 0, batch);
		assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	}
}

/* More than a batch, and several times round the ring: in order, and not armed before the last. */
static void test_receive_many(void **state)
{
	unsigned got = 0, sent = 0;
	uint8_t frame[1514];

	open_usual();
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 200; i++, sent++) {
			fill(frame, 60 + sent % 1400);
			put(&plain, frame, 60 + sent % 1400);
		}
		while (got < sent) {
			unsigned count = receive_some();

			assert_in_range(count, 1, PACKET_BATCH);
			for (unsigned i = 0; i < count; i++, got++) {
				fill(frame, 60 + got % 1400);
				assert_true(same(&batch->packets[i], frame, 60 + got % 1400));
			}
			port->class->release(port, 0, batch);
			if (count == PACKET_BATCH && got % 200)
				assert_int_equal(port->class->arm(port, 0), PORT_PENDING);
		}
	}
	assert_int_equal(receive(), 0);
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	assert_int_equal(dropped(DROP_OVERRUN), 0);
}

/* Short and long frames keep their order, and long ones end a visit. */
static void test_receive_mixed(void **state)
{
	static uint8_t frame[60000];
	unsigned got = 0;

	shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	open_usual();
	for (unsigned i = 0; i < 40; i++) {
		fill(frame, i % 3 ? 60 + i : 59000 + i);
		put(&plain, frame, i % 3 ? 60 + i : 59000 + i);
	}
	while (got < 40) {
		unsigned count = receive_some();

		assert_in_range(count, 1, 18);
		for (unsigned i = 0; i < count; i++, got++)
			assert_int_equal(
				batch->packets[i].length, got % 3 ? 60 + got : 59000 + got);
		port->class->release(port, 0, batch);
	}
}

/* Without a reader the ring fills: what is lost is counted, once, and what comes after arrives. */
static void test_overrun(void **state)
{
	uint8_t frame[60];
	unsigned got = 0;

	open_usual();
	fill(frame, sizeof(frame));
	for (unsigned i = 0; i < 1500; i++)
		put(&plain, frame, sizeof(frame));
	for (unsigned idle = 0; idle < 50; idle++) {
		while (receive()) {
			got += batch->count;
			idle = 0;
			port->class->release(port, 0, batch);
		}
		usleep(1000);
	}
	/* It is told with the next frame. */
	put(&plain, frame, sizeof(frame));
	got += receive_some();
	port->class->release(port, 0, batch);
	assert_int_equal(got + dropped(DROP_OVERRUN), 1501);
	assert_in_range(dropped(DROP_OVERRUN), 1, 1000);
}

/* The kernel takes the first tag off: it is back, with its type and priority. */
static void test_tags(void **state)
{
	const uint16_t types[] = {ETH_P_8021Q, ETH_P_8021AD};
	const unsigned lengths[] = {60, 256, 260, 300, 1518, 5000};
	static uint8_t frame[5000];

	shell("ip link set " NAME " mtu 9000; ip link set " PEER " mtu 9000");
	open_usual();
	for (unsigned i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(lengths); i++) {
		unsigned length = lengths[i / 2];

		fill(frame, length);
		store_be16(frame + 12, types[i % 2]);
		store_be16(frame + 14, 0xa00a); /* priority 5, VLAN 10 */
		store_be16(frame + 16, 0x88b5);
		put(&plain, frame, length);
		assert_int_equal(receive_some(), 1);
		assert_true(same(&batch->packets[0], frame, length));
		port->class->release(port, 0, batch);
	}
}

static struct virtio_net_hdr expect_on_wire(const uint8_t *frame, unsigned length)
{
	static uint8_t got[70000];
	struct pollfd ready = {wire, POLLIN, 0};
	struct virtio_net_hdr header;

	assert_int_equal(poll(&ready, 1, 5000), 1);
	assert_int_equal(recv(wire, got, sizeof(got), 0), sizeof(header) + length);
	assert_memory_equal(got + sizeof(header), frame, length);
	memcpy(&header, got, sizeof(header));
	return header;
}

static void test_send(void **state)
{
	const unsigned lengths[] = {14, 60, 256, 257, 1514, 9014, 65535};
	static uint8_t frames[ARRAY_SIZE(lengths)][65536];
	struct port_totals totals;
	uint64_t bytes = 0;

	shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	open_usual();
	clear_batch();
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(frames[i], lengths[i]);
		stage(i, frames[i], lengths[i], 1000);
		bytes += lengths[i];
	}
	port->class->send(port, batch, (1u << ARRAY_SIZE(lengths)) - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		expect_on_wire(frames[i], lengths[i]);
	port_totals(port, &totals);
	assert_int_equal(totals.tx_packets, ARRAY_SIZE(lengths));
	assert_int_equal(totals.tx_bytes, bytes);
	/* Nobody hears himself, nor others that send there. */
	fill(frames[0], 60);
	shell("ping -c1 -W1 -I " NAME " 192.0.2.9 >/dev/null 2>&1; true");
	assert_int_equal(receive(), 0);
}

static void test_send_limits(void **state)
{
	static uint8_t frame[4000], scattered[60000];
	uint8_t *gone = NULL;

	open_usual();
	clear_batch();
	fill(frame, sizeof(frame));
	stage(0, frame, 1518, 4000);
	stage(1, frame, 1519, 4000);
	stage(2, frame, 1000, 4000);
	stage(3, frame, 1000, 4000);
	fill(scattered, sizeof(scattered));
	batch->packets[2].tail->iov_base = gone; /* a guest's memory that is not there */
	port->class->send(port, batch, 15);
	/* By its length it might be a tag's, by its type it is not: the kernel's word. */
	assert_int_equal(dropped(DROP_MTU_EXCEEDED), 2);
	assert_int_equal(dropped(DROP_RING_ERROR), 1);
	expect_on_wire(frame, 1000);
	store_be16(frame + 12, ETH_P_8021Q);
	clear_batch();
	stage(0, frame, 1518, 4000);
	stage(1, scattered, sizeof(scattered), 50);
	batch->packets[1].offload.needs = 0;
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_MTU_EXCEEDED), 2);
	shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	event_base_loop(base, EVLOOP_NONBLOCK);
	port->class->send(port, batch, 2);
	assert_int_equal(dropped(DROP_RECEIVE_BUFFER_TOO_SMALL), 1);
	/* The kernel has not told us yet. */
	shell("ip link set " NAME " down");
	clear_batch();
	stage(0, frame, 1000, 4000);
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_RECEIVER_NOT_READY), 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_RECEIVER_NOT_READY), 2);
}

/* TCP over IPv4 from 10.0.0.1 to 10.0.0.2, whose checksum and cutting are left to do; with a tag
 * where there is one. */
static unsigned fill_tcp(uint8_t *frame, unsigned tag, unsigned payload)
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	unsigned l3 = 14 + tag, length = l3 + 20 + 20 + payload;

	fill(frame, length);
	if (tag) {
		store_be16(frame + 12, ETH_P_8021Q);
		store_be16(frame + 14, 10);
	}
	store_be16(frame + l3 - 2, ETH_P_IP);
	memcpy(frame + l3, ip, sizeof(ip));
	store_be16(frame + l3 + 2, (uint16_t)(length - l3));
	memset(frame + l3 + 20, 0, 20);
	frame[l3 + 20 + 12] = 0x50;
	frame[l3 + 20 + 13] = 0x10;
	return length;
}

static void offload_from_kernel(unsigned tag)
{
	static uint8_t frame[20000];
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)(54 + tag),
		.gso_size = 1448,
		.csum_start = (uint16_t)(34 + tag),
		.csum_offset = 16};
	unsigned length = fill_tcp(frame, tag, 15000);
	const struct packet *packet = &batch->packets[0];

	put(&header, frame, length);
	assert_int_equal(receive_some(), 1);
	assert_int_equal(packet->offload.needs, OFFLOAD_CHECKSUM | OFFLOAD_TCP4);
	assert_int_equal(packet->offload.gso_size, 1448);
	assert_int_equal(packet->length, length);
	assert_int_equal(packet->l4_offset, 34 + tag);
	port->class->release(port, 0, batch);
	/* Short enough for the ring, and only its checksum is missing. */
	header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	header.gso_size = 0;
	length = fill_tcp(frame, tag, 100);
	put(&header, frame, length);
	assert_int_equal(receive_some(), 1);
	assert_int_equal(packet->offload.needs, OFFLOAD_CHECKSUM);
	assert_int_equal(packet->length, length);
	port->class->release(port, 0, batch);
}

static void test_offload_from_kernel(void **state)
{
	open_usual();
	offload_from_kernel(0);
	offload_from_kernel(4);
	assert_int_equal(dropped(DROP_BAD_NET_HEADER), 0);
}

static void test_offload_to_kernel(void **state)
{
	static uint8_t frame[20000];
	struct virtio_net_hdr header;
	struct packet *packet = &batch->packets[0];
	unsigned length = fill_tcp(frame, 0, 15000);

	open_usual();
	clear_batch();
	stage(0, frame, length, 4096);
	packet->offload.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4;
	packet->offload.gso_size = 1448;
	packet->offload.l4_header = 20;
	packet_parse(packet);
	port->class->send(port, batch, 1);
	header = expect_on_wire(frame, length);
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(header.gso_size, 1448);
	assert_int_equal(header.csum_start, 34);
}

/* The kernel tells of a carrier a moment later. */
static void expect_state(enum packet_port_state state, const char *words)
{
	struct packet_port_status status;

	for (unsigned tries = 0;; tries++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		packet_port_status(port, &status);
		if (status.state == state || tries == 5000)
			break;
		usleep(1000);
	}
	assert_int_equal(status.state, state);
	assert_string_equal(status.problem ? status.problem : "", words);
}

static void test_away_and_back(void **state)
{
	uint64_t before;

	open_usual();
	expect_state(PACKET_PORT_RUNNING, "");
	settle();
	shell("ip link set " NAME " down && ip link set " NAME " name " OTHER);
	expect_state(PACKET_PORT_AWAY, "interface " NAME " was renamed to " OTHER);
	assert_int_equal(receive(), 0);
	before = dropped(DROP_RECEIVER_NOT_READY);
	clear_batch();
	stage(0, (uint8_t *)(uintptr_t)ethernet, sizeof(ethernet), 100);
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_RECEIVER_NOT_READY), before + 1);
	shell("ip link set " OTHER " name " NAME);
	expect_state(PACKET_PORT_RUNNING, "");
	settle();
	shell("ip link set " PEER " down");
	expect_state(PACKET_PORT_NO_CARRIER, "interface " NAME " has no carrier");
	shell("ip link set " PEER " up");
	expect_state(PACKET_PORT_RUNNING, "");
	settle();
	shell("ip link set " NAME " down");
	expect_state(PACKET_PORT_DOWN, "interface " NAME " is not up");
	shell("ip link set " NAME " up");
	expect_state(PACKET_PORT_RUNNING, "");
	settle();
	shell("ip link del " NAME);
	expect_state(PACKET_PORT_AWAY,
		"interface " NAME " was deleted, or moved to another network namespace");
	shell("ip link add " NAME " type veth peer name " PEER " && ip link set " PEER " up");
	expect_state(PACKET_PORT_RUNNING, "");
	settle();
}

static void refuse(const struct host_packet *wanted, const char *words)
{
	struct error error = {""};

	assert_null(packet_port_new(base, NULL, "p", 0, wanted, &error));
	assert_string_equal(error.text, words);
}

static void test_refused(void **state)
{
	struct host_packet wanted = {.name = NAME, .up = true};

	strcpy(wanted.name, "no-such");
	refuse(&wanted, "there is no interface no-such");
	strcpy(wanted.name, "lo");
	refuse(&wanted, "interface lo is no Ethernet");
	strcpy(wanted.name, NAME);
	strcpy(wanted.netns, "/dev/null");
	refuse(&wanted, "/dev/null is no network namespace");
	*wanted.netns = '\0';
	shell("ip address add 192.0.2.1/24 dev " NAME);
	refuse(&wanted, "interface " NAME " has the address 192.0.2.1/24");
	shell("ip address del 192.0.2.1/24 dev " NAME " && ip link add br7 type bridge && "
	      "ip link set " NAME " master br7");
	refuse(&wanted, "interface " NAME " is a member of br7");
	wanted.shared = true;
	port = packet_port_new(base, NULL, "p", 0, &wanted, NULL);
	assert_non_null(port);
	port->class->destroy(port);
	port = NULL;
	wanted.shared = false;
	shell("ip link del br7 && ip link add link " NAME " name up7 type macvlan");
	refuse(&wanted, "interface " NAME " carries up7");
	shell("ip link del up7");
}

static int set_up(void **state)
{
	base = event_base_new();
	batch = malloc(sizeof(*batch));
	shell("ip link add " NAME " type veth peer name " PEER " && ip link set " PEER " up");
	return base && batch ? 0 : -1;
}

static int tear_down(void **state)
{
	if (port)
		port->class->destroy(port);
	port = NULL;
	fd_close(&wire);
	event_base_free(base);
	free(batch);
	shell("ip link del " NAME);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_receive),
		CASE(test_receive_many),
		CASE(test_receive_mixed),
		CASE(test_overrun),
		CASE(test_tags),
		CASE(test_send),
		CASE(test_send_limits),
		CASE(test_offload_from_kernel),
		CASE(test_offload_to_kernel),
		CASE(test_away_and_back),
		CASE(test_refused),
	};

	if (unshare(CLONE_NEWNET) < 0 ||
		system("ip link add vswprobe type veth peer name vswprobe2 2>/dev/null") != 0) {
		printf("skipped: it takes root and veth: %s\n", strerror(errno));
		return 77;
	}
	/* Nobody but the test sends. */
	shell("ip link del vswprobe; sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	return cmocka_run_group_tests_name("packet port", tests, NULL, NULL);
}
