/* SPDX-License-Identifier: BSD-3-Clause */
/* VLAN tags on the way in and on the way out, in the topology of test_forward.h. */
#include "forward/encap.h"
#include "forward/test_forward.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vlan_matrix),
		TEST(test_second_tag),
		TEST(test_other_tag_types),
		TEST(test_qinq),
		TEST(test_tag_roundtrip),
		TEST(test_tag_push_on_full_head),
		TEST(test_no_headroom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
