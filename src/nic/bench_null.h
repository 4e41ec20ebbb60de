/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The null backend: a thread that stands for a switch between two ports and does as little as can be
 * done, so that what is measured is the generator. It moves the first cache line of a frame (all of
 * it, where every byte will be verified), without looking at it.
 *
 * It sees the ports' memory through mappings of its own, as another process would. The ports must stay
 * until bench_null_stop().
 */
#ifndef VSW_NIC_BENCH_NULL_H
#define VSW_NIC_BENCH_NULL_H

#include "nic/bench_port.h"

struct bench_null;

/* Starts between two ports that run, on processor `cpu` (-1: any). NULL, and the error, on failure. */
struct bench_null *bench_null_start(
	struct bench_port *const ports[2], bool whole_frames, int cpu, struct error *error);

/* NULL is accepted. */
void bench_null_stop(struct bench_null *null);

#endif
