/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The histogram against a sorted array, and the arithmetic of its buckets over the whole range.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/histogram.h"

#define VALUES 20000

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void check_value(uint64_t value)
{
	unsigned bucket = bench_histogram_bucket(value);
	uint64_t bound;

	assert_true(bucket < BENCH_HISTOGRAM_BUCKETS);
	bound = bench_histogram_bound(bucket);
	assert_true(bound >= value);
	assert_true(bound - value <= value / BENCH_HISTOGRAM_STEPS);
	if (bucket)
		assert_true(bench_histogram_bound(bucket - 1) < value);
}

static void buckets_cover_every_value_once(void **state)
{
	uint64_t random = 1;

	for (uint64_t value = 0; value < 100000; value++)
		check_value(value);
	for (unsigned bit = 0; bit < 64; bit++) {
		check_value(UINT64_C(1) << bit);
		check_value((UINT64_C(1) << bit) - 1);
		check_value(next_random(&random) >> bit);
	}
	check_value(UINT64_MAX);
	assert_int_equal(bench_histogram_bucket(UINT64_MAX), BENCH_HISTOGRAM_BUCKETS - 1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void percentiles_agree_with_a_sorted_array(void **state)
{
	static const double shares[] = {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.99999, 1};
	struct bench_histogram *histogram = test_calloc(1, sizeof(*histogram));
	uint64_t *values = test_calloc(VALUES, sizeof(*values));
	uint64_t random = 7, sum = 0;

	for (unsigned i = 0; i < VALUES; i++) {
		values[i] = next_random(&random) >> (24 + next_random(&random) % 40);
		sum += values[i];
		bench_histogram_add(histogram, values[i]);
	}
	qsort(values, VALUES, sizeof(*values), compare);
	assert_int_equal(histogram->count, VALUES);
	assert_int_equal(histogram->sum, sum);
	assert_int_equal(histogram->least, values[0]);
	assert_int_equal(histogram->most, values[VALUES - 1]);
	for (unsigned i = 0; i < ARRAY_SIZE(shares); i++) {
		double exact = shares[i] * VALUES;
		unsigned rank = (unsigned)exact < exact ? (unsigned)exact + 1 : (unsigned)exact;
		uint64_t right = values[rank - 1];
		uint64_t told = bench_histogram_percentile(histogram, shares[i]);

		assert_true(told >= right);
		assert_true(told - right <= right / BENCH_HISTOGRAM_STEPS);
	}
	assert_int_equal(bench_histogram_percentile(histogram, 1), values[VALUES - 1]);
	test_free(values);
	test_free(histogram);
}

static void empty_and_single(void **state)
{
	struct bench_histogram *histogram = test_calloc(1, sizeof(*histogram));

	assert_int_equal(bench_histogram_percentile(histogram, 0.5), 0);
	bench_histogram_add(histogram, 1000003);
	assert_int_equal(bench_histogram_percentile(histogram, 0.5), 1000003);
	assert_int_equal(bench_histogram_percentile(histogram, 0.999), 1000003);
	test_free(histogram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_cover_every_value_once),
		cmocka_unit_test(percentiles_agree_with_a_sorted_array),
		cmocka_unit_test(empty_and_single),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
