/* SPDX-License-Identifier: BSD-3-Clause */
/* What messages about rings cost: signals to the guest, and grace periods that all workers take
 * part in. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/reaper.h"
#include "port/vhost_user/test_vm.h"

#define PAIRS 4

static struct test_vm vm;
static unsigned waits;

void __real_urcu_qsbr_synchronize_rcu(void);
void __wrap_urcu_qsbr_synchronize_rcu(void);

void __wrap_urcu_qsbr_synchronize_rcu(void)
{
	waits++;
	__real_urcu_qsbr_synchronize_rcu();
}

static int setup(void **state)
{
	test_vms_begin();
	test_vm_open_pairs(&vm, "vm", 0, PAIRS);
	test_vm_attach(&vm, BIT64(VHOST_PROTOCOL_REPLY_ACK) | BIT64(VHOST_PROTOCOL_MQ));
	return 0;
}

static int teardown(void **state)
{
	test_vm_detach(&vm);
	test_vm_close(&vm);
	test_vms_end();
	return 0;
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	require(fd >= 0);
	return fd;
}

static void set_call(unsigned ring, int fd)
{
	struct vhost_message message = test_make_number(VHOST_USER_SET_VRING_CALL, ring);

	message.fd_count = 1;
	message.fds[0] = fd;
	require(test_ask(&vm, message) == TEST_GRANTED);
}

/* Signals since it was last asked, once those that are under way have come. */
static uint64_t signals(int fd)
{
	uint64_t count = 0;

	reaper_wait_all();
	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void get_base(unsigned ring)
{
	struct vhost_message message = test_make_state(VHOST_USER_GET_VRING_BASE, ring, 0);

	message.header.flags &= ~VHOST_MESSAGE_NEED_REPLY;
	test_tell(&vm, &message);
	require(test_answer(&vm, VHOST_USER_GET_VRING_BASE) >= 0);
}

static void test_once(void **state)
{
	int first = new_eventfd(), second = new_eventfd();

	set_call(0, first);
	assert_int_equal(signals(first), 1);
	set_call(0, second);
	assert_int_equal(signals(second), 1);
	assert_int_equal(signals(first), 0);
	test_vm_kick(&vm, 0);
	assert_int_equal(signals(second), 1);
	/* A ring that stands still is silent; one that starts is not. */
	get_base(0);
	set_call(0, first);
	assert_int_equal(signals(first), 0);
	test_vm_kick(&vm, 0);
	assert_int_equal(signals(first), 1);
	fd_close(&first);
	fd_close(&second);
}

/* As fast as they can be sent: most signals are saved, and the last one is not lost. */
static void test_flood(void **state)
{
	int flood = new_eventfd(), last = new_eventfd();
	uint64_t begin = clock_now_ns(), sent;
	struct vhost_user_status status;

	for (unsigned i = 0; i < 4000; i++)
		set_call(i % 2, flood);
	sent = signals(flood);
	assert_in_range(sent, 1000, 2000);
	set_call(1, last);
	sent = signals(last);
	while (!sent && clock_now_ns() - begin < TEST_PATIENCE) {
		event_base_loop(test_base, EVLOOP_ONCE);
		sent = signals(last);
	}
	assert_int_equal(sent, 1);
	vhost_user_status(vm.port, &status);
	assert_null(status.problem);
	fd_close(&flood);
	fd_close(&last);
}

/* Those of a memory table that is replaced do not grow with the rings: one that takes them out of
 * service, and one for what was mapped. Adding a ring needs none. */
static void test_grace_periods_of_a_memory_table(void **state)
{
	for (unsigned pairs = 1; pairs <= PAIRS; pairs++) {
		if (pairs > 1) {
			waits = 0;
			test_vm_start_ring(&vm, 2 * pairs - 2);
			test_vm_start_ring(&vm, 2 * pairs - 1);
			/* Enabling withdraws the transmitq, which ran and dropped what came. */
			assert_in_range(waits, 0, 1);
		}
		waits = 0;
		test_vm_share_memory(&vm);
		assert_in_range(waits, 1, 2);
	}
	for (unsigned ring = 2; ring < 2 * PAIRS; ring++)
		get_base(ring);
	assert_true(test_vm_receives(&vm));
	assert_true(test_vm_transmits(&vm));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once),
		TEST(test_flood),
		TEST(test_grace_periods_of_a_memory_table),
	};

	return cmocka_run_group_tests_name("vhost-user calls", tests, NULL, NULL);
}
