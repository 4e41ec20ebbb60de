/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "packet/drop.h"

/* Names are words of an interface: unique, lower case, with hyphens. */
static void test_names(void **state)
{
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		const struct drop_description *drop = &drop_descriptions[i];

		assert_non_null(drop->name);
		assert_true(islower((unsigned char)drop->name[0]));
		for (const char *c = drop->name; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-');
		for (unsigned other = 0; other < i; other++)
			assert_string_not_equal(drop->name, drop_descriptions[other].name);
		assert_true(drop->meaning && strlen(drop->meaning) > 0);
		assert_true(drop->advice && strlen(drop->advice) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
