/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "virtio_net/test_request.h"

#define BIT(feature) (1ULL << (feature))
#define ALL          0x7fu
#define TSO4(bytes)                                                                                \
	.protocol = IPPROTO_TCP, .payload = (bytes), .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,         \
	.gso_size = 1448

static struct test_packet test;

static struct test_outcome run(struct virtio_net_hdr *header, unsigned length, uint8_t requests,
	uint8_t abilities, bool tag)
{
	test_packet_load(&test, length, NULL, 0);
	return test_offload(&test, header, requests, abilities, tag);
}

static void test_features(void **state)
{
	static const struct {
		uint64_t features;
		uint8_t requests, abilities;
	} cases[] = {
		{0, 0, 0},
		{BIT(VIRTIO_NET_F_CSUM), OFFLOAD_CHECKSUM, 0},
		{BIT(VIRTIO_NET_F_GUEST_CSUM), 0, OFFLOAD_CHECKSUM},
		/* Segmentation without the checksum is none. */
		{BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO4), 0, 0},
		{BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_USO),
			OFFLOAD_CHECKSUM | OFFLOAD_UDP, 0},
		{BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_USO6), 0,
			OFFLOAD_CHECKSUM | OFFLOAD_UDP6},
		{UINT64_MAX, ALL, ALL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(net_offload_requests(cases[i].features), cases[i].requests);
		assert_int_equal(net_offload_abilities(cases[i].features), cases[i].abilities);
	}
}

