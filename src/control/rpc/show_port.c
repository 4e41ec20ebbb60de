/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/show_port.h"

#include <arpa/inet.h>
#include <string.h>

#include "control/loops.h"
#include "control/port_kinds.h"
#include "control/rpc/show_value.h"

static json_t *name_or_null(const char *name)
{
	return *name ? json_string(name) : json_null();
}

static void set_membership(
	json_t *object, const struct runtime *runtime, const struct model_port *port)
{
	const char *untagged = *port->network ? port->network : port->native;
	const struct model_network *network = model_find_network(&runtime->state.model, untagged);

	/* A trunk's network is its native one: what untagged frames belong to. */
	json_object_set_new(object, "network", name_or_null(untagged));
	json_object_set_new(object, "vlan",
		network && network->vlan ? json_integer(network->vlan) : json_null());
}

static void set_status(json_t *object, const struct port_status *status)
{
	json_object_set_new(object, "connected", json_boolean(status->connected));
	json_object_set_new(object, "state", json_string(status->state));
	json_object_set_new(
		object, "problem", status->problem ? json_string(status->problem) : json_null());
	json_object_set_new(object, "problem_age",
		status->problem ? json_integer(status->problem_age) : json_null());
}

/* every_reason: also those that have not occurred. */
static void set_counters(json_t *object, const struct port_totals *totals, bool every_reason)
{
	json_t *drops = json_object();
	json_t *part;

	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (every_reason || totals->drops[reason])
			json_object_set_new(drops, drop_descriptions[reason].name,
				json_integer((json_int_t)totals->drops[reason]));
	part = json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "rx_packets",
		(json_int_t)totals->rx_packets, "rx_bytes", (json_int_t)totals->rx_bytes,
		"tx_packets", (json_int_t)totals->tx_packets, "tx_bytes",
		(json_int_t)totals->tx_bytes, "worker_cycles", (json_int_t)totals->worker_cycles,
		"drops", drops);
	json_object_update(object, part);
	json_decref(part);
}

/* One object for each queue pair: who visits it, and its share of the port's counters. */
static json_t *queue_list(const struct runtime *runtime, const struct port *port)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < port->queue_count; i++) {
		unsigned worker = worker_pool_assignment(runtime->pool, port->index, i);
		struct port_totals totals;
		json_t *queue;

		port_queue_totals(port, i, &totals);
		queue = json_pack("{s:i, s:i}", "queue", (int)i, "worker", (int)worker);
		set_counters(queue, &totals, false);
		json_array_append_new(list, queue);
	}
	return list;
}

/* The address that port security refused last, on any queue: null where there was none. */
static json_t *last_refused(const struct port *port)
{
	struct refused_address newest = {0}, found;
	char mac[VALUE_MAC_TEXT_SIZE], ip[INET6_ADDRSTRLEN];
	uint32_t now = runtime_now();

	for (unsigned i = 0; i < port->queue_count; i++)
		if (refused_read(&port->counters[i].rx.refused, &found) &&
			found.reason < DROP_REASON_COUNT &&
			(!newest.reason || found.second >= newest.second))
			newest = found;
	if (!newest.reason)
		return json_null();
	value_mac_format(newest.mac, mac);
	if (newest.ip_size)
		inet_ntop(newest.ip_size == 4 ? AF_INET : AF_INET6, newest.ip, ip, sizeof(ip));
	return json_pack("{s:s, s:s, s:s?, s:I}", "reason", drop_descriptions[newest.reason].name,
		"mac", mac, "ip", newest.ip_size ? ip : NULL, "age",
		(json_int_t)(now > newest.second ? now - newest.second : 0));
}

json_t *show_port(struct runtime *runtime, unsigned position)
{
	const struct model_port *model = &runtime->state.model.ports[position];
	const struct runtime_port *entry = &runtime->state.ports[position];
	const struct port_kind *kind = port_kind_of(model);
	struct port_status status;
	struct port_totals totals;
	json_t *object = json_pack("{s:s}", "name", model->name);

	show_add_values(object, &model_port_schema, model);
	json_object_set_new(object, "router", name_or_null(model->router));
	show_add_values(object, model_port_kind_schema(model), model->settings);
	set_membership(object, runtime, model);
	json_object_set_new(object, "held", loops_show_port(runtime, position));
	json_object_set_new(object, "mac_moves",
		json_integer((json_int_t)fdb_moves(runtime->fdb, entry->index)));
	kind->status(entry->port, &status);
	set_status(object, &status);
	kind->show(entry->port, model, object);
	if (!json_object_get(object, "endpoint"))
		json_object_set(object, "endpoint", json_object_get(object, kind->key));
	port_totals(entry->port, &totals);
	set_counters(object, &totals, true);
	json_object_set_new(object, "last_refused", last_refused(entry->port));
	json_object_set_new(object, "per_queue", queue_list(runtime, entry->port));
	return object;
}
