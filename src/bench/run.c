/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bench/receive.h"

/* Long enough to know the clock's rate to a part in ten thousand. */
#define CALIBRATION_NS (20 * NS_PER_MS)

struct run {
	const struct bench_run_config *config;
	struct bench_traffic *traffic;
	double cycles_per_second;
	uint64_t poll_cycles; /* between two polls */
	uint64_t polled;
	uint64_t busy_cycles;
	const char *why; /* it cannot go on; NULL: it can */
};

static double calibrate(void)
{
	const struct timespec pause = {.tv_nsec = CALIBRATION_NS};
	uint64_t ns = clock_now_ns(), cycles = clock_cycles();

	nanosleep(&pause, NULL);
	cycles = clock_cycles() - cycles;
	return (double)cycles * NS_PER_SECOND / (double)(clock_now_ns() - ns);
}

static uint64_t cycles_of_ms(const struct run *run, uint64_t ms)
{
	return (uint64_t)(run->cycles_per_second * (double)ms / 1000);
}

/* True where the run may go on; polls the owner from time to time. */
static bool keep_on(struct run *run, uint64_t now)
{
	if (likely(now - run->polled < run->poll_cycles))
		return !run->why;
	run->polled = now;
	if (bench_traffic_failed(run->traffic))
		run->why = "the device violated the ring protocol";
	else if (!run->config->keep_on(run->config->owner))
		run->why = "stopped";
	return !run->why;
}

/* Steps for so long, or as long as there are frames to be moved. */
static void step_for(struct run *run, uint64_t cycles, bool sending)
{
	uint64_t last = clock_cycles(), end = last + cycles, now;

	while (last < end && keep_on(run, last)) {
		unsigned moved = bench_traffic_step(run->traffic, sending);

		now = clock_cycles();
		if (moved)
			run->busy_cycles += now - last;
		if (moved && !sending)
			end = now + cycles;
		last = now;
	}
}

/* What comes to ports that only listen. */
static void drain_listeners(struct run *run)
{
	for (unsigned i = (unsigned)run->config->options->active; i < run->traffic->count; i++)
		while (bench_lane_receive(run->traffic, &run->traffic->lanes[i]))
			;
}

/* Makes the switch learn all addresses, and empties all rings. */
static void announce(struct run *run)
{
	const struct bench_options *options = run->config->options;

	for (unsigned i = 0; i < run->traffic->count && !run->why; i++) {
		struct bench_lane *lane = &run->traffic->lanes[i];
		uint64_t count = lane->partner ? options->macs : 1, done = 0;

		while (done < count && keep_on(run, clock_cycles())) {
			done += bench_lane_announce(run->traffic, lane, done, count - done);
			bench_traffic_step(run->traffic, false);
			drain_listeners(run);
		}
	}
	do {
		step_for(run, cycles_of_ms(run, BENCH_RUN_QUIET_MS), false);
		drain_listeners(run);
	} while (!run->why && !bench_traffic_build(run->traffic));
}

/* Receives on a lane until a frame came; false where none did. */
static bool await(struct run *run, struct bench_lane *lane, uint64_t deadline)
{
	uint64_t before = lane->counters.received;

	do {
		bench_lane_receive(run->traffic, lane);
		if (lane->counters.received != before)
			return true;
	} while (clock_cycles() < deadline && keep_on(run, clock_cycles()));
	return false;
}

static void ping_for(struct run *run, uint64_t cycles, bool measured)
{
	struct bench_lane *near = &run->traffic->lanes[0], *far = near->partner;
	uint64_t interval = (uint64_t)(run->cycles_per_second *
				       (double)run->config->options->interval / 1e6);
	uint64_t start = clock_cycles(), end = start + cycles, next = start, now = start;

	while (now < end && keep_on(run, now)) {
		now = clock_cycles();
		if (now < next)
			continue;
		start = now;
		next = start + interval;
		bench_lane_send(run->traffic, near, 1);
		if (!await(run, far, start + cycles_of_ms(run, BENCH_RUN_PING_MS)))
			continue;
		bench_lane_send(run->traffic, far, 1);
		if (!await(run, near, start + cycles_of_ms(run, BENCH_RUN_PING_MS)))
			continue;
		now = clock_cycles();
		run->busy_cycles += now - start;
		if (measured)
			bench_histogram_add(&run->traffic->latency, now - start);
	}
}