/* What correct guests ask for: how it is understood, and into how many pieces it is cut. */
static void test_requests(void **state)
{
	static const struct {
		const char *name;
		struct test_request request;
		uint8_t needs;
		unsigned pieces;
	} cases[] = {
		{"tcp4", {.protocol = IPPROTO_TCP, .payload = 100}, OFFLOAD_CHECKSUM, 1},
		{"udp4", {.protocol = IPPROTO_UDP, .payload = 1}, OFFLOAD_CHECKSUM, 1},
		{"udp4 empty", {.protocol = IPPROTO_UDP}, OFFLOAD_CHECKSUM, 1},
		{"udp4 padded", {.protocol = IPPROTO_UDP, .payload = 3, .padding = 15},
			OFFLOAD_CHECKSUM, 1},
		{"udp6", {.v6 = true, .protocol = IPPROTO_UDP, .payload = 900}, OFFLOAD_CHECKSUM,
			1},
		{"tcp6 tagged", {.tag = true, .v6 = true, .protocol = IPPROTO_TCP, .payload = 900},
			OFFLOAD_CHECKSUM, 1},
		{"tcp6 long hop-by-hop",
			{.v6 = true,
				.extension = IPPROTO_HOPOPTS,
				.extension_units = 9,
				.protocol = IPPROTO_TCP},
			OFFLOAD_CHECKSUM, 1},
		{"tcp6 hop-by-hop",
			{.v6 = true, .extension = IPPROTO_HOPOPTS, .protocol = IPPROTO_TCP},
			OFFLOAD_CHECKSUM, 1},
		{"tso4", {TSO4(4000)}, OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 3},
		{"tso4 all options", {TSO4(4000), .tag = true, .ip_words = 10, .tcp_words = 10},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 3},
		{"tso4 fin push", {TSO4(4000), .tcp_flags = 0x19}, OFFLOAD_CHECKSUM | OFFLOAD_TCP4,
			3},
		{"tso4 cwr", {TSO4(4000), .tcp_flags = 0x98},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4 | OFFLOAD_ECN, 3},
		{"tso4 of one piece",
			{.protocol = IPPROTO_TCP,
				.payload = 1448,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 1448},
			OFFLOAD_CHECKSUM, 1},
		{"tso4 one byte more",
			{.protocol = IPPROTO_TCP,
				.payload = 1449,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 1448},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 2},
		{"tso4 exact",
			{.protocol = IPPROTO_TCP,
				.payload = 2896,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 1448},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 2},
		{"tso4 of the smallest size",
			{.protocol = IPPROTO_TCP,
				.payload = 65535 - 54,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 36},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 1819},
		{"tso4 of what a forwarding kernel merged",
			{.protocol = IPPROTO_TCP,
				.payload = 128 * 5,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 5},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 128},
		{"uso4 of the most datagrams",
			{.protocol = IPPROTO_UDP,
				.payload = 128 * 3,
				.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
				.gso_size = 3},
			OFFLOAD_CHECKSUM | OFFLOAD_UDP4, 128},
		{"tso4 longest",
			{.protocol = IPPROTO_TCP,
				.payload = 65535 - 54,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				.gso_size = 1460},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP4, 45},
		{"tso6",
			{.v6 = true,
				.protocol = IPPROTO_TCP,
				.payload = 65535 - 74,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
				.gso_size = 1440},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP6, 46},
		{"tso6 ecn",
			{.v6 = true,
				.protocol = IPPROTO_TCP,
				.payload = 3000,
				.tcp_flags = 0x80,
				.extension = IPPROTO_DSTOPTS,
				.gso_type = VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
				.gso_size = 1440},
			OFFLOAD_CHECKSUM | OFFLOAD_TCP6 | OFFLOAD_ECN, 3},
		{"uso4",
			{.protocol = IPPROTO_UDP,
				.payload = 5000,
				.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
				.gso_size = 1200},
			OFFLOAD_CHECKSUM | OFFLOAD_UDP4, 5},
		{"uso6",
			{.v6 = true,
				.protocol = IPPROTO_UDP,
				.payload = 5000,
				.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
				.gso_size = 1200},
			OFFLOAD_CHECKSUM | OFFLOAD_UDP6, 5},
		{"ufo4",
			{.protocol = IPPROTO_UDP,
				.payload = 5000,
				.gso_type = VIRTIO_NET_HDR_GSO_UDP,
				.gso_size = 1480},
			OFFLOAD_CHECKSUM | OFFLOAD_FRAGMENT, 4},
		{"ufo4 of an odd size",
			{.protocol = IPPROTO_UDP,
				.payload = 100,
				.gso_type = VIRTIO_NET_HDR_GSO_UDP,
				.gso_size = 55},
			OFFLOAD_CHECKSUM | OFFLOAD_FRAGMENT, 3},
		{"ufo6",
			{.v6 = true,
				.protocol = IPPROTO_UDP,
				.payload = 5000,
				.gso_type = VIRTIO_NET_HDR_GSO_UDP,
				.gso_size = 1448},
			OFFLOAD_CHECKSUM | OFFLOAD_FRAGMENT, 4},
	};
	struct virtio_net_hdr header;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned length = request_build(&cases[i].request, test.frame, &header);

		for (unsigned abilities = 0; abilities <= ALL; abilities++) {
			struct test_outcome outcome = run(
				&header, length, ALL, (uint8_t)abilities, abilities & 1);
			uint8_t missing = outcome.needs & (uint8_t)~abilities;

			if (!outcome.accepted || outcome.needs != cases[i].needs)
				fail_msg("%s: needs %#x", cases[i].name, outcome.needs);
			assert_int_equal(outcome.pieces, missing ? cases[i].pieces : 1);
		}
		/* Each feature that it needs must have been negotiated. */
		for (unsigned bit = 1; bit <= ALL; bit <<= 1)
			if (cases[i].needs & bit & (unsigned)~OFFLOAD_ECN)
				assert_false(run(&header, length, (uint8_t)(ALL & ~bit), ALL, false)
						     .accepted);
	}
}

