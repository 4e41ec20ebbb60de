/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/parse.h"
#include "packet/test_frames.h"
#include "packet/vlan.h"

#define MAC_A UINT64_C(0x525400000001)
#define MAC_B UINT64_C(0x525400000002)
#define IP_A  0x0a000001u
#define IP_B  0x0a000002u

static struct packet_batch batch;

/* What a frame must parse to. */
struct expected {
	uint16_t ether_type;
	uint16_t l3_offset;
	uint16_t l4_offset;
	uint8_t l4_protocol;
};

struct parse_case {
	const char *name;
	void (*build)(struct test_frame *frame);
	struct expected expected;
};

static void build_untyped(struct test_frame *frame)
{
	frame_begin(frame, MAC_A, MAC_B);
	frame_type(frame, 100);
	frame_append(frame, NULL, 100);
}

static void build_unknown_type(struct test_frame *frame)
{
	frame_begin(frame, MAC_A, MAC_B);
	frame_type(frame, 0x88b5);
	frame_append(frame, NULL, 50);
}

static void build_arp(struct test_frame *frame)
{
	frame_begin(frame, MAC_BROADCAST, MAC_B);
	frame_type(frame, ETH_P_ARP);
	frame_arp(frame, 1, MAC_B, IP_B, IP_A);
}

static void build_tagged_arp(struct test_frame *frame)
{
	frame_begin(frame, MAC_BROADCAST, MAC_B);
	frame_tag(frame, 10);
	frame_type(frame, ETH_P_ARP);
	frame_arp(frame, 1, MAC_B, IP_B, IP_A);
}

static void build_ipv4(
	struct test_frame *frame, uint8_t protocol, uint16_t fragment, unsigned options)
{
	frame_begin(frame, MAC_A, MAC_B);
	frame_type(frame, ETH_P_IP);
	frame_ipv4(frame, protocol, IP_B, IP_A, fragment, options);
	frame_ports(frame, 1000, 2000, 64);
}

static void build_tcp(struct test_frame *frame)
{
	build_ipv4(frame, IPPROTO_TCP, 0, 0);
}

static void build_udp_options(struct test_frame *frame)
{
	build_ipv4(frame, IPPROTO_UDP, 0, 10);
}

static void build_icmp(struct test_frame *frame)
{
	build_ipv4(frame, IPPROTO_ICMP, 0, 0);
}

static void build_gre(struct test_frame *frame)
{
	build_ipv4(frame, IPPROTO_GRE, 0, 0);
}

static void build_first_fragment(struct test_frame *frame)
{
	build_ipv4(frame, IPPROTO_UDP, IPV4_MORE_FRAGMENTS, 0);
}

static void build_later_fragment(struct test_frame *frame)
{
	build_ipv4(frame, IPPROTO_UDP, 185, 0);
}

static void build_bad_version(struct test_frame *frame)
{
	build_tcp(frame);
	frame->bytes[ETHERNET_HEADER] = 0x65;
}

static void build_short_ihl(struct test_frame *frame)
{
	build_tcp(frame);
	frame->bytes[ETHERNET_HEADER] = 0x44;
}

static void build_tagged_udp(struct test_frame *frame)
{
	frame_begin(frame, MAC_A, MAC_B);
	frame_tag(frame, 0x6000 | 10);
	frame_type(frame, ETH_P_IP);
	frame_ipv4(frame, IPPROTO_UDP, IP_B, IP_A, 0, 0);
	frame_ports(frame, 1000, 2000, 8);
}

static void build_double_tag(struct test_frame *frame)
{
	frame_begin(frame, MAC_A, MAC_B);
	frame_tag(frame, 10);
	frame_tag(frame, 20);
	frame_type(frame, ETH_P_IP);
	frame_ipv4(frame, IPPROTO_UDP, IP_B, IP_A, 0, 0);
	frame_ports(frame, 1000, 2000, 8);
}

static void begin_ipv6(struct test_frame *frame, uint8_t next)
{
	frame_begin(frame, MAC_A, MAC_B);
	frame_type(frame, ETH_P_IPV6);
	frame_ipv6(frame, next, IP_B, IP_A);
}

