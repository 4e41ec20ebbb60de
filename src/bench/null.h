/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The null backend: a thread that stands for a switch between two ports and does as little as can
 * be done, so that what is measured is the generator. It moves the first bytes of a frame, those
 * that the cheap check reads, without looking at them; all of it where every byte will be verified,
 * or where the copy itself is to be measured: one memcpy() a frame, and nothing else, is what no
 * switch of one core can do better.
 *
 * It sees the ports' memory through mappings of its own, as another process would. The ports must
 * stay until bench_null_stop().
 */
#ifndef VSW_BENCH_NULL_H
#define VSW_BENCH_NULL_H

#include "bench/port.h"

struct bench_null;

/* How much of a frame moves, header included. */
enum bench_null_copy {
	BENCH_NULL_LINE,  /* one cache line */
	BENCH_NULL_LINES, /* two: the stamp of a TCP segment lies in the second */
	BENCH_NULL_WHOLE,
};

/* Starts between two ports that run, on processor `cpu` (-1: any). NULL, and the error, on
 * failure. */
struct bench_null *bench_null_start(
	struct bench_port *const ports[2], enum bench_null_copy copy, int cpu, struct error *error);

/* NULL is accepted. */
void bench_null_stop(struct bench_null *null);

#endif
