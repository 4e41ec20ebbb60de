/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: a table of what is right, a table of what is wrong and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nic/options.h"

#define WORDS_MAX 32

/* Splits at spaces; "" stands for an empty word. Strings live in `buffer`. */
static enum nic_options_verdict parse(
	const char *line, char buffer[256], struct nic_options *options, struct error *error)
{
	char *argv[WORDS_MAX + 1] = {(char *)"vsw-nic"};
	int argc = 1;

	snprintf(buffer, 256, "%s", line);
	error->text[0] = '\0';
	for (char *word = strtok(buffer, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "\"\"") == 0 ? (char *)"" : word;
	argv[argc] = NULL;
	return nic_options_parse(options, argc, argv, error);
}

static void defaults_hold(void **state)
{
	struct nic_options options;
	struct error error;
	char buffer[256];

	assert_int_equal(parse("--socket /s --tap t0", buffer, &options, &error), NIC_OPTIONS_RUN);
	assert_string_equal(options.socket, "/s");
	assert_string_equal(options.tap, "t0");
	assert_false(options.server);
	assert_false(options.mac_given);
	assert_int_equal(options.queues, 1);
	assert_int_equal(options.queue_size, DRIVER_QUEUE_SIZE_DEFAULT);
	assert_int_equal(options.mtu, 1500);
	assert_true(options.mergeable);
	assert_true(options.event_index);
	assert_true(options.offload);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
}

static void every_option_is_heard(void **state)
{
	const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 0xab, 0xcd, 0xef};
	struct nic_options options;
	struct error error;
	char buffer[256];

	assert_int_equal(parse("--server --socket s --mac 52:54:00:AB:cd:ef --tap abcdefghijklmno "
			       "--queues 128 --queue-size=32768 --mtu 65521 --no-mergeable "
			       "--no-event-index --offload off --log-level debug",
				 buffer, &options, &error),
		NIC_OPTIONS_RUN);
	assert_true(options.server);
	assert_true(options.mac_given);
	assert_memory_equal(options.mac, mac, MAC_SIZE);
	assert_string_equal(options.tap, "abcdefghijklmno");
	assert_int_equal(options.queues, 128);
	assert_int_equal(options.queue_size, 32768);
	assert_int_equal(options.mtu, 65521);
	assert_false(options.mergeable);
	assert_false(options.event_index);
	assert_false(options.offload);
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
}

static void help_and_version_win(void **state)
{
	struct nic_options options;
	struct error error;
	char buffer[256];

	assert_int_equal(parse("--help", buffer, &options, &error), NIC_OPTIONS_HELP);
	assert_int_equal(parse("--tap t --version", buffer, &options, &error), NIC_OPTIONS_VERSION);
}

static void wrong_usage_is_explained(void **state)
{
	static const struct {
		const char *line;
		const char *said;
	} cases[] = {
		{"", "--socket is missing"},
		{"--tap t0", "--socket is missing"},
		{"--socket s", "--tap is missing"},
		{"--socket \"\" --tap t0", "path is empty"},
		{"--socket", "--socket needs a value"},
		{"--bogus", "unknown option --bogus"},
		{"-xy", "unknown option -x"},
		{"--server=yes", "takes no value"},
		{"--socket s --tap t0 more", "unexpected argument 'more'"},
		{"--tap \"\"", "1 to 15 characters"},
		{"--tap abcdefghijklmnop", "1 to 15 characters"},
		{"--tap a/b", "cannot be the name"},
		{"--tap tap%d", "cannot be the name"},
		{"--tap ..", "cannot be the name"},
		{"--mac 52:54:00:00:00", "is not an address"},
		{"--mac 52:54:00:00:00:0g", "is not an address"},
		{"--mac 01:00:5e:00:00:01", "cannot be the address"},
		{"--mac 00:00:00:00:00:00", "cannot be the address"},
		{"--queues 0", "from 1 to 128"},
		{"--queues 129", "from 1 to 128"},
		{"--queues -1", "from 1 to 128"},
		{"--queues 1x", "from 1 to 128"},
		{"--queues 18446744073709551617", "from 1 to 128"},
		{"--queue-size 1", "from 2 to 32768"},
		{"--queue-size 100", "not a power of two"},
		{"--queue-size 65536", "from 2 to 32768"},
		{"--mtu 67", "from 68 to 65521"},
		{"--mtu 65522", "from 68 to 65521"},
		{"--mtu \"\"", "from 68 to 65521"},
		{"--offload maybe", "'maybe' is not on or off"},
		{"--log-level loud", "is not error, warning, info or debug"},
	};
	struct nic_options options;
	struct error error;
	char buffer[256];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		enum nic_options_verdict verdict = parse(cases[i].line, buffer, &options, &error);

		if (verdict != NIC_OPTIONS_WRONG || !strstr(error.text, cases[i].said))
			fail_msg("'%s': verdict %d, said '%s'", cases[i].line, verdict, error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(every_option_is_heard),
		cmocka_unit_test(help_and_version_win),
		cmocka_unit_test(wrong_usage_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
