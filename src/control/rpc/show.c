/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/by_hand.h"
#include "control/derived_mac.h"
#include "control/loops.h"
#include "control/port_kinds.h"
#include "control/rpc/aliases.h"
#include "control/rpc/change.h"
#include "control/rpc/json_text.h"
#include "control/rpc/names.h"
#include "control/rpc/operate.h"
#include "control/rpc/show_lease.h"
#include "control/rpc/show_port.h"
#include "control/rpc/show_value.h"
#include "control/yaml/config.h"

static json_t *refuse(struct show_failure *failure, int code, const char *text)
{
	failure->code = code;
	error_set(&failure->error, -EINVAL, "%s", text);
	return NULL;
}

/* How many there are, and which of them have a problem. */
static void add_routers(json_t *object, const struct runtime *runtime)
{
	json_t *routers = routers_show(runtime->routers, &runtime->state.model);
	json_t *failed = json_array();
	const json_t *router;
	size_t i;

	json_array_foreach (routers, i, router)
		if (json_is_string(json_object_get(router, "problem")))
			json_array_append(failed, json_object_get(router, "name"));
	json_object_set_new(object, "routers", json_integer((json_int_t)json_array_size(routers)));
	json_object_set_new(object, "routers_failed", failed);
	json_decref(routers);
}

static json_t *show_switch(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const struct model *model = &runtime->state.model;
	unsigned connected = 0, vm_ports = 0;
	json_t *object;

	for (unsigned i = 0; i < model->port_count; i++) {
		const struct port_kind *kind = port_kind_of(&model->ports[i]);
		struct port_status status;

		kind->status(runtime->state.ports[i].port, &status);
		vm_ports += kind->for_vms;
		connected += kind->for_vms && status.connected;
	}
	fdb_expire(runtime->fdb, runtime_now());
	object = json_pack("{s:s, s:i, s:I, s:s, s:s, s:i, s:i, s:i, s:i, s:i, "
			   "s:i, s:{s:i, s:i, s:i, s:I}, s:I, "
			   "s:{s:I, s:i}, s:s?, s:s, s:s?, s:i}",
		"version", VSW_VERSION, "pid", (int)getpid(), "uptime",
		(json_int_t)((clock_now_ns() - runtime->started) / NS_PER_SECOND), "socket_dir",
		model->settings.socket_dir, "poll",
		schema_word(schema_find(&model_switch_schema, "poll"), model->settings.poll),
		"idle_us", (int)model->settings.idle_us, "workers",
		(int)worker_pool_count(runtime->pool), "networks", (int)model->network_count,
		"ports", (int)model->port_count, "vm_ports", (int)vm_ports, "connected",
		(int)connected, "fdb", "addresses", (int)fdb_count(runtime->fdb), "size",
		(int)fdb_capacity(runtime->fdb), "ageing", (int)model->settings.fdb_ageing,
		"evictions", (json_int_t)fdb_evictions(runtime->fdb), "log_lines_lost",
		(json_int_t)log_lost(), "loops", "noticed", (json_int_t)runtime->loops.noticed,
		"held", (int)runtime->loops.held, "config_file", runtime->config_file,
		"config_digest", runtime->config_digest, "config_applied", runtime->config_applied,
		"changes_by_hand", (int)by_hand_count(runtime));
	add_routers(object, runtime);
	return show_with_aliases(object);
}

/* For each port the address that its VM is told to use; to be freed, NULL where memory is short. */
static uint8_t (*vm_macs(const struct model *model))[6]
{
	uint8_t(*macs)[6] = calloc(model->port_count + 1, sizeof(*macs));
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	if (macs && derived_macs(model, host, derived_mac_hash, macs) < 0) {
		free(macs);
		return NULL;
	}
	return macs;
}