/* Appends an extension header of `length` bytes; second: its second byte. */
static uint8_t *extension(struct test_frame *frame, uint8_t next, uint8_t second, size_t length)
{
	uint8_t *at = frame_append(frame, NULL, length);

	at[0] = next;
	at[1] = second;
	return at;
}

static void build_ipv6_tcp(struct test_frame *frame)
{
	begin_ipv6(frame, IPPROTO_TCP);
	frame_ports(frame, 1000, 2000, 40);
}

static void build_ipv6_chain(struct test_frame *frame)
{
	begin_ipv6(frame, IPPROTO_HOPOPTS);
	extension(frame, IPPROTO_ROUTING, 0, 8);
	extension(frame, IPPROTO_DSTOPTS, 2, 24);
	extension(frame, IPPROTO_AH, 1, 16);
	extension(frame, IPPROTO_ICMPV6, 4, 24);
	frame_append(frame, NULL, 32);
}

static void build_ipv6_fragment(struct test_frame *frame, uint16_t field)
{
	begin_ipv6(frame, IPPROTO_FRAGMENT);
	store_be16(extension(frame, IPPROTO_UDP, 0, 8) + IPV6_FRAGMENT, field);
	frame_ports(frame, 1000, 2000, 40);
}

static void build_ipv6_first_fragment(struct test_frame *frame)
{
	build_ipv6_fragment(frame, 1);
}

static void build_ipv6_later_fragment(struct test_frame *frame)
{
	build_ipv6_fragment(frame, 8 | 1);
}

static void build_ipv6_endless(struct test_frame *frame)
{
	begin_ipv6(frame, IPPROTO_HOPOPTS);
	for (unsigned i = 0; i < PARSE_EXTENSIONS_MAX + 1; i++)
		extension(frame, IPPROTO_HOPOPTS, 0, 8);
	frame_append(frame, NULL, 64);
}

static void build_ipv6_longest(struct test_frame *frame)
{
	begin_ipv6(frame, IPPROTO_DSTOPTS);
	for (unsigned i = 0; i < PARSE_EXTENSIONS_MAX; i++)
		extension(
			frame, i + 1 < PARSE_EXTENSIONS_MAX ? IPPROTO_DSTOPTS : IPPROTO_UDP, 0, 8);
	frame_ports(frame, 1000, 2000, 8);
}

static void build_ipv6_beyond_head(struct test_frame *frame)
{
	begin_ipv6(frame, IPPROTO_HOPOPTS);
	extension(frame, IPPROTO_UDP, 40, 328);
	frame_ports(frame, 1000, 2000, 8);
}

static void build_ipv6_none(struct test_frame *frame)
{
	begin_ipv6(frame, IPPROTO_NONE);
	frame_append(frame, NULL, 16);
}

static const struct parse_case cases[] = {
	{"length instead of type", build_untyped, {0, 0, 0, 0}},
	{"unknown type", build_unknown_type, {0x88b5, 0, 0, 0}},
	{"arp", build_arp, {ETH_P_ARP, 14, 0, 0}},
	{"tagged arp", build_tagged_arp, {ETH_P_ARP, 18, 0, 0}},
	{"tcp", build_tcp, {ETH_P_IP, 14, 34, IPPROTO_TCP}},
	{"udp after options", build_udp_options, {ETH_P_IP, 14, 74, IPPROTO_UDP}},
	{"icmp", build_icmp, {ETH_P_IP, 14, 34, IPPROTO_ICMP}},
	{"gre", build_gre, {ETH_P_IP, 14, 34, IPPROTO_GRE}},
	{"first fragment", build_first_fragment, {ETH_P_IP, 14, 34, IPPROTO_UDP}},
	{"later fragment", build_later_fragment, {ETH_P_IP, 14, 0, 0}},
	{"wrong version", build_bad_version, {ETH_P_IP, 0, 0, 0}},
	{"header length 16", build_short_ihl, {ETH_P_IP, 0, 0, 0}},
	{"tagged udp", build_tagged_udp, {ETH_P_IP, 18, 38, IPPROTO_UDP}},
	{"two tags", build_double_tag, {ETH_P_8021Q, 0, 0, 0}},
	{"ipv6 tcp", build_ipv6_tcp, {ETH_P_IPV6, 14, 54, IPPROTO_TCP}},
	{"ipv6 extensions", build_ipv6_chain, {ETH_P_IPV6, 14, 54 + 72, IPPROTO_ICMPV6}},
	{"ipv6 first fragment", build_ipv6_first_fragment, {ETH_P_IPV6, 14, 62, IPPROTO_UDP}},
	{"ipv6 later fragment", build_ipv6_later_fragment, {ETH_P_IPV6, 14, 0, 0}},
	{"ipv6 longest chain", build_ipv6_longest,
		{ETH_P_IPV6, 14, 54 + 8 * PARSE_EXTENSIONS_MAX, IPPROTO_UDP}},
	{"ipv6 endless chain", build_ipv6_endless, {ETH_P_IPV6, 14, 0, 0}},
	{"ipv6 chain beyond the head", build_ipv6_beyond_head, {ETH_P_IPV6, 14, 0, 0}},
	{"ipv6 no next header", build_ipv6_none, {ETH_P_IPV6, 14, 0, 0}},
};

