/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port answers to a VMM that wants writes logged: which logs and addresses it refuses, in
 * which words, and what goes on all the same. A second VM stands by, and nothing of this may reach
 * it.
 */
#include "port/vhost_user/test_vm.h"

#include <fcntl.h>
#include <linux/vhost_types.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/rcu.h"
#include "vhost/test_port.h"
#include "virtio/dirty_log.h"
#include "virtio/packed_device.h"
#include "virtio/split_device.h"

#define FEATURES TEST_VM_FEATURES
#define LOG_ALL  BIT64(VHOST_F_LOG_ALL)
#define PROTOCOL (BIT64(VHOST_PROTOCOL_REPLY_ACK) | BIT64(VHOST_PROTOCOL_LOG_SHMFD))
#define LOG_RING (1u << VHOST_VRING_F_LOG)
#define PAGE     UINT64_C(4096)

/* A log with a bit for every page up to the end of the guest's memory; its bits begin at an offset
 * in the file, for which no alignment is promised. */
#define LOG_SIZE   ((TEST_GUEST + TEST_MEMORY) / PAGE / 8)
#define LOG_OFFSET UINT64_C(123)
#define LOG_FILE   PAGE

struct log {
	int fd;
	uint8_t *file;
};

static struct test_vm vm, bystander;
static unsigned baseline;

static struct log log_begin(void)
{
	struct log log = {.fd = memfd_create("vhost_user_log_test", MFD_CLOEXEC)};

	require(log.fd >= 0 && ftruncate(log.fd, (off_t)LOG_FILE) == 0);
	log.file = mmap(NULL, LOG_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, log.fd, 0);
	require(log.file != MAP_FAILED);
	return log;
}

static void log_end(struct log *log)
{
	munmap(log->file, LOG_FILE);
	fd_close(&log->fd);
}

static bool logged(const struct log *log, uint64_t address)
{
	uint64_t page = address / PAGE;

	return __atomic_load_n(&log->file[LOG_OFFSET + page / 8], __ATOMIC_SEQ_CST) >> page % 8 & 1;
}

static unsigned count_logged(const struct log *log)
{
	unsigned count = 0;

	for (uint64_t i = 0; i < LOG_FILE; i++)
		count += (unsigned)__builtin_popcount(log->file[i]);
	return count;
}

static void log_clear(const struct log *log)
{
	memset(log->file, 0, LOG_FILE);
}

static struct vhost_message make_log_base(int fd, uint64_t size, uint64_t offset)
{
	struct vhost_message message = test_make(
		VHOST_USER_SET_LOG_BASE, sizeof(struct vhost_log_area));

	message.payload.log = (struct vhost_log_area){.size = size, .mmap_offset = offset};
	message.fd_count = fd >= 0;
	message.fds[0] = fd;
	return message;
}

static void assert_undisturbed(void)
{
	require(test_vm_connected(&bystander) && test_vm_receives(&bystander) &&
		test_vm_transmits(&bystander));
}

/* The VM is as it was before a refusal, which names what was wrong. */
static void assert_refused_only(const char *words)
{
	require(strstr(test_said, "port vm: "));
	require(strstr(test_said, words));
	require(test_vm_connected(&vm) && test_vm_receives(&vm) && test_vm_transmits(&vm));
	assert_undisturbed();
}

static void set_features(uint64_t features)
{
	require(test_ask(&vm, test_make_number(VHOST_USER_SET_FEATURES, features)) == TEST_GRANTED);
}

static void set_log(const struct log *log)
{
	require(test_ask(&vm, make_log_base(log->fd, LOG_SIZE, LOG_OFFSET)) == TEST_GRANTED);
}

static uint64_t next_receive_buffer(void)
{
	return vm.queues[0].slots_address +
	       (uint64_t)(vm.queues[0].ring.next_used % TEST_RING) * TEST_SLOT;
}

/* The next frame into the guest is logged in *log, and nothing is but the page that it goes to. */
static void assert_in_force(const struct log *log)
{
	uint64_t buffer = next_receive_buffer();

	log_clear(log);
	require(test_vm_receives(&vm) && logged(log, buffer) && count_logged(log) == 1);
}

