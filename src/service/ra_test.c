/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "packet/checksum.h"
#include "packet/headers.h"
#include "service/ra.h"

static const struct ra_settings settings = {
	.mac = {0x52, 0x54, 0, 0, 0, 0xfe},
	.lifetime = 1800,
	.managed = true,
	.mtu = 1400,
	.prefix = {0xfd, 0, 0, 1},
	.prefix_length = 64,
	.autonomous = true,
	.valid = 86400,
	.preferred = 14400,
	.interval = 600,
	.dns = {{0xfd, [15] = 0x53}},
	.dns_count = 1,
	.search = {3, 'l', 'a', 'b', 0},
	.search_length = 5,
	.routes = {{{0xfd, 9}, 32}},
	.route_count = 1,
};
static const uint8_t link_local[] = {
	0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x50, 0x54, 0, 0xff, 0xfe, 0, 0, 0xfe};

static uint16_t sum_of(const uint8_t *frame, size_t length)
{
	const uint8_t *ip = frame + ETHERNET_HEADER;
	struct checksum sum = {0};
	uint32_t payload = (uint32_t)(length - ETHERNET_HEADER - IPV6_HEADER);

	checksum_add(&sum, ip + IPV6_HEADER, payload);
	return checksum_plus(
		checksum_fold(&sum), checksum_pseudo_ipv6(ip, IPPROTO_ICMPV6, payload));
}

static const uint8_t *option(const uint8_t *frame, size_t length, uint8_t type)
{
	for (size_t at = ETHERNET_HEADER + IPV6_HEADER + 16; at < length;
		at += (size_t)8 * frame[at + 1])
		if (frame[at] == type)
			return frame + at;
	return NULL;
}

static void all_is_announced(void **state)
{
	uint8_t frame[RA_FRAME_MAX];
	size_t length = ra_announce(&settings, frame);
	const uint8_t *ip = frame + ETHERNET_HEADER, *icmp = ip + IPV6_HEADER, *found;

	assert_memory_equal(frame, "\x33\x33\0\0\0\1\x52\x54\0\0\0\xfe\x86\xdd", 14);
	assert_int_equal(load_be16(ip + IPV6_PAYLOAD_LENGTH), length - 54);
	assert_memory_equal(ip + IPV6_SOURCE, link_local, 16);
	assert_int_equal(ip[7], 255);
	assert_int_equal(sum_of(frame, length), 0xffff);
	assert_memory_equal(icmp, "\x86\0", 2);
	assert_memory_equal(icmp + 4, "\x40\x80\x07\x08", 4);
	assert_memory_equal(option(frame, length, 1), "\1\1\x52\x54\0\0\0\xfe", 8);
	assert_memory_equal(option(frame, length, 5), "\5\1\0\0\0\0\x05\x78", 8);
	found = option(frame, length, 3);
	assert_memory_equal(
		found, "\3\4\x40\xc0\0\1\x51\x80\0\0\x38\x40\0\0\0\0\xfd\0\0\1\0\0\0\0", 24);
	assert_memory_equal(option(frame, length, 25), "\x19\3\0\0\0\0\7\x08\xfd\0", 10);
	assert_memory_equal(option(frame, length, 31), "\x1f\2\0\0\0\0\7\x08\3lab\0\0\0\0", 16);
	assert_memory_equal(option(frame, length, 24), "\x18\3\x20\0\0\0\7\x08\xfd\x09\0", 11);
}

/* The most that there can be fits. */
static void the_longest(void **state)
{
	struct ra_settings most = settings;
	uint8_t frame[RA_FRAME_MAX];
	size_t length;

	most.dns_count = RA_DNS_MAX;
	most.search_length = RA_SEARCH_MAX;
	most.route_count = RA_ROUTES_MAX;
	length = ra_announce(&most, frame);
	assert_true(length <= RA_FRAME_MAX);
	assert_int_equal(load_be16(frame + ETHERNET_HEADER + IPV6_PAYLOAD_LENGTH), length - 54);
	assert_non_null(option(frame, length, 24));
}

