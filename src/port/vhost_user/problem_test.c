/* SPDX-License-Identifier: BSD-3-Clause */
/* Why a port does not serve its VM: each reason is in the log and in the port's status, and goes
 * when it is over. */
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "port/vhost_user/test_vm.h"

#define PROTOCOL_FEATURES                                                                          \
	(BIT64(VHOST_PROTOCOL_REPLY_ACK) | BIT64(VHOST_PROTOCOL_MQ) |                              \
		BIT64(VHOST_PROTOCOL_NET_MTU) | BIT64(VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS))

static struct test_vm vm;

static int setup(void **state)
{
	test_vms_begin();
	test_vm_open(&vm, "vm", 0);
	test_vm_attach(&vm, PROTOCOL_FEATURES);
	return 0;
}

static int teardown(void **state)
{
	if (vm.socket >= 0)
		test_vm_detach(&vm);
	test_vm_close(&vm);
	test_vms_end();
	return 0;
}

static void assert_status(enum vhost_user_state state, const char *words)
{
	struct vhost_user_status status;

	vhost_user_status(vm.port, &status);
	if (status.state != state)
		fail_msg("%s instead of %s", vhost_user_state_names[status.state],
			vhost_user_state_names[state]);
	if (!words)
		assert_null(status.problem);
	else if (!status.problem || !strstr(status.problem, words))
		fail_msg("'%s' is not in '%s'", words, status.problem ? status.problem : "");
}

static struct vhost_message make_region(uint32_t id, int fd)
{
	struct vhost_region region = {.guest_address = TEST_GUEST * 8,
		.size = TEST_MEMORY,
		.user_address = TEST_USER * 2};
	struct vhost_message message = test_make(id, 8 + sizeof(region));

	if (id == VHOST_USER_SET_MEM_TABLE) {
		message.payload.memory.count = 1;
		message.payload.memory.regions[0] = region;
	} else {
		message.payload.slot.region = region;
	}
	message.fd_count = 1;
	message.fds[0] = fd;
	return message;
}

/* Whatever is refused: one line that names port and message, and the same words in the status. */
static void every_refusal_has_its_reason(void **state)
{
	int no_file = eventfd(0, EFD_CLOEXEC);
	const struct {
		struct vhost_message message;
		const char *words;
	} cases[] = {
		{make_region(VHOST_USER_SET_MEM_TABLE, no_file), "SET_MEM_TABLE (5): "},
		{make_region(VHOST_USER_ADD_MEM_REG, no_file), "ADD_MEM_REG (37): "},
		{test_make_number(VHOST_USER_NET_SET_MTU, 67), "NET_SET_MTU (20): MTU 67"},
		{test_make_number(VHOST_USER_SET_FEATURES, BIT64(VIRTIO_F_ACCESS_PLATFORM)),
			"SET_FEATURES (2): features 0x200000000 (access_platform)"},
		{test_make_number(VHOST_USER_SET_PROTOCOL_FEATURES, BIT64(VHOST_PROTOCOL_XEN_MMAP)),
			"SET_PROTOCOL_FEATURES (16): "},
		{test_make_state(VHOST_USER_SET_VRING_NUM, 0, 0), "SET_VRING_NUM (8): ring 0: "},
		{test_make_number(VHOST_USER_SET_STATUS, 1), "SET_STATUS (39): was not negotiated"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_user_status status;

		assert_int_equal(test_ask(&vm, cases[i].message), TEST_REFUSED);
		require(strstr(test_said, "port vm: "));
		require(strstr(test_said, cases[i].words));
		vhost_user_status(vm.port, &status);
		if (!status.problem || !strstr(status.problem, cases[i].words))
			fail_msg("'%s' is not in '%s'", cases[i].words,
				status.problem ? status.problem : "");
	}
	fd_close(&no_file);
}

static void a_broken_message_has_its_reason(void **state)
{
	assert_int_equal(test_ask(&vm, test_make(VHOST_USER_SET_VRING_NUM, 4)), TEST_HUNG_UP);
	require(strstr(test_said, "SET_VRING_NUM (8): payload of 4 bytes"));
	assert_status(VHOST_USER_REFUSED, "SET_VRING_NUM (8): payload of 4 bytes");
	test_vm_detach(&vm);
	assert_status(VHOST_USER_REFUSED, "payload of 4 bytes");
	/* The next VM does better. */
	test_vm_attach(&vm, PROTOCOL_FEATURES);
	assert_status(VHOST_USER_RUNNING, NULL);
}

static void a_refusal_is_over_when_the_rings_run(void **state)
{
	assert_status(VHOST_USER_RUNNING, NULL);
	assert_int_equal(test_ask(&vm, test_make_number(VHOST_USER_SET_FEATURES,
					       BIT64(VIRTIO_F_ACCESS_PLATFORM))),
		TEST_REFUSED);
	assert_status(VHOST_USER_REFUSED, "access_platform");
	test_vm_detach(&vm);
	test_vm_attach(&vm, PROTOCOL_FEATURES);
	assert_status(VHOST_USER_RUNNING, NULL);
}

/* What a VMM that is refused does once a second is in the log once. */
static void the_same_refusal_is_logged_once(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			test_ask(&vm, test_make_number(VHOST_USER_NET_SET_MTU, 67)), TEST_REFUSED);
		assert_int_equal(strstr(test_said, "MTU 67") != NULL, i == 0);
		test_vm_detach(&vm);
		test_vm_attach(&vm, PROTOCOL_FEATURES);
	}
}

