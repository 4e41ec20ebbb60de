/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directed tests of the forwarding stages: one topology, tables of frames and of what becomes of
 * them.
 *
 *   port 0, 1  access blue (VLAN 10)        port 5  access blue, secured with MAC_5
 *   port 2     access green (VLAN 20)       port 6  access lone: its network's only port
 *   port 3     trunk blue, green; native blue
 *   port 4     trunk green; no native       port 7  absent; port 8 and up: beyond the topology
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/encap.h"
#include "forward/forward.h"
#include "forward/security_rules.h"
#include "packet/test_frames.h"

enum { BLUE, GREEN, LONE, NETWORKS };
enum { PORTS = 8 };

#define VLAN_BLUE  10
#define VLAN_GREEN 20

#define MAC_OF(port) (UINT64_C(0x525400000000) + (port))
#define MAC_5        MAC_OF(5)
#define UNKNOWN      UINT64_C(0x5254000000ff)
#define NO_TAG       0x10000u
#define P(port)      (1u << (port))

static struct packet_batch batch;
static struct forward_output output;
static struct counters counters;
static struct snapshot *snapshot;
static struct topology *topology; /* the snapshot's */
static struct fdb *fdb;
static struct test_frame frame;

static int set_up(void **state)
{
	const uint16_t both[] = {BLUE, GREEN};
	struct security_rules rules = {.has_mac = true};
	uint8_t mac[MAC_SIZE];

	memset(&output, 0, sizeof(output));
	memset(&counters, 0, sizeof(counters));
	snapshot = snapshot_new(PORTS, NETWORKS);
	assert_non_null(snapshot);
	topology = &snapshot->topology;
	fdb = fdb_new(64, 300, PORTS, 1);
	topology_network_set(topology, BLUE, VLAN_BLUE);
	topology_network_set(topology, GREEN, VLAN_GREEN);
	topology_network_set(topology, LONE, 0);
	/* Not in order: members are to rise nevertheless. */
	topology_access_set(topology, 5, BLUE);
	topology_access_set(topology, 1, BLUE);
	topology_access_set(topology, 0, BLUE);
	topology_access_set(topology, 2, GREEN);
	topology_access_set(topology, 6, LONE);
	topology_trunk_set(topology, 3, BLUE, both, 2);
	topology_trunk_set(topology, 4, NETWORK_NONE, both + 1, 1);
	mac_from_u64(MAC_5, mac);
	memcpy(rules.mac, mac, sizeof(mac));
	topology_secure(topology, 5, &rules);
	return fdb_bind(fdb, BLUE, mac, 5);
}

static int tear_down(void **state)
{
	snapshot_free(snapshot);
	fdb_free(fdb);
	return 0;
}

/* What the batch is forwarded with at that time. */
static struct forward_context context_at(uint32_t now)
{
	return (struct forward_context){.snapshot = snapshot, .fdb = fdb, .now = now};
}

static void forward_all(uint32_t now)
{
	const struct forward_context context = context_at(now);

	forward_batch(&context, &batch, &output, &counters);
}

/* The bit set of ports that a batch of one leaves by; clears the output. */
static unsigned forward_one(uint16_t port, uint8_t *bytes, size_t length)
{
	unsigned ports = 0;

	batch_begin(&batch, port);
	batch_add(&batch, bytes, length);
	forward_all(100);
	for (unsigned i = 0; i < output.count; i++) {
		assert_int_equal(output.mask[output.touched[i]], 1);
		ports |= 1u << output.touched[i];
	}
	forward_output_clear(&output);
	assert_int_equal(output.count, 0);
	return ports;
}

/* A frame with a payload of 50 bytes; tci: NO_TAG or the tag's. */
static void build(uint64_t destination, uint64_t source, unsigned tci)
{
	frame_begin(&frame, destination, source);
	if (tci != NO_TAG)
		frame_tag(&frame, (uint16_t)tci);
	frame_type(&frame, 0x88b5);
	for (uint8_t i = 0; i < 50; i++)
		frame_append(&frame, &i, 1);
}