static int setup(void **state)
{
	baseline = test_fd_count();
	memset(&vm, 0, sizeof(vm));
	memset(&bystander, 0, sizeof(bystander));
	test_vms_begin();
	test_vm_open(&vm, "vm", 0);
	test_vm_open(&bystander, "bystander", 1);
	test_vm_attach(&bystander, PROTOCOL);
	return 0;
}

/* Nothing stays open or mapped, whatever was refused. */
static int teardown(void **state)
{
	bool undisturbed = test_vm_connected(&bystander) && test_vm_receives(&bystander) &&
			   test_vm_transmits(&bystander);
	uint64_t begin = clock_now_ns();

	test_vm_detach(&bystander);
	test_vm_close(&bystander);
	test_vm_close(&vm);
	test_vms_end();
	require(undisturbed);
	/* A reaper that has done its last job closes what it signalled with. */
	while (test_fd_count() != baseline && clock_now_ns() - begin < TEST_PATIENCE)
		usleep(1000);
	require(test_fd_count() == baseline);
	return 0;
}

/* --- the tests --- */

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

static void without_a_log_nothing_is_logged(void **state)
{
	struct log log = log_begin();

	test_vm_attach(&vm, PROTOCOL);
	set_features(FEATURES | LOG_ALL);
	require(test_ask(&vm, test_make_address(&vm, 0, LOG_RING, vm.queues[0].used)) ==
		TEST_GRANTED);
	require(test_ask(&vm, test_make_address(&vm, 1, LOG_RING, UINT64_MAX)) == TEST_GRANTED);
	require(test_vm_receives(&vm) && test_vm_transmits(&vm));
	/* Now there is one, in which ring 1's place is not: it is for all rings or for none. */
	require(test_ask(&vm, make_log_base(log.fd, LOG_SIZE, LOG_OFFSET)) == TEST_REFUSED);
	assert_refused_only("ring 1: log address 0xffffffffffffffff lies beyond the dirty log");
	require(count_logged(&log) == 0);
	require(test_ask(&vm, test_make_address(&vm, 1, LOG_RING, vm.queues[1].used)) ==
		TEST_GRANTED);
	set_log(&log);
	log_clear(&log);
	require(test_vm_receives(&vm) && logged(&log, vm.queues[0].used));
	require(!logged(&log, vm.queues[1].used));
	require(test_vm_transmits(&vm) && logged(&log, vm.queues[1].used));
	/* Without LOG_ALL the rings' logging goes on, that of the buffers does not. */
	set_features(FEATURES);
	log_clear(&log);
	require(test_vm_receives(&vm) && logged(&log, vm.queues[0].used) &&
		count_logged(&log) == 1);
	log_end(&log);
	test_vm_detach(&vm);
}

/* The end of the log is the limit, not the end of the guest's memory. */
static void a_ring_whose_log_address_is_beyond_the_log_stops(void **state)
{
	const uint64_t used_size = split_used_size(TEST_RING);
	const uint64_t logged_end = LOG_SIZE * 8 * PAGE;
	const struct {
		uint64_t address;
		bool good;
	} places[] = {{TEST_GUEST, true}, {0, true}, {TEST_GUEST - 1, true},
		{logged_end - used_size, true}, {logged_end - used_size + 1, false},
		{logged_end, false}, {UINT64_MAX, false}, {UINT64_MAX - used_size + 1, false}};
	struct log log = log_begin();
	char words[128];

	test_vm_attach(&vm, PROTOCOL);
	set_log(&log);
	for (unsigned ring = 0; ring < 2; ring++) {
		for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
			bool granted = test_ask(&vm, test_make_address(&vm, ring, LOG_RING,
							     places[i].address)) == TEST_GRANTED;

			require(granted == places[i].good);
			log_clear(&log);
			require(test_vm_receives(&vm) == (granted || ring != 0));
			require(test_vm_transmits(&vm) == (granted || ring != 1));
			require(test_vm_connected(&vm));
			assert_undisturbed();
			if (granted) {
				require(logged(&log, places[i].address + 4));
				continue;
			}
			require(count_logged(&log) == 0);
			snprintf(words, sizeof(words),
				"ring %u stopped: ring %u: log address 0x%llx lies beyond the "
				"dirty log",
				ring, ring, (unsigned long long)places[i].address);
			require(strstr(test_said, words));
			/* It starts again when its place is one. */
			require(test_ask(&vm, test_make_address(&vm, ring, LOG_RING,
						      vm.queues[ring].used)) == TEST_GRANTED);
			test_vm_kick(&vm, ring);
			/* What was to be sent meanwhile comes first. */
			test_vm_receive_frames(&vm);
			require(test_vm_take_frames(&vm) == (ring == 1));
			require(test_vm_receives(&vm) && test_vm_transmits(&vm));
		}
		require(test_ask(&vm, test_make_address(&vm, ring, 0, 0)) == TEST_GRANTED);
	}
	log_end(&log);
	test_vm_detach(&vm);
}

