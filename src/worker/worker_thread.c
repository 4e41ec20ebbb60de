/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/worker_thread.h"

#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/peer_signal.h"
#include "base/rcu.h"
#include "forward/encap.h"
#include "packet/fate.h"
#include "worker/fair_share.h"

/* Rounds over the polled queues between two looks at the armed ones, when there are both: a look is
 * a system call (~300 ns), a round over busy queues takes microseconds. */
#define ROUNDS_PER_LOOK 64

/* Empty visits of a queue between two looks at the clock: either costs about as much as the
 * other. */
#define EMPTY_VISITS_PER_CLOCK 16

/* Events taken from epoll at once; more stay queued for the next look. */
#define EVENTS_MAX 64

/*
 * From one measured batch to the next it is MEASURE_GAP / 2 batches and up to MEASURE_GAP more,
 * about 256 on average: the looks at the cycle counter cost a measured batch some 150 cycles, and
 * that must not be what the slowest of a hundred frames saw. How many more is as good as random,
 * because a fixed distance could meet the same queue of several every time.
 */
#define MEASURE_GAP 256

/* Cycles of the stages of one visit. */
struct stage_watch {
	uint64_t since; /* clock_cycles() at the end of the last stage */
	uint64_t cycles[WORKER_STAGE_COUNT];
};

/* Notifications, within any stage, count as one of their own. watch: NULL where the visit is not
 * measured. */
ALWAYS_INLINE void stage_end(
	struct stage_watch *watch, enum worker_stage stage, struct packet_batch *batch)
{
	uint64_t now;

	if (!watch)
		return;
	now = clock_cycles();
	watch->cycles[stage] = now - watch->since - batch->kick_cycles;
	watch->cycles[WORKER_KICK] += batch->kick_cycles;
	watch->since = now;
	batch->kick_cycles = 0;
}

static void record_stages(struct worker *worker, const struct stage_watch *watch, unsigned frames)
{
	counter_add(&worker->counters.measured_frames, frames);
	for (unsigned i = 0; i < WORKER_STAGE_COUNT; i++)
		counter_add(&worker->counters.stage_cycles[i], watch->cycles[i]);
	/* Where the counter does not count one by one its lowest bits never change. */
	worker->unmeasured = MEASURE_GAP / 2 + 1 + (unsigned)(watch->since >> 6) % MEASURE_GAP;
}

void carrier_classify(struct carrier *carrier, struct counters *ingress)
{
	carrier->context.now = (uint32_t)clock_coarse_seconds();
	forward_classify(&carrier->context, &carrier->batch, &carrier->keys, ingress);
}

void carrier_decide(struct carrier *carrier, struct counters *ingress)
{
	forward_decide(
		&carrier->context, &carrier->batch, &carrier->keys, &carrier->output, ingress);
}

void carrier_send(struct carrier *carrier, struct port *const *ports, struct counters *ingress)
{
	const struct forward_context *context = &carrier->context;
	struct packet_batch *batch = &carrier->batch;
	struct forward_output *output = &carrier->output;

	for (unsigned i = 0; i < output->count; i++) {
		uint16_t index = output->touched[i];
		struct port *port = ports[index];
		uint64_t mask = output->mask[index];
		uint64_t edited;

		/* In the topology, but not given to worker_pool_publish(). */
		if (unlikely(!port)) {
			packet_drop(batch, mask, DROP_RECEIVER_NOT_READY, ingress);
			continue;
		}
		edited = forward_encap(context, index, batch, &mask, ingress);
		if (likely(mask))
			port->class->send(port, batch, mask);
		forward_decap(context, index, batch, edited);
	}
	forward_output_clear(output);
}

/* The frames of a queue mostly go where the last ones went. While the first of them are on their
 * way into the cache, so may the receiver's lines be. */
ALWAYS_INLINE void expect_output(const struct visit *visit, const struct packet_batch *batch)
{
	struct port *port = visit->expected;

	if (batch->count <= WORKER_SMALL_BATCH && port && port->class->expect)
		port->class->expect(port);
}

/* Takes one batch from a queue through the switch; returns its frames. watch: NULL where the visit
 * is not measured; its cycles are complete where there were frames. */
