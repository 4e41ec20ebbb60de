/* SPDX-License-Identifier: BSD-3-Clause */
/* Eventfds with so many watchers that a signal takes too long, and those that only seem slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bell.h"
#include "base/clock.h"

/* A duplicate of an eventfd is watched by an epoll of its own: as many as make a signal slow. */
#define DUPLICATES 200
#define EPOLLS     200

static struct bells bells;
static struct bell bell;
static int epolls[EPOLLS];
static int duplicates[DUPLICATES];

static uint64_t taken(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static int setup(void **state)
{
	bells = (struct bells){.attention = eventfd(0, EFD_NONBLOCK)};
	bell = (struct bell){.bells = &bells, .fd = eventfd(0, EFD_NONBLOCK)};
	return 0;
}

static int teardown(void **state)
{
	close(bells.attention);
	close(bell.fd);
	return 0;
}

static void crowd(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	for (unsigned i = 0; i < DUPLICATES; i++)
		duplicates[i] = dup(bell.fd);
	for (unsigned i = 0; i < EPOLLS; i++) {
		epolls[i] = epoll_create1(0);
		for (unsigned k = 0; k < DUPLICATES; k++)
			assert_int_equal(
				epoll_ctl(epolls[i], EPOLL_CTL_ADD, duplicates[k], &event), 0);
	}
}

static void disperse(void)
{
	for (unsigned i = 0; i < EPOLLS; i++)
		close(epolls[i]);
	for (unsigned i = 0; i < DUPLICATES; i++)
		close(duplicates[i]);
}

static void a_usual_one_is_signalled_at_once(void **state)
{
	for (unsigned i = 0; i < 1000; i++)
		bell_ring(&bell);
	assert_int_equal(taken(bell.fd), 1000);
	assert_int_equal(bells.owed, 0);
	assert_false(bell_take(&bell));
}

static void nobody_listens(void **state)
{
	struct bell silent = {.bells = &bells, .fd = -1};

	assert_int_equal(bell_ring(&silent), 0);
}

static void a_slow_one_is_owed(void **state)
{
	uint64_t rung = 0, sent;

	crowd();
	while (!bells.owed && rung < 10000) {
		bell_ring(&bell);
		rung++;
	}
	/* Some were sent, a few, and those that were to confirm it: the last one is owed, and
	 * whoever is to send it has been told. */
	sent = taken(bell.fd);
	assert_true(sent >= rung - 1 && sent < rung + 10 * BELL_PROBES);
	assert_true(rung < 1000);
	assert_int_equal(taken(bells.attention), 1);
	for (unsigned i = 0; i < 100; i++)
		bell_ring(&bell);
	assert_int_equal(taken(bell.fd), 0);
	assert_int_equal(taken(bells.attention), 0);
	assert_int_equal(bells.owed, 101);
	assert_true(bell_take(&bell));
	assert_false(bell_take(&bell));
	assert_true(bell_measure(bell.fd) > BELL_FAIR_NS);
	assert_int_equal(taken(bell.fd), 1);
	/* Owed anew, told anew. */
	bell_ring(&bell);
	assert_int_equal(taken(bells.attention), 1);
	assert_true(bell_take(&bell));
	disperse();
	bells_forgive(&bells);
	bell_ring(&bell);
	assert_int_equal(taken(bell.fd), 1);
}

/* Quick signals in between do not make slow ones quick. */
static void slow_and_quick_ones_by_turns(void **state)
{
	struct bell quick = {.bells = &bells, .fd = eventfd(0, EFD_NONBLOCK)};
	unsigned rung = 0;

	crowd();
	for (; !bells.owed && rung < 10000; rung++) {
		bell_ring(&bell);
		bell_ring(&quick);
	}
	assert_true(rung < 1000);
	disperse();
	close(quick.fd);
}

/* Signals of `took` ns each `period`: what the first that is judged dear, and too dear, brings the
 * sum to; 0: none within ten seconds. */
static void judged(uint64_t took, uint64_t period, uint64_t *dear, uint64_t *too_dear)
{
	uint64_t now = NS_PER_SECOND;

	bells = (struct bells){.debt_at = now, .until = now};
	*dear = *too_dear = 0;
	for (; now < 11 * NS_PER_SECOND && !*too_dear; now += period) {
		enum bell_verdict verdict = bells_note(&bells, took, now);

		if (verdict != BELL_FAIR && !*dear)
			*dear = bells.debt_ns;
		if (verdict == BELL_TOO_DEAR)
			*too_dear = bells.debt_ns;
	}
}

/* Whatever one signal takes: 2 % of the time is nobody's business, 6 % is. */
static void the_share_counts(void **state)
{
	for (uint64_t took = BELL_FAIR_NS + 1; took < BELL_ENDLESS_NS / 50; took *= 2) {
		uint64_t dear, too_dear;

		judged(took, took * 50, &dear, &too_dear);
		assert_true(!dear && !too_dear);
		judged(took, took * 16, &dear, &too_dear);
		assert_true(dear > BELL_DEBT_NS && dear <= MAX(BELL_DEBT_NS, 4 * took) + took);
		assert_true(too_dear > BELL_DEBT_MAX_NS && too_dear <= BELL_DEBT_MAX_NS + took);
	}
}

/* Quick ones are fair, and none of them takes the sum away. */
static void quick_ones_change_nothing(void **state)
{
	uint64_t now = NS_PER_SECOND;
	enum bell_verdict verdict = BELL_FAIR;

	bells = (struct bells){.debt_at = now, .until = now};
	for (unsigned i = 0; i < 1000 && verdict != BELL_TOO_DEAR; i++) {
		now += NS_PER_MS;
		assert_int_equal(bells_note(&bells, 1000, now), BELL_FAIR);
		verdict = bells_note(&bells, 2 * BELL_FAIR_NS, now);
	}
	assert_int_equal(verdict, BELL_TOO_DEAR);
}

/* What took long was another thread's turn: suspicion wears off. */
static void one_that_was_suspected_once(void **state)
{
	unsigned rung = 0;

	bells.trust = BELLS_SUSPECTED;
	for (; rung < 100 || (bells.trust != BELLS_USUAL && rung < 10000); rung++) {
		bell_ring(&bell);
		usleep(rung < 100 ? 0 : 1000);
	}
	assert_int_equal(taken(bell.fd), rung);
	assert_int_equal(bells.owed, 0);
	assert_int_equal(bells.trust, BELLS_USUAL);
}

/* On a machine like any other nothing changes: our own eventfds are quick. */
static void our_own_are_the_measure(void **state)
{
	struct bells own = {.attention = -1};
	uint64_t now = 100 * NS_PER_SECOND;

	bell_calibrate();
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(bells_note(&own, BELL_FAIR_NS, now), BELL_FAIR);
	assert_int_equal(own.debt_ns, 0);
	for (unsigned i = 0; i < 100; i++)
		bells_note(&own, BELL_FAIR_MAX_NS + 1, now);
	assert_true(own.debt_ns > BELL_DEBT_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_usual_one_is_signalled_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_one_is_owed, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_and_quick_ones_by_turns, setup, teardown),
		cmocka_unit_test(the_share_counts),
		cmocka_unit_test(quick_ones_change_nothing),
		cmocka_unit_test_setup_teardown(one_that_was_suspected_once, setup, teardown),
		cmocka_unit_test(our_own_are_the_measure),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
