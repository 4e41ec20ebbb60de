/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/runtime.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/compile.h"
#include "port/local.h"
#include "service/rarp.h"

/* Seconds between two sweeps of the FDB: ageing is exact without (look-ups check the age), the
 * sweep only frees room. A quarter of the ageing time, within what costs nothing. */
#define EXPIRY_SECONDS_MIN 5
#define EXPIRY_SECONDS_MAX 60

uint32_t runtime_now(void)
{
	return (uint32_t)(clock_now_ns() / NS_PER_SECOND);
}

unsigned runtime_auto_workers(void)
{
	cpu_set_t allowed;
	unsigned cpus = 1;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		cpus = (unsigned)CPU_COUNT(&allowed);
	return MIN(MAX(cpus / 2, 1), WORKER_MAX);
}

int runtime_find_port(const struct runtime_state *state, const char *name)
{
	const struct model_port *found = model_find_port(&state->model, name);

	return found ? (int)(found - state->model.ports) : -1;
}

int runtime_find_network(const struct runtime_state *state, const char *name)
{
	const struct model_network *found = model_find_network(&state->model, name);

	return found ? (int)(found - state->model.networks) : -1;
}

static void expire(evutil_socket_t fd, short what, void *argument)
{
	struct runtime *runtime = argument;

	if (fdb_count(runtime->fdb))
		fdb_expire(runtime->fdb, runtime_now());
}

/* (Re)starts removing aged addresses. */
static void schedule_expiry(struct runtime *runtime)
{
	unsigned ageing = runtime->state.model.settings.fdb_ageing;
	unsigned seconds = MIN(MAX(ageing / 4, EXPIRY_SECONDS_MIN), EXPIRY_SECONDS_MAX);
	struct timeval period = {.tv_sec = (time_t)seconds};

	if (ageing)
		event_add(runtime->expiry, &period);
	else
		event_del(runtime->expiry);
}

/*
 * A VM has announced itself (after a migration, say) and its guest cannot do so: a RARP request,
 * broadcast as if it came from the port, teaches our table and every switch behind other ports.
 */
static void announce(void *owner, struct port *port, const uint8_t mac[6])
{
	struct runtime *runtime = owner;
	const struct model_port *model = model_find_port(&runtime->state.model, port->name);
	uint8_t frame[RARP_FRAME];

	/* Untagged on a trunk without a native network: there is no network to announce it in. */
	if (!model || (!*model->network && !*model->native))
		return;
	rarp_announce(frame, mac);
	/* Where there is no room it is counted. */
	local_port_send_as(runtime->local, port->index, frame, sizeof(frame));
}

struct port *runtime_open_port(struct runtime *runtime, const struct model_settings *settings,
	const struct model_port *model, uint16_t index, bool restored, struct port_fault *fault)
{
	const struct port_kind *kind = port_kind_of(model);
	const struct port_place place = {
		.base = runtime->base,
		.notifier = worker_pool_notifier(runtime->pool),
		.settings = settings,
		.index = index,
		.announce = announce,
		.announce_owner = runtime,
		.restored = restored,
	};

	*fault = (struct port_fault){.key = kind->key, .line = model->line};
	return kind->open(&place, model, fault);
}

static int take_index(bool *used, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!used[i]) {
			used[i] = true;
			return (int)i;
		}
	}
	return -1;
}

int runtime_take_port_index(struct runtime *runtime)
{
	return take_index(runtime->port_used, TOPOLOGY_PORT_MAX);
}

int runtime_take_network_index(struct runtime *runtime)
{
	return take_index(runtime->network_used, RUNTIME_NETWORK_MAX);
}

void runtime_release_port_index(struct runtime *runtime, uint16_t index)
{
	local_port_forget(runtime->local, index);
	runtime->port_used[index] = false;
}

void runtime_mark_indices(struct runtime *runtime)
{
	const struct runtime_state *state = &runtime->state;
	bool used[TOPOLOGY_PORT_MAX];

	memcpy(used, runtime->port_used, sizeof(used));
	memset(runtime->port_used, 0, sizeof(runtime->port_used));
	memset(runtime->network_used, 0, sizeof(runtime->network_used));
	for (unsigned i = 0; i < state->model.port_count; i++)
		runtime->port_used[state->ports[i].index] = true;
	for (unsigned i = 0; i < state->model.network_count; i++)
		runtime->network_used[state->networks[i]] = true;
	for (unsigned i = 0; i < TOPOLOGY_PORT_MAX; i++)
		if (used[i] && !runtime->port_used[i])
			local_port_forget(runtime->local, (uint16_t)i);
}

/* The holds of ports that are still those which were held. The number of them. */
static unsigned collect_holds(const struct runtime *runtime, const struct runtime_state *state,
	struct compile_hold holds[LOOPS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		const struct loop_hold *hold = &runtime->loops.of[i];

		for (unsigned p = 0; p < state->model.port_count && hold->held; p++)
			if (state->ports[p].opened == hold->opened)
				holds[count++] = (struct compile_hold){hold->port, hold->network};
	}
	return count;
}