/* One thing wrong in a request that is right otherwise. */
static void test_refusals(void **state)
{
	static const struct {
		const char *name;
		struct test_request request;
		struct virtio_net_hdr wrong; /* exclusive or with the right header */
		struct {
			uint16_t at; /* of the frame */
			uint8_t change;
		} byte;
	} cases[] = {
		{"start early", {TSO4(4000)}, {.csum_start = 1}, {0}},
		{"start far", {TSO4(4000)}, {.csum_start = 0xf000}, {0}},
		{"offset of udp", {TSO4(4000)}, {.csum_offset = 16 ^ 6}, {0}},
		{"offset far", {TSO4(4000)}, {.csum_offset = 0xff00}, {0}},
		{"no checksum", {TSO4(4000)}, {.flags = 1}, {0}},
		{"size 0", {TSO4(4000)}, {.gso_size = 1448}, {0}},
		{"segments of one byte", {TSO4(4000)}, {.gso_size = 1448 ^ 1}, {0}},
		{"too many small segments", {TSO4(128 * 35 + 1)}, {.gso_size = 1448 ^ 35}, {0}},
		{"too many datagrams",
			{.protocol = IPPROTO_UDP,
				.payload = 128 * 3 + 1,
				.gso_type = 5,
				.gso_size = 4},
			{.gso_size = 4 ^ 3}, {0}},
		{"of v6", {TSO4(4000)}, {.gso_type = 1 ^ 4}, {0}},
		{"of udp", {TSO4(4000)}, {.gso_type = 1 ^ 3}, {0}},
		{"of udp datagrams", {TSO4(4000)}, {.gso_type = 1 ^ 5}, {0}},
		{"unknown type", {TSO4(4000)}, {.gso_type = 1 ^ 2}, {0}},
		{"unknown bit", {TSO4(4000)}, {.gso_type = 0x40}, {0}},
		{"only ecn", {TSO4(4000)}, {.gso_type = 0x81}, {0}},
		{"not ip", {TSO4(4000)}, {0}, {12, 1}},
		{"other protocol", {TSO4(4000)}, {0}, {14 + 9, 1}},
		{"first fragment", {TSO4(4000)}, {0}, {14 + 6, 0x20}},
		{"later fragment", {TSO4(4000)}, {0}, {14 + 7, 1}},
		{"ip longer than the frame", {TSO4(4000)}, {0}, {14 + 2, 0x10}},
		{"ip shorter than tcp", {TSO4(0)}, {0}, {14 + 3, 0x08}},
		{"ip header longer", {TSO4(4000)}, {0}, {14, 3}},
		{"tcp header too short", {TSO4(4000)}, {0}, {34 + 12, 0x10}},
		{"ecn of udp",
			{.protocol = IPPROTO_UDP, .payload = 3000, .gso_type = 5, .gso_size = 1000},
			{.gso_type = 0x80}, {0}},
		{"udp length", {.protocol = IPPROTO_UDP, .payload = 3000}, {0}, {34 + 5, 1}},
		{"fragments too small",
			{.protocol = IPPROTO_UDP, .payload = 3000, .gso_type = 3, .gso_size = 48},
			{.gso_size = 48 ^ 47}, {0}},
		{"fragments behind options",
			{.v6 = true,
				.protocol = IPPROTO_UDP,
				.payload = 3000,
				.extension = IPPROTO_DSTOPTS,
				.gso_type = 3,
				.gso_size = 1000},
			{0}, {0}},
		{"v6 fragment",
			{.v6 = true,
				.protocol = IPPROTO_UDP,
				.payload = 3000,
				.extension = IPPROTO_FRAGMENT},
			{0}, {0}},
		{"v6 length 0", {.v6 = true, .protocol = IPPROTO_UDP, .payload = 248}, {0},
			{14 + 4, 1}},
	};
	struct virtio_net_hdr header, plain = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned length = request_build(&cases[i].request, test.frame, &header);

		header.flags ^= cases[i].wrong.flags;
		header.gso_type ^= cases[i].wrong.gso_type;
		header.gso_size ^= cases[i].wrong.gso_size;
		header.csum_start ^= cases[i].wrong.csum_start;
		header.csum_offset ^= cases[i].wrong.csum_offset;
		test.frame[cases[i].byte.at] ^= cases[i].byte.change;
		if (run(&header, length, ALL, ALL, false).accepted)
			fail_msg("accepted: %s", cases[i].name);
		assert_int_equal(test.packet.offload.needs, 0);
		/* Without a request nobody cares. */
		assert_true(run(&plain, length, 0, 0, false).accepted);
	}
}

/* ECN must have been negotiated for the bit to be set; CWR alone is just a flag that we see. */
static void test_ecn(void **state)
{
	struct test_request request = {TSO4(4000), .tcp_flags = 0x80};
	struct virtio_net_hdr header;
	unsigned length = request_build(&request, test.frame, &header);

	assert_true(run(&header, length, ALL & ~OFFLOAD_ECN, ALL, false).accepted);
	assert_true(test.packet.offload.needs & OFFLOAD_ECN);
	header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_false(run(&header, length, ALL & ~OFFLOAD_ECN, ALL, false).accepted);
	assert_true(run(&header, length, ALL, ALL, false).accepted);
	/* The sender's word is worth nothing here either. */
	test.frame[34 + TCP_FLAGS] = 0x10;
	assert_true(run(&header, length, ALL, ALL, false).accepted);
	assert_false(test.packet.offload.needs & OFFLOAD_ECN);
}

/* DATA_VALID, RSC_INFO and flags to come mean nothing from a guest, and lengths of its own
 * neither. */
