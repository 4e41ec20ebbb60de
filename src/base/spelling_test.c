/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "base/spelling.h"

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{"", "", 0},
		{"", "abc", 3},
		{"network", "network", 0},
		{"netwrok", "network", 1},
		{"networks", "network", 1},
		{"bleu", "blue", 1},
		{"quues", "queues", 1},
		{"mtu", "mut", 1},
		{"mac", "mtu", 2},
		{"abcd", "efgh", 4},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(spelling_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(spelling_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void test_long_words(void **state)
{
	char longest[SPELLING_MAX + 2];

	memset(longest, 'a', sizeof(longest));
	longest[SPELLING_MAX + 1] = '\0';
	assert_int_equal(spelling_distance(longest, "a"), UINT_MAX);
	longest[SPELLING_MAX] = '\0';
	assert_int_equal(spelling_distance(longest, "a"), SPELLING_MAX - 1);
}

static const char *closest(const char *word)
{
	static const char *const known[] = {"type", "network", "trunk", "mac", "ip", "mtu"};
	const char *best = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		spelling_consider(word, known[i], &best);
	return best;
}

static void test_closest(void **state)
{
	assert_string_equal(closest("netwrok"), "network");
	assert_string_equal(closest("typ"), "type");
	assert_string_equal(closest("mut"), "mtu");
	assert_null(closest("speed"));
	assert_null(closest("x"));
	assert_null(closest(""));
	assert_null(closest("networking-and-more"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_closest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
