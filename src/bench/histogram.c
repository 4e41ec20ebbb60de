/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/histogram.h"

uint64_t bench_histogram_bound(unsigned bucket)
{
	unsigned shift, step;

	if (bucket < 2 * BENCH_HISTOGRAM_STEPS)
		return bucket;
	shift = bucket / BENCH_HISTOGRAM_STEPS - 1;
	step = bucket % BENCH_HISTOGRAM_STEPS + BENCH_HISTOGRAM_STEPS;
	return ((uint64_t)step << shift) + ((UINT64_C(1) << shift) - 1);
}

uint64_t bench_histogram_percentile(const struct bench_histogram *histogram, double share)
{
	double wanted = share * (double)histogram->count;
	uint64_t seen = 0;

	for (unsigned i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen && (double)seen >= wanted)
			return MIN(bench_histogram_bound(i), histogram->most);
	}
	return histogram->most;
}
