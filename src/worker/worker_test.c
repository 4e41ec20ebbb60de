/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker pool with memory ports: frames flow, the plan changes under traffic, ports come and
 * go, queues are slept on. Meant for the thread sanitizer, too.
 */
#include "worker/test_pool.h"

static void frames_flow(void **state)
{
	for (unsigned workers = 1; workers <= 2; workers++) {
		struct port_totals totals;
		struct worker_stats stats;

		begin(workers, PORTS);
		introduce();
		worker_pool_reset(pool);
		for (uint32_t i = 0; i < 3000; i++) {
			push(0, 1, i);
			push(1, 2, i);
			if (i >= 100) {
				expect(1, 0, 1, i - 100);
				expect(2, 1, 2, i - 100);
			}
		}
		for (uint32_t i = 2900; i < 3000; i++) {
			expect(1, 0, 1, i);
			expect(2, 1, 2, i);
		}
		expect_nothing(0);
		/* The counters of a visit are written after its frames arrive. */
		wait_for_frames(6000);
		for (unsigned i = 0; i < workers; i++) {
			worker_pool_stats(pool, i, &stats);
			require(stats.id == i && stats.batches <= stats.frames);
			require(stats.busy_percent >= 0 && stats.busy_percent <= 100);
			require(!stats.frames == !stats.cycles_per_frame);
			require(stats.queues == PORTS * 2 / workers && stats.seconds > 0);
		}
		port_totals(ports[0], &totals);
		require(totals.rx_packets == 3001 && totals.rx_bytes == 3001 * FRAME);
		require(totals.tx_packets == 2 && totals.tx_bytes == 2 * FRAME);
		for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
			require(!totals.drops[reason]);
		end();
	}
}

struct receiver {
	pthread_t thread;
	bool stop;
	uint32_t received;
	bool wrong;
};

