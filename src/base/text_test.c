/* SPDX-License-Identifier: BSD-3-Clause */
/* Text of others: what is a character, what is mended, what is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"
#include "base/error.h"
#include "base/text.h"

/* The bytes of a code by RFC 3629, written the dumb way; 0 where it is no character. */
static size_t encode(uint32_t code, char bytes[4])
{
	if (code < 0x80) {
		bytes[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		bytes[0] = (char)(0xc0 | code / 64);
		bytes[1] = (char)(0x80 | code % 64);
		return 2;
	}
	if (code >= 0xd800 && code < 0xe000)
		return 0;
	if (code < 0x10000) {
		bytes[0] = (char)(0xe0 | code / 4096);
		bytes[1] = (char)(0x80 | code / 64 % 64);
		bytes[2] = (char)(0x80 | code % 64);
		return 3;
	}
	bytes[0] = (char)(0xf0 | code / 262144);
	bytes[1] = (char)(0x80 | code / 4096 % 64);
	bytes[2] = (char)(0x80 | code / 64 % 64);
	bytes[3] = (char)(0x80 | code % 64);
	return 4;
}

static void every_character_is_known_and_its_pieces_are_not(void **state)
{
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		char bytes[4];
		size_t length = encode(code, bytes);
		uint32_t found;

		if (length == 0)
			continue;
		assert_int_equal(text_character(bytes, length, &found), length);
		assert_int_equal(found, code);
		for (size_t left = 0; left < length; left++)
			assert_int_equal(text_character(bytes, left, &found), 0);
		if (length > 1)
			assert_int_equal(text_character(bytes + 1, length - 1, &found), 0);
	}
}

/* All strings of three bytes: what is taken for a character of up to three is one, and no other
 * is. */
static void nothing_else_is_a_character(void **state)
{
	for (uint32_t bits = 0; bits < 1 << 24; bits++) {
		const char bytes[] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
		uint32_t code;
		size_t length = text_character(bytes, sizeof(bytes), &code);
		char back[4];

		if (length && (encode(code, back) != length || memcmp(back, bytes, length) != 0))
			fail_msg("%06x", bits);
	}
}

static const struct {
	const char *text;
	const char *mended;
	const char *printed;
} samples[] = {
	{"", "", ""},
	{"plain", "plain", "plain"},
	{"gr\xc3\xb6\xc3\x9f"
	 "er",
		"gr\xc3\xb6\xc3\x9f"
		"er",
		"gr\xc3\xb6\xc3\x9f"
		"er"},
	{"two\nlines\x1b[31m", "two\nlines\x1b[31m", "two\\x0alines\\x1b[31m"},
	{"cut \xe2\x82", "cut ", "cut \\xe2\\x82"},
	{"cut \xf0\x9f\x98", "cut ", "cut \\xf0\\x9f\\x98"},
	{"cut \xc3", "cut ", "cut \\xc3"},
	{"\xff middle \xc3 end", "? middle ? end", "\\xff middle \\xc3 end"},
	{"alone \x80", "alone ?", "alone \\x80"},
	{"overlong \xc0\xaf", "overlong ??", "overlong \\xc0\\xaf"},
	{"surrogate \xed\xa0\x80", "surrogate ???", "surrogate \\xed\\xa0\\x80"},
	{"turned \xe2\x80\xae"
	 "exe",
		"turned \xe2\x80\xae"
		"exe",
		"turned \\xe2\\x80\\xae"
		"exe"},
	{"c1 \xc2\x9b"
	 "31m",
		"c1 \xc2\x9b"
		"31m",
		"c1 \\xc2\\x9b"
		"31m"},
	{"del \x7f", "del \x7f", "del \\x7f"},
};

static void samples_are_mended_and_printed(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
		char text[64];

		strcpy(text, samples[i].text);
		text_mend(text);
		assert_string_equal(text, samples[i].mended);
		text_print(text, sizeof(text), samples[i].text, strlen(samples[i].text));
		assert_string_equal(text, samples[i].printed);
	}
}

static void printing_cuts_between_characters(void **state)
{
	const char text[] = "a\xc3\xb6\n\xe2\x82\xac";
	const char whole[] = "a\xc3\xb6\\x0a\xe2\x82\xac";
	char printed[16];

	for (size_t size = 1; size < sizeof(printed); size++) {
		size_t length = text_print(printed, size, text, strlen(text));

		assert_true(length < size && strlen(printed) == length);
		assert_memory_equal(printed, whole, length);
		assert_true(
			length == 0 || length == 1 || length == 3 || length == 7 || length == 10);
	}
	assert_string_equal(printed, whole);
}

/* At each length of the text that comes before, so that each byte of the character is the last
 * one. */
static void errors_are_cut_between_characters(void **state)
{
	struct error error;
	char before[sizeof(error.text)];

	for (size_t shorter = 1; shorter < 8; shorter++) {
		memset(before, 'x', sizeof(before));
		before[sizeof(before) - shorter] = '\0';
		error_set(&error, -1, "%s\xe2\x82\xac\xe2\x82\xac", before);
		assert_int_equal((strlen(error.text) - strlen(before)) % 3, 0);
		error_set(&error, -1, "\xe2\x82\xac%s", before + 8);
		error_prefix(&error, "%.*s", (int)shorter, "prefixes");
		assert_non_null(strstr(error.text, "\xe2\x82\xac"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_known_and_its_pieces_are_not),
		cmocka_unit_test(nothing_else_is_a_character),
		cmocka_unit_test(samples_are_mended_and_printed),
		cmocka_unit_test(printing_cuts_between_characters),
		cmocka_unit_test(errors_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