/* What a packed ring needs is only its event suppression, of four bytes. */
static void a_packed_ring_needs_less_of_the_log(void **state)
{
	const uint64_t logged_end = LOG_SIZE * 8 * PAGE;
	struct log log = log_begin();

	test_vm_attach(&vm, PROTOCOL);
	set_log(&log);
	set_features(FEATURES | BIT64(VIRTIO_F_RING_PACKED));
	memset(vm.memory, 0, TEST_MEMORY);
	for (unsigned ring = 0; ring < 2; ring++) {
		require(test_ask(&vm, test_make_state(VHOST_USER_SET_VRING_BASE, ring,
					      PACKED_BASE_FRESH)) == TEST_GRANTED);
		test_vm_kick(&vm, ring);
		log_clear(&log);
		require(test_ask(&vm, test_make_address(&vm, ring, LOG_RING, logged_end - 4)) ==
			TEST_GRANTED);
		require(logged(&log, logged_end - 1) && count_logged(&log) == 1);
		require(test_ask(&vm, test_make_address(&vm, ring, LOG_RING, logged_end - 3)) ==
			TEST_REFUSED);
		require(strstr(test_said, "lies beyond the dirty log"));
		require(test_vm_connected(&vm));
		assert_undisturbed();
	}
	log_end(&log);
	test_vm_detach(&vm);
}

static void a_ring_does_not_start_with_a_log_address_beyond_the_log(void **state)
{
	struct log log = log_begin();
	struct vhost_message message = test_make_number(VHOST_USER_SET_VRING_KICK, 0);
	int fd = eventfd(0, EFD_CLOEXEC);

	test_vm_attach(&vm, PROTOCOL);
	set_log(&log);
	test_tell(&vm, &(struct vhost_message){.header = {VHOST_USER_GET_VRING_BASE, 1, 8}});
	require(test_answer(&vm, VHOST_USER_GET_VRING_BASE) == 0);
	require(test_ask(&vm, test_make_address(&vm, 0, LOG_RING, UINT64_C(1) << 40)) ==
		TEST_GRANTED);
	message.fd_count = 1;
	message.fds[0] = fd;
	require(test_ask(&vm, message) == TEST_REFUSED);
	require(strstr(test_said, "SET_VRING_KICK (12): "));
	require(strstr(test_said, "ring 0: log address 0x10000000000 lies beyond the dirty log"));
	require(!test_vm_receives(&vm) && test_vm_transmits(&vm));
	assert_undisturbed();
	require(test_ask(&vm, test_make_address(&vm, 0, LOG_RING, vm.queues[0].used)) ==
		TEST_GRANTED);
	require(test_ask(&vm, message) == TEST_GRANTED && test_vm_receives(&vm));
	fd_close(&fd);
	log_end(&log);
	test_vm_detach(&vm);
}

/* --- a log that is replaced while a worker sends --- */

static unsigned worker_ends;

