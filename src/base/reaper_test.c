/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs that sleep hold up neither who hands them over nor another reaper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/reaper.h"
#include "base/test_threads.h"

static sem_t gate, passed;
static void wait_at_the_gate(void *argument)
{
	while (sem_wait(&gate) < 0)
		continue;
	sem_post(&passed);
}

static void add_one(void *argument)
{
	__atomic_add_fetch((unsigned *)argument, 1, __ATOMIC_RELAXED);
}

static void jobs_are_done_in_order_and_none_is_lost(void **state)
{
	struct reaper *reaper = reaper_new();
	unsigned done = 0;

	for (unsigned i = 0; i < 10000; i++)
		reaper_run(reaper, add_one, &done);
	reaper_wait(reaper);
	assert_int_equal(done, 10000);
	assert_int_equal(reaper_pending(reaper), 0);
	reaper_run(NULL, add_one, &done);
	assert_int_equal(done, 10001);
	reaper_free(reaper);
	reaper_free(NULL);
}

static void one_that_is_stuck_is_alone(void **state)
{
	struct reaper *stuck = reaper_new(), *other = reaper_new();
	unsigned done = 0;

	reaper_run(stuck, wait_at_the_gate, NULL);
	for (unsigned i = 1; i < REAPER_JOBS_MAX; i++) {
		assert_false(reaper_full(stuck));
		reaper_run(stuck, add_one, &done);
	}
	assert_true(reaper_full(stuck));
	assert_int_equal(reaper_pending(stuck), REAPER_JOBS_MAX);
	reaper_run(other, add_one, &done);
	reaper_wait(other);
	assert_int_equal(done, 1);
	assert_false(reaper_full(other));
	sem_post(&gate);
	reaper_wait(stuck);
	assert_int_equal(done, REAPER_JOBS_MAX);
	assert_false(reaper_full(stuck));
	reaper_free(stuck);
	reaper_free(other);
	sem_wait(&passed);
}

static void given_up_with_work_to_do(void **state)
{
	struct reaper *reaper = reaper_new();

	reaper_run(reaper, wait_at_the_gate, NULL);
	reaper_run(reaper, wait_at_the_gate, NULL);
	reaper_free(reaper);
	sem_post(&gate);
	sem_post(&gate);
	sem_wait(&passed);
	sem_wait(&passed);
}

/* A TCP socket with data that nobody reads, and a linger time of ten seconds; *other is its far
 * end. */
static int lingering(int *other)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 10};
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char data[65536] = {0};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &length), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
	*other = accept(listening, NULL, NULL);
	close(listening);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		continue;
	return fd;
}

static void a_socket_that_lingers(void **state)
{
	struct reaper *reaper = reaper_new();
	int far_end;
	int fd = lingering(&far_end);
	int other = eventfd(0, 0);
	uint64_t begin = clock_now_ns();

	errno = ENOENT;
	reaper_close(reaper, &fd);
	reaper_close(reaper, &other);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fd, -1);
	assert_true(clock_now_ns() - begin < 5 * NS_PER_SECOND);
	assert_int_equal(reaper_pending(reaper), 2);
	reaper_close(reaper, &fd);
	/* Reset by the far end, there is nothing to linger for. */
	close(far_end);
	reaper_wait(reaper);
	reaper_free(reaper);
}

/* The jobs wait, and whoever wants to know is told, each time. */
static void without_a_thread(void **state)
{
	struct reaper *reaper = reaper_new();
	unsigned done = 0, stalls = 0;

	reaper_on_stall(reaper, add_one, &stalls);
	test_no_threads = true;
	reaper_run(reaper, add_one, &done);
	reaper_run(reaper, add_one, &done);
	assert_int_equal(stalls, 2);
	reaper_retry(reaper);
	assert_int_equal(stalls, 3);
	assert_int_equal(reaper_pending(reaper), 2);
	test_no_threads = false;
	assert_int_equal(done, 0);
	reaper_retry(reaper);
	reaper_wait(reaper);
	assert_int_equal(done, 2);
	/* Nothing to do: nothing to say. */
	test_no_threads = true;
	reaper_retry(reaper);
	assert_int_equal(stalls, 3);
	reaper_on_stall(reaper, NULL, NULL);
	reaper_run(reaper, add_one, &done);
	assert_int_equal(stalls, 3);
	test_no_threads = false;
	/* With the last owner goes the last chance, which is taken. */
	reaper_free(reaper);
	reaper_wait_all();
	assert_int_equal(done, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_done_in_order_and_none_is_lost),
		cmocka_unit_test(one_that_is_stuck_is_alone),
		cmocka_unit_test(given_up_with_work_to_do),
		cmocka_unit_test(a_socket_that_lingers),
		cmocka_unit_test(without_a_thread),
	};

	sem_init(&gate, 0, 0);
	sem_init(&passed, 0, 0);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
