/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The result of a run in words and in JSON; declared in run.h.
 */
#include <errno.h>
#include <jansson.h>

#include "base/clock.h"
#include "bench/run.h"

static const struct {
	const char *name;
	double share;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}};

static double millions_a_second(const struct bench_result *result, uint64_t count)
{
	return result->seconds > 0 ? (double)count / result->seconds / 1e6 : 0;
}

/* Bits of frames as counted here: without checksum, preamble and gap. */
static double gigabits(const struct bench_result *result, uint64_t bytes)
{
	return millions_a_second(result, bytes) * 8 / 1000;
}

static double nanoseconds(const struct bench_result *result, double cycles)
{
	return cycles * NS_PER_SECOND / result->cycles_per_second;
}

/* What one frame, sent and received, costs the generator. */
static double cycles_per_frame(const struct bench_result *result)
{
	return result->total.received ? (double)result->busy_cycles / (double)result->total.received
				      : 0;
}

static double ceiling(const struct bench_result *result)
{
	double cycles = cycles_per_frame(result);

	return cycles > 0 ? result->cycles_per_second / cycles / 1e6 : 0;
}

static const char *mode_name(const struct bench_options *options)
{
	return options->mode == BENCH_PING ? "ping" : options->rate ? "rate" : "throughput";
}

static double percentile(const struct bench_result *result, double share)
{
	return nanoseconds(result, (double)bench_histogram_percentile(result->latency, share));
}

void bench_result_print(const struct bench_result *result, FILE *file)
{
	const struct bench_options *options = result->options;
	const struct bench_counters *total = &result->total;

	if (options->size)
		fprintf(file, "%llu bytes%s", (unsigned long long)options->size,
			options->tso ? " (TSO)" : "");
	else
		fputs("IMIX", file);
	fprintf(file, ", %u ports (%llu send), %u queue pairs, %s rings%s, %.2f s\n",
		options->port_count,
		(unsigned long long)options->active / (options->unidirectional + 1u),
		result->queue_pairs, options->packed ? "packed" : "split",
		options->in_order ? " in order" : "", result->seconds);
	fprintf(file, "sent      %9.3f Mpps %8.2f Gbit/s\n", millions_a_second(result, total->sent),
		gigabits(result, total->sent_bytes));
	fprintf(file, "received  %9.3f Mpps %8.2f Gbit/s\n",
		millions_a_second(result, total->received),
		gigabits(result, total->received_bytes));
	fprintf(file, "lost %lld, out of order %llu, corrupted %llu, foreign %llu, kicks %llu\n",
		(long long)result->lost, (unsigned long long)total->late,
		(unsigned long long)total->corrupted, (unsigned long long)total->foreign,
		(unsigned long long)total->kicks);
	if (result->latency->count) {
		fprintf(file, "%s in us: ", options->mode == BENCH_PING ? "round trip" : "latency");
		for (unsigned i = 0; i < ARRAY_SIZE(percentiles); i++)
			fprintf(file, "%s %.2f, ", percentiles[i].name,
				percentile(result, percentiles[i].share) / NS_PER_US);
		fprintf(file, "most %.2f, of %llu\n", percentile(result, 1) / NS_PER_US,
			(unsigned long long)result->latency->count);
	}
	if (options->null && !options->null_copy && options->mode == BENCH_THROUGHPUT)
		fprintf(file,
			"the generator: %.1f cycles a frame, which makes its limit %.1f Mpps\n",
			cycles_per_frame(result), ceiling(result));
}

static json_t *counters_json(
	const struct bench_result *result, const struct bench_counters *counters)
{
	return json_pack("{s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I}", "sent",
		(json_int_t)counters->sent, "received", (json_int_t)counters->received, "mpps",
		millions_a_second(result, counters->received), "gbps",
		gigabits(result, counters->received_bytes), "late", (json_int_t)counters->late,
		"corrupted", (json_int_t)counters->corrupted, "foreign",
		(json_int_t)counters->foreign, "kicks", (json_int_t)counters->kicks);
}

static json_t *latency_json(const struct bench_result *result)
{
	const struct bench_histogram *latency = result->latency;
	json_t *object;

	if (!latency->count)
		return json_null();
	object = json_pack("{s:I, s:f, s:f}", "count", (json_int_t)latency->count, "mean",
		nanoseconds(result, (double)latency->sum / (double)latency->count), "least",
		nanoseconds(result, (double)latency->least));
	for (unsigned i = 0; object && i < ARRAY_SIZE(percentiles); i++)
		json_object_set_new(object, percentiles[i].name,
			json_real(percentile(result, percentiles[i].share)));
	if (object)
		json_object_set_new(object, "most", json_real(percentile(result, 1)));
	return object;
}

static json_t *options_json(const struct bench_result *result)
{
	const struct bench_options *options = result->options;

	return json_pack("{s:s, s:o, s:i, s:I, s:b, s:I, s:I, s:i, s:I, s:b, s:b, s:b, s:b, s:I, "
			 "s:b, s:b, s:b, s:b}",
		"mode", mode_name(options), "size",
		options->size ? json_integer((json_int_t)options->size) : json_string("imix"),
		"ports", (int)options->port_count, "active", (json_int_t)options->active,
		"unidirectional", options->unidirectional, "flows", (json_int_t)options->flows,
		"macs", (json_int_t)options->macs, "queues", (int)result->queue_pairs, "queue_size",
		(json_int_t)options->queue_size, "packed", options->packed, "mergeable",
		options->mergeable, "event_index", options->event_index, "verify", options->verify,
		"rate", (json_int_t)options->rate, "tso", options->tso, "in_order",
		options->in_order, "null", options->null, "null_copy", options->null_copy);
}

int bench_result_print_json(const struct bench_result *result, FILE *file)
{
	json_t *object = counters_json(result, &result->total);
	json_t *ports = json_array();
	int status = -ENOMEM;

	if (!object || !ports)
		goto release;
	for (unsigned i = 0; i < result->options->active; i++)
		if (json_array_append_new(ports, counters_json(result, &result->lanes[i])) < 0)
			goto release;
	if (json_object_set_new(object, "options", options_json(result)) < 0 ||
		json_object_set_new(object, "seconds", json_real(result->seconds)) < 0 ||
		json_object_set_new(object, "lost", json_integer(result->lost)) < 0 ||
		json_object_set_new(object, "latency_ns", latency_json(result)) < 0 ||
		json_object_set_new(object, "generator_cycles_per_frame",
			json_real(cycles_per_frame(result))) < 0 ||
		json_object_set_new(object, "generator_ceiling_mpps", json_real(ceiling(result))) <
			0 ||
		json_object_set(object, "port", ports) < 0)
		goto release;
	status = json_dumpf(object, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 ||
				 fputc('\n', file) == EOF
			 ? -EIO
			 : 0;

release:
	json_decref(ports);
	json_decref(object);
	return status;
}