static unsigned send_frame(uint16_t port, uint64_t destination, uint64_t source, unsigned tci)
{
	build(destination, source, tci);
	return forward_one(port, frame.bytes, frame.length);
}

static unsigned drops_total(void)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		total += counters.drops[i];
	return (unsigned)total;
}

/* The frame built last is dropped for this reason alone. */
static void assert_drops(uint16_t port, enum drop_reason reason)
{
	uint64_t packets = counters.packets, bytes = counters.bytes, drops = counters.drops[reason];
	unsigned total = drops_total();

	assert_int_equal(forward_one(port, frame.bytes, frame.length), 0);
	if (counters.drops[reason] != drops + 1)
		fail_msg("port %u: not dropped as %s", port, drop_descriptions[reason].name);
	assert_int_equal(drops_total(), total + 1);
	assert_int_equal(counters.packets, packets + 1);
	assert_int_equal(counters.bytes, bytes + frame.length);
}

static void test_members_rise(void **state)
{
	const uint16_t blue[] = {0, 1, 3, 5}, green[] = {2, 3, 4};

	assert_int_equal(topology->networks[BLUE].member_count, ARRAY_SIZE(blue));
	assert_memory_equal(topology->networks[BLUE].members, blue, sizeof(blue));
	assert_int_equal(topology->networks[GREEN].member_count, ARRAY_SIZE(green));
	assert_memory_equal(topology->networks[GREEN].members, green, sizeof(green));
	assert_int_equal(topology->networks[LONE].member_count, 1);
}

/* Which network each tag leads to at each kind of port, and where a broadcast then goes. */
static void test_vlan_matrix(void **state)
{
	const unsigned blue = P(0) | P(1) | P(3) | P(5), green = P(2) | P(3) | P(4);
	const struct {
		uint16_t port;
		unsigned tci;
		unsigned network_ports; /* 0: dropped as `reason` */
		enum drop_reason reason;
	} rows[] = {
		{0, NO_TAG, blue, 0},
		{0, 0x0000, blue, 0},
		{0, 0xe000, blue, 0},
		{0, VLAN_BLUE, 0, DROP_VLAN_NOT_ALLOWED},
		{0, VLAN_GREEN, 0, DROP_VLAN_NOT_ALLOWED},
		{0, 4095, 0, DROP_VLAN_NOT_ALLOWED},
		{2, NO_TAG, green, 0},
		{2, 0x2000, green, 0},
		{2, VLAN_GREEN, 0, DROP_VLAN_NOT_ALLOWED},
		{3, NO_TAG, blue, 0},
		{3, 0x6000, blue, 0},
		{3, VLAN_BLUE, blue, 0},
		{3, 0xf000 | VLAN_GREEN, green, 0},
		{3, 30, 0, DROP_VLAN_NOT_ALLOWED},
		{3, 4095, 0, DROP_VLAN_NOT_ALLOWED},
		{4, NO_TAG, 0, DROP_NO_NATIVE_NETWORK},
		{4, 0x6000, 0, DROP_NO_NATIVE_NETWORK},
		{4, VLAN_BLUE, 0, DROP_VLAN_NOT_ALLOWED},
		{4, VLAN_GREEN, green, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned tci = rows[i].tci;
		const struct packet *packet = &batch.packets[0];
		size_t tag = tci == NO_TAG ? 0 : VLAN_TAG;

		build(MAC_BROADCAST, MAC_OF(rows[i].port), tci);
		if (!rows[i].network_ports) {
			assert_drops(rows[i].port, rows[i].reason);
			continue;
		}
		assert_int_equal(forward_one(rows[i].port, frame.bytes, frame.length),
			rows[i].network_ports & ~P(rows[i].port));
		assert_int_equal(packet->network, rows[i].network_ports == blue ? BLUE : GREEN);
		/* The tag is gone and its priority kept; all else is what it was. */
		assert_int_equal(packet->vlan_pcp, tci == NO_TAG ? 0 : tci & 0xf000);
		assert_int_equal(packet->length, frame.length - tag);
		assert_int_equal(packet->head_length, frame.length - tag);
		assert_memory_equal(packet->head, frame.bytes, 12);
		assert_memory_equal(
			packet->head + 12, frame.bytes + 12 + tag, frame.length - tag - 12);
	}
}

/* Types of tags, and of what is none. */
static const uint16_t tag_types[] = {
	ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1, ETH_P_QINQ2, ETH_P_QINQ3};

static void build_stack(uint16_t port, uint16_t outer_type, uint16_t outer, uint16_t inner_type)
{
	frame_begin(&frame, MAC_BROADCAST, MAC_OF(port));
	frame_tag_of(&frame, outer_type, outer);
	if (inner_type)
		frame_tag_of(&frame, inner_type, VLAN_GREEN);
	frame_type(&frame, 0x88b5);
	frame_append(&frame, NULL, 40);
}

/* A tag within a tag would become a VLAN of its own where the outer one is taken off for good. */
static void test_second_tag(void **state)
{
	const struct {
		uint16_t port;
		uint16_t outer;
	} rows[] = {{0, 0}, {0, VLAN_BLUE}, {3, 0}, {3, VLAN_BLUE}, {3, VLAN_GREEN}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t t = 0; t < ARRAY_SIZE(tag_types); t++) {
			build_stack(rows[i].port, ETH_P_8021Q, rows[i].outer, tag_types[t]);
			assert_drops(rows[i].port, DROP_QINQ_NOT_ALLOWED);
		}
	}
	/* Types beside them are payload like any other. */
	build_stack(0, ETH_P_8021AD + 1, 0, 0);
	assert_int_equal(forward_one(0, frame.bytes, frame.length), P(1) | P(3) | P(5));
}

