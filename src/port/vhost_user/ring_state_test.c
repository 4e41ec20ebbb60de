/* SPDX-License-Identifier: BSD-3-Clause */
/* Every act in every state: what the header lists is done, and everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "port/vhost_user/ring_state.h"

#define REFUSED (-1)

static void test_every_act_in_every_state(void **state)
{
	/* In the order of the acts: LAY, LOSE, PUBLISH, WITHDRAW, FAIL, CLEAR. */
	static const int expected[RING_STATE_COUNT][RING_ACT_COUNT] = {
		[RING_STOPPED] = {RING_READY, RING_LOST, REFUSED, REFUSED, REFUSED, RING_STOPPED},
		[RING_READY] = {REFUSED, REFUSED, RING_RUNNING, REFUSED, RING_FAILED, RING_STOPPED},
		[RING_RUNNING] = {REFUSED, REFUSED, REFUSED, RING_READY, REFUSED, REFUSED},
		[RING_FAILED] = {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, RING_STOPPED},
		[RING_LOST] = {REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, RING_STOPPED},
	};

	for (int from = 0; from < RING_STATE_COUNT; from++) {
		for (int act = 0; act < RING_ACT_COUNT; act++) {
			enum ring_state now = (enum ring_state)from;
			bool legal = ring_state_act(&now, (enum ring_act)act);

			assert_int_equal(legal, expected[from][act] != REFUSED);
			assert_int_equal(now, legal ? expected[from][act] : from);
		}
	}
}

/* What is out of service gets back to a worker by way of a new start only. */
static void test_no_way_back_but_a_start(void **state)
{
	for (unsigned first = 0; first < RING_ACT_COUNT; first++) {
		for (unsigned second = 0; second < RING_ACT_COUNT; second++) {
			enum ring_state now = RING_FAILED;

			ring_state_act(&now, (enum ring_act)first);
			ring_state_act(&now, (enum ring_act)second);
			assert_int_not_equal(now, RING_RUNNING);
			if (first != RING_CLEAR && second != RING_CLEAR)
				assert_true(ring_state_out_of_service(now));
		}
	}
}

static void test_names(void **state)
{
	for (unsigned i = 0; i < RING_STATE_COUNT; i++)
		assert_non_null(ring_state_name((enum ring_state)i));
	assert_false(ring_state_out_of_service(RING_STOPPED));
	assert_false(ring_state_out_of_service(RING_RUNNING));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_act_in_every_state),
		cmocka_unit_test(test_no_way_back_but_a_start),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("ring state", tests, NULL, NULL);
}
