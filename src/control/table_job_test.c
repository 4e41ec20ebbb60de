/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of nft's, with the program of this file in its place: it ends when and as the test wants,
 * and what it was told is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/table_job.h"

/* The program: what it was told each time, and how it ends. */
static struct {
	unsigned runs, killed, finished;
	char told[256]; /* the texts, in order */
	int end;        /* a byte in here and it has ended */
	bool running, missing, fails;
} nft;

/* What the owner heard. */
static struct {
	unsigned done, failed;
	char problem[64];
} heard;

static struct event_base *base;
static struct table_job job;

int host_program_start(
	const struct host_program *request, struct host_running *running, struct error *error)
{
	int ends[2];

	assert_false(nft.running);
	assert_string_equal(request->words[0], "nft");
	assert_string_equal(request->netns, "there");
	if (nft.missing)
		return error_set(error, -ENOENT, "there is no nft");
	assert_int_equal(pipe(ends), 0);
	*running = (struct host_running){.pid = 1, .exited = ends[0], .output = -1};
	nft.end = ends[1];
	nft.running = true;
	nft.runs++;
	snprintf(nft.told + strlen(nft.told), sizeof(nft.told) - strlen(nft.told), "%.*s ",
		(int)request->size, request->input);
	return 0;
}

void host_program_kill(const struct host_running *running)
{
	nft.killed++;
	nft.fails = true;
}

bool host_program_wait(const struct host_running *running, int milliseconds)
{
	return !nft.fails;
}

bool host_program_finish(struct host_running *running, const char *name, struct error *error)
{
	bool fails = nft.fails;

	assert_true(nft.running);
	nft.running = nft.fails = false;
	nft.finished++;
	fd_close(&nft.end);
	fd_close(&running->exited);
	if (fails)
		error_set(error, -EIO, "nft failed: no");
	return !fails;
}

static void told(void *owner, const char *problem)
{
	assert_ptr_equal(owner, &job);
	if (problem)
		snprintf(heard.problem, sizeof(heard.problem), "%s", problem);
	problem ? heard.failed++ : heard.done++;
}

/* It has ended, and that is seen. */
static void end(bool well)
{
	nft.fails = !well;
	assert_int_equal(write(nft.end, "", 1), 1);
	event_base_loop(base, EVLOOP_ONCE);
}

/* The time until the next event, whatever it is, is over. */
static void elapse(struct event *event)
{
	assert_non_null(event);
	assert_true(event_pending(event, EV_TIMEOUT, NULL));
	event_active(event, EV_TIMEOUT, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static int setup(void **state)
{
	memset(&nft, 0, sizeof(nft));
	memset(&heard, 0, sizeof(heard));
	nft.end = -1;
	base = event_base_new();
	assert_non_null(base);
	table_job_init(&job, base, "there", told, &job);
	return 0;
}

static int teardown(void **state)
{
	table_job_fini(&job);
	assert_false(nft.running);
	event_base_free(base);
	return 0;
}

static void want(const char *text)
{
	table_job_want(&job, text ? strdup(text) : NULL, "none");
}

static void test_done(void **state)
{
	assert_true(table_job_settled(&job));
	want("a");
	assert_false(table_job_settled(&job));
	end(true);
	assert_true(table_job_settled(&job));
	assert_int_equal(heard.done, 1);
	/* The same again: somebody else may have taken it away. But once at a time. */
	want("a");
	want("a");
	assert_true(table_job_settled(&job));
	end(true);
	assert_string_equal(nft.told, "a a ");
	want(NULL);
	end(true);
	want(NULL);
	assert_string_equal(nft.told, "a a none ");
	assert_int_equal(heard.done, 3);
}

static void test_no_table_ever(void **state)
{
	want(NULL);
	assert_true(table_job_settled(&job));
	table_job_finish(&job, "none");
	assert_int_equal(nft.runs, 0);
}

/* One that a predecessor may have left is removed. */
static void test_inherited(void **state)
{
	job.exists = true;
	want(NULL);
	assert_string_equal(nft.told, "none ");
	end(true);
	assert_true(table_job_settled(&job));
}

static void test_failure_is_tried_again(void **state)
{
	want("a");
	end(false);
	assert_false(table_job_settled(&job));
	assert_string_equal(table_job_problem(&job), "nft failed: no");
	assert_string_equal(heard.problem, "nft failed: no");
	elapse(job.retry);
	/* Until it has worked the problem stands. */
	assert_non_null(table_job_problem(&job));
	end(false);
	/* Who asks once more does not have to wait. */
	want("a");
	end(true);
	assert_string_equal(nft.told, "a a a ");
	assert_null(table_job_problem(&job));
	assert_true(table_job_settled(&job));
	assert_int_equal(heard.failed, 2);
	assert_int_equal(heard.done, 1);
}

static void test_program_is_missing(void **state)
{
	nft.missing = true;
	want("a");
	assert_string_equal(table_job_problem(&job), "there is no nft");
	elapse(job.retry);
	assert_int_equal(heard.failed, 2);
	nft.missing = false;
	elapse(job.retry);
	end(true);
	assert_true(table_job_settled(&job));
	assert_null(table_job_problem(&job));
}

static void test_newest_wins(void **state)
{
	want("a");
	want("b");
	want("c");
	assert_int_equal(nft.runs, 1);
	end(true);
	/* What is in force now is what nobody wants any more. */
	assert_false(table_job_settled(&job));
	assert_int_equal(heard.done, 0);
	end(true);
	assert_string_equal(nft.told, "a c ");
	assert_true(table_job_settled(&job));
	/* Back to what is in force, while another is under way: it must be told again. */
	want("d");
	want("c");
	end(true);
	end(true);
	assert_string_equal(nft.told, "a c d c ");
	assert_true(table_job_settled(&job));
}

/* The failure of what is no longer wanted is nobody's concern. */
static void test_newest_after_failure(void **state)
{
	want("a");
	want("b");
	end(false);
	assert_int_equal(heard.failed, 0);
	end(false);
	/* While it waits for another attempt a newer one goes at once, and alone. */
	want("c");
	assert_string_equal(nft.told, "a b c ");
	assert_null(job.retry);
	end(true);
	assert_true(table_job_settled(&job));
	assert_null(table_job_problem(&job));
}

static void test_takes_too_long(void **state)
{
	want("a");
	elapse(job.exited);
	assert_int_equal(nft.killed, 1);
	assert_int_equal(nft.finished, 1);
	assert_non_null(table_job_problem(&job));
	elapse(job.retry);
	end(true);
	assert_true(table_job_settled(&job));
}

static void test_abandoned(void **state)
{
	want("a");
	table_job_abandon(&job);
	assert_int_equal(nft.killed, 1);
	assert_true(table_job_settled(&job));
	table_job_finish(&job, "none");
	assert_string_equal(nft.told, "a ");
	/* And after a failure. */
	want("b");
	end(false);
	table_job_abandon(&job);
	assert_null(table_job_problem(&job));
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_string_equal(nft.told, "a b ");
}

static void test_finish(void **state)
{
	want("a");
	table_job_finish(&job, "none");
	assert_string_equal(nft.told, "a none ");
	assert_int_equal(nft.killed, 1);
	assert_int_equal(nft.finished, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_done, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_table_ever, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inherited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_program_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest_after_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_takes_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_finish, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