/* A tag of another type, alone or before an 802.1Q one, is no way past port security or into a
 * VLAN. */
static void test_other_tag_types(void **state)
{
	for (size_t t = 1; t < ARRAY_SIZE(tag_types); t++) {
		for (uint16_t port = 0; port < 6; port++) {
			build_stack(port, tag_types[t], 0, 0);
			assert_drops(port, DROP_QINQ_NOT_ALLOWED);
			build_stack(port, tag_types[t], VLAN_BLUE, ETH_P_8021Q);
			assert_drops(port, DROP_QINQ_NOT_ALLOWED);
			/* Cut off within the tag. */
			assert_int_equal(forward_one(port, frame.bytes, ETHERNET_HEADER), 0);
		}
	}
}

/* With `qinq` the tags are payload: between such ports, and on a trunk only behind the network's
 * tag. */
static void test_qinq(void **state)
{
	const unsigned blue = P(0) | P(1) | P(3) | P(5);

	topology_allow_qinq(topology, 0);
	build_stack(0, ETH_P_8021AD, 0, ETH_P_8021Q);
	assert_drops(0, DROP_QINQ_NOT_ALLOWED);
	topology_allow_qinq(topology, 1);
	topology_allow_qinq(topology, 3);
	assert_int_equal(forward_one(0, frame.bytes, frame.length), P(1));
	/* Blue leaves the trunk untagged: never, though the trunk may have stacks. */
	for (size_t t = 0; t < ARRAY_SIZE(tag_types); t++) {
		build_stack(0, tag_types[t], VLAN_GREEN, 0);
		assert_int_equal(forward_one(0, frame.bytes, frame.length), P(1));
		assert_int_equal(batch.packets[0].length, frame.length);
		build_stack(0, ETH_P_8021Q, 0, tag_types[t]);
		assert_int_equal(forward_one(0, frame.bytes, frame.length), P(1));
		assert_int_equal(batch.packets[0].length, frame.length - VLAN_TAG);
		build_stack(3, ETH_P_8021Q, 0, tag_types[t]);
		assert_drops(3, DROP_QINQ_NOT_ALLOWED);
		build_stack(3, ETH_P_8021Q, VLAN_BLUE, tag_types[t]);
		assert_drops(3, DROP_QINQ_NOT_ALLOWED);
		/* Green has a tag of its own there, and port 4 does not carry stacks. */
		topology->ports[2].qinq = true;
		build_stack(3, ETH_P_8021Q, VLAN_GREEN, tag_types[t]);
		assert_int_equal(forward_one(3, frame.bytes, frame.length), P(2));
		topology->ports[2].qinq = false;
		assert_drops(3, DROP_QINQ_NOT_ALLOWED);
	}
	/* Whoever does not stack notices nothing. */
	assert_int_equal(send_frame(0, MAC_BROADCAST, MAC_OF(0), NO_TAG), blue & ~P(0));
	assert_int_equal(send_frame(0, MAC_BROADCAST, MAC_OF(0), 0x2000), blue & ~P(0));
}

