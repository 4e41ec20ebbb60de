/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals to eventfds that their owner makes blocking, and looks at those that he writes: neither
 * may wait. A test that hangs is ended by the alarm, and fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/edge.h"
#include "base/fd.h"
#include "base/peer_signal.h"

#define FULL (UINT64_MAX - 1) /* the most that write(2) puts into an eventfd */

static uint64_t taken(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void put(int fd, uint64_t count)
{
	assert_int_equal(write(fd, &count, sizeof(count)), sizeof(count));
}

/* A full eventfd that is blocking, which is the owner's choice at any time. */
static int full_eventfd(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	assert_true(fd >= 0);
	put(fd, FULL);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	return fd;
}

static void signals_are_counted(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	/* More than a context has room for, were completions not taken out of it. */
	for (unsigned i = 0; i < 5000; i++)
		peer_signal(fd);
	assert_int_equal(taken(fd), 5000);
	assert_int_equal(taken(fd), 0);
	close(fd);
}

static void others_are_left_alone(void)
{
	int pipes[2];

	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	peer_signal(-1);
	peer_signal(1 << 20);
	peer_signal(pipes[0]);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_completion_counts(void **state)
{
	signals_are_counted();
	others_are_left_alone();
}

static void a_full_one_is_never_waited_for(void **state)
{
	int fd = full_eventfd();

	for (unsigned i = 0; i < 1000; i++)
		peer_signal(fd);
	assert_true(taken(fd) >= FULL);
	peer_signal(fd);
	assert_int_equal(taken(fd), 1);
	close(fd);
}

static void *use_the_second_way(void *argument)
{
	int fd = full_eventfd();
	uint64_t begin;

	peer_signal_forbid_aio();
	assert_int_equal(peer_signal_open(NULL), 0);
	signals_are_counted();
	others_are_left_alone();
	begin = clock_now_ns();
	for (unsigned i = 0; i < 10; i++)
		peer_signal(fd);
	assert_true(clock_now_ns() - begin >= 10 * PEER_SIGNAL_PATIENCE_NS / 2);
	assert_int_equal(taken(fd), FULL);
	peer_signal(fd);
	assert_int_equal(taken(fd), 1);
	close(fd);
	peer_signal_close();
	return argument;
}

/* Where there is no asynchronous I/O: a millisecond, and not for ever. */
static void the_second_way_ends(void **state)
{
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, use_the_second_way, state), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, state);
}

static void opened_and_closed_again(void **state)
{
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(peer_signal_open(NULL), 0);
		assert_int_equal(peer_signal_open(NULL), 0);
		peer_signal_close();
		peer_signal_close();
	}
	a_completion_counts(state);
}

static void an_edge_is_a_write_since(void **state)
{
	int fd = eventfd(1, 0);
	int watch = edge_watch(fd);

	assert_true(watch >= 0);
	assert_false(edge_seen(watch));
	put(fd, 1);
	put(fd, 1);
	assert_true(edge_seen(watch));
	assert_false(edge_seen(watch));
	/* What the owner reads is his. */
	assert_int_equal(taken(fd), 3);
	assert_false(edge_seen(watch));
	put(fd, 1);
	assert_true(edge_seen(watch));
	close(fd);
	assert_false(edge_seen(watch));
	close(watch);
	assert_true(edge_watch(-1) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_completion_counts),
		cmocka_unit_test(a_full_one_is_never_waited_for),
		cmocka_unit_test(the_second_way_ends),
		cmocka_unit_test(opened_and_closed_again),
		cmocka_unit_test(an_edge_is_a_write_since),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
