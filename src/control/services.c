/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/services.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/dhcp_keys.h"
#include "control/dhcp_settings.h"
#include "control/lease_journal.h"
#include "control/service_networks.h"
#include "forward/security_rules.h"
#include "packet/headers.h"
#include "port/local.h"
#include "service/arp.h"
#include "service/dhcp.h"

/* Frames that are answered at once, so that one write keeps all their leases, and that the event
 * loop's other work waits for. */
#define BATCH      128
/* Lines of the new journal that one batch or tick writes beside its own work. */
#define COPY_LINES 256u
#define TICK_MS    250

_Static_assert(LEASE_OWNER_SIZE >= PORT_NAME_SIZE, "leases name ports and networks");

struct services_change {
	struct service_networks networks;
	struct lease_journal *journal; /* where it was opened for this change */
};

/* A frame that waits for the journal. */
struct pending {
	uint16_t network;
	uint16_t length;
	uint8_t bytes[DHCP_FRAME_MAX];
};

struct services {
	struct runtime *runtime;
	struct event *incoming, *tick;
	struct service_networks networks;
	struct service_network *by_index[RUNTIME_NETWORK_MAX];
	uint16_t position[TOPOLOGY_PORT_MAX]; /* of the port of that index in the model; or NONE */
	struct lease_journal *journal;
	/* Which lease is copied next, counted down, while the journal is made anew. */
	bool copying;
	unsigned copy_network, copy_left;
	void (*changed)(void *owner);
	void *changed_owner;
	bool dirty;  /* leases have changed since it was called */
	bool unkept; /* the batch has changed leases */
	unsigned pending_count;
	struct pending pending[BATCH];
};

#define NO_POSITION UINT16_MAX

static uint64_t wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec;
}

static struct lease_record record_of(
	const struct service_network *network, const struct lease *lease)
{
	struct lease_record record = {.lease = *lease};

	memcpy(record.network, network->name, sizeof(network->name));
	return record;
}

static void keep(
	struct services *services, const struct service_network *network, const struct lease *lease)
{
	struct lease_record record = record_of(network, lease);

	lease_journal_add(services->journal, &record);
	services->unkept = true;
	services->dirty = true;
}

static struct pending *next_pending(struct services *services, const struct local_frame *frame)
{
	struct pending *pending = &services->pending[services->pending_count];

	pending->network = frame->network;
	pending->length = 0;
	return pending;
}

/* What is said of a request that came to nothing. */
static void note(struct services *services, struct service_network *network,
	const struct dhcp_port *port, enum dhcp_outcome outcome)
{
	uint64_t size = lease_pool_size(&network->dhcp.pool);

	if (outcome == DHCP_NONE_LEFT) {
		network->refused++;
		if (log_limit_allows(&network->full))
			log_warning(
				"network %s: no address of dhcp.range is left for port %s: %llu "
				"of %llu are in use",
				network->name, port->name,
				(unsigned long long)(leases_total(network->leases) -
						     leases_count(network->leases, LEASE_PAST)),
				(unsigned long long)size);
	} else if (outcome == DHCP_PORT_LIMIT) {
		network->limited++;
		if (log_limit_allows(&network->denied))
			log_warning("network %s: port %s has as many addresses by DHCP as it may: "
				    "%u (dhcp.port-limit)",
				network->name, port->name, network->dhcp.pool.limit);
	} else if (outcome == DHCP_NO_MEMORY) {
		log_limited(LOG_LEVEL_ERROR, "out of memory: no lease for port %s", port->name);
	}
	if (outcome == DHCP_NONE_LEFT || outcome == DHCP_PORT_LIMIT)
		local_port_refuse(services->runtime->local, DROP_NO_LEASE);
}

static void serve_dhcp(struct services *services, struct service_network *network,
	const struct local_frame *frame, struct pending *pending)
{
	const struct model *model = &services->runtime->state.model;
	uint16_t position = services->position[frame->port];
	const struct model_network *configured = model_find_network(model, network->name);
	uint32_t addresses[SECURITY_ADDRESS_MAX];
	struct dhcp_answer answer;
	struct dhcp_port port;

	dhcp_port_make(&model->ports[position], configured, &network->dhcp, addresses, &port);
	dhcp_serve(&network->dhcp, &port, network->leases, frame->bytes, frame->length,
		wall_seconds(), &answer);
	if (answer.changed)
		keep(services, network, answer.changed);
	note(services, network, &port, answer.outcome);
	memcpy(pending->bytes, answer.frame, answer.length);
	pending->length = (uint16_t)answer.length;
}