static void test_too_short(void **state)
{
	for (size_t length = 0; length < ETHERNET_HEADER; length++) {
		build(MAC_BROADCAST, MAC_OF(0), NO_TAG);
		frame.length = length;
		assert_drops(0, DROP_FRAME_TOO_SHORT);
	}
	for (size_t length = ETHERNET_HEADER; length < VLAN_HEADER; length++) {
		build(MAC_BROADCAST, MAC_OF(3), VLAN_BLUE);
		frame.length = length;
		assert_drops(3, DROP_FRAME_TOO_SHORT);
	}
	build(MAC_BROADCAST, MAC_OF(0), NO_TAG);
	assert_int_equal(forward_one(0, frame.bytes, ETHERNET_HEADER), P(1) | P(3) | P(5));
	build(MAC_BROADCAST, MAC_OF(3), VLAN_GREEN);
	assert_int_equal(forward_one(3, frame.bytes, VLAN_HEADER), P(2) | P(4));
}

static void test_addresses(void **state)
{
	const uint64_t bad_sources[] = {
		0, MAC_BROADCAST, UINT64_C(0x01005e000001), UINT64_C(0x333300000001)};

	for (size_t i = 0; i < ARRAY_SIZE(bad_sources); i++) {
		build(MAC_OF(1), bad_sources[i], NO_TAG);
		assert_drops(0, DROP_BAD_SOURCE);
	}
	for (uint64_t last = 0; last < 16; last++) {
		build(MAC_RESERVED + last, MAC_OF(0), NO_TAG);
		assert_drops(0, DROP_RESERVED_MULTICAST);
		build(MAC_RESERVED + last, MAC_OF(3), VLAN_GREEN);
		assert_drops(3, DROP_RESERVED_MULTICAST);
	}
	assert_int_equal(fdb_count(fdb), 1);
	assert_int_equal(send_frame(0, MAC_RESERVED + 16, MAC_OF(0), NO_TAG), P(1) | P(3) | P(5));
}

static void test_unicast(void **state)
{
	assert_int_equal(send_frame(0, MAC_OF(1), MAC_OF(0), NO_TAG), P(1) | P(3) | P(5));
	assert_int_equal(send_frame(1, MAC_OF(0), MAC_OF(1), NO_TAG), P(0));
	assert_int_equal(send_frame(0, MAC_OF(1), MAC_OF(0), NO_TAG), P(1));
	/* The bound address is known without having spoken. */
	assert_int_equal(send_frame(0, MAC_5, MAC_OF(0), NO_TAG), P(5));
	/* The same address in another network is another one. */
	assert_int_equal(send_frame(2, MAC_OF(1), MAC_OF(2), NO_TAG), P(3) | P(4));
	/* It moves. */
	assert_int_equal(send_frame(3, MAC_OF(0), MAC_OF(1), VLAN_BLUE), P(0));
	assert_int_equal(send_frame(0, MAC_OF(1), MAC_OF(0), NO_TAG), P(3));
	assert_int_equal(fdb_moves(fdb, 3), 1);

	build(MAC_OF(0), UNKNOWN, NO_TAG);
	assert_drops(0, DROP_HAIRPIN);
	build(MAC_BROADCAST, MAC_OF(6), NO_TAG);
	assert_drops(6, DROP_NO_DESTINATION);
	build(MAC_OF(1), MAC_OF(6), NO_TAG);
	assert_drops(6, DROP_NO_DESTINATION);
}

