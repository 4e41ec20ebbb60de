/* SPDX-License-Identifier: BSD-3-Clause */
/* Logs and eventfds that cannot be, as a hostile VMM gives them: each is refused with its
 * reason. */
#include "port/vhost_user/test_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>

static int open_again(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* Files that cannot be a log, with the words that say so. */
static int unusable_file(unsigned kind, const char **words)
{
	int fd = memfd_create("vhost_user_log_test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int other, pipes[2];

	require(fd >= 0 && ftruncate(fd, (off_t)(LOG_OFFSET + LOG_SIZE - (kind == 0))) == 0);
	*words = kind < 2   ? "dirty log's file has"
		 : kind < 4 ? "cannot map"
			    : "is neither a memfd nor on tmpfs";
	switch (kind) {
	case 0: /* one byte short */
		return fd;
	case 1:
		require(ftruncate(fd, 0) == 0);
		return fd;
	case 2: /* not writable by us */
		other = open_again(fd, O_RDONLY);
		break;
	case 3: /* nor by anybody */
		require(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
		return fd;
	case 4:
		other = eventfd(0, EFD_CLOEXEC);
		break;
	case 5:
		require(pipe2(pipes, O_CLOEXEC) == 0);
		other = pipes[1];
		fd_close(&pipes[0]);
		break;
	case 6:
		other = open("/dev/zero", O_RDWR | O_CLOEXEC);
		break;
	case 7:
		other = open("/tmp", O_RDONLY | O_CLOEXEC);
		break;
	default:
		fd_close(&fd);
		return -1;
	}
	require(other >= 0);
	fd_close(&fd);
	return other;
}

static void a_file_that_cannot_be_a_log_is_refused(void **state)
{
	struct log log = log_begin();
	const char *words;

	test_vm_attach(&vm, PROTOCOL);
	/* First where there is no log yet, then over one that stays in force. */
	for (unsigned round = 0; round < 2; round++) {
		for (int kind = 0, fd; (fd = unusable_file((unsigned)kind, &words)) >= 0; kind++) {
			unsigned fds = test_fd_count();

			require(test_ask(&vm, make_log_base(fd, LOG_SIZE, LOG_OFFSET)) ==
				TEST_REFUSED);
			require(strstr(test_said, "SET_LOG_BASE (6): "));
			assert_refused_only(words);
			require(test_fd_count() == fds);
			fd_close(&fd);
			if (round)
				assert_in_force(&log);
			/* The port says ten things a second, and no more. */
			test_vm_detach(&vm);
			test_vm_close(&vm);
			test_vm_open(&vm, "vm", 0);
			test_vm_attach(&vm, PROTOCOL);
			if (round) {
				set_log(&log);
				set_features(FEATURES | LOG_ALL);
			}
		}
		set_log(&log);
		set_features(FEATURES | LOG_ALL);
	}
	log_end(&log);
	test_vm_detach(&vm);
}

static void a_size_that_cannot_be_is_refused(void **state)
{
	static const struct {
		uint64_t size, offset;
		const char *words;
	} wrong[] = {
		{0, LOG_OFFSET, "is empty or wraps"},
		{UINT64_MAX, 1, "is empty or wraps"},
		{1, UINT64_MAX, "is empty or wraps"},
		{LOG_FILE, 1, "4097 are needed"},
		{1, UINT64_MAX - 1, "are needed"},
	};
	struct log log = log_begin();

	test_vm_attach(&vm, PROTOCOL);
	set_log(&log);
	set_features(FEATURES | LOG_ALL);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		require(test_ask(&vm, make_log_base(log.fd, wrong[i].size, wrong[i].offset)) ==
			TEST_REFUSED);
		assert_refused_only(wrong[i].words);
		assert_in_force(&log);
	}
	/* No descriptor at all: the form of the message for logs that are not shared. */
	require(test_ask(&vm, make_log_base(-1, LOG_SIZE, LOG_OFFSET)) == TEST_REFUSED);
	assert_refused_only("16 bytes with 0 descriptors instead of 16 with 1");
	assert_in_force(&log);
	log_end(&log);
	test_vm_detach(&vm);
}

/* A page without a bit would be stale after the migration, and nobody would know. */
static void a_log_that_ends_before_the_memory_is_refused(void **state)
{
	struct log log = log_begin();

	test_vm_attach(&vm, PROTOCOL);
	/* Before LOG_ALL, as QEMU has it, over a log that stays in force, and with it. */
	for (unsigned i = 0; i < 3; i++) {
		require(test_ask(&vm, make_log_base(log.fd, LOG_SIZE - 1, LOG_OFFSET)) ==
			TEST_REFUSED);
		assert_refused_only("lies beyond the dirty log");
		if (i == 1)
			set_features(FEATURES | LOG_ALL);
		if (i)
			assert_in_force(&log);
		set_log(&log);
	}
	/* Much more than the guest has does no harm. */
	require(test_ask(&vm, make_log_base(log.fd, LOG_FILE - LOG_OFFSET, LOG_OFFSET)) ==
		TEST_GRANTED);
	for (unsigned i = 0; i < TEST_RING; i++)
		assert_in_force(&log);
	log_end(&log);
	test_vm_detach(&vm);
}

static void a_log_needs_log_shmfd(void **state)
{
	struct log log = log_begin();
	struct vhost_message message;
	unsigned fds;

	test_vm_attach(&vm, BIT64(VHOST_PROTOCOL_REPLY_ACK));
	set_features(FEATURES | LOG_ALL);
	fds = test_fd_count();
	/* Without the feature the message has no reply of its own, but may ask for one. */
	require(test_ask(&vm, make_log_base(log.fd, LOG_SIZE, LOG_OFFSET)) == TEST_REFUSED);
	assert_refused_only("SET_LOG_BASE (6): was not negotiated");
	message = make_log_base(log.fd, LOG_SIZE, LOG_OFFSET);
	message.header.flags &= ~VHOST_MESSAGE_NEED_REPLY;
	test_tell(&vm, &message);
	set_features(FEATURES | LOG_ALL);
	/* Its other form, an address in the VMM. */
	require(test_ask(&vm, test_make_number(VHOST_USER_SET_LOG_BASE, TEST_USER)) ==
		TEST_REFUSED);
	require(test_vm_connected(&vm) && test_vm_receives(&vm) && test_vm_transmits(&vm));
	require(test_fd_count() == fds && count_logged(&log) == 0);
	log_end(&log);
	test_vm_detach(&vm);
}

static void what_tells_of_logging_must_be_an_eventfd(void **state)
{
	struct log log = log_begin();
	struct vhost_message message = test_make(VHOST_USER_SET_LOG_FD, 0);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0, begin = clock_now_ns();

	test_vm_attach(&vm, PROTOCOL);
	set_features(FEATURES | LOG_ALL);
	require(test_ask(&vm, test_make_address(&vm, 0, LOG_RING, vm.queues[0].used)) ==
		TEST_GRANTED);
	set_log(&log);
	message.fd_count = 1;
	message.fds[0] = fd;
	require(test_ask(&vm, message) == TEST_GRANTED && test_vm_receives(&vm));
	/* Not by who sent the frame. */
	require(read(fd, &count, sizeof(count)) < 0);
	while (read(fd, &count, sizeof(count)) < 0 && clock_now_ns() - begin < TEST_PATIENCE)
		event_base_loop(test_base, EVLOOP_ONCE);
	require(count > 0);
	message.fds[0] = log.fd;
	require(test_ask(&vm, message) == TEST_HUNG_UP);
	require(strstr(test_said, "SET_LOG_FD (7): the descriptor is no eventfd"));
	require(!test_vm_connected(&vm));
	fd_close(&fd);
	log_end(&log);
	test_vm_detach(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_cannot_be_a_log_is_refused),
		TEST(a_size_that_cannot_be_is_refused),
		TEST(a_log_that_ends_before_the_memory_is_refused),
		TEST(a_log_needs_log_shmfd),
		TEST(what_tells_of_logging_must_be_an_eventfd),
	};

	return cmocka_run_group_tests_name("vhost-user log refused", tests, NULL, NULL);
}
