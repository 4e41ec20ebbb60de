/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TAP port against the kernel: a real TAP in a namespace of the test's own, and a packet socket
 * at its other side. Each case runs with io_uring, where the kernel has it, and with plain reads
 * and writes.
 */
#include <linux/virtio_net.h>
#include <poll.h>

#include "packet/headers.h"
#include "packet/parse.h"
#include "port/tap/test_tap.h"

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

static void test_receive(void **state)
{
	const unsigned lengths[] = {14, 60, 255, 256, 257, 268, 1514, 9014, 65535};
	static uint8_t frame[65536];

	open_port(1, false);
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(frame, lengths[i]);
		assert_int_equal(send(wire, frame, lengths[i], 0), lengths[i]);
		assert_int_equal(receive(0), 1);
		assert_true(same(&batch->packets[0], frame, lengths[i]));
		assert_int_equal(batch->packets[0].offload.needs, 0);
		port->class->release(port, 0, batch);
		assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	}
}

/* More than a batch: in order, and not armed before the last. */
static void test_receive_many(void **state)
{
	unsigned got = 0, visits = 0;
	uint8_t frame[1514];

	open_port(1, false);
	for (unsigned i = 0; i < 200; i++) {
		fill(frame, 60 + i);
		assert_int_equal(send(wire, frame, 60 + i, 0), 60 + i);
	}
	while (got < 200) {
		unsigned count = receive(0);

		assert_in_range(count, 1, PACKET_BATCH);
		for (unsigned i = 0; i < count; i++, got++) {
			fill(frame, 60 + got);
			assert_true(same(&batch->packets[i], frame, 60 + got));
		}
		port->class->release(port, 0, batch);
		if (count == PACKET_BATCH)
			assert_int_equal(port->class->arm(port, 0), PORT_PENDING);
		visits++;
	}
	assert_in_range(visits, 4, 12);
	assert_int_equal(receive(0), 0);
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
}

/* Frames that come while we read: an empty answer may have a frame behind it. */
static void test_receive_meanwhile(void **state)
{
	unsigned got = 0, empty = 0;
	uint8_t frame[60];
	pid_t child;

	open_port(1, false);
	child = fork();
	if (child == 0) {
		fill(frame, sizeof(frame));
		for (unsigned i = 0; i < 3000; i++, usleep(50))
			if (send(wire, frame, sizeof(frame), 0) != sizeof(frame))
				_exit(1);
		_exit(0);
	}
	while (got < 3000 && empty < 10000) {
		unsigned count = receive(0);

		got += count;
		empty = count ? 0 : empty + 1;
		if (!count)
			usleep(100 * (empty > 1000));
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(got, 3000);
}

/* Long frames end a visit before it has taken them all. */
static void test_receive_budget(void **state)
{
	static uint8_t frame[65535];
	unsigned got = 0;

	open_port(1, false);
	fill(frame, sizeof(frame));
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(send(wire, frame, sizeof(frame), 0), sizeof(frame));
	while (got < 30) {
		unsigned count = receive(0);

		assert_in_range(count, 1, 12);
		got += count;
	}
}

static void expect_on_wire(const uint8_t *frame, unsigned length)
{
	static uint8_t got[70000];
	struct pollfd ready = {wire, POLLIN, 0};

	assert_int_equal(poll(&ready, 1, 5000), 1);
	assert_int_equal(recv(wire, got, sizeof(got), 0), length);
	assert_memory_equal(got, frame, length);
}

static void test_send(void **state)
{
	const unsigned lengths[] = {14, 60, 256, 257, 1514, 9014, 65535};
	static uint8_t frames[ARRAY_SIZE(lengths)][65536];
	struct port_totals totals;
	uint64_t bytes = 0;

	open_port(1, false);
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
}

/* More pieces than wait at once, and more than one system call takes. */
static void test_send_scattered(void **state)
{
	static uint8_t frames[8][60000];

	open_port(1, false);
	clear_batch();
	for (unsigned i = 0; i < 8; i++) {
		fill(frames[i], sizeof(frames[i]));
		stage(i, frames[i], sizeof(frames[i]), i == 7 ? 50 : 150);
	}
	port->class->send(port, batch, 0xff);
	for (unsigned i = 0; i < 7; i++)
		expect_on_wire(frames[i], sizeof(frames[i]));
	assert_int_equal(dropped(DROP_RECEIVE_BUFFER_TOO_SMALL), 1);
}

static void test_send_limits(void **state)
{
	static uint8_t frame[4000];
	uint8_t *gone = NULL;

	open_port(1, false);
	shell("ip link set " NAME " mtu 1500");
	event_base_loop(base, EVLOOP_NONBLOCK);
	clear_batch();
	fill(frame, sizeof(frame));
	stage(0, frame, 1518, 4000);
	stage(1, frame, 1519, 4000);
	stage(2, frame, 1000, 4000);
	batch->packets[2].tail->iov_base = gone; /* a guest's memory that is not there */
	port->class->send(port, batch, 7);
	expect_on_wire(frame, 1518);
	assert_int_equal(dropped(DROP_MTU_EXCEEDED), 1);
	assert_int_equal(dropped(DROP_RING_ERROR), 1);
	shell("ip link set " NAME " down");
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_RECEIVER_NOT_READY), 1);
	batch->flooded = 1;
	port->class->send(port, batch, 1);
	assert_int_equal(dropped(DROP_RECEIVER_NOT_READY), 1);
	assert_int_equal(dropped(DROP_FLOODED_NOT_READY), 1);
}

