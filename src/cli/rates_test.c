/* SPDX-License-Identifier: BSD-3-Clause */
/* What vsw makes of the daemon's answers before it prints them: rates, a choice of rows, human
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/common.h"
#include "cli/filter.h"
#include "cli/rates.h"
#include "cli/style.h"

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

/* The list, as JSON with ' for ", is what `wanted` says. */
static void assert_list(json_t *list, const char *wanted)
{
	json_t *value = parse(wanted);

	if (!json_equal(list, value))
		fail_msg("%s", json_dumps(list, 0));
	json_decref(value);
	json_decref(list);
}

static const char earlier[] =
	"[{\"name\":\"a\",\"rx_packets\":100,\"tx_bytes\":1000,\"drops\":{\"hairpin\":4},"
	"\"per_queue\":[{\"queue\":0,\"rx_packets\":100}]},"
	"{\"name\":\"b\",\"rx_packets\":50}]";

static void test_rates(void **state)
{
	json_t *before = parse(earlier);
	/* In another order, with one that is new, and one that counts from zero again. */
	json_t *now = parse("[{\"name\":\"c\",\"rx_packets\":7},{\"name\":\"b\",\"rx_packets\":49},"
			    "{\"name\":\"a\",\"rx_packets\":300,\"tx_bytes\":3000,"
			    "\"drops\":{\"hairpin\":10,\"flood-limit\":2},"
			    "\"per_queue\":[{\"queue\":0,\"rx_packets\":200}]}]");

	rates_add(now, before, 2);
	json_decref(before);
	assert_list(now,
		"[{\"name\":\"c\",\"rx_packets\":7,\"rx_packets_per_second\":null},"
		"{\"name\":\"b\",\"rx_packets\":49,\"rx_packets_per_second\":null},"
		"{\"name\":\"a\",\"rx_packets\":300,\"rx_packets_per_second\":100,"
		"\"tx_bytes\":3000,\"tx_bits_per_second\":8000,"
		"\"drops\":{\"hairpin\":10,\"flood-limit\":2},"
		"\"drops_per_second\":{\"hairpin\":3,\"flood-limit\":1},"
		"\"per_queue\":[{\"queue\":0,\"rx_packets\":200,\"rx_packets_per_second\":50}]}]");
}

static void test_no_rates_at_first(void **state)
{
	json_t *now = parse("[{\"id\":0,\"frames\":5}]");
	json_t *object = parse("{\"frames\":5}");

	rates_add(now, NULL, 1);
	assert_list(now, "[{\"id\":0,\"frames\":5,\"frames_per_second\":null}]");
	rates_add(object, NULL, 1);
	assert_list(object, "{\"frames\":5}");
}

static void test_filters(void **state)
{
	static const char ports[] = "[{\"name\":\"a\",\"network\":\"blue\",\"state\":\"down\"},"
				    "{\"name\":\"t\",\"network\":null,\"trunk\":[\"blue\"],"
				    "\"state\":\"running\"},"
				    "{\"name\":\"g\",\"network\":\"green\",\"state\":\"running\"}]";
	static const char drops[] =
		"[{\"name\":\"hairpin\",\"count\":3,\"ports\":{\"a\":1,\"b\":2}},"
		"{\"name\":\"no-destination\",\"count\":2,\"ports\":{\"b\":2}}]";
	json_t *list = parse(ports);

	filter_apply(list, &(struct command_line){.network = "blue"});
	assert_int_equal(json_array_size(list), 2);
	filter_apply(list, &(struct command_line){.state = "running"});
	assert_list(list, "[{\"name\":\"t\",\"network\":null,\"trunk\":[\"blue\"],"
			  "\"state\":\"running\"}]");
	list = parse(drops);
	filter_apply(list, &(struct command_line){.port = "a"});
	assert_list(list, "[{\"name\":\"hairpin\",\"count\":1,\"ports\":{\"a\":1}}]");
	list = parse(
		"[{\"name\":\"blue\",\"ports\":[\"a\",\"b\"]},{\"name\":\"green\",\"ports\":[]}]");
	filter_apply(list, &(struct command_line){.port = "b"});
	assert_list(list, "[{\"name\":\"blue\",\"ports\":[\"a\",\"b\"]}]");
	list = parse(
		"[{\"id\":0,\"queues\":[{\"port\":\"a\",\"queue\":0}]},{\"id\":1,\"queues\":[]}]");
	filter_apply(list, &(struct command_line){.port = "a"});
	assert_list(list, "[{\"id\":0,\"queues\":[{\"port\":\"a\",\"queue\":0}]}]");
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} numbers[] = {{0, "0"}, {9999, "9999"}, {10000, "10.0k"}, {12345, "12.3k"},
		{99949, "99.9k"}, {99950, "100k"}, {999499, "999k"}, {999500, "1.00M"},
		{1234567, "1.23M"}, {9994999, "9.99M"}, {9995000, "10.0M"}, {2147483648, "2.15G"},
		{UINT64_MAX, "18.4E"}};
	char text[STYLE_NUMBER_SIZE];

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_string_equal(style_number(numbers[i].number, text), numbers[i].text);
	style_set(true, NULL);
	assert_string_equal(style_number(UINT64_MAX, text), "18446744073709551615");
	style_set(false, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_no_rates_at_first),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
