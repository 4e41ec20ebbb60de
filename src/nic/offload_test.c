/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is asked for, what the kernel is then allowed, and which headers pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "driver/device.h"
#include "host/tap.h"
#include "nic/offload.h"

#define ALL_TAP   (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6)
#define FRAME_MAX 1518
#define NEEDS     VIRTIO_NET_HDR_F_NEEDS_CSUM

static void features_follow_the_kernel(void **state)
{
	uint64_t old = offload_features(ALL_TAP & ~(unsigned)(TUN_F_USO4 | TUN_F_USO6));

	assert_int_equal(offload_features(0), 0);
	assert_int_equal(old & (BIT64(VIRTIO_NET_F_HOST_USO) | BIT64(VIRTIO_NET_F_GUEST_USO4)), 0);
	assert_true(old & BIT64(VIRTIO_NET_F_GUEST_TSO6));
	assert_true(offload_features(ALL_TAP) & BIT64(VIRTIO_NET_F_HOST_USO));
}

static void the_kernel_is_allowed_what_the_backend_does(void **state)
{
	assert_int_equal(offload_to_tap(offload_features(ALL_TAP)), ALL_TAP);
	assert_int_equal(offload_to_tap(0), 0);
	/* Nobody cuts without writing checksums. */
	assert_int_equal(offload_to_tap(BIT64(VIRTIO_NET_F_HOST_TSO4)), 0);
	/* What we may receive is no matter of the kernel's. */
	assert_int_equal(
		offload_to_tap(BIT64(VIRTIO_NET_F_GUEST_CSUM) | BIT64(VIRTIO_NET_F_GUEST_TSO4)), 0);
	assert_int_equal(offload_to_tap(BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_HOST_ECN)),
		TUN_F_CSUM);
	assert_int_equal(offload_to_tap(BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_HOST_TSO6)),
		TUN_F_CSUM | TUN_F_TSO6);
}

struct header_case {
	const char *name;
	struct virtio_net_hdr header;
	uint32_t length;
	bool agreed, plain; /* passes where all is agreed; where nothing is */
};

static const struct header_case header_cases[] = {
	{"nothing to do", {.gso_size = 7, .hdr_len = 9, .csum_start = 1}, 60, true, true},
	{"the longest", {0}, FRAME_MAX, true, true},
	{"too long", {0}, FRAME_MAX + 1, false, false},
	{"a checksum", {.flags = NEEDS, .csum_start = 34, .csum_offset = 16}, 60, true, false},
	{"at the end", {.flags = NEEDS, .csum_start = 42, .csum_offset = 16}, 60, true, false},
	{"beyond it", {.flags = NEEDS, .csum_start = 43, .csum_offset = 16}, 60, false, false},
	{"far beyond", {.flags = NEEDS, .csum_start = 65535, .csum_offset = 65535}, 60, false,
		false},
	{"a segment", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1448, 34, 16}, 65000, true, false},
	{"of IPv6", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV6, 74, 1428, 54, 16}, 65000, true, false},
	{"of UDP", {NEEDS, VIRTIO_NET_HDR_GSO_UDP_L4, 42, 1400, 34, 6}, 65000, true, false},
	{"the longest segment", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1448, 34, 16},
		DRIVER_SEGMENT_MAX, true, false},
	{"one too long", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1448, 34, 16},
		DRIVER_SEGMENT_MAX + 1, false, false},
	{"ECN", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 54, 1448, 34, 16}, 9000,
		true, false},
	{"ECN of UDP", {NEEDS, VIRTIO_NET_HDR_GSO_UDP_L4 | VIRTIO_NET_HDR_GSO_ECN, 42, 1, 34, 6},
		9000, false, false},
	{"ECN of nothing", {NEEDS, VIRTIO_NET_HDR_GSO_ECN, 54, 1448, 34, 16}, 60, false, false},
	{"without a size", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 54, 0, 34, 16}, 9000, false, false},
	{"larger than the MTU", {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1501, 34, 16}, 9000, false,
		false},
	{"without a checksum", {0, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1448, 34, 16}, 9000, false, false},
	{"fragments", {NEEDS, VIRTIO_NET_HDR_GSO_UDP, 42, 1400, 34, 6}, 9000, false, false},
	{"an unknown kind", {NEEDS, 6, 42, 1400, 34, 6}, 9000, false, false},
	{"a kind beyond any shift", {NEEDS, 0x7f, 42, 1400, 34, 6}, 9000, false, false},
};

static void headers_are_judged(void **state)
{
	uint64_t all = offload_features(ALL_TAP);
	const struct offload_rules agreed[] = {
		offload_rules_to_backend(all, 1500, FRAME_MAX),
		offload_rules_to_tap(all, 1500, FRAME_MAX),
	};
	const struct offload_rules plain[] = {
		offload_rules_to_backend(0, 1500, FRAME_MAX),
		offload_rules_to_tap(0, 1500, FRAME_MAX),
	};
	struct virtio_net_hdr checked;

	for (unsigned i = 0; i < ARRAY_SIZE(header_cases); i++) {
		const struct header_case *row = &header_cases[i];

		for (unsigned way = 0; way < 2; way++) {
			if (offload_check(&agreed[way], &row->header, row->length, &checked) !=
				row->agreed)
				fail_msg("%s, where all is agreed", row->name);
			if (offload_check(&plain[way], &row->header, row->length, &checked) !=
				row->plain)
				fail_msg("%s, where nothing is", row->name);
		}
	}
}

/* Each direction has its own agreement. */
static void directions_do_not_mix(void **state)
{
	uint64_t sending = BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_HOST_TSO4);
	struct offload_rules to_backend = offload_rules_to_backend(sending, 1500, FRAME_MAX);
	struct offload_rules to_tap = offload_rules_to_tap(sending, 1500, FRAME_MAX);
	const struct virtio_net_hdr header = {NEEDS, VIRTIO_NET_HDR_GSO_TCPV4, 54, 1448, 34, 16};
	struct virtio_net_hdr checked;

	assert_true(offload_check(&to_backend, &header, 9000, &checked));
	assert_false(offload_check(&to_tap, &header, 9000, &checked));
}

static void nothing_else_is_passed_on(void **state)
{
	struct offload_rules rules = offload_rules_to_tap(
		offload_features(ALL_TAP), 1500, FRAME_MAX);
	struct virtio_net_hdr header = {
		.flags = 0xff & ~NEEDS, .hdr_len = 99, .gso_size = 99, .csum_start = 99};
	const struct virtio_net_hdr nothing = {0};

	assert_true(offload_check(&rules, &header, 60, &header));
	assert_memory_equal(&header, &nothing, sizeof(header));
	/* A hint that is no length of anything. */
	header = (struct virtio_net_hdr){0xff, VIRTIO_NET_HDR_GSO_TCPV4, 65535, 1448, 34, 16};
	assert_true(offload_check(&rules, &header, 3000, &header));
	assert_int_equal(header.flags, NEEDS);
	assert_int_equal(header.hdr_len, 3000);
	assert_int_equal(header.gso_size, 1448);
	assert_int_equal(header.csum_start, 34);
	assert_int_equal(header.csum_offset, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_follow_the_kernel),
		cmocka_unit_test(the_kernel_is_allowed_what_the_backend_does),
		cmocka_unit_test(headers_are_judged),
		cmocka_unit_test(directions_do_not_mix),
		cmocka_unit_test(nothing_else_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
