/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/filter.h"

#include <string.h>

static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool lists(const json_t *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (is_text(item, text) || is_text(json_object_get(item, "port"), text))
			return true;
	return false;
}

/* An address says its port; a network and a worker list theirs; a drop reason has them as
 * members. */
static bool has_port(const json_t *entry, const char *name)
{
	const json_t *ports = json_object_get(entry, "ports");

	return is_text(json_object_get(entry, "port"), name) || lists(ports, name) ||
	       json_object_get(ports, name) || lists(json_object_get(entry, "queues"), name);
}

/* A port or an address says its network, a trunk lists them, a network is one. */
static bool has_network(const json_t *entry, const char *name)
{
	const json_t *ports = json_object_get(entry, "ports");

	return is_text(json_object_get(entry, "network"), name) ||
	       lists(json_object_get(entry, "trunk"), name) ||
	       (ports && is_text(json_object_get(entry, "name"), name));
}

/* Of a drop reason only that port is left, and its count. */
static void reduce_ports(json_t *entry, const char *name)
{
	json_t *ports = json_object_get(entry, "ports");
	json_t *rates = json_object_get(entry, "ports_per_second");
	json_t *count = json_object_get(ports, name), *rate = json_object_get(rates, name);

	if (!json_is_object(ports))
		return;
	json_object_set(entry, "count", count);
	json_object_set_new(entry, "ports", json_pack("{s:O}", name, count));
	if (!rate)
		return;
	json_object_set(entry, "count_per_second", rate);
	json_object_set_new(entry, "ports_per_second", json_pack("{s:O}", name, rate));
}

void filter_apply(json_t *list, const struct command_line *line)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *entry = json_array_get(list, i);

		if ((line->port && !has_port(entry, line->port)) ||
			(line->network && !has_network(entry, line->network)) ||
			(line->state && !is_text(json_object_get(entry, "state"), line->state)))
			json_array_remove(list, i);
		else if (line->port)
			reduce_ports(entry, line->port);
	}
}