static bool is_ipv6(const struct local_frame *frame)
{
	return frame->length >= ETHERNET_HEADER &&
	       load_be16(frame->bytes + ETHERNET_TYPE) == ETH_P_IPV6;
}

static void take_frame(void *owner, const struct local_frame *frame)
{
	struct services *services = owner;
	struct service_network *network = frame->network < RUNTIME_NETWORK_MAX
						  ? services->by_index[frame->network]
						  : NULL;
	struct pending *pending = next_pending(services, frame);

	if (!network || frame->port >= TOPOLOGY_PORT_MAX ||
		services->position[frame->port] == NO_POSITION)
		return;
	if (is_ipv6(frame))
		pending->length = network->services & TOPOLOGY_ROUTER
					  ? (uint16_t)ra_answer(&network->ra, frame->bytes,
						    frame->length, pending->bytes)
					  : 0;
	else if (network->services & TOPOLOGY_ARP &&
		 arp_answer(pending->bytes, frame->bytes, frame->length, network->address,
			 network->mac))
		pending->length = ARP_FRAME;
	else if (network->services & TOPOLOGY_DHCP)
		serve_dhcp(services, network, frame, pending);
	services->pending_count += pending->length > 0;
}

/* Goes on with the new journal, a few lines at a time. */
static void copy_some(struct services *services)
{
	struct error error;

	for (unsigned lines = 0; lines < COPY_LINES && services->copying; lines++) {
		const struct service_network *network;
		const struct lease *lease;

		while (!services->copy_left && services->copy_network)
			services->copy_left = leases_total(
				services->networks.of[--services->copy_network].leases);
		if (!services->copy_left) {
			services->copying = false;
			if (lease_journal_finish(services->journal, &error) < 0)
				log_limited(LOG_LEVEL_ERROR, "leases: %s", error.text);
			return;
		}
		/* From the end on: what is forgotten meanwhile has the last one take its place. */
		network = &services->networks.of[services->copy_network];
		services->copy_left = MIN(services->copy_left, leases_total(network->leases));
		if (!services->copy_left)
			continue;
		lease = leases_get(network->leases, --services->copy_left);
		if (lease->state != LEASE_OFFERED) {
			struct lease_record record = record_of(network, lease);

			lease_journal_copy(services->journal, &record);
		}
	}
}

static void shorten(struct services *services)
{
	unsigned lines = 0;
	struct error error;

	if (!services->copying) {
		for (unsigned i = 0; i < services->networks.count; i++)
			lines += leases_total(services->networks.of[i].leases);
		if (!lease_journal_is_long(services->journal, lines))
			return;
		if (lease_journal_begin(services->journal, &error) < 0) {
			log_limited(LOG_LEVEL_ERROR, "leases: %s", error.text);
			return;
		}
		services->copying = true;
		services->copy_network = services->networks.count;
		services->copy_left = 0;
	}
	copy_some(services);
}

/* Keeps what the batch has changed, and then says so. */
static void answer(struct services *services)
{
	int rc = services->unkept ? lease_journal_write(services->journal) : 0;

	if (rc < 0)
		log_limited(LOG_LEVEL_ERROR, "leases cannot be kept, so none are given: %s",
			strerror(-rc));
	for (unsigned i = 0; i < services->pending_count && rc == 0; i++) {
		const struct pending *pending = &services->pending[i];

		local_port_send(services->runtime->local, pending->network, pending->bytes,
			pending->length);
	}
	services->unkept = false;
	services->pending_count = 0;
}

static void on_incoming(evutil_socket_t fd, short what, void *argument)
{
	struct services *services = argument;

	local_port_receive(services->runtime->local, BATCH, take_frame, services);
	answer(services);
	if (services->copying)
		copy_some(services);
}

