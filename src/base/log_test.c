/* SPDX-License-Identifier: BSD-3-Clause */
/* The log: it never waits for whoever reads it, says what was lost, and prints only what is
 * harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/common.h"
#include "base/fd.h"
#include "base/log.h"

/* More than a pipe, a socket buffer or a terminal takes. */
#define LINES 20000

static char heard[8 << 20];

/* Reads what is there. */
static void hear(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	size_t used = 0;

	while (poll(&ready, 1, 50) == 1) {
		ssize_t n = read(fd, heard + used, sizeof(heard) - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	heard[used] = '\0';
}

static unsigned count(const char *word)
{
	unsigned found = 0;

	for (const char *at = heard; (at = strstr(at, word)); at++)
		found++;
	return found;
}

/* The sum of what the notices say. A terminal makes room by itself, so there may be several. */
static unsigned said_lost(void)
{
	static const char notice[] = " lines were lost: nobody read the log";
	unsigned sum = 0;

	for (const char *at = heard; (at = strstr(at, notice)); at++) {
		const char *digits = at;

		while (digits > heard && digits[-1] >= '0' && digits[-1] <= '9')
			digits--;
		sum += (unsigned)strtoul(digits, NULL, 10);
	}
	return sum;
}

/* Nobody reads: every line returns at once (the alarm ends the test otherwise), and the lines that
 * were written and those that are said to be lost are all. */
static void assert_never_waits(int write_end, int read_end)
{
	int flags = fcntl(write_end, F_GETFL);
	uint64_t before = log_lost();
	unsigned lost, written, said;

	log_set_output(write_end);
	alarm(30);
	for (unsigned i = 0; i < LINES; i++)
		log_info("a flood of lines, each like the others: %u.", i);
	alarm(0);
	lost = (unsigned)(log_lost() - before);
	assert_in_range(lost, 1, LINES - 1);
	assert_int_equal(fcntl(write_end, F_GETFL), flags);
	hear(read_end);
	/* A line of which only a piece fitted counts as written: its end follows. */
	written = count("a flood of lines");
	said = said_lost();
	log_info("somebody reads again");
	hear(read_end);
	assert_int_equal(written, LINES - lost);
	assert_int_equal(count("somebody reads again"), 1);
	assert_int_equal(said + said_lost(), lost);
	log_info("and it is said once");
	hear(read_end);
	assert_int_equal(said_lost(), 0);
	assert_int_equal(log_lost() - before, lost);
	log_set_output(STDERR_FILENO);
}

static void a_full_pipe(void **state)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_never_waits(ends[1], ends[0]);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_socket(void **state)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_never_waits(ends[1], ends[0]);
	close(ends[0]);
	close(ends[1]);
}

static void a_full_terminal(void **state)
{
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	assert_never_waits(slave, master);
	close(master);
	close(slave);
}

static void nobody_at_the_other_end(void **state)
{
	uint64_t before = log_lost();
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log_set_output(ends[1]);
	close(ends[0]);
	log_info("into the void");
	close(ends[1]);
	log_set_output(-1);
	log_info("nowhere");
	log_set_output(STDERR_FILENO);
	assert_int_equal(log_lost() - before, 2);
}

static void lines_are_printable(void **state)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log_set_output(ends[1]);
	hear(ends[0]); /* what an earlier output lost is told first */
	log_info("told");
	hear(ends[0]);
	log_info("name '%s'", "x\n12:00:00.000 error: forged\x1b[2J\xff");
	log_set_output(STDERR_FILENO);
	hear(ends[0]);
	assert_int_equal(count("\n"), 1);
	assert_non_null(strstr(heard, "'x\\x0a12:00:00.000 error: forged\\x1b[2J\\xff'\n"));
	close(ends[0]);
	close(ends[1]);
}

static void a_long_line_ends_in_a_newline(void **state)
{
	char text[6000];
	int ends[2];

	memset(text, '\n', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log_set_output(ends[1]);
	log_info("%s", text);
	log_set_output(STDERR_FILENO);
	hear(ends[0]);
	assert_int_equal(count("\n"), 1);
	assert_int_equal(heard[strlen(heard) - 1], '\n');
	close(ends[0]);
	close(ends[1]);
}

/* A date where nobody else writes one; systemd's journal does, and is told the priority. */
static void the_journal_and_others(void **state)
{
	char stream[64], level[16];
	unsigned year, month, day;
	struct stat file;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fstat(ends[1], &file), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino);
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_set_output(ends[1]);
	log_warning("plain");
	hear(ends[0]);
	assert_int_equal(
		sscanf(heard, "%4u-%2u-%2u %*u:%*u:%*f %15s", &year, &month, &day, level), 4);
	assert_true(year >= 2024 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
	assert_string_equal(level, "warning:");
	setenv("JOURNAL_STREAM", stream, 1);
	log_set_output(ends[1]);
	log_set_level(LOG_LEVEL_DEBUG);
	log_error("a");
	log_warning("b");
	log_info("c");
	log_debug("d");
	log_set_level(LOG_LEVEL_INFO);
	log_debug("e");
	hear(ends[0]);
	assert_string_equal(heard, "<3>a\n<4>b\n<6>c\n<7>d\n");
	unsetenv("JOURNAL_STREAM");
	log_set_output(STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

static void levels_have_names(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	for (enum log_level i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		assert_true(log_level_parse(log_level_name(i), &level));
		assert_int_equal(level, i);
		assert_non_null(strstr(LOG_LEVEL_WORDS, log_level_name(i)));
	}
	assert_false(log_level_parse("", &level));
	assert_false(log_level_parse("Info", &level));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_pipe),
		cmocka_unit_test(a_full_socket),
		cmocka_unit_test(a_full_terminal),
		cmocka_unit_test(nobody_at_the_other_end),
		cmocka_unit_test(lines_are_printable),
		cmocka_unit_test(a_long_line_ends_in_a_newline),
		cmocka_unit_test(the_journal_and_others),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
