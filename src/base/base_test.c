/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/copy.h"
#include "base/cursor.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/number.h"
#include "base/options.h"

static void sums_that_wrap_are_refused(void **state)
{
	uint64_t result;

	assert_true(checked_add(1, 2, &result));
	assert_int_equal(result, 3);
	assert_false(checked_add(UINT64_MAX, 1, &result));
	assert_false(checked_multiply(UINT64_MAX / 2 + 1, 2, &result));
	assert_true(checked_round_up(4097, 4096, &result));
	assert_int_equal(result, 8192);
	assert_false(checked_round_up(UINT64_MAX - 1, 4096, &result));
}

/* Against the definition in wider arithmetic, over the product of boundary values. */
static void inside_agrees_with_wide_arithmetic(void **state)
{
	const uint64_t edges[] = {0, 1, 2, 4095, 4096, 4097, UINT64_MAX / 2, UINT64_MAX - 4096,
		UINT64_MAX - 1, UINT64_MAX};

	for (size_t a = 0; a < ARRAY_SIZE(edges); a++)
		for (size_t b = 0; b < ARRAY_SIZE(edges); b++)
			for (size_t c = 0; c < ARRAY_SIZE(edges); c++)
				for (size_t d = 0; d < ARRAY_SIZE(edges); d++) {
					unsigned __int128 start = edges[a], end = start + edges[b];
					unsigned __int128 base = edges[c], limit = base + edges[d];

					assert_int_equal(checked_inside(edges[a], edges[b],
								 edges[c], edges[d]),
						start >= base && end <= limit);
				}
}

static void numbers_are_digits(void **state)
{
	static const char *const wrong[] = {
		"", " 1", "1 ", "+1", "-1", "0x10", "1e3", "1.5", "1,000", "\u0661"};
	uint64_t number = 7;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(number_parse(wrong[i], &number));
	assert_int_equal(number, 7);
	assert_true(number_parse("0017", &number));
	assert_int_equal(number, 17);
	assert_true(number_parse("18446744073709551614", &number));
	assert_int_equal(number, UINT64_MAX - 1);
	assert_true(number_parse("18446744073709551616", &number));
	assert_int_equal(number, UINT64_MAX);
	assert_true(number_parse("99999999999999999999999999999999999999990", &number));
	assert_int_equal(number, UINT64_MAX);
}

static void numbers_of_options_have_bounds(void **state)
{
	struct error error;
	uint64_t number;

	assert_int_equal(option_number("queues", "8", 1, 8, &number, &error), 0);
	assert_int_equal(number, 8);
	assert_int_equal(option_number("queues", "9", 1, 8, &number, &error), -EINVAL);
	assert_string_equal(error.text, "--queues: '9' is not a number from 1 to 8");
	assert_int_equal(option_number("queues", "0", 1, 8, &number, &error), -EINVAL);
	assert_int_equal(option_number("queues", "8x", 1, 8, &number, &error), -EINVAL);
	assert_int_equal(option_check_power_of_two("queue-size", 256, &error), 0);
	assert_int_equal(option_check_power_of_two("queue-size", 255, &error), -EINVAL);
	assert_string_equal(error.text, "--queue-size: 255 is not a power of two");
}

static void cursor_stops_at_the_end(void **state)
{
	const uint8_t bytes[] = {1, 2, 3, 4, 5};
	struct cursor cursor = cursor_new(bytes, sizeof(bytes));

	assert_int_equal(cursor_be16(&cursor), 0x0102);
	assert_int_equal(cursor_left(&cursor), 3);
	assert_int_equal(cursor_be32(&cursor), 0);
	assert_true(cursor.failed);
	assert_int_equal(cursor_u8(&cursor), 0); /* failed for good */
	assert_null(cursor_take(&cursor, SIZE_MAX));
}

static void errors_carry_their_place(void **state)
{
	struct error error;

	assert_int_equal(error_set_errno(&error, -ENOENT, "open %s", "x"), -ENOENT);
	error_prefix(&error, "file.yaml:%d", 3);
	assert_string_equal(error.text, "file.yaml:3: open x: No such file or directory");
	assert_int_equal(error_set(NULL, -EINVAL, "nobody reads this"), -EINVAL);
}

static void only_eventfds_are_eventfds(void **state)
{
	int event = eventfd(0, EFD_NONBLOCK);
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_true(fd_is_eventfd(event));
	assert_false(fd_is_eventfd(pipes[0]));
	assert_false(fd_is_eventfd(-1));
	fd_close(&event);
	assert_int_equal(event, -1);
	assert_false(fd_is_eventfd(event));
	fd_close(&pipes[0]);
	fd_close(&pipes[1]);
}

/* Around both limits, by either way of copying: what was asked for, and not a byte beside it. */
static void pieces_are_copied_whole(void **state)
{
	static const size_t lengths[] = {
		0, 1, 63, COPY_LARGE_PIECE - 1, COPY_LARGE_PIECE, COPY_LARGE_PIECE + 1, 4097};
	static const uint32_t frames[] = {60, COPY_LARGE_FRAME - 1, COPY_LARGE_FRAME, 65535};
	static uint8_t from[4100], to[4200];
	bool usual = copy_fast_strings;

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(lengths) * ARRAY_SIZE(frames); i++) {
		size_t length = lengths[i / 2 % ARRAY_SIZE(lengths)];

		/* Every x86-64 has the instruction, fast or not. */
		copy_fast_strings = i % 2;
		memset(to, 0xaa, sizeof(to));
		copy_piece(to + 5, from + 3, length, frames[i / 2 / ARRAY_SIZE(lengths)]);
		assert_memory_equal(to + 5, from + 3, length);
		for (size_t k = 0; k < sizeof(to); k++)
			if (k < 5 || k >= 5 + length)
				assert_int_equal(to[k], 0xaa);
	}
	copy_fast_strings = usual;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_that_wrap_are_refused),
		cmocka_unit_test(pieces_are_copied_whole),
		cmocka_unit_test(inside_agrees_with_wide_arithmetic),
		cmocka_unit_test(numbers_are_digits),
		cmocka_unit_test(numbers_of_options_have_bounds),
		cmocka_unit_test(cursor_stops_at_the_end),
		cmocka_unit_test(errors_carry_their_place),
		cmocka_unit_test(only_eventfds_are_eventfds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
