/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port answers to a VMM that wants writes logged: which addresses it refuses, in which
 * words, and what goes on all the same (log_refused_test.c has the logs that it refuses). A second
 * VM stands by, and nothing of this may reach it.
 */
#include "port/vhost_user/test_log.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/rcu.h"
#include "virtio/packed_device.h"
#include "virtio/split_device.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_log_nothing_is_logged),
		TEST(a_ring_whose_log_address_is_beyond_the_log_stops),
		TEST(a_packed_ring_needs_less_of_the_log),
		TEST(a_ring_does_not_start_with_a_log_address_beyond_the_log),
		TEST(a_replaced_log_is_written_no_more),
		TEST(a_truncated_log_ends_its_connection_only),
	};

	return cmocka_run_group_tests_name("vhost-user log", tests, NULL, NULL);
}
