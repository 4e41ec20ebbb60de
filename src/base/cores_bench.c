/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What two processors can do at all, for judging what a switch does between them:
 *
 *   near  round trip of a cache line, ns. On a virtual machine it changes with where the host puts
 *         the processors: by four times, within seconds.
 *   wake  from writing an eventfd on one to returning from epoll_wait() on the other, us, where the
 *         latter has been idle for WAKE_GAP: median and 99th percentile.
 *
 * usage: cores_bench CPU CPU [wake]     prints "near NS", and with wake "wake P50 P99"
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/common.h"

#define TRIPS       20000
#define TRIPS_COLD  2000
#define WAKES       1000
#define WAKE_GAP_NS (2 * NS_PER_MS)
/* So long the one that was woken stays awake, as a switch that polls for a while would. */
#define AWAKE_NS    (50 * NS_PER_US)

/* One line each: what one side says, and what the other answers. */
static struct {
	uint64_t value CACHE_ALIGNED;
} asked, answered;

static int event_fd;
static int other_cpu;

static void die(const char *what)
{
	fprintf(stderr, "cores_bench: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	errno = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	if (errno)
		die("this processor is not to be had");
}

static void wait_for(const uint64_t *value, uint64_t wanted)
{
	while (__atomic_load_n(value, __ATOMIC_ACQUIRE) != wanted)
		;
}

static void *answer_trips(void *unused)
{
	run_on(other_cpu);
	for (uint64_t i = 1; i <= TRIPS_COLD + TRIPS; i++) {
		wait_for(&asked.value, i);
		__atomic_store_n(&answered.value, i, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Says when it woke up. */
static void *answer_wakes(void *unused)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	run_on(other_cpu);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event) < 0)
		die("epoll");
	for (unsigned i = 0; i < WAKES; i++) {
		uint64_t now;

		if (epoll_wait(epoll, &event, 1, -1) < 0)
			die("epoll_wait");
		now = clock_now_ns();
		__atomic_store_n(&answered.value, now, __ATOMIC_RELEASE);
		while (clock_now_ns() - now < AWAKE_NS)
			;
	}
	close(epoll);
	return NULL;
}

static void measure_near(void)
{
	uint64_t begin = 0;

	for (uint64_t i = 1; i <= TRIPS_COLD + TRIPS; i++) {
		if (i == TRIPS_COLD + 1)
			begin = clock_now_ns();
		__atomic_store_n(&asked.value, i, __ATOMIC_RELEASE);
		wait_for(&answered.value, i);
	}
	printf("near %.0f\n", (double)(clock_now_ns() - begin) / TRIPS);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure_wake(void)
{
	static uint64_t taken[WAKES];
	const uint64_t one = 1;

	for (unsigned i = 0; i < WAKES; i++) {
		uint64_t begin = clock_now_ns(), woken;

		while (clock_now_ns() - begin < WAKE_GAP_NS)
			;
		__atomic_store_n(&answered.value, 0, __ATOMIC_RELAXED);
		begin = clock_now_ns();
		if (write(event_fd, &one, sizeof(one)) < 0)
			die("write");
		do {
			woken = __atomic_load_n(&answered.value, __ATOMIC_ACQUIRE);
		} while (!woken);
		taken[i] = woken - begin;
	}
	qsort(taken, WAKES, sizeof(taken[0]), compare);
	printf("wake %.1f %.1f\n", (double)taken[WAKES / 2] / NS_PER_US,
		(double)taken[WAKES * 99 / 100] / NS_PER_US);
}

static void measure(void (*here)(void), void *(*there)(void *))
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, there, NULL);
	if (errno)
		die("thread");
	here();
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "wake") != 0)) {
		fprintf(stderr, "usage: cores_bench CPU CPU [wake]\n");
		return EXIT_FAILURE;
	}
	event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (event_fd < 0)
		die("eventfd");
	run_on(atoi(argv[1]));
	other_cpu = atoi(argv[2]);
	measure(measure_near, answer_trips);
	if (argc == 4)
		measure(measure_wake, answer_wakes);
	close(event_fd);
	return EXIT_SUCCESS;
}
