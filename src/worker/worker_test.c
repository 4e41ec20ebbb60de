/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker pool with memory ports: frames flow, the plan changes under traffic, ports come and go,
 * queues are slept on. Meant for the thread sanitizer, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/common.h"
#include "port/memory.h"
#include "worker/worker.h"

#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, #condition);                     \
	} while (0)

#define PORTS    3
#define FRAME    400 /* bytes: head and tail */
#define PATIENCE (20 * NS_PER_SECOND)
#define SWAPS    10000

static struct fdb *fdb;
static struct worker_pool *pool;
static struct port *ports[PORTS];

static struct topology *one_network(unsigned port_count)
{
	struct topology *topology = topology_new(port_count, 1);

	require(topology);
	topology_network_set(topology, 0, 0);
	for (unsigned i = 0; i < port_count; i++)
		require(topology_access_set(topology, (uint16_t)i, 0) == 0);
	return topology;
}

static struct port *port_begin(uint16_t index, bool timed)
{
	const struct memory_port_options options = {
		.queues = 2, .depth = 1024, .frame_size = 2048, .timed = timed};
	struct port *port = memory_port_new(
		worker_pool_notifier(pool), "test", index, &options, NULL);

	require(port);
	return port;
}

static void publish(unsigned count)
{
	require(worker_pool_publish(pool, one_network(PORTS), ports, count) == 0);
}

static void begin(unsigned workers, unsigned timed_port)
{
	const struct worker_settings settings = {
		.count = workers, .poll = WORKER_POLL_ADAPTIVE, .idle_us = 20};

	fdb = fdb_new(1024, 300, TOPOLOGY_PORT_MAX, 1);
	pool = worker_pool_new(&settings, fdb, NULL);
	require(fdb && pool);
	for (uint16_t i = 0; i < PORTS; i++)
		ports[i] = port_begin(i, i == timed_port);
	publish(PORTS);
}

static void end(void)
{
	require(worker_pool_publish(pool, one_network(0), NULL, 0) == 0);
	for (unsigned i = 0; i < PORTS; i++)
		ports[i]->class->destroy(ports[i]);
	worker_pool_free(pool);
	fdb_free(fdb);
}

/* From one port's address to another's (PORTS: broadcast). */
static void fill_addresses(uint8_t *frame, unsigned from, unsigned to)
{
	memset(frame, to == PORTS ? 0xff : 0x02, 6);
	if (to != PORTS)
		frame[5] = (uint8_t)(to + 1);
	memset(frame + 6, 0x02, 6);
	frame[11] = (uint8_t)(from + 1);
}

/* A frame with such addresses, numbered. */
static void fill_frame(uint8_t *frame, unsigned from, unsigned to, uint32_t number)
{
	memset(frame, (uint8_t)number, FRAME);
	fill_addresses(frame, from, to);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, &number, sizeof(number));
}

static void push(unsigned from, unsigned to, uint32_t number)
{
	uint64_t begin_ns = clock_now_ns();
	uint8_t frame[FRAME];

	fill_frame(frame, from, to, number);
	while (!memory_port_push(ports[from], 0, frame, FRAME)) {
		require(clock_now_ns() - begin_ns < PATIENCE);
		usleep(10);
	}
}

/* Waits for the next frame of a port and compares it. */
static void expect(unsigned at, unsigned from, unsigned to, uint32_t number)
{
	uint64_t begin_ns = clock_now_ns();
	uint8_t frame[2048], expected[FRAME];
	int length;

	fill_frame(expected, from, to, number);
	while ((length = memory_port_pop(ports[at], frame, sizeof(frame))) == 0) {
		require(clock_now_ns() - begin_ns < PATIENCE);
		usleep(10);
	}
	require(length == FRAME && memcmp(frame, expected, FRAME) == 0);
}

static void expect_nothing(unsigned at)
{
	uint8_t frame[2048];

	require(memory_port_pop(ports[at], frame, sizeof(frame)) == 0);
}

/* Every port announces itself, so that all are learned. */
static void introduce(void)
{
	for (unsigned from = 0; from < PORTS; from++) {
		push(from, PORTS, 1000 + from);
		for (unsigned at = 0; at < PORTS; at++)
			if (at != from)
				expect(at, from, PORTS, 1000 + from);
	}
}

/* Waits until the workers have counted exactly so many. */
static void wait_for_frames(uint64_t expected)
{
	uint64_t begin_ns = clock_now_ns(), frames;
	struct worker_stats stats;

	do {
		frames = 0;
		for (unsigned i = 0; i < worker_pool_count(pool); i++) {
			worker_pool_stats(pool, i, &stats);
			frames += stats.frames;
		}
		require(frames <= expected && clock_now_ns() - begin_ns < PATIENCE);
	} while (frames != expected);
}

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