static struct packet *parse_bytes(struct test_frame *frame, size_t length)
{
	struct packet *packet;

	batch_begin(&batch, 0);
	packet = batch_add(&batch, frame->bytes, length);
	packet_parse(packet);
	return packet;
}

static void check(const char *name, const struct packet *packet, const struct expected *expected)
{
	if (packet->ether_type != expected->ether_type ||
		packet->l3_offset != expected->l3_offset ||
		packet->l4_offset != expected->l4_offset ||
		packet->l4_protocol != expected->l4_protocol)
		fail_msg("%s: type %04x l3 %u l4 %u protocol %u", name, packet->ether_type,
			packet->l3_offset, packet->l4_offset, packet->l4_protocol);
}

static void test_frames(void **state)
{
	struct test_frame frame;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cases[i].build(&frame);
		check(cases[i].name, parse_bytes(&frame, frame.length), &cases[i].expected);
	}
}

/* Bytes that must be there for an offset to be found, as parse.h promises. */
static size_t l4_needed(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 20 : protocol == IPPROTO_GRE ? 0 : 8;
}

static size_t l3_needed(const struct expected *full, const struct test_frame *frame)
{
	if (full->ether_type == ETH_P_IP)
		return (frame->bytes[full->l3_offset] & 0x0f) * 4;
	return full->ether_type == ETH_P_ARP ? 28 : 40;
}

/* Cut at each length, a frame parses to the same as far as the header is there, else to zero. */
static void test_truncated(void **state)
{
	struct test_frame frame;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct expected *full = &cases[i].expected;

		cases[i].build(&frame);
		for (size_t length = 0; length < MIN(frame.length, PACKET_HEAD_SIZE); length++) {
			struct expected expected = *full;
			uint8_t *exact = malloc(length + 1);
			struct packet packet = {.head = exact,
				.length = (uint32_t)length,
				.head_length = (uint16_t)length};

			/* A buffer of its own size: a sanitizer sees every byte read too many. */
			memcpy(exact, frame.bytes, length);
			if (length < 14)
				expected.ether_type = 0;
			else if (length < 18)
				expected.ether_type = load_be16(exact + 12) < 1536
							      ? 0
							      : load_be16(exact + 12);
			if (!full->l3_offset || length < full->l3_offset + l3_needed(full, &frame))
				expected.l3_offset = 0;
			if (!full->l4_offset ||
				length < full->l4_offset + l4_needed(full->l4_protocol)) {
				expected.l4_offset = 0;
				expected.l4_protocol = 0;
			}
			packet_parse(&packet);
			check(cases[i].name, &packet, &expected);
			free(exact);
		}
	}
}