static void test_ignored(void **state)
{
	struct test_request request = {TSO4(4000)};
	struct virtio_net_hdr header;
	unsigned length = request_build(&request, test.frame, &header);

	header.flags |= 0xfe;
	header.hdr_len = 0xffff;
	assert_int_equal(
		run(&header, length, ALL, ALL, true).needs, OFFLOAD_CHECKSUM | OFFLOAD_TCP4);
	header = (struct virtio_net_hdr){.flags = 0xfe, .csum_start = 0xffff, .gso_size = 1};
	assert_int_equal(run(&header, length, 0, 0, false).needs, 0);
}

/* A wrong sum of the pseudo header is put right; with a routing header only the sender knows it. */
static void test_pseudo_header(void **state)
{
	struct test_request request = {
		.v6 = true, .protocol = IPPROTO_UDP, .extension = IPPROTO_ROUTING, .payload = 50};
	struct virtio_net_hdr header;
	unsigned length = request_build(&request, test.frame, &header);
	uint8_t *field = test.frame + 62 + UDP_CHECKSUM;

	store_be16(field, 0x1234);
	test_packet_load(&test, length, NULL, 0);
	assert_true(net_offload_receive(&header, ALL, &test.packet));
	assert_int_equal(load_be16(test.packet.head + 62 + UDP_CHECKSUM),
		dumb_pseudo(test.frame + 14, true, IPPROTO_UDP, 58));
	test.frame[14 + IPV6_HEADER + IPV6_SEGMENTS_LEFT] = 1;
	test_packet_load(&test, length, NULL, 0);
	assert_true(net_offload_receive(&header, ALL, &test.packet));
	assert_int_equal(load_be16(test.packet.head + 62 + UDP_CHECKSUM), 0x1234);
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % limit;
}

static struct test_request random_request(void)
{
	static const uint8_t extensions[] = {
		0, 0, 0, 0, IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT};
	struct test_request request = {
		.tag = !random_below(3),
		.v6 = random_below(2),
		.protocol = random_below(2) ? IPPROTO_TCP : IPPROTO_UDP,
		.tcp_flags = (uint8_t)random_below(256),
		.ip_words = random_below(2) ? 0 : random_below(11),
		.extension = extensions[random_below(ARRAY_SIZE(extensions))],
		.extension_units = (uint8_t)(random_below(2) ? random_below(12) : 0),
		.tcp_words = random_below(11),
		.payload = random_below(4) ? random_below(600) : random_below(3000),
		.padding = random_below(4) ? 0 : random_below(60),
		.gso_size = (uint16_t)(random_below(8) ? 1 + random_below(1500)
						       : random_below(65536)),
	};

	if (!random_below(64))
		request.payload = random_below(65000);
	if (random_below(2))
		return request;
	if (request.protocol == IPPROTO_TCP)
		request.gso_type = request.v6 ? 4 : 1;
	else
		request.gso_type = random_below(2) ? 5 : 3;
	if (!random_below(8))
		request.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	return request;
}

/* Spoils one byte of the virtio-net header or of the frame's headers. */
static void spoil(struct virtio_net_hdr *header, uint8_t *frame)
{
	if (random_below(2))
		((uint8_t *)header)[random_below(sizeof(*header))] ^= (uint8_t)(1 +
										random_below(255));
	else
		frame[12 + random_below(70)] ^= (uint8_t)(1u << random_below(8));
}

/* A million packets, a third of them spoilt: what leaves is consistent, and enough leaves. */
static void test_random_packets(void **state)
{
	unsigned accepted = 0, cut = 0, refused = 0;

	for (unsigned round = 0; round < 1000000; round++) {
		struct test_request request = random_request();
		struct virtio_net_hdr header;
		unsigned length = request_build(&request, test.frame, &header);
		uint8_t cuts[3] = {(uint8_t)random_below(256), (uint8_t)random_below(30),
			(uint8_t)random_below(3)};
		uint8_t requests = random_below(4) ? ALL : (uint8_t)random_below(ALL + 1);
		uint8_t abilities = (uint8_t)random_below(ALL + 1);
		struct test_outcome outcome;

		if (!(requests & OFFLOAD_CHECKSUM))
			requests = 0;
		if (!(abilities & OFFLOAD_CHECKSUM))
			abilities = 0;
		if (!random_below(3))
			spoil(&header, test.frame);
		test_packet_load(&test, length, cuts, random_below(4));
		outcome = test_offload(&test, &header, requests, abilities, random_below(2));
		accepted += outcome.accepted;
		refused += !outcome.accepted;
		cut += outcome.pieces > 1;
	}
	assert_true(accepted > 400000 && refused > 100000 && cut > 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_pseudo_header),
		cmocka_unit_test(test_random_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
