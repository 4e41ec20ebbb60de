/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker does in its visits to a queue, seen by ports that exist for that: queues that do
 * not notify are served, likely receivers are told, answers are looked for, cycles are put down to
 * the right stage. Meant for the thread sanitizer, too.
 */
#include "worker/test_pool.h"

#define SHORT_FRAME 60 /* bytes */

/* Makes packet `i` of the batch a short frame, and returns where its bytes go. */
static uint8_t *lay_frame(struct packet_batch *batch, unsigned i)
{
	batch->packets[i] = (struct packet){
		.head = packet_buffer(batch, i),
		.tail = batch->pieces,
		.length = SHORT_FRAME,
		.head_length = SHORT_FRAME,
		.network = NETWORK_NONE,
	};
	return batch->packets[i].head;
}

/* A port whose guest never stops sending: each visit finds a frame, to itself. */
static void chatter_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	uint8_t *head = lay_frame(batch, 0);

	batch->count = 1;
	memset(head, 0, SHORT_FRAME);
	head[0] = head[6] = 0x06;
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

/* A queue that does not notify is served all the same, also while another keeps its worker
 * awake. */
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
	/* Port 2's go to both others: no one is expected to be next. Nor is anyone by the first
	 * frame. */
	for (unsigned i = 0; i < 2; i++)
		require(lone[i].expected == lone[!i].port.counters[0].rx.packets - 1);
	require(!lone[2].expected && !lone[2].sent && lone[2].port.counters[0].rx.packets > 100);
	for (unsigned i = 0; i < PORTS; i++)
		port_fini(&lone[i].port);
	end();
}

/* Two ports of which the first asks, one frame at a time and when nobody polls the second, which
 * answers inside of send() and notifies nobody. */
static struct {
	bool armed, asked, answered; /* the worker's */
	uint64_t answers;
} exchange;

static void asking_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	if (!exchange.armed || exchange.asked)
		return;
	exchange.asked = true;
	chatter_receive(port, queue, batch);
	fill_addresses(batch->packets[0].head, 0, 1);
}

static void asking_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	exchange.asked = false;
	counter_add(&exchange.answers, 1);
}

static void answering_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	if (!exchange.answered)
		return;
	exchange.answered = false;
	chatter_receive(port, queue, batch);
	fill_addresses(batch->packets[0].head, 1, 0);
}

static void answering_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	exchange.answered = true;
}

static enum port_arm answering_arm(struct port *port, unsigned queue)
{
	exchange.armed = true;
	return PORT_ARMED;
}

static void answering_disarm(struct port *port, unsigned queue)
{
	exchange.armed = false;
}

static const struct port_class asking_class = {
	.type = "asking",
	.receive = asking_receive,
	.release = chatter_release,
	.send = asking_send,
	.arm = chatter_arm,
	.disarm = chatter_disarm,
};

static const struct port_class answering_class = {
	.type = "answering",
	.answers = true,
	.receive = answering_receive,
	.release = chatter_release,
	.send = answering_send,
	.arm = answering_arm,
	.disarm = answering_disarm,
};

/* A port that answers at once is visited after each send to it, though it sleeps. */
static void answers_are_looked_for(void **state)
{
	const struct port_class *classes[] = {&asking_class, &answering_class};
	struct port *usual[PORTS], pair[2];
	uint64_t begin_ns = clock_now_ns();

	begin(1, PORTS);
	introduce();
	memcpy(usual, ports, sizeof(usual));
	memset(&exchange, 0, sizeof(exchange));
	for (uint16_t i = 0; i < 2; i++) {
		require(port_init(&pair[i], classes[i], classes[i]->type, i, 1) == 0);
		ports[i] = &pair[i];
	}
	publish(PORTS);
	while (counter_read(&exchange.answers) < 100) {
		require(clock_now_ns() - begin_ns < PATIENCE);
		usleep(1000);
	}
	memcpy(ports, usual, sizeof(usual));
	publish(PORTS);
	for (unsigned i = 0; i < 2; i++)
		port_fini(&pair[i]);
	end();
}

/* A port that always has a full batch of frames at hand, from addresses of its own to one nobody
 * has. Two of them feed and receive; one of the stages that are a port's own wastes time. */
static struct packet_batch prepared[2];
static enum worker_stage slow_stage; /* written before the ports are published */

static void prepare_batch(unsigned port)
{
	struct packet_batch *batch = &prepared[port];

	batch->count = PACKET_BATCH;
	for (unsigned i = 0; i < PACKET_BATCH; i++) {
		uint8_t *head = lay_frame(batch, i);

		memset(head, 0x02, SHORT_FRAME);
		head[10] = (uint8_t)port;
		head[11] = (uint8_t)i;
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

/* The stage that wastes time has most of the cycles. On a busy machine whatever is interrupted
 * seems slow, so that one of several attempts has to show it. */
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
		cmocka_unit_test(queues_without_notification_are_served),
		cmocka_unit_test(receivers_expect_what_comes),
		cmocka_unit_test(answers_are_looked_for),
		cmocka_unit_test(stages_are_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