static json_t *show_ports(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const struct model *model = &runtime->state.model;
	const json_t *name = json_object_get(params, "name");
	int wanted = name ? names_find_port(runtime, json_string_value(name), failure) : 0;
	uint8_t(*macs)[6];
	json_t *array;

	if (wanted < 0)
		return NULL;
	macs = vm_macs(model);
	if (!macs)
		return refuse(failure, SHOW_REFUSED, "out of memory");
	array = json_array();
	for (unsigned i = 0; i < model->port_count; i++) {
		char mac[VALUE_MAC_TEXT_SIZE];
		json_t *port;

		if (name && i != (unsigned)wanted)
			continue;
		port = show_port(runtime, i);
		value_mac_format(macs[i], mac);
		if (port_kind_of(&model->ports[i])->for_vms)
			json_object_set_new(port, "vm_mac", json_string(mac));
		json_array_append_new(array, port);
	}
	free(macs);
	return array;
}

static json_t *show_networks(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const struct model *model = &runtime->state.model;
	json_t *array = json_array();

	for (unsigned i = 0; i < model->network_count; i++) {
		const struct model_network *network = &model->networks[i];
		json_t *ports = json_array();
		json_t *object;

		for (unsigned p = 0; p < model->port_count; p++)
			if (model_port_in_network(&model->ports[p], network->name))
				json_array_append_new(ports, json_string(model->ports[p].name));
		object = json_pack("{s:s}", "name", network->name);
		show_add_values(object, &model_network_schema, network);
		show_add_pool(json_object_get(object, "dhcp"), runtime, network->name);
		json_object_set_new(object, "ports", ports);
		json_object_set_new(object, "held", loops_show_network(runtime, i));
		json_array_append_new(array, show_with_aliases(object));
	}
	return array;
}

/* Names by index, for what speaks in indices. */
struct fdb_view {
	const char *ports[TOPOLOGY_PORT_MAX];
	const char *networks[RUNTIME_NETWORK_MAX];
	json_t *array;
};

static void show_fdb_entry(const struct fdb_entry *entry, void *argument)
{
	struct fdb_view *view = argument;
	char mac[VALUE_MAC_TEXT_SIZE];

	if (entry->port >= TOPOLOGY_PORT_MAX || entry->network >= RUNTIME_NETWORK_MAX ||
		!view->ports[entry->port] || !view->networks[entry->network])
		return;
	value_mac_format(entry->mac, mac);
	json_array_append_new(view->array,
		json_pack("{s:s, s:s, s:s, s:i, s:b}", "mac", mac, "network",
			view->networks[entry->network], "port", view->ports[entry->port], "age",
			(int)entry->age, "static", (int)entry->is_static));
}

static json_t *show_fdb(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const struct runtime_state *state = &runtime->state;
	struct fdb_view *view = calloc(1, sizeof(*view));
	uint32_t now = runtime_now();
	json_t *array;

	if (!view)
		return refuse(failure, SHOW_REFUSED, "out of memory");
	view->array = array = json_array();
	for (unsigned i = 0; i < state->model.port_count; i++)
		view->ports[state->ports[i].index] = state->model.ports[i].name;
	for (unsigned i = 0; i < state->model.network_count; i++)
		view->networks[state->networks[i]] = state->model.networks[i].name;
	fdb_expire(runtime->fdb, now);
	fdb_walk(runtime->fdb, now, show_fdb_entry, view);
	free(view);
	return array;
}

/* The queues that a worker visits: [{"port": "vm1", "queue": 0}, ...]. */
static json_t *show_worker_queues(struct runtime *runtime, unsigned id)
{
	const struct runtime_state *state = &runtime->state;
	json_t *queues = json_array();

	for (unsigned i = 0; i < state->model.port_count; i++)
		for (unsigned q = 0; q < state->ports[i].port->queue_count; q++)
			if (worker_pool_assignment(runtime->pool, state->ports[i].index, q) == id)
				json_array_append_new(queues,
					json_pack("{s:s, s:i}", "port", state->model.ports[i].name,
						"queue", (int)q));
	return queues;
}

/* Cycles a frame by stage: {"receive": 40.5, ...}. */
static json_t *show_stages(const struct worker_stats *stats)
{
	json_t *stages = json_object();

	for (unsigned i = 0; i < WORKER_STAGE_COUNT; i++)
		json_object_set_new(stages, worker_stage_names[i], json_real(stats->stages[i]));
	return stages;
}