_Static_assert(RA_FRAME_MAX <= DHCP_FRAME_MAX, "both wait in the same place");

/* Tells everybody in the networks where it is time. */
static void announce(struct services *services)
{
	uint64_t now = clock_now_ns() / (NS_PER_SECOND / 1000);
	uint8_t frame[RA_FRAME_MAX];

	for (unsigned i = 0; i < services->networks.count; i++) {
		struct service_network *network = &services->networks.of[i];
		uint32_t random;

		if (!(network->services & TOPOLOGY_ROUTER) || now < network->schedule.due ||
			getrandom(&random, sizeof(random), 0) != sizeof(random) ||
			!ra_schedule_due(&network->schedule, &network->ra, now, random))
			continue;
		local_port_send(services->runtime->local, network->index, frame,
			(uint32_t)ra_announce(&network->ra, frame));
	}
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
	struct services *services = argument;
	uint64_t now = wall_seconds();

	for (unsigned i = 0; i < services->networks.count; i++)
		if (leases_next(services->networks.of[i].leases) <= now)
			services->dirty |= leases_expire(services->networks.of[i].leases, now) > 0;
	announce(services);
	if (services->journal)
		shorten(services);
	if (services->dirty && services->changed) {
		services->dirty = false;
		services->changed(services->changed_owner);
	}
}

static void services_free(struct services *services)
{
	if (services->incoming)
		event_free(services->incoming);
	if (services->tick)
		event_free(services->tick);
	service_networks_fini(&services->networks);
	lease_journal_close(services->journal);
	free(services);
}

static struct services *services_new(struct runtime *runtime)
{
	struct services *services = calloc(1, sizeof(*services));

	if (!services)
		return NULL;
	services->runtime = runtime;
	memset(services->position, 0xff, sizeof(services->position));
	services->incoming = event_new(runtime->base, local_port_event(runtime->local),
		EV_READ | EV_PERSIST, on_incoming, services);
	services->tick = event_new(runtime->base, -1, EV_PERSIST, on_tick, services);
	if (services->incoming && services->tick && event_add(services->incoming, NULL) == 0)
		return services;
	services_free(services);
	return NULL;
}

/* A lease of the last process. */
static void restore(void *owner, const struct lease_record *record)
{
	struct services_change *change = owner;
	struct service_network *network;

	if (record->ipv6)
		return;
	/* That of a network without DHCP is kept until it has some again. */
	network = service_networks_find(&change->networks, record->network);
	if (!network)
		network = service_networks_add_resting(&change->networks, record->network);
	if (network && record->forgotten)
		leases_forget(network->leases, record->lease.address);
	else if (!network || !leases_restore(network->leases, &record->lease))
		log_limited(LOG_LEVEL_ERROR, "out of memory: not all leases are known");
}

/* False where memory is short. */
static bool require_services(struct runtime *runtime)
{
	if (!runtime->services) {
		runtime->services = services_new(runtime);
		runtime->free_services = services_free;
	}
	return runtime->services;
}

static bool needs_journal(const struct services_change *change)
{
	for (unsigned i = 0; i < change->networks.count; i++)
		if (change->networks.of[i].services & TOPOLOGY_DHCP)
			return true;
	return false;
}

/* The journal, where it is not open and the change needs it. */
static bool prepare_journal(const struct services *services, struct services_change *change,
	const char *state_dir, struct error *error)
{
	if (services->journal || !needs_journal(change))
		return true;
	change->journal = lease_journal_open(state_dir, restore, change, error);
	if (change->journal)
		service_networks_expire(&change->networks, wall_seconds());
	return change->journal;
}

struct services_change *services_prepare(
	struct runtime *runtime, const struct runtime_state *next, struct error *error)
{
	const struct model *model = &next->model;
	struct services_change *change = calloc(1, sizeof(*change));
	int rc = change && require_services(runtime) ? 0 : -ENOMEM;
	uint32_t address;

