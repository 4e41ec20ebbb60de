/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet port against the kernel: frames, tags, offloads. */
#include <linux/if_ether.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "packet/headers.h"
#include "packet/parse.h"
#include "port/packet/test_wire.h"

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

	wire_shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	wire_open_usual();
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		wire_fill(frame, lengths[i]);
		wire_put(&plain, frame, lengths[i]);
		assert_int_equal(wire_receive_some(), 1);
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

	wire_open_usual();
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 200; i++, sent++) {
			wire_fill(frame, 60 + sent % 1400);
			wire_put(&plain, frame, 60 + sent % 1400);
		}
		while (got < sent) {
			unsigned count = wire_receive_some();

			assert_in_range(count, 1, PACKET_BATCH);
			for (unsigned i = 0; i < count; i++, got++) {
				wire_fill(frame, 60 + got % 1400);
				assert_true(same(&batch->packets[i], frame, 60 + got % 1400));
			}
			port->class->release(port, 0, batch);
			if (count == PACKET_BATCH && got % 200)
				assert_int_equal(port->class->arm(port, 0), PORT_PENDING);
		}
	}
	assert_int_equal(wire_receive(), 0);
	assert_int_equal(port->class->arm(port, 0), PORT_ARMED);
	assert_int_equal(wire_dropped(DROP_OVERRUN), 0);
}

