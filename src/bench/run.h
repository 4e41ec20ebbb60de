/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A measurement from beginning to end: announce the ports' addresses, warm up, measure, let the
 * last frames arrive, and sum up. And the result, as text or JSON.
 *
 * The calling thread polls all the time; about every BENCH_RUN_POLL_MS it calls keep_on(), where
 * the owner serves its event loop and may end the run.
 */
#ifndef VSW_BENCH_RUN_H
#define VSW_BENCH_RUN_H

#include <stdio.h>

#include "bench/traffic.h"

/* Often enough to notice a signal or a lost port, too seldom to be seen in any figure. */
#define BENCH_RUN_POLL_MS 20

/* Frames still under way at the end have arrived when none has come for so long. */
#define BENCH_RUN_QUIET_MS 100

/* A ping that is not back by then is lost. */
#define BENCH_RUN_PING_MS 1000

struct bench_run_config {
	const struct bench_options *options;
	struct bench_port **ports; /* [options->port_count], running */
	bool (*keep_on)(void *owner);
	void (*measuring)(void *owner); /* called when the warm-up is over */
	void *owner;
};

struct bench_result {
	const struct bench_options *options;
	double seconds;               /* measured */
	struct bench_counters *lanes; /* [options->active], of that time; owned */
	struct bench_counters total;
	int64_t lost;                    /* frames sent in that time, or under way when it began */
	double cycles_per_second;        /* of the clock of the next two */
	uint64_t busy_cycles;            /* of the generator, when it moved frames */
	struct bench_histogram *latency; /* clock cycles; empty where it is not measured; owned */
	unsigned queue_pairs;            /* agreed, of the first port */
};

/* 0 and the result; or -errno and the error: -ECANCELED where keep_on() said so, -EPROTO where a
 * device broke the rules of a ring, -ENOMEM. */
int bench_run(
	const struct bench_run_config *config, struct bench_result *result, struct error *error);
void bench_result_free(struct bench_result *result);

/* True where frames arrived, whole, in order. */
bool bench_result_is_clean(const struct bench_result *result);

void bench_result_print(const struct bench_result *result, FILE *file);

/* Returns 0, -ENOMEM or -EIO. */
int bench_result_print_json(const struct bench_result *result, FILE *file);

#endif