int runtime_publish(struct runtime *runtime, const struct runtime_state *state, const bool *without)
{
	const unsigned port_count = state->model.port_count;
	struct port **ports = calloc(port_count + 2, sizeof(*ports));
	uint16_t *indices = calloc(port_count + 1, sizeof(*indices));
	struct compile_hold holds[LOOPS_MAX];
	struct compile_input input = {
		.model = &state->model,
		.ports = indices,
		.networks = state->networks,
		.holds = holds,
		.hold_count = collect_holds(runtime, state, holds),
	};
	struct snapshot *snapshot = NULL;
	unsigned count = 0;
	int rc = -ENOMEM;

	for (unsigned i = 0; i < port_count && ports && indices; i++) {
		bool left_out = !state->ports[i].port || (without && without[i]);

		indices[i] = left_out ? COMPILE_NO_PORT : state->ports[i].index;
		if (!left_out)
			ports[count++] = state->ports[i].port;
	}
	if (ports && runtime->local)
		ports[count++] = runtime->local;
	if (ports && indices)
		snapshot = compile_snapshot(&input);
	if (snapshot)
		rc = worker_pool_publish(runtime->pool, snapshot, ports, count);
	if (rc < 0)
		snapshot_free(snapshot);
	free(indices);
	free(ports);
	return rc;
}

int runtime_state_allocate(struct runtime_state *state)
{
	state->ports = calloc(state->model.port_count + 1, sizeof(*state->ports));
	state->networks = calloc(state->model.network_count + 1, sizeof(*state->networks));
	return state->ports && state->networks ? 0 : -ENOMEM;
}

void runtime_state_fini(struct runtime_state *state)
{
	free(state->ports);
	free(state->networks);
	model_fini(&state->model);
	*state = (struct runtime_state){.model = state->model};
}

void runtime_state_remove_port(struct runtime_state *state, unsigned position)
{
	model_remove_port(&state->model, position);
	memmove(&state->ports[position], &state->ports[position + 1],
		(state->model.port_count - position) * sizeof(*state->ports));
}

void runtime_adopt(struct runtime *runtime, struct runtime_state *next)
{
	const struct port_kind *kind;

	if (next->model.settings.fdb_ageing != runtime->state.model.settings.fdb_ageing)
		fdb_set_ageing(runtime->fdb, next->model.settings.fdb_ageing);
	runtime_state_fini(&runtime->state);
	runtime->state = *next;
	*next = (struct runtime_state){0};
	runtime_mark_indices(runtime);
	schedule_expiry(runtime);
	for (unsigned k = 0; (kind = port_kind_at(k)); k++)
		if (kind->configure)
			kind->configure(&runtime->state.model.settings);
}

static struct worker_pool *start_workers(
	const struct model_settings *settings, struct fdb *fdb, struct error *error)
{
	const struct worker_settings workers = {
		.count = settings->workers == MODEL_WORKERS_AUTO ? runtime_auto_workers()
								 : settings->workers,
		.poll = settings->poll == MODEL_POLL_BUSY ? WORKER_POLL_BUSY : WORKER_POLL_ADAPTIVE,
		.idle_us = settings->idle_us,
	};

	return worker_pool_new(&workers, fdb, error);
}

struct runtime *runtime_new(
	struct event_base *base, const struct model_settings *settings, struct error *error)
{
	struct runtime *runtime = calloc(1, sizeof(*runtime));
	uint64_t secret;

	if (!runtime)
		goto no_memory;
	runtime->base = base;
	runtime->started = clock_now_ns();
	model_init(&runtime->state.model);
	model_init(&runtime->filed);
	runtime->state.model.settings = *settings;
	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret)) {
		error_set_errno(error, -errno, "no random numbers from the kernel");
		goto free_runtime;
	}
	runtime->fdb = fdb_new(
		settings->fdb_size, settings->fdb_ageing, TOPOLOGY_INDEX_MAX, secret);
	runtime->expiry = event_new(base, -1, EV_PERSIST, expire, runtime);
	runtime->routers = routers_new(base);
	if (!runtime->fdb || !runtime->expiry || !runtime->routers ||
		runtime_state_allocate(&runtime->state) < 0) {
		error_set(error, -ENOMEM, "out of memory");
		goto free_runtime;
	}
	runtime->pool = start_workers(settings, runtime->fdb, error);
	if (!runtime->pool)
		goto free_runtime;
	runtime->local = local_port_new(worker_pool_notifier(runtime->pool), TOPOLOGY_PORT_LOCAL,
		TOPOLOGY_INDEX_MAX, error);
	if (!runtime->local)
		goto free_runtime;
	schedule_expiry(runtime);
	return runtime;

free_runtime:
	runtime_free(runtime);
	return NULL;
no_memory:
	error_set(error, -ENOMEM, "out of memory");
	return NULL;
}

void runtime_free(struct runtime *runtime)
{
	const struct runtime_state nothing = {0};
	const struct port_kind *kind;
	struct port *local;

	if (!runtime)
		return;
	if (runtime->services)
		runtime->free_services(runtime->services);
	local = runtime->local;
	runtime->local = NULL;
	/* Ports may be destroyed only when no worker can see them. Without the few bytes that this
	 * takes, nothing can be taken down; the process is about to end anyway. */
	if (runtime->pool && runtime_publish(runtime, &nothing, NULL) < 0) {
		log_error("out of memory while stopping");
		return;
	}
	for (unsigned i = 0; i < runtime->state.model.port_count; i++)
		if (runtime->state.ports[i].port)
			runtime->state.ports[i].port->class->destroy(runtime->state.ports[i].port);
	for (unsigned k = 0; (kind = port_kind_at(k)); k++)
		if (kind->configure)
			kind->configure(NULL);
	/* Their ports are closed. */
	routers_free(runtime->routers);
	if (local)
		local->class->destroy(local);
	worker_pool_free(runtime->pool);
	if (runtime->loops.timer)
		event_free(runtime->loops.timer);
	runtime_state_fini(&runtime->state);
	model_fini(&runtime->filed);
	free(runtime->config_file);
	free(runtime->config_applied);
	if (runtime->expiry)
		event_free(runtime->expiry);
	fdb_free(runtime->fdb);
	free(runtime);
}