/* A driver that starts rings without having been given memory: known at once. */
static void memory_that_never_comes(void **state)
{
	struct vhost_message kick = test_make_number(VHOST_USER_SET_VRING_KICK, 0);

	test_vm_detach(&vm);
	test_vm_connect(&vm);
	assert_status(VHOST_USER_CONNECTED, NULL);
	test_vm_negotiate(&vm, PROTOCOL_FEATURES);
	assert_status(VHOST_USER_NO_MEMORY, NULL);
	assert_int_equal(test_ask(&vm, test_make_state(VHOST_USER_SET_VRING_NUM, 0, TEST_RING)),
		TEST_GRANTED);
	assert_int_equal(test_ask(&vm, test_make_address(&vm, 0, 0, 0)), TEST_GRANTED);
	kick.fd_count = 1;
	kick.fds[0] = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(test_ask(&vm, kick), TEST_REFUSED);
	close(kick.fds[0]);
	require(strstr(test_said, "does not share its memory"));
	assert_status(VHOST_USER_NO_MEMORY, "does not share its memory");
	/* Of another VM that is not true. */
	test_vm_detach(&vm);
	assert_status(VHOST_USER_DOWN, "does not share its memory");
	test_vm_attach(&vm, PROTOCOL_FEATURES);
	assert_status(VHOST_USER_RUNNING, NULL);
}

static void run_for(uint64_t ns)
{
	uint64_t begin = clock_now_ns();

	while (clock_now_ns() - begin < ns) {
		event_base_loop(test_base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* Rings in memory that is not the guest's, which we see as zeros; its receiveq's kick eventfd. */
static int start_on_foreign_memory(uint64_t protocol_features)
{
	struct vhost_message kick = test_make_number(VHOST_USER_SET_VRING_KICK, 0);

	test_vm_detach(&vm);
	test_vm_connect(&vm);
	memset(vm.memory, 0, TEST_MEMORY);
	test_vm_negotiate(&vm, protocol_features);
	test_vm_share_memory(&vm);
	test_vm_start_ring(&vm, 0);
	test_vm_start_ring(&vm, 1);
	kick.fd_count = 1;
	kick.fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(test_ask(&vm, kick), TEST_GRANTED);
	return kick.fds[0];
}

#define STATUS(bits) test_make_number(VHOST_USER_SET_STATUS, VIRTIO_CONFIG_S_##bits)
/* A kick is taken for a driver's whose buffers should be there after a second. */
#define SOON         (NS_PER_SECOND * 3 / 2)

/* A driver kicked its receiveq, but there is nothing in it. */
static void memory_that_is_not_the_guests(void **state)
{
	int kick = start_on_foreign_memory(PROTOCOL_FEATURES);

	assert_status(VHOST_USER_RUNNING, NULL);
	eventfd_write(kick, 1);
	run_for(SOON);
	require(strstr(test_said, "does not share its memory"));
	assert_status(VHOST_USER_NO_MEMORY, "does not share its memory");
	close(kick);
}

/* A VMM kicks for itself before its driver is ready; and a driver before we have read that it
 * is. */
static void kicks_of_the_vmm(void **state)
{
	int kick = start_on_foreign_memory(PROTOCOL_FEATURES | BIT64(VHOST_PROTOCOL_STATUS));

	eventfd_write(kick, 1);
	assert_int_equal(test_ask(&vm, STATUS(FEATURES_OK)), TEST_GRANTED);
	assert_int_equal(test_ask(&vm, STATUS(DRIVER_OK)), TEST_GRANTED);
	run_for(SOON);
	assert_string_equal(test_said, "");
	assert_status(VHOST_USER_RUNNING, NULL);
	close(kick);
	kick = start_on_foreign_memory(PROTOCOL_FEATURES | BIT64(VHOST_PROTOCOL_STATUS));
	eventfd_write(kick, 1);
	run_for(NS_PER_SECOND / 10);
	assert_int_equal(test_ask(&vm, STATUS(DRIVER_OK)), TEST_GRANTED);
	run_for(SOON);
	require(strstr(test_said, "does not share its memory"));
	assert_status(VHOST_USER_NO_MEMORY, "does not share its memory");
	close(kick);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_refusal_has_its_reason),
		TEST(a_broken_message_has_its_reason),
		TEST(a_refusal_is_over_when_the_rings_run),
		TEST(the_same_refusal_is_logged_once),
		TEST(memory_that_never_comes),
		TEST(memory_that_is_not_the_guests),
		TEST(kicks_of_the_vmm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