static void injected_frames_are_forwarded(void **state)
{
	struct port_totals totals;
	uint8_t frame[FRAME];
	uint8_t got[FRAME];

	begin(1, PORTS);
	fill_frame(frame, 0, PORTS, 7);
	worker_pool_inject(pool, ports[0], frame, 60);
	for (unsigned at = 1; at < PORTS; at++) {
		require(memory_port_pop(ports[at], got, sizeof(got)) == 60);
		require(memcmp(frame, got, 60) == 0);
	}
	worker_pool_inject(pool, ports[0], frame, FRAME); /* too long */
	for (unsigned at = 0; at < PORTS; at++)
		expect_nothing(at);
	/* It was learned, and not counted as received. */
	port_totals(ports[0], &totals);
	require(!totals.rx_packets && fdb_count(fdb) == 1);
	end();
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

/* A port whose guest never stops sending: each visit finds a frame, to itself. */
static void chatter_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	batch->count = 1;
	batch->packets[0] = (struct packet){
		.head = packet_buffer(batch, 0),
		.tail = batch->pieces,
		.length = 60,
		.head_length = 60,
		.network = NETWORK_NONE,
	};
	memset(batch->packets[0].head, 0, 60);
	batch->packets[0].head[0] = batch->packets[0].head[6] = 0x06;
}

static void chatter_release(struct port *port, unsigned queue, struct packet_batch *batch)
{
}

static void chatter_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
}

static enum port_arm chatter_arm(struct port *port, unsigned queue)
{
	return PORT_PENDING;
}

static void chatter_disarm(struct port *port, unsigned queue)
{
}

static const struct port_class chatter_class = {
	.type = "chatter",
	.receive = chatter_receive,
	.release = chatter_release,
	.send = chatter_send,
	.arm = chatter_arm,
	.disarm = chatter_disarm,
};

static void exchange_slowly(void)
{
	for (uint32_t i = 0; i < 100; i++) {
		usleep(500);
		push(2, 1, i);
		expect(1, 2, 1, i);
	}
}

/* A queue that does not notify is served all the same, also while another keeps its worker awake. */
static void queues_without_notification_are_served(void **state)
{
	struct port chatter, *quiet;

	begin(1, 2);
	introduce();
	exchange_slowly();
	quiet = ports[0];
	require(port_init(&chatter, &chatter_class, "chatter", 0, 1) == 0);
	ports[0] = &chatter;
	publish(PORTS);
	exchange_slowly();
	ports[0] = quiet;
	publish(PORTS);
	port_fini(&chatter);
	end();
}

/* Ports that always have one frame at hand, from the port's own address to `target`'s. */
struct lone_port {
	struct port port;
	unsigned target; /* an index; PORTS: everybody */
	uint64_t sent, expected;
};

static struct lone_port *lone_port(struct port *port)
{
	return (struct lone_port *)port;
}

static void lone_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	chatter_receive(port, queue, batch);
	fill_addresses(batch->packets[0].head, port->index, lone_port(port)->target);
}

static void lone_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	counter_add(&lone_port(port)->sent, 1);
}

static void lone_expect(struct port *port)
{
	counter_add(&lone_port(port)->expected, 1);
}

static const struct port_class lone_class = {
	.type = "lone",
	.receive = lone_receive,
	.release = chatter_release,
	.send = lone_send,
	.expect = lone_expect,
	.arm = chatter_arm,
	.disarm = chatter_disarm,
};

/* A port is told to expect frames where the last ones of the queue went there, and there only. */
static void receivers_expect_what_comes(void **state)
{
	struct lone_port lone[PORTS] = {{.target = 1}, {.target = 0}, {.target = PORTS}};
	struct port *usual[PORTS];
	uint64_t begin_ns = clock_now_ns(), count;

	begin(1, PORTS);
	introduce();
	for (uint16_t i = 0; i < PORTS; i++) {
		require(port_init(&lone[i].port, &lone_class, "lone", i, 1) == 0);
		usual[i] = ports[i];
		ports[i] = &lone[i].port;
	}
	publish(PORTS);
	do {
		count = MIN(counter_read(&lone[0].expected), counter_read(&lone[1].expected));
		require(clock_now_ns() - begin_ns < PATIENCE);
	} while (count < 1000);
	memcpy(ports, usual, sizeof(usual));
	publish(PORTS);
	/* Port 2's go to both others: no one is expected to be next. Nor is anyone by the first frame. */
	for (unsigned i = 0; i < 2; i++)
		require(lone[i].expected == lone[!i].port.counters[0].rx.packets - 1);
	require(!lone[2].expected && !lone[2].sent && lone[2].port.counters[0].rx.packets > 100);
	for (unsigned i = 0; i < PORTS; i++)
		port_fini(&lone[i].port);
	end();
}

/* A port that always has a full batch of frames at hand, from addresses of its own to one nobody has.
 * Two of them feed and receive; one of the stages that are a port's own wastes time. */
static struct packet_batch prepared[2];
static enum worker_stage slow_stage; /* written before the ports are published */

