/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time: nanoseconds of the monotonic clock, and the processor's cycle counter. Protocol code takes
 * `now` as an argument; only shells and workers read a clock.
 */
#ifndef VSW_BASE_CLOCK_H
#define VSW_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define NS_PER_US     1000ULL

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* Whole seconds of the same clock, up to a timer tick late, for an eighth of the cost. */
static inline uint64_t clock_coarse_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec;
}

/* A counter that rises steadily with time, cheap enough for every batch: the TSC, or
 * nanoseconds. */
static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return clock_now_ns();
#endif
}

#endif