static void test_absent_port(void **state)
{
	build(MAC_BROADCAST, MAC_OF(7), NO_TAG);
	assert_drops(7, DROP_NO_DESTINATION);
	assert_drops(8, DROP_NO_DESTINATION);
	assert_drops(UINT16_MAX, DROP_NO_DESTINATION);
	assert_int_equal(fdb_count(fdb), 1);
}

/* An entry that points to a port which is not in the network (any more) is as good as none. */
static void test_stale_entry(void **state)
{
	const uint16_t stale[] = {2, 4, 6, 7, PORTS, 500};

	for (size_t i = 0; i < ARRAY_SIZE(stale); i++) {
		struct fdb *other = fdb_new(16, 300, 512, 2);
		struct fdb *kept = fdb;
		uint8_t mac[MAC_SIZE];

		mac_from_u64(UNKNOWN, mac);
		assert_int_equal(fdb_bind(other, BLUE, mac, stale[i]), 0);
		fdb = other;
		assert_int_equal(send_frame(0, UNKNOWN, MAC_OF(0), NO_TAG), P(1) | P(3) | P(5));
		fdb = kept;
		fdb_free(other);
	}
}

static void arp_from_5(uint64_t source, uint64_t sender, unsigned tci)
{
	frame_begin(&frame, MAC_BROADCAST, source);
	if (tci != NO_TAG)
		frame_tag(&frame, (uint16_t)tci);
	frame_type(&frame, ETH_P_ARP);
	frame_arp(&frame, 2, sender, 0x0a000005, 0x0a000005);
}

static void test_port_security(void **state)
{
	const unsigned others = P(0) | P(1) | P(3);
	size_t arp_length;

	/* Its own address passes, also as gratuitous ARP, also tagged for priority. */
	assert_int_equal(send_frame(5, MAC_BROADCAST, MAC_5, NO_TAG), others);
	arp_from_5(MAC_5, MAC_5, NO_TAG);
	arp_length = frame.length;
	assert_int_equal(forward_one(5, frame.bytes, frame.length), others);
	/* A sender that cannot be read cannot be judged. */
	frame.length--;
	assert_drops(5, DROP_UNVERIFIABLE);
	arp_from_5(MAC_5, MAC_5, 0x2000);
	assert_int_equal(forward_one(5, frame.bytes, frame.length), others);
	assert_int_equal(frame.length, arp_length + VLAN_TAG);

	build(MAC_BROADCAST, UNKNOWN, NO_TAG);
	assert_drops(5, DROP_SPOOFED_SOURCE);
	arp_from_5(UNKNOWN, UNKNOWN, NO_TAG);
	assert_drops(5, DROP_SPOOFED_SOURCE);
	arp_from_5(MAC_5, UNKNOWN, NO_TAG);
	assert_drops(5, DROP_SPOOFED_SOURCE);
	arp_from_5(MAC_5, UNKNOWN, 0x2000);
	assert_drops(5, DROP_SPOOFED_SOURCE);
	store_be16(frame.bytes + VLAN_TYPE, ETH_P_RARP);
	assert_drops(5, DROP_SPOOFED_SOURCE);
	arp_from_5(MAC_5, MAC_5, NO_TAG);
	frame.bytes[ETHERNET_HEADER + ARP_HARDWARE_SIZE] = 8;
	assert_drops(5, DROP_UNVERIFIABLE);
	assert_int_equal(fdb_count(fdb), 1);

	/* Nobody else may use it in that network; elsewhere it is free. */
	build(MAC_BROADCAST, MAC_5, NO_TAG);
	assert_drops(0, DROP_SOURCE_BOUND_ELSEWHERE);
	assert_drops(3, DROP_SOURCE_BOUND_ELSEWHERE);
	assert_int_equal(send_frame(2, MAC_BROADCAST, MAC_5, NO_TAG), P(3) | P(4));
	/* Ports without a binding may say in ARP what they like. */
	arp_from_5(MAC_OF(0), MAC_5, NO_TAG);
	assert_int_equal(forward_one(0, frame.bytes, frame.length), P(1) | P(3) | P(5));
}