ALWAYS_INLINE unsigned visit_queue(struct worker *worker, const struct plan *plan,
	struct visit *visit, struct stage_watch *watch)
{
	struct carrier *carrier = worker->carrier;
	struct packet_batch *batch = &carrier->batch;
	struct port *port = visit->port;
	struct counters *ingress = &port->counters[visit->queue].rx;

	batch->count = 0;
	batch->frames_max = visit->frames_max;
	batch->more = false;
	batch->pieces_used = 0;
	batch->port = port->index;
	batch->queue = visit->queue;
	port->class->receive(port, visit->queue, batch);
	if (batch->count) {
		expect_output(visit, batch);
		stage_end(watch, WORKER_RECEIVE, batch);
		carrier_classify(carrier, ingress);
		stage_end(watch, WORKER_PARSE, batch);
		carrier_decide(carrier, ingress);
		stage_end(watch, WORKER_FORWARD, batch);
		if (likely(carrier->output.count == 1))
			visit->expected = plan->ports[carrier->output.touched[0]];
		carrier_send(carrier, plan->ports, ingress);
		stage_end(watch, WORKER_SEND, batch);
	}
	port->class->release(port, visit->queue, batch);
	stage_end(watch, WORKER_RELEASE, batch);
	return batch->count;
}

/* Out of line, so that the other visits carry nothing of it. */
static NO_INLINE unsigned visit_measured(
	struct worker *worker, const struct plan *plan, struct visit *visit)
{
	struct stage_watch watch = {.since = clock_cycles()};
	unsigned frames;

	worker->carrier->batch.kick_cycles = 0; /* those of visits that nobody measured */
	frames = visit_queue(worker, plan, visit, &watch);

	if (frames)
		record_stages(worker, &watch, frames);
	return frames;
}

static void start_polling(struct roster *roster, struct visit *visit)
{
	if (visit->polled)
		return;
	visit->port->class->disarm(visit->port, visit->queue);
	visit->polled = true;
	visit->idle_since = 0;
	if (visit->timed) {
		visit->timed = false;
		roster->timed_count--;
	}
	roster->polled[roster->polled_count++] = visit;
}

/* An empty queue whose idle window is over leaves polled[i], unless work came in meanwhile. */
static bool stop_polling(struct roster *roster, unsigned i)
{
	struct visit *visit = roster->polled[i];

	switch (visit->port->class->arm(visit->port, visit->queue)) {
	case PORT_PENDING:
		visit->port->class->disarm(visit->port, visit->queue);
		visit->idle_since = 0;
		return false;
	case PORT_TIMED:
		visit->timed = true;
		roster->timed_count++;
		break;
	case PORT_ARMED:
		break;
	}
	visit->polled = false;
	roster->polled[i] = roster->polled[--roster->polled_count];
	return true;
}

/* A port that answers at once is not waited for: a look at the armed queues comes later. */
static void expect_answer(const struct plan *plan, struct roster *roster, const struct port *port)
{
	struct visit *visit;

	for (uint16_t queue = 0; queue < port->queue_count; queue++) {
		visit = roster_find(plan, roster, port->index, queue);
		if (visit)
			start_polling(roster, visit);
	}
}

static bool idle_window_over(const struct worker *worker, struct visit *visit)
{
	uint64_t now;

	if (worker->settings.poll == WORKER_POLL_BUSY ||
		++visit->empty_visits % EMPTY_VISITS_PER_CLOCK)
		return false;
	now = clock_now_ns();
	if (!visit->idle_since)
		visit->idle_since = now;
	return now - visit->idle_since >= worker->settings.idle_us * NS_PER_US;
}

