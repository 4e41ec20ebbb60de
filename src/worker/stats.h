/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker counts of its own work, and what is made of that for show.
 */
#ifndef VSW_WORKER_STATS_H
#define VSW_WORKER_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* The parts of a visit, in their order. */
enum worker_stage {
	WORKER_RECEIVE, /* heads copied from the sender's ring, net headers checked */
	WORKER_PARSE,   /* addresses and tag read, network and port security checked */
	WORKER_FORWARD, /* learned, looked up */
	WORKER_SEND,    /* copied into the receivers' rings */
	WORKER_RELEASE, /* descriptors given back to the sender */
	WORKER_KICK,    /* receivers and the sender notified, where they want that */
	WORKER_STAGE_COUNT,
};

/* "receive", "forward", ... */
extern const char *const worker_stage_names[WORKER_STAGE_COUNT];

/* Rising counters. The worker writes, the control thread reads (both relaxed). */
struct worker_counters {
	uint64_t rounds; /* over its queues; stands still while it sleeps, or hangs */
	uint64_t wakeups;
	uint64_t frames;
	uint64_t batches;
	uint64_t busy_cycles; /* in visits that found frames */
	uint64_t measured_frames;
	uint64_t stage_cycles[WORKER_STAGE_COUNT]; /* of the measured frames */
	int cpu;
	bool asleep; /* in epoll_wait(), until something comes */
};

/* Where counting began. Control thread. */
struct worker_baseline {
	struct worker_counters counters;
	uint64_t cycles; /* clock_cycles() then */
	uint64_t ns;
};

/* Of one worker, since the last worker_pool_reset(). */
struct worker_stats {
	unsigned id;
	int cpu;                 /* where it ran last */
	double busy_percent;     /* share of the time in iterations that moved frames */
	uint64_t wakeups;        /* returns from sleep */
	uint64_t frames;         /* received and processed */
	uint64_t batches;        /* visits that found frames */
	double cycles_per_frame; /* only iterations that moved frames; 0 where there were none */
	double seconds;          /* since the reset */
	unsigned queues;         /* assigned to it now */

	/* Where those cycles go, from a sample: about every 256th batch is measured in detail. */
	uint64_t measured_frames;
	double stages[WORKER_STAGE_COUNT]; /* cycles a measured frame; 0 where there were none */
};

/* Begins to count now. */
void worker_baseline_set(struct worker_baseline *baseline, const struct worker_counters *counters);

/* What there was since then; all but `id` and `queues`. */
void worker_stats_since(const struct worker_baseline *baseline,
	const struct worker_counters *counters, struct worker_stats *stats);

#endif
