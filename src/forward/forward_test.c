/* SPDX-License-Identifier: BSD-3-Clause */
/* Directed tests of the forwarding stages in the topology of test_forward.h: tables of frames and
 * of what becomes of them. Those of tags are in forward_tags_test.c. */
#include "forward/test_forward.h"

static void test_members_rise(void **state)
{
	const uint16_t blue[] = {0, 1, 3, 5}, green[] = {2, 3, 4};

	assert_int_equal(topology->networks[BLUE].member_count, ARRAY_SIZE(blue));
	assert_memory_equal(topology->networks[BLUE].members, blue, sizeof(blue));
	assert_int_equal(topology->networks[GREEN].member_count, ARRAY_SIZE(green));
	assert_memory_equal(topology->networks[GREEN].members, green, sizeof(green));
	assert_int_equal(topology->networks[LONE].member_count, 1);
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
	const struct CMUnitTest tests[] = {
		TEST(test_members_rise),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