/* Frames of many kinds in one batch go the same ways as one at a time. */
static void test_mixed_batch(void **state)
{
	send_frame(0, MAC_BROADCAST, MAC_OF(0), NO_TAG);
	send_frame(2, MAC_BROADCAST, MAC_OF(2), NO_TAG);
	batch_begin(&batch, 3);
	build(MAC_OF(0), MAC_OF(3), VLAN_BLUE);
	batch_add(&batch, frame.bytes, frame.length);
	build(MAC_OF(2), MAC_OF(3), VLAN_GREEN);
	batch_add(&batch, frame.bytes, frame.length);
	build(MAC_BROADCAST, MAC_OF(3), VLAN_GREEN);
	batch_add(&batch, frame.bytes, frame.length);
	build(UNKNOWN, MAC_OF(3), VLAN_BLUE);
	batch_add(&batch, frame.bytes, frame.length);
	build(UNKNOWN, MAC_OF(3), 99);
	batch_add(&batch, frame.bytes, frame.length);
	build(MAC_OF(0), UNKNOWN, NO_TAG);
	batch_add(&batch, frame.bytes, frame.length);
	/* Known by now, and behind the port where it came in. */
	build(UNKNOWN, MAC_OF(3), VLAN_BLUE);
	batch_add(&batch, frame.bytes, frame.length);
	forward_all(100);

	assert_int_equal(output.mask[0], 1u << 0 | 1u << 3 | 1u << 5);
	assert_int_equal(output.mask[1], 1u << 3);
	assert_int_equal(output.mask[2], 1u << 1 | 1u << 2);
	assert_int_equal(output.mask[3], 0);
	assert_int_equal(output.mask[4], 1u << 2);
	assert_int_equal(output.mask[5], 1u << 3);
	assert_int_equal(counters.drops[DROP_VLAN_NOT_ALLOWED], 1);
	assert_int_equal(counters.drops[DROP_HAIRPIN], 1);
	assert_int_equal(output.count, 5);
	forward_output_clear(&output);
	for (unsigned port = 0; port < TOPOLOGY_PORT_MAX; port++)
		assert_int_equal(output.mask[port], 0);
}

/* The batch of one, for a port that has room for it: 1 where it was edited. */
static uint64_t encap(uint16_t port)
{
	const struct forward_context context = context_at(100);
	uint64_t mask = 1;
	uint64_t edited = forward_encap(&context, port, &batch, &mask, &counters);

	assert_int_equal(mask, 1);
	return edited;
}

static void decap(uint16_t port, uint64_t edited)
{
	const struct forward_context context = context_at(100);

	forward_decap(&context, port, &batch, edited);
}

/* Tags on the way out: by port and network, with the priority that the frame came with, and every
 * byte in its place afterwards. `length` is that of a frame as it came. */
static void tag_roundtrip(size_t length)
{
	static uint8_t bytes[4096];
	struct packet *packet = &batch.packets[0];
	struct packet before;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	build(MAC_BROADCAST, MAC_OF(3), 0x7000 | VLAN_GREEN);
	memcpy(bytes, frame.bytes, VLAN_HEADER);
	forward_one(3, bytes, length);
	before = *packet;
	assert_int_equal(packet->length, length - VLAN_TAG);
	assert_int_equal(packet->tail_count, length > PACKET_HEAD_SIZE);

	/* To an access port: no tag. */
	assert_int_equal(encap(2), 0);
	assert_memory_equal(packet, &before, sizeof(before));
	/* To a trunk where green is tagged. */
	assert_int_equal(encap(4), 1);
	assert_int_equal(packet->length, length);
	assert_int_equal(packet->head_length, MIN(length, PACKET_HEAD_SIZE));
	assert_memory_equal(packet->head, bytes, packet->head_length);
	decap(4, 1);
	assert_memory_equal(packet, &before, sizeof(before));
	assert_memory_equal(packet->head, bytes, 12);
	assert_memory_equal(packet->head + 12, bytes + 16, packet->head_length - 12u);
	if (packet->tail_count)
		assert_ptr_equal(packet->tail[0].iov_base, bytes + PACKET_HEAD_SIZE);
}