/* One end of a flow for hashing; `v6` and `tagged` apply to the whole frame. */
static uint32_t hash_of(bool v6, bool tagged, uint32_t source, uint32_t destination,
	uint16_t source_port, uint16_t destination_port)
{
	struct test_frame frame;

	frame_begin(&frame, destination ^ MAC_A, source ^ MAC_A);
	if (tagged)
		frame_tag(&frame, 10);
	frame_type(&frame, v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (v6)
		frame_ipv6(&frame, IPPROTO_TCP, source, destination);
	else
		frame_ipv4(&frame, IPPROTO_TCP, source, destination, 0, 0);
	frame_ports(&frame, source_port, destination_port, 20);
	return parse_bytes(&frame, frame.length)->flow_hash;
}

static void test_hash_is_symmetric(void **state)
{
	srand(1);
	for (unsigned i = 0; i < 10000; i++) {
		uint32_t a = (uint32_t)rand(), b = (uint32_t)rand();
		uint16_t pa = (uint16_t)rand(), pb = (uint16_t)rand();
		bool v6 = i & 1, tagged = i & 2;

		assert_int_equal(
			hash_of(v6, tagged, a, b, pa, pb), hash_of(v6, tagged, b, a, pb, pa));
	}
	/* The tag is no part of the flow. */
	assert_int_equal(hash_of(false, true, 1, 2, 3, 4), hash_of(false, false, 1, 2, 3, 4));
}

/* Flows that differ in one port only, as iperf3 makes them, spread over few queues evenly. */
static void test_hash_spreads(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		unsigned buckets[8] = {0};

		for (uint16_t port = 0; port < 4096; port++)
			buckets[hash_of(v6, false, IP_A, IP_B, (uint16_t)(40000 + port), 5201) &
				7]++;
		for (unsigned i = 0; i < 8; i++)
			assert_in_range(buckets[i], 512 - 128, 512 + 128);
	}
}

static void test_hash_of_fragments(void **state)
{
	struct test_frame frame;
	uint32_t first;

	build_first_fragment(&frame);
	first = parse_bytes(&frame, frame.length)->flow_hash;
	build_later_fragment(&frame);
	assert_int_equal(parse_bytes(&frame, frame.length)->flow_hash, first);

	build_ipv6_first_fragment(&frame);
	first = parse_bytes(&frame, frame.length)->flow_hash;
	build_ipv6_later_fragment(&frame);
	assert_int_equal(parse_bytes(&frame, frame.length)->flow_hash, first);
}

/* Offsets follow the tag, whether the frame is parsed before it is taken off or after. */
static void test_tag_moves_offsets(void **state)
{
	struct test_frame frame;
	struct packet *packet;

	build_tagged_udp(&frame);
	packet = parse_bytes(&frame, frame.length);
	assert_true(packet_vlan_pop(packet));
	check("popped", packet, &(struct expected){ETH_P_IP, 14, 34, IPPROTO_UDP});
	assert_int_equal(packet->length, frame.length - 4);
	assert_memory_equal(packet->head, frame.bytes, 12);
	assert_memory_equal(packet->head + 12, frame.bytes + 16, frame.length - 16);

	assert_true(packet_vlan_push(packet, 0x6000 | 10));
	check("pushed", packet, &(struct expected){ETH_P_IP, 18, 38, IPPROTO_UDP});
	assert_int_equal(packet->length, frame.length);
	assert_memory_equal(packet->head, frame.bytes, frame.length);
}

static void test_mac_text(void **state)
{
	static const char *const wrong[] = {"", "52:54:00:00:00", "52:54:00:00:00:0",
		"52:54:00:00:00:012", "52-54-00-00-00-01", "5254.0000.0001", "52:54:00:00:00:0g",
		"52:54:00:00:00:01 ", " 2:54:00:00:00:01", "52:54:00:00:0001:"};
	uint8_t mac[MAC_SIZE] = {1, 2, 3, 4, 5, 6};
	char text[MAC_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(mac_parse(wrong[i], mac));
	assert_int_equal(mac_to_u64(mac), 0x010203040506);
	assert_true(mac_parse("52:54:00:Ab:cD:09", mac));
	assert_string_equal(mac_format(mac, text), "52:54:00:ab:cd:09");
	assert_false(mac_is_multicast(mac));
	mac_from_u64(MAC_BROADCAST, mac);
	assert_true(mac_is_multicast(mac));
	assert_false(mac_is_zero(mac));
	mac_from_u64(0, mac);
	assert_true(mac_is_zero(mac));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_hash_is_symmetric),
		cmocka_unit_test(test_hash_spreads),
		cmocka_unit_test(test_hash_of_fragments),
		cmocka_unit_test(test_tag_moves_offsets),
		cmocka_unit_test(test_mac_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
