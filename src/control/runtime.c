/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/runtime.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/socket_access.h"
#include "forward/security_rules.h"
#include "packet/packet.h"
#include "port/ring_places.h"
#include "port/vhost_user/vhost_user.h"
#include "virtio/guest_mapping.h"

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

void runtime_schedule_expiry(struct runtime *runtime)
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
	uint8_t frame[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, /* destination, source */
		0x80, 0x35,                                           /* RARP */
		0x00, 0x01, 0x08, 0x00, 6, 4,                         /* Ethernet, IPv4 */
		0x00, 0x03,                                           /* request reverse */
	};

	/* Untagged on a trunk without a native network: there is no network to announce it in. */
	if (!model || (!*model->network && !*model->native))
		return;
	memcpy(frame + 6, mac, 6);
	memcpy(frame + 22, mac, 6); /* sender's hardware address */
	memcpy(frame + 32, mac, 6); /* target's: the question is about ourselves */
	worker_pool_inject(runtime->pool, port, frame, sizeof(frame));
}

/*
 * Four times the machine's memory is more than any VM on it can use: twice for the hole below 4 GiB
 * (guest_mapping.h), and twice again while a table replaces another. Below 64 GiB of it, 256 GiB, for VMs
 * with room for memory that may be plugged in later.
 */
static uint64_t memory_limit(const struct model_port *model)
{
	const uint64_t gib = 1ULL << 30;
	uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	return model->memory_limit_gib == MODEL_MEMORY_AUTO ? MAX(4 * machine, 256 * gib)
							    : model->memory_limit_gib * gib;
}

void runtime_set_memory_rules(struct runtime *runtime)
{
	const struct runtime_state *state = &runtime->state;
	const struct model_settings *settings = &state->model.settings;

	guest_mapping_set_rules(settings->guest_memory == MODEL_GUEST_MEMORY_ANY,
		settings->memory_limit_gib == MODEL_MEMORY_AUTO
			? GUEST_MAPPINGS_BYTES
			: (uint64_t)settings->memory_limit_gib << 30);
	for (unsigned i = 0; i < state->model.port_count; i++)
		vhost_user_set_memory_limit(
			state->ports[i].port, memory_limit(&state->model.ports[i]));
}

/* The folder of ring positions: beside the sockets, where the next process will look for it. */
static void format_places_folder(
	char folder[MODEL_PATH_SIZE + 16], const struct model_settings *settings)
{
	snprintf(folder, MODEL_PATH_SIZE + 16, "%s/.positions", settings->socket_dir);
}

void runtime_forget_places(const struct model_settings *settings, const char *port_name)
{
	char folder[MODEL_PATH_SIZE + 16];

	format_places_folder(folder, settings);
	ring_places_remove(folder, port_name);
}

struct port *runtime_open_port(struct runtime *runtime, const struct model_settings *settings,
	const struct model_port *model, uint16_t index, struct error *error)
{
	char places_folder[MODEL_PATH_SIZE + 16];
	struct vhost_socket_access access;
	struct port *port;
	const struct vhost_user_options options = {
		.mode = model->mode == MODEL_CLIENT ? VHOST_USER_CLIENT : VHOST_USER_SERVER,
		.socket = model->socket,
		.access = &access,
		.queues = model->queues,
		.mtu = (uint16_t)model->mtu,
		.memory_limit = memory_limit(model),
		.places_folder = places_folder,
		.announce = announce,
		.announce_owner = runtime,
	};

	if (socket_access_of(model, &access, error) < 0)
		return NULL;
	format_places_folder(places_folder, settings);
	port = vhost_user_new(runtime->base, worker_pool_notifier(runtime->pool), model->name,
		index, &options, error);
	if (port)
		socket_access_check_folder(model);
	return port;
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

void runtime_mark_indices(struct runtime *runtime)
{
	const struct runtime_state *state = &runtime->state;

	memset(runtime->port_used, 0, sizeof(runtime->port_used));
	memset(runtime->network_used, 0, sizeof(runtime->network_used));
	for (unsigned i = 0; i < state->model.port_count; i++)
		runtime->port_used[state->ports[i].index] = true;
	for (unsigned i = 0; i < state->model.network_count; i++)
		runtime->network_used[state->networks[i]] = true;
}

static uint16_t network_index(const struct runtime_state *state, const char *name)
{
	return *name ? state->networks[runtime_find_network(state, name)] : NETWORK_NONE;
}

static int set_trunk(struct topology *topology, const struct runtime_state *state,
	const struct model_port *port, uint16_t index)
{
	uint16_t *networks = calloc(port->trunk_count, sizeof(*networks));
	int rc;

	if (!networks)
		return -ENOMEM;
	for (unsigned i = 0; i < port->trunk_count; i++)
		networks[i] = network_index(state, port->trunk[i]);
	rc = topology_trunk_set(
		topology, index, network_index(state, port->native), networks, port->trunk_count);
	free(networks);
	return rc;
}

static int secure_port(struct topology *topology, const struct model_port *port, uint16_t index)
{
	struct security_rules rules = {.has_mac = port->has_mac, .trusted = port->trusted};

	memcpy(rules.mac, port->mac, sizeof(rules.mac));
	for (unsigned i = 0; i < port->address_count; i++) {
		const struct model_address *address = &port->addresses[i];

		/* There is room: config.h has seen to it. */
		if (address->ipv6)
			security_allow_ipv6(&rules, address->bytes, address->length);
		else
			security_allow_ipv4(&rules, address->bytes, address->length);
	}
	return topology_secure(topology, index, &rules);
}

static int set_port(struct topology *topology, const struct runtime_state *state,
	const struct model_port *port, uint16_t index)
{
	int rc;

	if (*port->network)
		rc = topology_access_set(topology, index, network_index(state, port->network));
	else
		rc = set_trunk(topology, state, port, index);
	if (rc == 0 && port->flood_limit)
		rc = topology_limit_flood(topology, index, port->flood_limit);
	if (rc == 0 && port->qinq)
		topology_allow_qinq(topology, index);
	if (rc == 0 && (port->has_mac || port->address_count))
		rc = secure_port(topology, port, index);
	return rc;
}

/* Pause frames, :01, never pass, nor what no key names. */
static void set_network(
	struct topology *topology, const struct model_network *network, uint16_t index)
{
	unsigned groups = network->stp << 0x0 | network->lacp << 0x2 | network->dot1x << 0x3 |
			  network->lldp << 0xe;

	topology_network_set(topology, index, (uint16_t)network->vlan);
	topology_pass_link_local(topology, index, (uint16_t)groups);
}

/* True where the state has the network and wants loops in it held. */
static bool holds_loops(const struct runtime_state *state, uint16_t network)
{
	for (unsigned i = 0; i < state->model.network_count; i++)
		if (state->networks[i] == network)
			return state->model.networks[i].loops == MODEL_LOOPS_HOLD;
	return false;
}

/* Ports that are held because of a loop, as far as they are still there. */
static void set_holds(
	const struct runtime *runtime, const struct runtime_state *state, struct topology *topology)
{
	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		const struct loop_hold *hold = &runtime->loops.of[i];

		for (unsigned p = 0; p < state->model.port_count && hold->held; p++)
			if (state->ports[p].port && state->ports[p].opened == hold->opened &&
				holds_loops(state, hold->network))
				topology_hold(topology, hold->port, hold->network);
	}
}