static void *worker(void *argument)
{
	struct packet_batch *frames = aligned_alloc(CACHE_LINE, sizeof(*frames));

	rcu_join();
	while (frames && !__atomic_load_n(&worker_ends, __ATOMIC_ACQUIRE)) {
		test_vm_send_frame(&vm, frames);
		rcu_pass();
	}
	rcu_leave();
	free(frames);
	return NULL;
}

/*
 * Takes frames out of the guest's ring until every buffer of it was filled by a frame that the
 * worker began after this call: those of one ring may have been written, and logged, before it.
 */
static void wait_for_fresh_frames(void)
{
	uint64_t begin = clock_now_ns();

	for (unsigned seen = 0; seen < 2 * TEST_RING; seen += test_vm_receive_frames(&vm))
		require(clock_now_ns() - begin < TEST_PATIENCE);
}

static void a_replaced_log_is_written_no_more(void **state)
{
	struct log logs[] = {log_begin(), log_begin()};
	pthread_t thread;

	test_vm_attach(&vm, PROTOCOL);
	worker_ends = 0;
	set_features(FEATURES | LOG_ALL);
	require(test_ask(&vm, test_make_address(&vm, 0, LOG_RING, vm.queues[0].used)) ==
		TEST_GRANTED);
	set_log(&logs[1]);
	require(pthread_create(&thread, NULL, worker, NULL) == 0);
	for (unsigned i = 0; i < 100; i++) {
		const struct log *old = &logs[(i + 1) % 2], *new = &logs[i % 2];

		log_clear(new);
		set_log(new);
		log_clear(old);
		wait_for_fresh_frames();
		require(count_logged(old) == 0);
		require(logged(new, vm.queues[0].used));
		for (unsigned slot = 0; slot < TEST_RING; slot++)
			require(logged(new, vm.queues[0].slots_address + slot * TEST_SLOT));
		/* One that is refused in between replaces nothing. */
		if (i % 10 == 9) {
			require(test_ask(&vm, make_log_base(old->fd, 1, 0)) == TEST_REFUSED);
			log_clear(new);
			wait_for_fresh_frames();
			require(count_logged(old) == 0 && logged(new, vm.queues[0].used));
		}
		if (i % 10 == 5) {
			set_features(FEATURES);
			set_features(FEATURES | LOG_ALL);
		}
	}
	__atomic_store_n(&worker_ends, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	log_end(&logs[0]);
	log_end(&logs[1]);
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

static void a_truncated_log_ends_its_connection_only(void **state)
{
	struct log log = log_begin();
	uint64_t begin = clock_now_ns();

	require(guest_memory_guard() == 0);
	test_vm_attach(&vm, PROTOCOL);
	set_features(FEATURES | LOG_ALL);
	set_log(&log);
	require(test_vm_receives(&vm) && ftruncate(log.fd, 0) == 0);
	while (test_vm_connected(&vm)) {
		test_vm_receives(&vm);
		event_base_loop(test_base, EVLOOP_NONBLOCK);
		require(clock_now_ns() - begin < TEST_PATIENCE);
	}
	assert_undisturbed();
	test_vm_detach(&vm);
	/* The next VM begins without a log. */
	test_vm_attach(&vm, PROTOCOL);
	set_features(FEATURES | LOG_ALL);
	require(test_vm_receives(&vm) && test_vm_transmits(&vm));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_cannot_be_a_log_is_refused),
		TEST(a_size_that_cannot_be_is_refused),
		TEST(a_log_that_ends_before_the_memory_is_refused),
		TEST(without_a_log_nothing_is_logged),
		TEST(a_ring_whose_log_address_is_beyond_the_log_stops),
		TEST(a_packed_ring_needs_less_of_the_log),
		TEST(a_ring_does_not_start_with_a_log_address_beyond_the_log),
		TEST(a_replaced_log_is_written_no_more),
		TEST(a_log_needs_log_shmfd),
		TEST(a_truncated_log_ends_its_connection_only),
		TEST(what_tells_of_logging_must_be_an_eventfd),
	};

	return cmocka_run_group_tests_name("vhost-user log", tests, NULL, NULL);
}