/* Short and long frames keep their order, and long ones end a visit. */
static void test_receive_mixed(void **state)
{
	static uint8_t frame[60000];
	unsigned got = 0;

	wire_shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	wire_open_usual();
	for (unsigned i = 0; i < 40; i++) {
		wire_fill(frame, i % 3 ? 60 + i : 59000 + i);
		wire_put(&plain, frame, i % 3 ? 60 + i : 59000 + i);
	}
	while (got < 40) {
		unsigned count = wire_receive_some();

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

	wire_open_usual();
	wire_fill(frame, sizeof(frame));
	for (unsigned i = 0; i < 1500; i++)
		wire_put(&plain, frame, sizeof(frame));
	for (unsigned idle = 0; idle < 50; idle++) {
		while (wire_receive()) {
			got += batch->count;
			idle = 0;
			port->class->release(port, 0, batch);
		}
		usleep(1000);
	}
	/* It is told with the next frame. */
	wire_put(&plain, frame, sizeof(frame));
	got += wire_receive_some();
	port->class->release(port, 0, batch);
	assert_int_equal(got + wire_dropped(DROP_OVERRUN), 1501);
	assert_in_range(wire_dropped(DROP_OVERRUN), 1, 1000);
}

/* The kernel takes the first tag off: it is back, with its type and priority. */
static void test_tags(void **state)
{
	const uint16_t types[] = {ETH_P_8021Q, ETH_P_8021AD};
	const unsigned lengths[] = {60, 256, 260, 300, 1518, 5000};
	static uint8_t frame[5000];

	wire_shell("ip link set " NAME " mtu 9000; ip link set " PEER " mtu 9000");
	wire_open_usual();
	for (unsigned i = 0; i < ARRAY_SIZE(types) * ARRAY_SIZE(lengths); i++) {
		unsigned length = lengths[i / 2];

		wire_fill(frame, length);
		store_be16(frame + 12, types[i % 2]);
		store_be16(frame + 14, 0xa00a); /* priority 5, VLAN 10 */
		store_be16(frame + 16, 0x88b5);
		wire_put(&plain, frame, length);
		assert_int_equal(wire_receive_some(), 1);
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

	wire_shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	wire_open_usual();
	wire_clear_batch();
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		wire_fill(frames[i], lengths[i]);
		wire_stage(i, frames[i], lengths[i], 1000);
		bytes += lengths[i];
	}
	port->class->send(port, batch, (1u << ARRAY_SIZE(lengths)) - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		expect_on_wire(frames[i], lengths[i]);
	port_totals(port, &totals);
	assert_int_equal(totals.tx_packets, ARRAY_SIZE(lengths));
	assert_int_equal(totals.tx_bytes, bytes);
	/* Nobody hears himself, nor others that send there. */
	wire_fill(frames[0], 60);
	wire_shell("ping -c1 -W1 -I " NAME " 192.0.2.9 >/dev/null 2>&1; true");
	assert_int_equal(wire_receive(), 0);
}

static void test_send_limits(void **state)
{
	static uint8_t frame[4000], scattered[60000];
	uint8_t *gone = NULL;

	wire_open_usual();
	wire_clear_batch();
	wire_fill(frame, sizeof(frame));
	wire_stage(0, frame, 1518, 4000);
	wire_stage(1, frame, 1519, 4000);
	wire_stage(2, frame, 1000, 4000);
	wire_stage(3, frame, 1000, 4000);
	wire_fill(scattered, sizeof(scattered));
	batch->packets[2].tail->iov_base = gone; /* a guest's memory that is not there */
	port->class->send(port, batch, 15);
	/* By its length it might be a tag's, by its type it is not: the kernel's word. */
	assert_int_equal(wire_dropped(DROP_MTU_EXCEEDED), 2);
	assert_int_equal(wire_dropped(DROP_RING_ERROR), 1);
	expect_on_wire(frame, 1000);
	store_be16(frame + 12, ETH_P_8021Q);
	wire_clear_batch();
	wire_stage(0, frame, 1518, 4000);
	wire_stage(1, scattered, sizeof(scattered), 50);
	batch->packets[1].offload.needs = 0;
	port->class->send(port, batch, 1);
	assert_int_equal(wire_dropped(DROP_MTU_EXCEEDED), 2);
	wire_shell("ip link set " NAME " mtu 65535; ip link set " PEER " mtu 65535");
	event_base_loop(base, EVLOOP_NONBLOCK);
	port->class->send(port, batch, 2);
	assert_int_equal(wire_dropped(DROP_RECEIVE_BUFFER_TOO_SMALL), 1);
	/* The kernel has not told us yet. */
	wire_shell("ip link set " NAME " down");
	wire_clear_batch();
	wire_stage(0, frame, 1000, 4000);
	port->class->send(port, batch, 1);
	assert_int_equal(wire_dropped(DROP_RECEIVER_NOT_READY), 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	port->class->send(port, batch, 1);
	assert_int_equal(wire_dropped(DROP_RECEIVER_NOT_READY), 2);
}

/* TCP over IPv4 from 10.0.0.1 to 10.0.0.2, whose checksum and cutting are left to do; with a tag
 * where there is one. */
static unsigned fill_tcp(uint8_t *frame, unsigned tag, unsigned payload)
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	unsigned l3 = 14 + tag, length = l3 + 20 + 20 + payload;

	wire_fill(frame, length);
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

	wire_put(&header, frame, length);
	assert_int_equal(wire_receive_some(), 1);
	assert_int_equal(packet->offload.needs, OFFLOAD_CHECKSUM | OFFLOAD_TCP4);
	assert_int_equal(packet->offload.gso_size, 1448);
	assert_int_equal(packet->length, length);
	assert_int_equal(packet->l4_offset, 34 + tag);
	port->class->release(port, 0, batch);
	/* Short enough for the ring, and only its checksum is missing. */
	header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	header.gso_size = 0;
	length = fill_tcp(frame, tag, 100);
	wire_put(&header, frame, length);
	assert_int_equal(wire_receive_some(), 1);
	assert_int_equal(packet->offload.needs, OFFLOAD_CHECKSUM);
	assert_int_equal(packet->length, length);
	port->class->release(port, 0, batch);
}

static void test_offload_from_kernel(void **state)
{
	wire_open_usual();
	offload_from_kernel(0);
	offload_from_kernel(4);
	assert_int_equal(wire_dropped(DROP_BAD_NET_HEADER), 0);
}

/* The other end's kernel takes the tag off again: what it has is the frame without it. */
static void offload_to_kernel(unsigned tag)
{
	static uint8_t frame[20000], untagged[20000];
	struct virtio_net_hdr header;
	struct packet *packet = &batch->packets[0];
	unsigned length = fill_tcp(frame, tag, 15000);

	wire_clear_batch();
	wire_stage(0, frame, length, 4096);
	packet->offload.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4;
	packet->offload.gso_size = 1448;
	packet->offload.l4_header = 20;
	packet_parse(packet);
	port->class->send(port, batch, 1);
	memcpy(untagged, frame, 12);
	memcpy(untagged + 12, frame + 12 + tag, length - 12 - tag);
	header = expect_on_wire(untagged, length - tag);
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(header.gso_size, 1448);
	assert_int_equal(header.csum_start, 34);
}

static void test_offload_to_kernel(void **state)
{
	wire_open_usual();
	offload_to_kernel(0);
	offload_to_kernel(4);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, wire_set_up, wire_tear_down)

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
	};

	if (!wire_namespace())
		return 77;
	return cmocka_run_group_tests_name("packet port: data", tests, NULL, NULL);
}
