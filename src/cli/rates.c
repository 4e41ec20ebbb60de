/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/rates.h"

#include <string.h>

#include "base/common.h"

/* What counts, and what a rate of it is called; a byte is 8 bits. */
static const struct {
	const char *key, *rate;
	unsigned factor;
} counters[] = {
	{"rx_packets", "rx_packets_per_second", 1},
	{"rx_bytes", "rx_bits_per_second", 8},
	{"tx_packets", "tx_packets_per_second", 1},
	{"tx_bytes", "tx_bits_per_second", 8},
	{"frames", "frames_per_second", 1},
	{"wakeups", "wakeups_per_second", 1},
	{"count", "count_per_second", 1},
	{"worker_cycles", "worker_cycles_per_second", 1},
};

/* Objects of counters by name. */
static const struct {
	const char *key, *rate;
} groups[] = {
	{"drops", "drops_per_second"},
	{"ports", "ports_per_second"},
};

/* Lists within an object, whose objects have counters, too. */
static const char list_key[] = "per_queue";

/* What tells the objects of a list apart. */
static const char *const identities[] = {"name", "id", "queue"};

static json_t *rate_of(const json_t *now, const json_t *before, unsigned factor, double seconds)
{
	json_int_t rise = json_integer_value(now) - json_integer_value(before);

	if (!json_is_integer(now) || !json_is_integer(before) || rise < 0 || seconds <= 0)
		return json_null();
	return json_integer((json_int_t)((double)rise * factor / seconds + 0.5));
}

/* The object of the list that is the same thing as `object`. */
static const json_t *counterpart(const json_t *list, const json_t *object)
{
	const json_t *other;
	size_t i;

	json_array_foreach (list, i, other)
		for (unsigned k = 0; k < ARRAY_SIZE(identities); k++)
			if (json_object_get(object, identities[k]) &&
				json_equal(json_object_get(object, identities[k]),
					json_object_get(other, identities[k])))
				return other;
	return NULL;
}

/* Counters by name; a name that was not there before has counted from zero. */
static json_t *group_rates(const json_t *now, const json_t *before, double seconds)
{
	json_t *rates = json_object();
	json_t *zero = json_integer(0);
	json_t *count;
	const char *name;

	json_object_foreach ((json_t *)now, name, count) {
		const json_t *old = json_object_get(before, name);

		json_object_set_new(
			rates, name, rate_of(count, before && !old ? zero : old, 1, seconds));
	}
	json_decref(zero);
	return rates;
}

static void add_to_object(json_t *object, const json_t *before, double seconds)
{
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++)
		if (json_object_get(object, counters[i].key))
			json_object_set_new(object, counters[i].rate,
				rate_of(json_object_get(object, counters[i].key),
					json_object_get(before, counters[i].key),
					counters[i].factor, seconds));
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		if (json_is_object(json_object_get(object, groups[i].key)))
			json_object_set_new(object, groups[i].rate,
				group_rates(json_object_get(object, groups[i].key),
					json_object_get(before, groups[i].key), seconds));
}

void rates_add(json_t *now, const json_t *before, double seconds)
{
	json_t *object;
	size_t i;

	json_array_foreach (now, i, object) {
		const json_t *earlier = counterpart(before, object);
		json_t *queue;
		size_t q;

		add_to_object(object, earlier, seconds);
		json_array_foreach (json_object_get(object, list_key), q, queue)
			add_to_object(queue, counterpart(json_object_get(earlier, list_key), queue),
				seconds);
	}
}