static void act_for(struct run *run, uint64_t seconds, bool measured)
{
	uint64_t cycles = cycles_of_ms(run, seconds * 1000);

	if (run->config->options->mode == BENCH_PING)
		ping_for(run, cycles, measured);
	else
		step_for(run, cycles, true);
}

static void snapshot(const struct run *run, struct bench_counters *lanes)
{
	for (unsigned i = 0; i < run->config->options->active; i++)
		lanes[i] = run->traffic->lanes[i].counters;
}

static void subtract(struct bench_counters *counters, const struct bench_counters *before)
{
	counters->sent -= before->sent;
	counters->sent_bytes -= before->sent_bytes;
	counters->received -= before->received;
	counters->received_bytes -= before->received_bytes;
	counters->foreign -= before->foreign;
	counters->kicks -= before->kicks;
}

static void add(struct bench_counters *total, const struct bench_counters *counters)
{
	total->sent += counters->sent;
	total->sent_bytes += counters->sent_bytes;
	total->received += counters->received;
	total->received_bytes += counters->received_bytes;
	total->late += counters->late;
	total->corrupted += counters->corrupted;
	total->foreign += counters->foreign;
	total->kicks += counters->kicks;
}

/* Faults count from the very beginning; all else from the end of the warm-up. */
static void measure(struct run *run, struct bench_result *result, struct bench_counters *before)
{
	const struct bench_options *options = run->config->options;
	int64_t missing = 0;
	uint64_t start;

	snapshot(run, before);
	for (unsigned i = 0; i < options->active; i++)
		missing += before[i].missing;
	memset(&run->traffic->latency, 0, sizeof(run->traffic->latency));
	run->busy_cycles = 0;
	start = clock_now_ns();
	act_for(run, options->duration, true);
	result->seconds = (double)(clock_now_ns() - start) / NS_PER_SECOND;
	result->busy_cycles = run->busy_cycles;
	snapshot(run, result->lanes);
	*result->latency = run->traffic->latency;
	run->traffic->scheduled = false;
	step_for(run, cycles_of_ms(run, BENCH_RUN_QUIET_MS), false);
	result->lost = MAX(bench_traffic_missing(run->traffic) - missing, (int64_t)0);
	for (unsigned i = 0; i < options->active; i++) {
		struct bench_counters *lane = &result->lanes[i];

		subtract(lane, &before[i]);
		lane->late = run->traffic->lanes[i].counters.late;
		lane->corrupted = run->traffic->lanes[i].counters.corrupted;
		add(&result->total, lane);
	}
}

static void carry_out(struct run *run, struct bench_result *result, struct bench_counters *before)
{
	const struct bench_options *options = run->config->options;

	run->poll_cycles = cycles_of_ms(run, BENCH_RUN_POLL_MS);
	run->polled = clock_cycles();
	result->cycles_per_second = run->cycles_per_second;
	announce(run);
	if (options->rate)
		bench_traffic_schedule(run->traffic, options->rate, run->cycles_per_second);
	if (!run->why)
		act_for(run, options->warmup, false);
	if (!run->why) {
		run->config->measuring(run->config->owner);
		measure(run, result, before);
	}
}

int bench_run(
	const struct bench_run_config *config, struct bench_result *result, struct error *error)
{
	const struct bench_options *options = config->options;
	struct run run = {.config = config, .cycles_per_second = calibrate()};
	struct bench_counters *before = calloc(options->active, sizeof(*before));
	int status = 0;

	*result = (struct bench_result){
		.options = options,
		.lanes = calloc(options->active, sizeof(*result->lanes)),
		.latency = calloc(1, sizeof(*result->latency)),
		.queue_pairs = config->ports[0]->queue_pairs,
	};
	run.traffic = bench_traffic_new(
		options, config->ports, options->port_count, run.cycles_per_second);
	if (before && result->lanes && result->latency && run.traffic) {
		carry_out(&run, result, before);
		if (run.why)
			status = error_set(error,
				bench_traffic_failed(run.traffic) ? -EPROTO : -ECANCELED, "%s",
				run.why);
	} else {
		status = error_set(error, -ENOMEM, "no memory");
	}
	bench_traffic_free(run.traffic);
	free(before);
	if (status < 0)
		bench_result_free(result);
	return status;
}

void bench_result_free(struct bench_result *result)
{
	free(result->lanes);
	free(result->latency);
	*result = (struct bench_result){.lanes = NULL};
}

bool bench_result_is_clean(const struct bench_result *result)
{
	return result->total.received && !result->total.late && !result->total.corrupted;
}
