/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A histogram of durations with a bounded relative error, for latency percentiles: log-linear, each
 * power of two divided into BENCH_HISTOGRAM_STEPS equal steps. A value is known to within 1/64 (1.6
 * %); values below 128 exactly. Any 64-bit value fits, nothing is ever dropped.
 *
 * Units are the caller's. Recording costs a few instructions and touches one counter. One thread.
 */
#ifndef VSW_BENCH_HISTOGRAM_H
#define VSW_BENCH_HISTOGRAM_H

#include <stdint.h>

#include "base/common.h"

#define BENCH_HISTOGRAM_SHIFT   6
#define BENCH_HISTOGRAM_STEPS   (1u << BENCH_HISTOGRAM_SHIFT)
#define BENCH_HISTOGRAM_BUCKETS ((64 - BENCH_HISTOGRAM_SHIFT + 1) * BENCH_HISTOGRAM_STEPS)

/* All zero: empty. */
struct bench_histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t least, most; /* valid where count is not 0 */
	uint64_t buckets[BENCH_HISTOGRAM_BUCKETS];
};

/* The bucket of a value: 0 .. BENCH_HISTOGRAM_BUCKETS - 1, rising with it. */
static inline unsigned bench_histogram_bucket(uint64_t value)
{
	unsigned shift;

	if (value < 2 * BENCH_HISTOGRAM_STEPS)
		return (unsigned)value;
	shift = 63 - BENCH_HISTOGRAM_SHIFT - (unsigned)__builtin_clzll(value);
	return shift * BENCH_HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
uint64_t bench_histogram_bound(unsigned bucket);

static inline void bench_histogram_add(struct bench_histogram *histogram, uint64_t value)
{
	if (!histogram->count || value < histogram->least)
		histogram->least = value;
	if (value > histogram->most)
		histogram->most = value;
	histogram->count++;
	histogram->sum += value;
	histogram->buckets[bench_histogram_bucket(value)]++;
}

/*
 * The smallest bound that at least `share` (0 < share <= 1) of the values do not exceed, at most
 * the largest value itself; 0 for an empty histogram.
 */
uint64_t bench_histogram_percentile(const struct bench_histogram *histogram, double share);

#endif