static void test_tag_roundtrip(void **state)
{
	const size_t lengths[] = {18, 64, 255, 256, 257, 260, 1518, 4096};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		tag_roundtrip(lengths[i]);
}

/* A frame that came untagged and fills the head grows into the headroom. */
static void test_tag_push_on_full_head(void **state)
{
	static uint8_t bytes[1500];
	struct packet *packet = &batch.packets[0];

	build(MAC_BROADCAST, MAC_OF(2), NO_TAG);
	memcpy(bytes, frame.bytes, ETHERNET_HEADER);
	assert_int_equal(forward_one(2, bytes, sizeof(bytes)), P(3) | P(4));
	assert_int_equal(encap(4), 1);
	assert_int_equal(packet->head_length, PACKET_HEAD_SIZE + VLAN_TAG);
	assert_int_equal(packet->length, sizeof(bytes) + VLAN_TAG);
	assert_int_equal(load_be16(packet->head + 12), ETH_P_8021Q);
	assert_int_equal(load_be16(packet->head + 14), VLAN_GREEN);
	assert_memory_equal(packet->head + 16, bytes + 12, PACKET_HEAD_SIZE - 12);
	decap(4, 1);
	assert_ptr_equal(packet->head, packet_buffer(&batch, 0));

	/* The native network leaves a trunk untagged, even where it came tagged. */
	build(MAC_BROADCAST, MAC_OF(0), NO_TAG);
	assert_int_equal(forward_one(0, frame.bytes, frame.length), P(1) | P(3) | P(5));
	assert_int_equal(encap(3), 0);
}

/* What cannot get its tag leaves by no port that sends it, and is counted; its neighbours are not
 * held up. */
static void test_no_headroom(void **state)
{
	const struct forward_context context = context_at(100);
	uint64_t mask = 3, edited;

	batch_begin(&batch, 2);
	build(MAC_BROADCAST, MAC_OF(2), NO_TAG);
	for (unsigned i = 0; i < 2; i++)
		batch_add(&batch, frame.bytes, frame.length);
	forward_all(100);
	assert_int_equal(output.mask[4], 3);
	assert_int_equal(batch.flooded, 3);
	batch.packets[0].headroom = VLAN_TAG - 1;
	edited = forward_encap(&context, 4, &batch, &mask, &counters);
	assert_int_equal(edited, 2);
	assert_int_equal(mask, 2);
	assert_int_equal(counters.drops[DROP_NO_HEADROOM], 1);
	assert_memory_equal(batch.packets[0].head, frame.bytes, frame.length);
	forward_decap(&context, 4, &batch, edited);
	assert_memory_equal(batch.packets[1].head, frame.bytes, frame.length);
	forward_output_clear(&output);
}

/* Groups meant for the next hop pass where the network says so, one by one. */
static void test_link_local(void **state)
{
	topology_pass_link_local(topology, BLUE, 1u << 0 | 1u << 0xe);
	for (uint64_t last = 0; last < 16; last++) {
		build(MAC_RESERVED + last, MAC_OF(0), NO_TAG);
		if (last == 0 || last == 0xe)
			assert_int_equal(
				forward_one(0, frame.bytes, frame.length), P(1) | P(3) | P(5));
		else
			assert_drops(0, DROP_RESERVED_MULTICAST);
		build(MAC_RESERVED + last, MAC_OF(2), NO_TAG);
		assert_drops(2, DROP_RESERVED_MULTICAST);
	}
}