/* What forwarding needs to know of the state; NULL where memory is short. */
static struct topology *build_topology(
	const struct runtime *runtime, const struct runtime_state *state)
{
	unsigned port_count = 0;
	unsigned network_count = 0;
	struct topology *topology;

	for (unsigned i = 0; i < state->model.port_count; i++)
		port_count = MAX(port_count, state->ports[i].index + 1U);
	for (unsigned i = 0; i < state->model.network_count; i++)
		network_count = MAX(network_count, state->networks[i] + 1U);
	topology = topology_new(port_count, network_count);
	if (!topology)
		return NULL;
	for (unsigned i = 0; i < state->model.network_count; i++)
		set_network(topology, &state->model.networks[i], state->networks[i]);
	for (unsigned i = 0; i < state->model.port_count; i++) {
		if (!state->ports[i].port)
			continue;
		if (set_port(topology, state, &state->model.ports[i], state->ports[i].index) < 0) {
			topology_free(topology);
			return NULL;
		}
	}
	set_holds(runtime, state, topology);
	return topology;
}

int runtime_publish(struct runtime *runtime, const struct runtime_state *state)
{
	struct port **ports = calloc(state->model.port_count + 1, sizeof(*ports));
	struct topology *topology = build_topology(runtime, state);
	unsigned count = 0;
	int rc = -ENOMEM;

	if (ports && topology) {
		for (unsigned i = 0; i < state->model.port_count; i++)
			if (state->ports[i].port)
				ports[count++] = state->ports[i].port;
		rc = worker_pool_publish(runtime->pool, topology, ports, count);
	}
	if (rc < 0)
		topology_free(topology);
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
	runtime->state.model.settings = *settings;
	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret)) {
		error_set_errno(error, -errno, "no random numbers from the kernel");
		goto free_runtime;
	}
	runtime->fdb = fdb_new(settings->fdb_size, settings->fdb_ageing, TOPOLOGY_PORT_MAX, secret);
	runtime->expiry = event_new(base, -1, EV_PERSIST, expire, runtime);
	if (!runtime->fdb || !runtime->expiry || runtime_state_allocate(&runtime->state) < 0) {
		error_set(error, -ENOMEM, "out of memory");
		goto free_runtime;
	}
	runtime->pool = start_workers(settings, runtime->fdb, error);
	if (!runtime->pool)
		goto free_runtime;
	runtime_schedule_expiry(runtime);
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

	if (!runtime)
		return;
	/* Ports may be destroyed only when no worker can see them. Without the few bytes that this
	 * takes, nothing can be taken down; the process is about to end anyway. */
	if (runtime->pool && runtime_publish(runtime, &nothing) < 0) {
		log_error("out of memory while stopping");
		return;
	}
	for (unsigned i = 0; i < runtime->state.model.port_count; i++)
		if (runtime->state.ports[i].port)
			runtime->state.ports[i].port->class->destroy(runtime->state.ports[i].port);
	worker_pool_free(runtime->pool);
	if (runtime->loops.timer)
		event_free(runtime->loops.timer);
	runtime_state_fini(&runtime->state);
	if (runtime->expiry)
		event_free(runtime->expiry);
	fdb_free(runtime->fdb);
	free(runtime);
}
