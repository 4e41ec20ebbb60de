/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that we run: how one ends, and what it does not get from us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/program.h"

/* More than anything here takes on a loaded machine. */
#define LIMIT 20000
/* A descriptor that nobody else has. */
#define SPARE 77

static struct error error;

static struct host_running start(const char *script, const char *input)
{
	struct host_program program = {
		.words = {"sh", "-c", script, NULL}, .input = input, .size = strlen(input)};
	struct host_running running;

	*error.text = '\0';
	if (host_program_start(&program, &running, &error) < 0)
		fail_msg("%s", error.text);
	return running;
}

static bool run(const char *script, const char *input)
{
	struct host_running running = start(script, input);
	int pid = running.pid;
	bool done;

	assert_true(host_program_wait(&running, LIMIT));
	done = host_program_finish(&running, "it", &error);
	/* Neither a descriptor nor a dead process is left. */
	assert_int_equal(running.exited, -1);
	assert_int_equal(running.output, -1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	return done;
}

static void test_ends(void **state)
{
	assert_true(run("exit 0", ""));
	assert_true(run("echo whatever", ""));
	assert_false(run("exit 3", ""));
	assert_string_equal(error.text, "it failed: it does not say why");
	assert_false(run("echo first >&2; echo second; exit 1", ""));
	assert_string_equal(error.text, "it failed: first");
	assert_false(run("printf 'a\\033[1mb\\377'; exit 1", ""));
	assert_string_equal(error.text, "it failed: a?[1mb?");
	assert_false(run("kill -TERM $$", ""));
	assert_string_equal(error.text, "it was ended by signal 15");
}

static void test_input(void **state)
{
	size_t size = 1 << 20;
	char *much = malloc(size + 1);

	assert_true(run("read a && test \"$a\" = word", "word\n"));
	assert_true(run("test -z \"$(cat)\"", ""));
	/* More than a pipe holds, to one that reads it late, or never. */
	memset(much, 'x', size);
	much[size] = '\0';
	assert_true(run("test $(wc -c) = 1048576", much));
	assert_true(run("exit 0", much));
	free(much);
}

/* One that says more than anybody reads ends all the same; its first line is kept, cut. */
static void test_long_output(void **state)
{
	assert_false(run("yes | head -c 1000000; exit 1", ""));
	assert_string_equal(error.text, "it failed: y");
	assert_false(run("yes | head -c 1000000 | tr -d '\\n' | cat; exit 1", ""));
	assert_non_null(strstr(error.text, "it failed: yyyyyyyy"));
	assert_true(strlen(error.text) < 300);
}

static void test_takes_too_long(void **state)
{
	struct host_running running = start("exec sleep 60", "");

	assert_false(host_program_wait(&running, 20));
	host_program_kill(&running);
	assert_true(host_program_wait(&running, LIMIT));
	assert_false(host_program_finish(&running, "it", &error));
	assert_string_equal(error.text, "it was ended by signal 9");
}

static void test_not_there(void **state)
{
	const char *const words[] = {"no-such-program", "../bin/no-such"};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		struct host_program program = {.words = {words[i], NULL}, .input = ""};
		struct host_running running;
		int before = dup(0), after;

		assert_int_equal(host_program_start(&program, &running, &error), -ENOENT);
		assert_non_null(strstr(error.text, words[i]));
		assert_int_equal(host_program_find(words[i], &error), -ENOENT);
		close(before);
		after = dup(0);
		assert_int_equal(after, before);
		close(after);
	}
	assert_int_equal(host_program_find("sh", &error), 0);
}

static void test_no_such_namespace(void **state)
{
	struct host_program program = {
		.words = {"true", NULL}, .netns = "/proc/none/ns/net", .input = ""};
	struct host_running running;
	int before = dup(0), after;

	assert_true(host_program_start(&program, &running, &error) < 0);
	assert_int_equal(running.output, -1);
	close(before);
	after = dup(0);
	assert_int_equal(after, before);
	close(after);
}

static void test_inherits_nothing(void **state)
{
	sigset_t blocked, before;

	assert_int_equal(dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), SPARE), SPARE);
	assert_int_equal(fcntl(SPARE, F_GETFD), 0);
	assert_true(run("test ! -e /proc/$$/fd/77", ""));
	close(SPARE);
	setenv("VSW_PROGRAM_TEST", "secret", 1);
	assert_true(run("test -z \"$VSW_PROGRAM_TEST\" && test \"$LC_ALL\" = C", ""));
	unsetenv("VSW_PROGRAM_TEST");
	/* Nor what we block and ignore, with which it would not end. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	assert_false(run("kill -TERM $$; exit 0", ""));
	assert_string_equal(error.text, "it was ended by signal 15");
	assert_false(run("kill -PIPE $$; exit 0", ""));
	assert_string_equal(error.text, "it was ended by signal 13");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_dies_with_us(void **state)
{
	int pid, status, told[2];
	pid_t middle;

	/* So that it is ours when its parent is gone. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(told), 0);
	middle = fork();
	if (middle == 0) {
		pid = start("exec sleep 60", "").pid;
		_exit(write(told[1], &pid, sizeof(pid)) != sizeof(pid));
	}
	assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(middle, &status, 0), middle);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(told[0]);
	close(told[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_long_output),
		cmocka_unit_test(test_takes_too_long),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_no_such_namespace),
		cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_dies_with_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