/* A held port neither gets nor sends what is flooded, teaches nothing by it, and is itself
 * otherwise. */
static void test_hold(void **state)
{
	topology_hold(topology, 1, BLUE);
	topology_hold(topology, 1, GREEN);
	topology_hold(topology, 3, GREEN);
	assert_true(topology_holds(topology, 1, BLUE));
	assert_false(topology_holds(topology, 1, GREEN));
	assert_int_equal(send_frame(0, MAC_BROADCAST, MAC_OF(0), NO_TAG), P(3) | P(5));
	build(MAC_BROADCAST, MAC_OF(0), NO_TAG);
	assert_drops(1, DROP_LOOP_HELD);
	build(UNKNOWN, MAC_OF(0), NO_TAG);
	assert_drops(1, DROP_LOOP_HELD);
	/* Still behind port 0. */
	assert_int_equal(send_frame(3, MAC_OF(0), MAC_OF(3), VLAN_BLUE), P(0));
	assert_int_equal(send_frame(1, MAC_OF(0), MAC_OF(1), NO_TAG), P(0));
	assert_int_equal(send_frame(0, MAC_OF(1), MAC_OF(0), NO_TAG), P(1));
	/* A trunk is held in one network, and free in the others. */
	build(MAC_BROADCAST, MAC_OF(3), VLAN_GREEN);
	assert_drops(3, DROP_LOOP_HELD);
	assert_int_equal(send_frame(3, MAC_BROADCAST, MAC_OF(3), VLAN_BLUE), P(0) | P(5));
	assert_int_equal(send_frame(2, MAC_BROADCAST, MAC_OF(2), NO_TAG), P(4));
}

/* A batch of eight, a limit of five a second: in order, and only what is flooded counts. */
static void test_flood_limit(void **state)
{
	assert_int_equal(topology_limit_flood(topology, 0, 5), 0);
	for (uint32_t second = 100; second < 103; second++) {
		for (unsigned turn = 0; turn < 2; turn++) {
			uint64_t drops = counters.drops[DROP_FLOOD_LIMIT];

			batch_begin(&batch, 0);
			for (unsigned i = 0; i < 8; i++) {
				build(i % 2 ? MAC_BROADCAST : MAC_5, MAC_OF(0), NO_TAG);
				batch_add(&batch, frame.bytes, frame.length);
			}
			forward_all(second);
			assert_int_equal(output.mask[5], turn ? 0x57 : 0xff);
			assert_int_equal(output.mask[1], turn ? 0x02 : 0xaa);
			assert_int_equal(counters.drops[DROP_FLOOD_LIMIT] - drops, turn ? 3 : 0);
			forward_output_clear(&output);
		}
	}
	/* A run of equal ones is cut in its middle. */
	batch_begin(&batch, 0);
	build(MAC_BROADCAST, MAC_OF(0), NO_TAG);
	for (unsigned i = 0; i < 8; i++)
		batch_add(&batch, frame.bytes, frame.length);
	forward_all(200);
	assert_int_equal(output.mask[1], 0x1f);
	forward_output_clear(&output);
	/* Where nobody hears it, nothing is counted twice. */
	assert_int_equal(topology_limit_flood(topology, 6, 1), 0);
	build(MAC_BROADCAST, MAC_OF(6), NO_TAG);
	assert_drops(6, DROP_NO_DESTINATION);
	assert_drops(6, DROP_FLOOD_LIMIT);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_members_rise),
		TEST(test_vlan_matrix),
		TEST(test_second_tag),
		TEST(test_other_tag_types),
		TEST(test_qinq),
		TEST(test_link_local),
		TEST(test_hold),
		TEST(test_flood_limit),
		TEST(test_too_short),
		TEST(test_addresses),
		TEST(test_unicast),
		TEST(test_absent_port),
		TEST(test_stale_entry),
		TEST(test_port_security),
		TEST(test_mixed_batch),
		TEST(test_tag_roundtrip),
		TEST(test_tag_push_on_full_head),
		TEST(test_no_headroom),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