static json_t *show_workers(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	json_t *array = json_array();

	for (unsigned id = 0; id < worker_pool_count(runtime->pool); id++) {
		struct worker_stats stats;

		worker_pool_stats(runtime->pool, id, &stats);
		json_array_append_new(array,
			json_pack("{s:i, s:i, s:f, s:I, s:I, s:I, s:f, s:f, s:o, s:I, s:f, s:o}",
				"id", (int)id, "cpu", stats.cpu, "busy_percent", stats.busy_percent,
				"wakeups", (json_int_t)stats.wakeups, "frames",
				(json_int_t)stats.frames, "batches", (json_int_t)stats.batches,
				"frames_per_batch",
				stats.batches ? (double)stats.frames / (double)stats.batches : 0.0,
				"cycles_per_frame", stats.cycles_per_frame, "stages",
				show_stages(&stats), "measured_frames",
				(json_int_t)stats.measured_frames, "seconds", stats.seconds,
				"queues", show_worker_queues(runtime, id)));
	}
	return array;
}

static json_t *reset_workers(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	worker_pool_reset(runtime->pool);
	return json_true();
}

static json_t *show_drops(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const struct runtime_state *state = &runtime->state;
	const unsigned count = state->model.port_count;
	struct port_totals *totals = calloc(count + 1, sizeof(*totals));
	json_t *array = json_array();

	if (!totals) {
		json_decref(array);
		return refuse(failure, SHOW_REFUSED, "out of memory");
	}
	for (unsigned i = 0; i < count; i++)
		port_totals(state->ports[i].port, &totals[i]);
	port_totals(runtime->local, &totals[count]);
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++) {
		const struct drop_description *drop = &drop_descriptions[reason];
		json_t *ports = json_object();
		uint64_t sum = 0;

		for (unsigned i = 0; i <= count; i++) {
			const char *name = i < count ? state->model.ports[i].name : "(local)";
			uint64_t drops = totals[i].drops[reason];

			sum += drops;
			if (drops)
				json_object_set_new(ports, name, json_integer((json_int_t)drops));
		}
		json_array_append_new(
			array, json_pack("{s:s, s:s, s:s, s:I, s:o}", "name", drop->name, "meaning",
				       drop->meaning, "advice", drop->advice, "count",
				       (json_int_t)sum, "ports", ports));
	}
	free(totals);
	return array;
}

static json_t *show_config(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	bool as_values = json_is_true(json_object_get(params, "values"));
	bool brief = json_is_true(json_object_get(params, "brief"));
	const struct model *model = &runtime->state.model;
	char *text = as_values ? NULL : config_format(model, brief ? CONFIG_BRIEF : CONFIG_FULL);
	json_t *result = as_values ? show_model(model) : text ? json_text(text) : NULL;

	free(text);
	return result ? result : refuse(failure, SHOW_REFUSED, "out of memory");
}

static json_t *show_routers(
	struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	return routers_show(runtime->routers, &runtime->state.model);
}

static const struct show_method methods[] = {
	{"show", false, false, show_switch},
	{"port.show", false, false, show_ports},
	{"network.show", false, false, show_networks},
	{"router.show", false, false, show_routers},
	{"fdb.show", false, false, show_fdb},
	{"fdb.flush", true, true, operate_flush_fdb},
	{"fdb.del", true, true, operate_delete_address},
	{"lease.show", false, false, show_leases},
	{"lease.del", true, true, delete_lease},
	{"worker.show", false, false, show_workers},
	{"worker.reset", true, true, reset_workers},
	{"port.reset", true, true, operate_reset_ports},
	{"log.show", false, false, operate_show_log},
	{"log.level", true, true, operate_set_log_level},
	{"drops", false, false, show_drops},
	{"config.show", false, false, show_config},
	/* Changes nothing, but parses what the client sends. */
	{"config.diff", true, false, change_diff},
	{"config.apply", true, true, change_apply},
	{"config.edit", true, true, change_edit},
	{"config.saved", true, true, change_saved},
};

const struct show_method *show_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}
