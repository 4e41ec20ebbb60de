/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/stats.h"

#include "base/clock.h"
#include "packet/counters.h"

const char *const worker_stage_names[WORKER_STAGE_COUNT] = {
	[WORKER_RECEIVE] = "receive",
	[WORKER_PARSE] = "parse",
	[WORKER_FORWARD] = "forward",
	[WORKER_SEND] = "send",
	[WORKER_RELEASE] = "release",
	[WORKER_KICK] = "kick",
};

static struct worker_counters read_counters(const struct worker_counters *counters)
{
	struct worker_counters now = {
		.wakeups = counter_read(&counters->wakeups),
		.frames = counter_read(&counters->frames),
		.batches = counter_read(&counters->batches),
		.busy_cycles = counter_read(&counters->busy_cycles),
		.measured_frames = counter_read(&counters->measured_frames),
		.cpu = __atomic_load_n(&counters->cpu, __ATOMIC_RELAXED),
	};

	for (unsigned i = 0; i < WORKER_STAGE_COUNT; i++)
		now.stage_cycles[i] = counter_read(&counters->stage_cycles[i]);
	return now;
}

void worker_baseline_set(struct worker_baseline *baseline, const struct worker_counters *counters)
{
	baseline->counters = read_counters(counters);
	baseline->cycles = clock_cycles();
	baseline->ns = clock_now_ns();
}

void worker_stats_since(const struct worker_baseline *baseline,
	const struct worker_counters *counters, struct worker_stats *stats)
{
	const struct worker_counters *then = &baseline->counters;
	struct worker_counters now = read_counters(counters);
	uint64_t busy = now.busy_cycles - then->busy_cycles;
	uint64_t cycles = clock_cycles() - baseline->cycles;

	*stats = (struct worker_stats){
		.cpu = now.cpu,
		.wakeups = now.wakeups - then->wakeups,
		.frames = now.frames - then->frames,
		.batches = now.batches - then->batches,
		.seconds = (double)(clock_now_ns() - baseline->ns) / (double)NS_PER_SECOND,
		.busy_percent = cycles ? 100.0 * (double)busy / (double)cycles : 0,
		.measured_frames = now.measured_frames - then->measured_frames,
	};
	if (stats->frames)
		stats->cycles_per_frame = (double)busy / (double)stats->frames;
	for (unsigned i = 0; stats->measured_frames && i < WORKER_STAGE_COUNT; i++)
		stats->stages[i] = (double)(now.stage_cycles[i] - then->stage_cycles[i]) /
				   (double)stats->measured_frames;
}