/* A solicitation from the address; its length. */
static size_t solicit(uint8_t frame[128], const uint8_t source[16], bool with_source)
{
	uint8_t *ip = frame + ETHERNET_HEADER, *icmp = ip + IPV6_HEADER;
	size_t length = with_source ? 16 : 8;

	memset(frame, 0, 128);
	memcpy(frame, "\x33\x33\0\0\0\2\x52\x54\0\0\0\1\x86\xdd", 14);
	ip[0] = 0x60;
	store_be16(ip + IPV6_PAYLOAD_LENGTH, (uint16_t)length);
	ip[IPV6_NEXT_HEADER] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + IPV6_SOURCE, source, 16);
	memcpy(ip + IPV6_DESTINATION, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	icmp[0] = 133;
	if (with_source)
		memcpy(icmp + 8, "\1\1\x52\x54\0\0\0\1", 8);
	store_be16(icmp + 2, (uint16_t)~sum_of(frame, 54 + length));
	return 54 + length;
}

static void who_asks_is_answered(void **state)
{
	static const uint8_t station[16] = {0xfe, 0x80, [15] = 7}, none[16];
	uint8_t question[128], frame[RA_FRAME_MAX];
	size_t length = solicit(question, station, true), answered;

	answered = ra_answer(&settings, question, length, frame);
	assert_int_equal(answered, ra_announce(&settings, (uint8_t[RA_FRAME_MAX]){0}));
	assert_memory_equal(frame, question + 6, 6);
	assert_memory_equal(frame + ETHERNET_HEADER + IPV6_DESTINATION, station, 16);
	assert_int_equal(sum_of(frame, answered), 0xffff);
	length = solicit(question, none, false);
	assert_true(ra_answer(&settings, question, length, frame) > 0);
	assert_int_equal(frame[ETHERNET_HEADER + IPV6_DESTINATION], 0xff);
	assert_memory_equal(frame, question + 6, 6);
}

static void what_is_no_solicitation_is_ignored(void **state)
{
	static const uint8_t station[16] = {0xfe, 0x80, [15] = 7}, none[16];
	uint8_t question[128], frame[RA_FRAME_MAX];
	size_t length = solicit(question, station, true);

	for (size_t i = 0; i < length; i++)
		assert_int_equal(ra_answer(&settings, question, i, frame), 0);
	/* What the checksum covers, and the hop limit. */
	for (size_t i = ETHERNET_HEADER + 4; i < length; i++) {
		question[i] ^= 0x40;
		assert_int_equal(ra_answer(&settings, question, length, frame), 0);
		question[i] ^= 0x40;
	}
	/* With a link-layer address, but no address. */
	length = solicit(question, none, true);
	assert_int_equal(ra_answer(&settings, question, length, frame), 0);
	/* An option of no length. */
	length = solicit(question, station, true);
	question[length - 7] = 0;
	store_be16(question + 56, 0);
	store_be16(question + 56, (uint16_t)~sum_of(question, length));
	assert_int_equal(ra_answer(&settings, question, length, frame), 0);
}

static void often_at_first(void **state)
{
	struct ra_schedule schedule;
	uint64_t now = 1000, last = now;
	unsigned count = 0;

	ra_schedule_begin(&schedule, now);
	for (; count < 20; now += 100) {
		if (!ra_schedule_due(&schedule, &settings, now, (uint32_t)now * 2654435761u))
			continue;
		if (count && count <= 3)
			assert_true(now - last <= 16100);
		else if (count)
			assert_in_range(now - last, 200000, 600100);
		last = now;
		count++;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_announced),
		cmocka_unit_test(the_longest),
		cmocka_unit_test(who_asks_is_answered),
		cmocka_unit_test(what_is_no_solicitation_is_ignored),
		cmocka_unit_test(often_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