static void prepare_batch(unsigned port)
{
	struct packet_batch *batch = &prepared[port];

	batch->count = PACKET_BATCH;
	for (unsigned i = 0; i < PACKET_BATCH; i++) {
		batch->packets[i] = (struct packet){
			.head = packet_buffer(batch, i),
			.tail = batch->pieces,
			.length = 60,
			.head_length = 60,
			.network = NETWORK_NONE,
		};
		memset(batch->packets[i].head, 0x02, 60);
		batch->packets[i].head[10] = (uint8_t)port;
		batch->packets[i].head[11] = (uint8_t)i;
	}
}

static void waste_time_in(enum worker_stage stage)
{
	uint64_t begin_cycles = clock_cycles();

	while (stage == slow_stage && clock_cycles() - begin_cycles < 100000)
		;
}

static void source_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	batch->count = PACKET_BATCH;
	memcpy(batch->packets, prepared[port->index].packets, sizeof(batch->packets));
	waste_time_in(WORKER_RECEIVE);
}

static void source_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	uint64_t begin_cycles;

	waste_time_in(WORKER_SEND);
	begin_cycles = clock_cycles();
	waste_time_in(WORKER_KICK);
	batch->kick_cycles += clock_cycles() - begin_cycles;
}

static void source_release(struct port *port, unsigned queue, struct packet_batch *batch)
{
	waste_time_in(WORKER_RELEASE);
}

static const struct port_class source_class = {
	.type = "source",
	.receive = source_receive,
	.release = source_release,
	.send = source_send,
	.arm = chatter_arm,
	.disarm = chatter_disarm,
};

/* Counts from zero until so many frames were measured. */
static void measure(struct worker_stats *stats, uint64_t frames)
{
	uint64_t begin_ns = clock_now_ns();

	worker_pool_reset(pool);
	do {
		usleep(1000);
		worker_pool_stats(pool, 0, stats);
		require(clock_now_ns() - begin_ns < PATIENCE);
	} while (stats->measured_frames < frames);
}

static double sum_of_stages(const struct worker_stats *stats)
{
	double sum = 0;

	for (unsigned i = 0; i < WORKER_STAGE_COUNT; i++)
		sum += stats->stages[i];
	return sum;
}

/* What was measured is about one in 256, and the stages are all that there is. Wide margins:
 * a sample is one, and whoever is interrupted is slow. */
static bool sample_agrees(const struct worker_stats *stats)
{
	double share = (double)stats->measured_frames / (double)stats->frames;
	double sum = sum_of_stages(stats);

	return share > 1.0 / 512 && share < 1.0 / 128 && sum > stats->cycles_per_frame / 3 &&
	       sum < stats->cycles_per_frame * 3;
}

/* The stage that wastes time has most of the cycles. On a busy machine whatever is interrupted seems
 * slow, so that one of several attempts has to show it. */
static void slow_stage_is_seen(enum worker_stage stage)
{
	struct port sources[2], *usual[2] = {ports[0], ports[1]};
	struct worker_stats stats;
	bool seen = false;

	slow_stage = stage;
	for (uint16_t i = 0; i < 2; i++) {
		prepare_batch(i);
		require(port_init(&sources[i], &source_class, "source", i, 1) == 0);
		ports[i] = &sources[i];
	}
	publish(2);
	for (unsigned i = 0; i < 20 && !seen; i++) {
		measure(&stats, 40 * PACKET_BATCH);
		seen = stats.stages[stage] > sum_of_stages(&stats) / 2 && sample_agrees(&stats);
	}
	require(stats.stages[WORKER_PARSE] > 0 && stats.stages[WORKER_FORWARD] > 0);
	if (!seen)
		fail_msg("%s takes %.0f of %.0f cycles", worker_stage_names[stage],
			stats.stages[stage], sum_of_stages(&stats));
	for (unsigned i = 0; i < 2; i++)
		ports[i] = usual[i];
	publish(PORTS);
	for (unsigned i = 0; i < 2; i++)
		port_fini(&sources[i]);
}

static void stages_are_measured(void **state)
{
	struct worker_stats stats;

	begin(1, PORTS);
	slow_stage_is_seen(WORKER_RECEIVE);
	slow_stage_is_seen(WORKER_SEND);
	slow_stage_is_seen(WORKER_RELEASE);
	slow_stage_is_seen(WORKER_KICK);
	/* No frame, no figure. */
	worker_pool_reset(pool);
	worker_pool_stats(pool, 0, &stats);
	require(!stats.measured_frames && sum_of_stages(&stats) == 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_flow),
		cmocka_unit_test(plans_change_under_traffic),
		cmocka_unit_test(ports_come_and_go_under_traffic),
		cmocka_unit_test(injected_frames_are_forwarded),
		cmocka_unit_test(idle_workers_sleep_and_wake),
		cmocka_unit_test(queues_without_notification_are_served),
		cmocka_unit_test(receivers_expect_what_comes),
		cmocka_unit_test(stages_are_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