/* Visits every polled queue once, but those that are ahead of the others. */
static void visit_round(struct worker *worker, const struct plan *plan, struct roster *roster)
{
	const struct packet_batch *batch = &worker->carrier->batch;
	uint64_t before = clock_cycles();
	unsigned i = 0;

	while (i < roster->polled_count) {
		struct visit *visit = roster->polled[i];
		unsigned frames;
		uint64_t after;

		if (unlikely(!fair_turn(roster, visit))) {
			i++;
			continue;
		}
		frames = likely(worker->unmeasured) ? visit_queue(worker, plan, visit, NULL)
						    : visit_measured(worker, plan, visit);
		after = clock_cycles();
		if (fair_note(roster, visit, batch, after - before))
			fair_charge(roster, visit, batch, after - before);
		if (frames) {
			worker->unmeasured--;
			visit->idle_since = 0;
			counter_add(&worker->counters.frames, frames);
			counter_add(&worker->counters.batches, 1);
			counter_add(&worker->counters.busy_cycles, after - before);
			if (visit->expected && unlikely(visit->expected->class->answers))
				expect_answer(plan, roster, visit->expected);
		}
		/* The last visit of the list takes the place of one that stopped: i stands for
		 * it. */
		if (frames || !idle_window_over(worker, visit) || !stop_polling(roster, i))
			i++;
		before = after;
	}
	fair_round_end(roster);
}

static void poll_all(struct roster *roster, bool only_timed)
{
	for (unsigned i = 0; i < roster->count; i++)
		if (!only_timed || roster->visits[i].timed)
			start_polling(roster, &roster->visits[i]);
}

static void handle_event(
	struct worker *worker, const struct plan *plan, struct roster *roster, uint64_t data)
{
	struct visit *visit;
	uint64_t count;

	if (data != WORKER_WAKE) {
		visit = roster_find(plan, roster, (uint16_t)(data >> 16), (uint16_t)data);
		if (visit)
			start_polling(roster, visit);
		return;
	}
	/* The counter's value does not matter, only that it is taken before the flags are read. */
	if (read(worker->wake, &count, sizeof(count)) < 0)
		return;
	if (__atomic_exchange_n(&worker->poked, false, __ATOMIC_ACQUIRE))
		poll_all(roster, false);
}

/* Looks at the armed queues; sleeps where no queue is polled. */
static void look(struct worker *worker, const struct plan *plan, struct roster *roster)
{
	uint64_t generation = plan->generation;
	bool sleep = roster->polled_count == 0;
	int timeout = !sleep ? 0 : roster->timed_count ? PORT_TIMED_NS / (int)NS_PER_MS : -1;
	struct epoll_event events[EVENTS_MAX];
	int count;

	if (sleep) {
		__atomic_store_n(&worker->counters.cpu, sched_getcpu(), __ATOMIC_RELAXED);
		__atomic_store_n(&worker->counters.asleep, true, __ATOMIC_RELAXED);
		rcu_sleep();
	}
	count = epoll_wait(worker->epoll, events, EVENTS_MAX, timeout);
	if (sleep) {
		rcu_awake();
		__atomic_store_n(&worker->counters.asleep, false, __ATOMIC_RELAXED);
		counter_add(&worker->counters.wakeups, 1);
		/* While we slept the plan may have been replaced and freed. Under the new one every
		 * queue will be visited, so the events may be forgotten. */
		if (rcu_read(&worker->plan)->generation != generation)
			return;
	}
	/* Also while others keep us awake: nothing else ever announces work in these. */
	if (roster->timed_count)
		poll_all(roster, true);
	for (int i = 0; i < count; i++)
		handle_event(worker, plan, roster, events[i].data.u64);
}

void *worker_main(void *argument)
{
	struct worker *worker = argument;
	uint64_t current = UINT64_MAX;
	uint64_t rounds = 0;
	int prepared = peer_signal_open(&worker->preparation);

	sem_post(&worker->prepared);
	if (prepared < 0)
		return NULL;
	rcu_join();
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		struct plan *plan = rcu_read(&worker->plan);
		struct roster *roster = &plan->rosters[worker->id];

		if (plan->generation != current) {
			/* Every queue is visited once: what was announced under the old plan is
			 * seen. */
			current = plan->generation;
			worker->carrier->context.snapshot = plan->snapshot;
			poll_all(roster, false);
		}
		visit_round(worker, plan, roster);
		__atomic_store_n(&worker->counters.rounds, ++rounds, __ATOMIC_RELAXED);
		/* With nothing armed there is nothing that a look could find. */
		if (!roster->polled_count ||
			(roster->polled_count < roster->count && rounds % ROUNDS_PER_LOOK == 0))
			look(worker, plan, roster);
		rcu_pass();
	}
	rcu_leave();
	peer_signal_close();
	return NULL;
}