	for (unsigned i = 0; i < model->network_count && rc == 0; i++)
		if (network_services(&model->networks[i], &address))
			rc = service_networks_add(
				&change->networks, model, &model->networks[i], next->networks[i]);
	if (rc < 0) {
		error_set_errno(error, rc, "services");
		services_discard(change);
		return NULL;
	}
	if (!prepare_journal(runtime->services, change, model->settings.state_dir, error)) {
		services_discard(change);
		return NULL;
	}
	if (!service_networks_reserve(&change->networks, runtime->services->networks.count)) {
		error_set_errno(error, -ENOMEM, "services");
		services_discard(change);
		return NULL;
	}
	return change;
}

/* Frames for the server's address are for the local port where no other has it. */
static void bind_addresses(struct services *services, bool bind)
{
	for (unsigned i = 0; i < services->networks.count; i++) {
		const struct service_network *network = &services->networks.of[i];

		if (!(network->services & TOPOLOGY_ARP))
			continue;
		if (!bind)
			fdb_unbind(services->runtime->fdb, network->index, network->mac,
				TOPOLOGY_PORT_LOCAL);
		else if (fdb_bind(services->runtime->fdb, network->index, network->mac,
				 TOPOLOGY_PORT_LOCAL) < 0)
			log_warning("network %s: no room for its server's address in the "
				    "forwarding database",
				network->name);
	}
}

static void index_all(struct services *services)
{
	const struct runtime_state *state = &services->runtime->state;

	memset(services->by_index, 0, sizeof(services->by_index));
	memset(services->position, 0xff, sizeof(services->position));
	for (unsigned i = 0; i < services->networks.count; i++)
		if (services->networks.of[i].services)
			services->by_index[services->networks.of[i].index] =
				&services->networks.of[i];
	for (unsigned i = 0; i < state->model.port_count; i++)
		services->position[state->ports[i].index] = (uint16_t)i;
}

void services_commit(struct services *services, struct services_change *change)
{
	const struct timeval period = {.tv_usec = TICK_MS * 1000};

	bind_addresses(services, false);
	service_networks_succeed(&change->networks, &services->networks);
	services->networks = change->networks;
	if (change->journal)
		services->journal = change->journal;
	free(change);
	bind_addresses(services, true);
	index_all(services);
	/* What was being copied may be of networks that are gone: it begins anew. */
	services->copying = false;
	services->dirty = true;
	if (services->networks.count)
		event_add(services->tick, &period);
	else
		event_del(services->tick);
}

void services_discard(struct services_change *change)
{
	if (!change)
		return;
	service_networks_fini(&change->networks);
	lease_journal_close(change->journal);
	free(change);
}

void services_each_lease(const struct services *services,
	void (*each)(void *owner, const struct lease_record *record), void *owner)
{
	for (unsigned i = 0; i < services->networks.count; i++) {
		const struct service_network *network = &services->networks.of[i];

		for (unsigned l = 0; network->services && l < leases_total(network->leases); l++) {
			struct lease_record record = record_of(
				network, leases_get(network->leases, l));

			each(owner, &record);
		}
	}
}

void services_watch_leases(struct services *services, void (*changed)(void *owner), void *owner)
{
	services->changed = changed;
	services->changed_owner = owner;
}

int services_end_lease(struct services *services, const char *name, const char *address)
{
	struct service_network *network = service_networks_find(&services->networks, name);
	uint64_t number = dhcp_read_address(address);
	const struct lease *lease = network ? leases_at(network->leases, number) : NULL;
	struct lease_record record;

	if (!lease)
		return -ENOENT;
	record = record_of(network, lease);
	record.forgotten = true;
	leases_forget(network->leases, number);
	lease_journal_add(services->journal, &record);
	services->dirty = true;
	return lease_journal_write(services->journal) < 0 ? -EIO : 0;
}

bool services_pool(const struct services *services, const char *name, struct services_pool *pool)
{
	const struct service_network *network = service_networks_find(&services->networks, name);

	if (!network || !(network->services & TOPOLOGY_DHCP))
		return false;
	*pool = (struct services_pool){
		.size = lease_pool_size(&network->dhcp.pool),
		.bound = leases_count(network->leases, LEASE_BOUND),
		.offered = leases_count(network->leases, LEASE_OFFERED),
		.declined = leases_count(network->leases, LEASE_DECLINED),
		.refused = network->refused,
		.limited = network->limited,
	};
	return true;
}