static void *receive_frames(void *argument)
{
	struct receiver *receiver = argument;
	uint8_t frame[2048], expected[FRAME];

	while (!__atomic_load_n(&receiver->stop, __ATOMIC_ACQUIRE)) {
		int length = memory_port_pop(ports[1], frame, sizeof(frame));

		if (!length) {
			usleep(10);
			continue;
		}
		fill_frame(expected, 0, 1, receiver->received);
		if (length != FRAME || memcmp(frame, expected, FRAME) != 0)
			receiver->wrong = true;
		__atomic_store_n(&receiver->received, receiver->received + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Pushes with a limit on what is on its way, so that a loss is a loss and no full ring. */
static void *send_paced(void *argument)
{
	struct receiver *receiver = argument;
	uint8_t frame[FRAME];
	uint32_t sent = 0;

	while (!__atomic_load_n(&receiver->stop, __ATOMIC_ACQUIRE)) {
		if (sent - __atomic_load_n(&receiver->received, __ATOMIC_ACQUIRE) >= 512) {
			usleep(10);
			continue;
		}
		fill_frame(frame, 0, 1, sent);
		if (memory_port_push(ports[0], 0, frame, FRAME))
			sent++;
	}
	return NULL;
}

/* Traffic from port 0 to port 1 while change() is called; nothing may be lost or reordered. */
static void under_traffic(unsigned workers, unsigned changes, void (*change)(unsigned))
{
	struct receiver receiver = {.received = 0};
	uint64_t begin_ns;
	uint32_t before;
	pthread_t sender;
	struct port_totals totals;

	begin(workers, PORTS);
	introduce();
	require(pthread_create(&receiver.thread, NULL, receive_frames, &receiver) == 0);
	require(pthread_create(&sender, NULL, send_paced, &receiver) == 0);
	for (unsigned i = 0; i < changes; i++)
		change(i);
	/* A frame that was lost would make the numbers differ from then on. */
	before = __atomic_load_n(&receiver.received, __ATOMIC_ACQUIRE);
	begin_ns = clock_now_ns();
	while (__atomic_load_n(&receiver.received, __ATOMIC_ACQUIRE) - before < 2000) {
		require(clock_now_ns() - begin_ns < PATIENCE);
		usleep(100);
	}
	__atomic_store_n(&receiver.stop, true, __ATOMIC_RELEASE);
	pthread_join(sender, NULL);
	pthread_join(receiver.thread, NULL);
	require(!receiver.wrong && receiver.received > 2000);
	port_totals(ports[1], &totals);
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		require(!totals.drops[reason]);
	end();
}

static void swap_plan(unsigned i)
{
	publish(PORTS);
}

static void plans_change_under_traffic(void **state)
{
	under_traffic(1, SWAPS / 2, swap_plan);
	under_traffic(2, SWAPS / 2, swap_plan);
}

/* Port 2 is taken out, destroyed, made anew and put back. */
static void replace_port(unsigned i)
{
	publish(PORTS - 1);
	ports[2]->class->destroy(ports[2]);
	ports[2] = port_begin(2, false);
	publish(PORTS);
}

static void ports_come_and_go_under_traffic(void **state)
{
	under_traffic(2, 1000, replace_port);
}

static uint64_t wakeups(void)
{
	struct worker_stats stats;
	uint64_t sum = 0;

	for (unsigned i = 0; i < worker_pool_count(pool); i++) {
		worker_pool_stats(pool, i, &stats);
		sum += stats.wakeups;
	}
	return sum;
}

static bool hold;

static void receive_when_let(struct port *port, unsigned queue, struct packet_batch *batch)
{
	while (__atomic_load_n(&hold, __ATOMIC_ACQUIRE))
		usleep(1000);
}

/* So that its worker never sleeps. */
static enum port_arm arm_never(struct port *port, unsigned queue)
{
	return PORT_PENDING;
}

/* What a watchdog asks: workers that sleep, or poll with or without frames, are well; one that does
 * not come back from a visit is not. */
static void a_stuck_worker_is_found(void **state)
{
	const struct port_class *memory;
	struct port_class class;
	bool found = false;

	begin(2, PORTS);
	memory = ports[0]->class;
	class = *memory;
	class.receive = receive_when_let;
	class.arm = arm_never;
	for (unsigned i = 0; i < 20; i++) {
		usleep(20000);
		require(worker_pool_stuck(pool) < 0 || i == 0);
	}
	require(worker_pool_publish(pool, one_network(0), NULL, 0) == 0);
	ports[0]->class = &class;
	publish(PORTS);
	__atomic_store_n(&hold, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 1000 && !found; i++) {
		usleep(20000);
		found = worker_pool_stuck(pool) >= 0;
	}
	require(found);
	usleep(20000);
	require(worker_pool_stuck(pool) >= 0);
	__atomic_store_n(&hold, false, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 1000 && found; i++) {
		usleep(20000);
		found = worker_pool_stuck(pool) >= 0;
	}
	require(!found);
	require(worker_pool_publish(pool, one_network(0), NULL, 0) == 0);
	ports[0]->class = memory;
	end();
}

static void idle_workers_sleep_and_wake(void **state)
{
	uint64_t before;

	begin(2, PORTS);
	introduce();
	usleep(100000);
	before = wakeups();
	usleep(500000);
	require(wakeups() == before);
	/* One frame at a time, each after a pause of its own: every one has to wake somebody. */
	for (uint32_t i = 0; i < 300; i++) {
		push(0, 1, i);
		expect(1, 0, 1, i);
		usleep(i % 7 * 20);
	}
	require(wakeups() > before);
	end();
}

/* A port of the topology that the pool was not given: what should leave there is counted where it
 * came in. */
static void frames_for_a_port_that_is_not_there(void **state)
{
	uint64_t begin_ns = clock_now_ns();
	const uint64_t *drops;

	begin(2, PORTS);
	introduce();
	publish(PORTS - 1);
	drops = &ports[0]->counters[0].rx.drops[DROP_RECEIVER_NOT_READY];
	for (uint32_t i = 0; i < 10; i++)
		push(0, PORTS - 1, i);
	push(0, 1, 10);
	expect(1, 0, 1, 10);
	while (counter_read(drops) != 10)
		require(clock_now_ns() - begin_ns < PATIENCE);
	expect_nothing(PORTS - 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_flow),
		cmocka_unit_test(plans_change_under_traffic),
		cmocka_unit_test(ports_come_and_go_under_traffic),
		cmocka_unit_test(frames_for_a_port_that_is_not_there),
		cmocka_unit_test(a_stuck_worker_is_found),
		cmocka_unit_test(idle_workers_sleep_and_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
