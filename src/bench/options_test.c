/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of vsw-bench: what is right, what is wrong, and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bench/options.h"

#define WORDS_MAX 32
#define TWO       "--port /a --port /b "

static struct bench_options options;
static struct error error;

/* Splits at spaces. */
static enum bench_options_verdict parse(const char *line)
{
	char buffer[512];
	char *argv[WORDS_MAX + 1] = {(char *)"vsw-bench"};
	int argc = 1;

	snprintf(buffer, sizeof(buffer), "%s", line);
	error.text[0] = '\0';
	for (char *word = strtok(buffer, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return bench_options_parse(&options, argc, argv, &error);
}

static void defaults_hold(void **state)
{
	assert_int_equal(parse(TWO), BENCH_OPTIONS_RUN);
	assert_int_equal(options.mode, BENCH_THROUGHPUT);
	assert_int_equal(options.port_count, 2);
	assert_string_equal(options.ports[0].path, "/a");
	assert_string_equal(options.ports[1].path, "/b");
	assert_false(options.ports[0].server || options.ports[0].mac_given);
	assert_int_equal(options.active, 2);
	assert_int_equal(options.size, 64);
	assert_int_equal(options.duration, 5);
	assert_int_equal(options.warmup, 1);
	assert_int_equal(options.flows, 1);
	assert_int_equal(options.macs, 1);
	assert_int_equal(options.queues, 1);
	assert_int_equal(options.queue_size, 1024);
	assert_int_equal(options.cpu, -1);
	assert_true(options.mergeable && options.event_index);
	assert_false(options.tso || options.in_order || options.null_copy);
	assert_false(options.packed || options.verify || options.json || options.unidirectional ||
		     options.overload || options.null);
}

static void every_option_is_heard(void **state)
{
	const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 0xab, 0xcd, 0xef};

	assert_int_equal(
		parse("--port /a,server,mac=52:54:00:AB:cd:ef --port b,mac=02:00:00:00:00:01 "
		      "--port c --size imix --duration 7 --warmup 0 --connect 3 --window 100 "
		      "--flows 9 --queues 4 --queue-size=256 --cpu 1 --unidirectional"),
		BENCH_OPTIONS_RUN);
	assert_true(options.ports[0].server && options.ports[0].mac_given);
	assert_memory_equal(options.ports[0].mac, mac, MAC_SIZE);
	assert_string_equal(options.ports[0].path, "/a");
	assert_false(options.ports[1].server);
	assert_int_equal(options.port_count, 3);
	assert_int_equal(options.active, 2);
	assert_int_equal(options.size, 0);
	assert_int_equal(options.duration, 7);
	assert_int_equal(options.warmup, 0);
	assert_int_equal(options.connect, 3);
	assert_int_equal(options.window, 100);
	assert_int_equal(options.flows, 9);
	assert_int_equal(options.queues, 4);
	assert_int_equal(options.queue_size, 256);
	assert_int_equal(options.cpu, 1);
	assert_true(options.unidirectional);

	assert_int_equal(
		parse(TWO "--packed --no-mergeable --no-event-index --verify -j --overload "
			  "--active 2 --size 9000"),
		BENCH_OPTIONS_RUN);
	assert_true(options.packed && options.verify && options.json && options.overload);
	assert_false(options.mergeable || options.event_index);
	assert_int_equal(options.size, 9000);

	assert_int_equal(parse(TWO "--ping --interval 50"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.mode, BENCH_PING);
	assert_int_equal(options.interval, 50);
	assert_int_equal(parse("--port /a --hold"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.mode, BENCH_HOLD);
	assert_int_equal(parse(TWO "--rate 5000"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.rate, 5000);
	assert_int_equal(parse("--null --null-cpu 1"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.port_count, 2);
	assert_int_equal(options.null_cpu, 1);
	assert_true(options.null && !options.null_copy && !options.mergeable);
	assert_int_equal(parse("--null-copy"), BENCH_OPTIONS_RUN);
	assert_true(options.null && options.null_copy && !options.mergeable);
	assert_int_equal(options.port_count, 2);
	assert_int_equal(parse(TWO "--in-order --packed"), BENCH_OPTIONS_RUN);
	assert_true(options.in_order && options.packed);
	assert_int_equal(parse("--help"), BENCH_OPTIONS_HELP);
	assert_int_equal(parse("--version"), BENCH_OPTIONS_VERSION);
}

static void each_address_and_queue_has_a_flow(void **state)
{
	assert_int_equal(parse(TWO "--queues 4"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.flows, 4);
	assert_int_equal(parse(TWO "--queues 4 --macs 1000"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.flows, 1000);
	assert_int_equal(parse(TWO "--flows 20 --macs 10"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.flows, 20);
	assert_int_equal(parse(TWO "--queues 4 --ping"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.flows, 1);
}

/* Wherever in the line the word stands. */
static void segments_have_sizes_of_their_own(void **state)
{
	assert_int_equal(parse(TWO "--tso"), BENCH_OPTIONS_RUN);
	assert_true(options.tso && options.mergeable);
	assert_int_equal(options.size, 65000);
	assert_int_equal(options.queue_size, 256);
	assert_int_equal(parse(TWO "--queue-size 512 --size 65549 --tso"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.size, 65549);
	assert_int_equal(options.queue_size, 512);
	assert_int_equal(parse(TWO "--tso --size 1515"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.size, 1515);
	assert_int_equal(parse(TWO "--size 65535"), BENCH_OPTIONS_RUN);
	assert_int_equal(options.size, 65535);
	assert_int_equal(options.queue_size, 1024);
}

static void wrong_lines_are_refused(void **state)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
		{"", "--port is missing"},
		{"--port /a", "two ports"},
		{"--port ,server --port /b", "no path"},
		{"--port /a,serve --port /b", "'serve'"},
		{"--port /a, --port /b", "''"},
		{"--port /a,mac=1 --port /b", "'mac=1'"},
		{"--port /a,mac=01:00:00:00:00:01 --port /b", "mac=01"},
		{TWO "--size 59", "60 to 65535"},
		{TWO "--size 65536", "60 to 65535"},
		{TWO "--size big", "'big'"},
		{TWO "--size 0", "60 to 65535"},
		{TWO "--tso --size 1514", "--size with --tso: '1514' is not"},
		{TWO "--size 65550 --tso", "1515 to 65549"},
		{TWO "--size imix --tso", "'imix'"},
		{TWO "--tso=yes", "takes no value"},
		{TWO "--null-copy", "--port"},
		{"--null --queues 2", "--queues"},
		{"--null-copy --hold", "--null"},
		{TWO "--duration 0", "--duration"},
		{TWO "--queue-size 1000", "power of two"},
		{TWO "--queues 129", "--queues"},
		{TWO "--macs 0", "--macs"},
		{TWO "--active 3", "--active"},
		{TWO "--active 4", "--active"},
		{TWO "--ping --hold", "exclude"},
		{TWO "--ping --rate 5", "--rate"},
		{TWO "--ping --flows 2", "one flow"},
		{TWO "--rate 5 --macs 2", "one flow"},
		{TWO "--rate 5 --window 2", "--window"},
		{TWO "--window 2 --overload", "exclude"},
		{TWO "--interval 5", "--ping"},
		{TWO "--null", "--port"},
		{"--null --hold", "--null"},
		{TWO "extra", "'extra'"},
		{TWO "--nonsense", "--nonsense"},
		{TWO "--size", "--size needs a value"},
		{TWO "--verify=yes", "takes no value"},
		{TWO "-x", "-x"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].line), BENCH_OPTIONS_WRONG);
		if (!strstr(error.text, cases[i].said))
			fail_msg("'%s': '%s' does not say '%s'", cases[i].line, error.text,
				cases[i].said);
	}
}

static void a_path_may_be_as_long_as_a_socket_address(void **state)
{
	char line[400], path[BENCH_PATH_SIZE + 1];

	memset(path, 'p', sizeof(path));
	path[BENCH_PATH_SIZE - 1] = '\0';
	snprintf(line, sizeof(line), "--port %s --port /b", path);
	assert_int_equal(parse(line), BENCH_OPTIONS_RUN);
	assert_string_equal(options.ports[0].path, path);
	snprintf(line, sizeof(line), "--port %sp --port /b", path);
	assert_int_equal(parse(line), BENCH_OPTIONS_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(every_option_is_heard),
		cmocka_unit_test(each_address_and_queue_has_a_flow),
		cmocka_unit_test(segments_have_sizes_of_their_own),
		cmocka_unit_test(wrong_lines_are_refused),
		cmocka_unit_test(a_path_may_be_as_long_as_a_socket_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
