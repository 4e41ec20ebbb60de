/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/lease_record.h"

static const struct lease_record ipv4 = {
	.network = "blue",
	.lease = {.client = {.owner = "vm1", .length = 7, .id = {2, 0x52, 0x54, 0, 0, 0, 1}},
		.address = 0x0a000064,
		.until = 1767225600,
		.state = LEASE_BOUND,
		.mac = {0x52, 0x54, 0, 0, 0, 1},
		.host = "web"},
};
static const struct lease_record ipv6 = {
	.network = "green",
	.ipv6 = true,
	.prefix = {0xfd, 0, 0, 0x20},
	.lease = {.client = {.owner = "vm2", .length = 1, .id = {9}},
		.address = 0x1234,
		.until = UINT64_MAX,
		.state = LEASE_DECLINED},
};

static void lines_say_what_is_meant(void **state)
{
	char line[LEASE_RECORD_MAX + 1];
	size_t length = lease_record_write(line, &ipv4);

	assert_int_equal(length, strlen(line));
	assert_memory_equal(line,
		"bound blue 10.0.0.100 1767225600 vm1 52:54:00:00:00:01 02525400000001 web ", 74);
	lease_record_write(line, &ipv6);
	assert_memory_equal(line,
		"declined green fd00:20::1234 18446744073709551615 vm2 00:00:00:00:00:00 09 - ",
		77);
}

static void lines_come_back(void **state)
{
	const struct lease_record *const records[] = {&ipv4, &ipv6};
	char line[LEASE_RECORD_MAX + 1];
	struct lease_record record;

	for (unsigned i = 0; i < 2; i++) {
		size_t length = lease_record_write(line, records[i]);

		assert_true(lease_record_read(line, length - 1, &record));
		assert_memory_equal(&record, records[i], sizeof(record));
	}
}

static void the_longest_fits(void **state)
{
	struct lease_record longest = ipv6, record;
	char line[LEASE_RECORD_MAX + 1];
	size_t length;

	memset(longest.network, 'n', sizeof(longest.network) - 1);
	memset(longest.lease.client.owner, 'p', LEASE_OWNER_SIZE - 1);
	memset(longest.lease.client.id, 0xee, LEASE_CLIENT_MAX);
	memset(longest.lease.host, 'h', LEASE_HOST_SIZE - 1);
	memset(longest.prefix, 0xff, sizeof(longest.prefix));
	longest.lease.client.length = LEASE_CLIENT_MAX;
	longest.lease.address = UINT64_MAX;
	length = lease_record_write(line, &longest);
	assert_true(length <= LEASE_RECORD_MAX);
	assert_true(lease_record_read(line, length - 1, &record));
	assert_memory_equal(&record, &longest, sizeof(record));
}

/* Cut anywhere, or with any one character changed, it is none. */
static void damage_is_seen(void **state)
{
	char line[LEASE_RECORD_MAX + 1];
	size_t length = lease_record_write(line, &ipv4) - 1;
	struct lease_record record;

	for (size_t i = 0; i < length; i++) {
		char old = line[i];

		assert_false(lease_record_read(line, i, &record));
		line[i] = old == 'x' ? 'y' : 'x';
		assert_false(lease_record_read(line, length, &record));
		line[i] = '\0';
		assert_false(lease_record_read(line, length, &record));
		line[i] = old;
	}
	assert_true(lease_record_read(line, length, &record));
}

static void forgotten_is_said(void **state)
{
	struct lease_record gone = ipv4, record;
	char line[LEASE_RECORD_MAX + 1];
	size_t length;

	gone.forgotten = true;
	length = lease_record_write(line, &gone);
	assert_memory_equal(line, "gone ", 5);
	assert_true(lease_record_read(line, length - 1, &record));
	assert_true(record.forgotten);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_say_what_is_meant),
		cmocka_unit_test(lines_come_back),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(forgotten_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
