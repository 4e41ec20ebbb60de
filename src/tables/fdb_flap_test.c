/* SPDX-License-Identifier: BSD-3-Clause */
/* What counts as back and forth, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tables/fdb.h"

#define MAC_X ((const uint8_t[6]){2, 0, 0, 0, 0, 1})

static struct fdb_flap found[FDB_FLAP_MAX];

static struct fdb *table(void)
{
	struct fdb *fdb = fdb_new(1024, 300, 8, 7);

	assert_non_null(fdb);
	return fdb;
}

static void test_loop(void **state)
{
	struct fdb *fdb = table();

	for (unsigned i = 0; i < 1000; i++)
		fdb_learn(fdb, 3, MAC_X, i % 2 ? 5 : 2, 100);
	assert_int_equal(fdb_take_flaps(fdb, found, FDB_FLAP_MAX), 1);
	assert_int_equal(found[0].key, fdb_key(3, MAC_X));
	assert_int_equal(found[0].ports[0], 2);
	assert_int_equal(found[0].ports[1], 5);
	assert_int_equal(fdb_take_flaps(fdb, found, FDB_FLAP_MAX), 0);
	fdb_free(fdb);
}

/* A station that speaks at a third port meanwhile does not hide it. */
static void test_loop_of_a_talker(void **state)
{
	struct fdb *fdb = table();

	for (unsigned i = 0; i < 200; i++)
		fdb_learn(fdb, 3, MAC_X, i % 5 ? 2 + i % 2 : 7, 100);
	assert_in_range(fdb_take_flaps(fdb, found, FDB_FLAP_MAX), 1, 3);
	fdb_free(fdb);
}

/* A migration moves each address once, VRRP now and then. */
static void test_moves_that_are_none(void **state)
{
	struct fdb *fdb = table();

	for (unsigned i = 0; i < 500; i++) {
		const uint8_t mac[6] = {2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i};

		fdb_learn(fdb, 3, mac, 1, 100);
	}
	for (unsigned i = 0; i < 500; i++) {
		const uint8_t mac[6] = {2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i};

		fdb_learn(fdb, 3, mac, 2, 100);
	}
	/* Two masters that each announce themselves every second. */
	for (unsigned second = 0; second < 1000; second++) {
		fdb_learn(fdb, 3, MAC_X, 1, 100 + second);
		fdb_learn(fdb, 3, MAC_X, 2, 100 + second);
	}
	assert_int_equal(fdb_take_flaps(fdb, found, FDB_FLAP_MAX), 0);
	fdb_free(fdb);
}

/* Thousands of addresses in one loop: some of them are noticed. */
static void test_many_addresses(void **state)
{
	struct fdb *fdb = fdb_new(8192, 300, 8, 7);

	for (unsigned round = 0; round < 64; round++) {
		for (unsigned i = 0; i < 4000; i++) {
			const uint8_t mac[6] = {2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i};

			for (unsigned turn = 0; turn < 4; turn++)
				fdb_learn(fdb, 3, mac, turn % 2 ? 1 : 2, 100 + round / 8);
		}
	}
	assert_in_range(fdb_take_flaps(fdb, found, 8), 1, 8);
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_loop_of_a_talker),
		cmocka_unit_test(test_moves_that_are_none),
		cmocka_unit_test(test_many_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