/* What fails, but for want of a frame, is counted: here there is a folder in the TAP's place. */
static void test_read_error(void **state)
{
	struct tap_queue *queue;
	int folder, fd;

	open_port(1, false);
	queue = &tap_port(port)->queues[0];
	if (queue->reader)
		skip();
	folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = queue->fd;
	queue->fd = folder;
	assert_int_equal(receive(0), 0);
	queue->fd = fd;
	close(folder);
	assert_int_equal(dropped(DROP_READ_ERROR), 1);
	assert_int_equal(receive(0), 0);
	assert_int_equal(dropped(DROP_READ_ERROR), 1);
}

/* TCP over IPv4 from 10.0.0.1 to 10.0.0.2, whose checksum and cutting are left to do. */
static unsigned fill_tcp(uint8_t *frame, unsigned payload)
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	unsigned length = 14 + 20 + 20 + payload;

	fill(frame, length);
	store_be16(frame + 12, ETH_P_IP);
	memcpy(frame + 14, ip, sizeof(ip));
	store_be16(frame + 16, (uint16_t)(length - 14));
	memset(frame + 34, 0, 20);
	frame[34 + 12] = 0x50;
	frame[34 + 13] = 0x10;
	return length;
}

static void test_offload_from_kernel(void **state)
{
	static uint8_t buffer[10 + 20000];
	struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16};
	unsigned length;

	open_port(1, true);
	length = fill_tcp(buffer + 10, 15000);
	memcpy(buffer, &header, 10);
	assert_int_equal(send(wire, buffer, 10 + length, 0), 10 + length);
	assert_int_equal(receive(0), 1);
	assert_int_equal(batch->packets[0].offload.needs, OFFLOAD_CHECKSUM | OFFLOAD_TCP4);
	assert_int_equal(batch->packets[0].offload.gso_size, 1448);
	assert_int_equal(batch->packets[0].length, length);
}

static void test_offload_to_kernel(void **state)
{
	static uint8_t frame[20000], got[30000];
	struct virtio_net_hdr header;
	struct packet *packet = &batch->packets[0];
	unsigned length = fill_tcp(frame, 15000);
	struct pollfd ready;

	open_port(1, true);
	clear_batch();
	stage(0, frame, length, 4096);
	packet->offload.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4;
	packet->offload.gso_size = 1448;
	packet->offload.l4_header = 20;
	packet_parse(packet);
	port->class->send(port, batch, 1);
	ready = (struct pollfd){wire, POLLIN, 0};
	assert_int_equal(poll(&ready, 1, 5000), 1);
	assert_int_equal(recv(wire, got, sizeof(got), 0), length + 10);
	memcpy(&header, got, sizeof(header));
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(header.gso_size, 1448);
	assert_int_equal(header.csum_start, 34);
	assert_memory_equal(got + 10, frame, length);
}

/* The fragments of a datagram, which the kernel takes only cut, behind a frame that it refuses. */
static void test_pieces_of_their_own(void **state)
{
	static uint8_t frame[4000], got[2000];
	struct packet *packet = &batch->packets[1];
	unsigned length = fill_tcp(frame, 3000);
	struct pollfd ready;

	open_port(1, false);
	clear_batch();
	frame[23] = IPPROTO_UDP;
	store_be16(frame + 38, (uint16_t)(length - 34));
	stage(0, frame, 1000, 4096);
	batch->packets[0].tail->iov_base = NULL;
	stage(1, frame, length, 4096);
	packet->offload.needs = OFFLOAD_CHECKSUM | OFFLOAD_FRAGMENT;
	packet->offload.gso_size = 1480;
	packet->offload.l4_header = 8;
	packet_parse(packet);
	port->class->send(port, batch, 3);
	ready = (struct pollfd){wire, POLLIN, 0};
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(poll(&ready, 1, 5000), 1);
		assert_in_range(recv(wire, got, sizeof(got), 0), 34, 14 + 20 + 1480);
	}
	assert_int_equal(dropped(DROP_RING_ERROR), 1);
}

static void test_queues(void **state)
{
	uint8_t frame[60];
	unsigned got = 0;

	open_port(4, false);
	fill(frame, sizeof(frame));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(send(wire, frame, sizeof(frame), 0), sizeof(frame));
	for (unsigned queue = 0; queue < 4; queue++)
		for (unsigned count; (count = receive(queue));)
			got += count;
	assert_int_equal(got, 100);
}

int main(void)
{
	const struct CMUnitTest data[] = {
		CASE(test_receive),
		CASE(test_receive_many),
		CASE(test_receive_meanwhile),
		CASE(test_receive_budget),
		CASE(test_send),
		CASE(test_send_scattered),
		CASE(test_send_limits),
		CASE(test_read_error),
		CASE(test_pieces_of_their_own),
		CASE(test_offload_from_kernel),
		CASE(test_offload_to_kernel),
		CASE(test_queues),
	};
	int failed;

	if (access("/dev/net/tun", R_OK | W_OK) < 0 || unshare(CLONE_NEWNET) < 0) {
		printf("skipped: it takes root and /dev/net/tun: %s\n", strerror(errno));
		return 77;
	}
	/* Nobody but the test sends. */
	shell("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	failed = cmocka_run_group_tests_name("TAP port: data", data, NULL, NULL);
	setenv("VSW_TAP_IO", "plain", 1);
	failed += cmocka_run_group_tests_name("TAP port: data, plain", data, NULL, NULL);
	return failed;
}
