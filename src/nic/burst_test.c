/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads of the TAP that fail, as the test has it. */
#include "frame_io/frame_io.h"
#include "nic/test_bridge.h"

void __real_frame_io_read(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count);
void __wrap_frame_io_read(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count);

/* What the next read that has a frame gives instead of it; 0: the frame. */
static int failure;

void __wrap_frame_io_read(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count)
{
	__real_frame_io_read(ring, fd, ios, count);
	if (ios[0].result < 0 || !failure)
		return;
	ios[0].result = failure;
	failure = 0;
}

/* It took a frame; those behind it, which the same call has read, are sent. */
static void a_read_that_fails_costs_one_frame(void **state)
{
	static const int failures[] = {-ENOMEM, -EINVAL, -EFAULT};
	struct rig rig;

	rig_open(&rig, 64, 1500, feature_sets[1]);
	settle(&rig);
	for (unsigned i = 0; i < ARRAY_SIZE(failures); i++) {
		failure = failures[i];
		for (unsigned number = 0; number < 5; number++)
			wire_send(&rig, number, 60);
		settle(&rig);
		assert_int_equal(failure, 0);
		assert_int_equal(rig.tap_failures, 0);
		assert_int_equal(bridge_counters(rig.bridge)->dropped, i + 1);
		assert_int_equal(bridge_counters(rig.bridge)->sent, 4 * (i + 1));
		for (unsigned number = 1; number < 5; number++)
			backend_expect(&rig, number, 60);
	}
	rig_close(&rig);
}

static void a_tap_that_is_gone_ends_it(void **state)
{
	static const int failures[] = {-EBADFD, -EIO, -ENODEV};

	for (unsigned i = 0; i < ARRAY_SIZE(failures); i++) {
		struct rig rig;

		rig_open(&rig, 64, 1500, feature_sets[1]);
		settle(&rig);
		failure = failures[i];
		wire_send(&rig, 0, 60);
		settle(&rig);
		assert_int_equal(rig.tap_failures, 1);
		assert_int_equal(bridge_counters(rig.bridge)->dropped, 0);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_that_fails_costs_one_frame),
		cmocka_unit_test(a_tap_that_is_gone_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
