/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/service_networks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void fini(struct service_network *network)
{
	dhcp_settings_fini(&network->dhcp);
	leases_free(network->leases);
}

bool service_networks_reserve(struct service_networks *networks, unsigned more)
{
	unsigned room = networks->count + more;
	struct service_network *grown;

	if (room <= networks->room)
		return true;
	room += networks->count / 2;
	grown = reallocarray(networks->of, room, sizeof(*grown));
	if (!grown)
		return false;
	networks->of = grown;
	networks->room = room;
	return true;
}

struct service_network *service_networks_add_resting(
	struct service_networks *networks, const char *name)
{
	struct service_network *made;
	uint64_t seed;

	if (!service_networks_reserve(networks, 1) ||
		getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return NULL;
	made = &networks->of[networks->count];
	memset(made, 0, sizeof(*made));
	strncpy(made->name, name, sizeof(made->name) - 1);
	made->full.burst = made->denied.burst = 1;
	made->dhcp.pool.from = 1; /* to 0: an empty one */
	made->leases = leases_new(seed);
	if (!made->leases)
		return NULL;
	networks->count++;
	return made;
}

int service_networks_add(struct service_networks *networks, const struct model *model,
	const struct model_network *network, uint16_t index)
{
	struct service_network *made = service_networks_add_resting(networks, network->name);

	if (!made)
		return -ENOMEM;
	made->index = index;
	made->services = network_services(network, &made->address);
	dhcp_server_mac(network, made->mac);
	ra_settings_make(model, network, &made->ra);
	return network->dhcp.enabled ? dhcp_settings_make(model, network, &made->dhcp) : 0;
}

struct service_network *service_networks_find(
	const struct service_networks *networks, const char *name)
{
	for (unsigned i = 0; i < networks->count; i++)
		if (strcmp(networks->of[i].name, name) == 0)
			return &networks->of[i];
	return NULL;
}

/* Whether any guest has its address from here still. */
static bool holds(const struct service_network *network)
{
	return network->leases && leases_count(network->leases, LEASE_BOUND);
}

void service_networks_expire(struct service_networks *networks, uint64_t now)
{
	for (unsigned i = networks->count; i-- > 0;) {
		struct service_network *network = &networks->of[i];

		leases_expire(network->leases, now);
		if (network->services || holds(network))
			continue;
		fini(network);
		*network = networks->of[--networks->count];
	}
}

/* What a network that stays has been through. */
static void inherit(struct service_network *network, struct service_network *old)
{
	struct leases *fresh = network->leases;

	/* Those of an old one without any may just have been read from the journal. */
	if (leases_total(old->leases)) {
		network->leases = old->leases;
		old->leases = fresh;
	}
	network->refused = old->refused;
	network->limited = old->limited;
	network->full = old->full;
	network->denied = old->denied;
	/* What has changed is told at once. */
	if (memcmp(&network->ra, &old->ra, sizeof(old->ra)) == 0)
		network->schedule = old->schedule;
}

/* Only the leases: all else was of the configuration that is gone. */
static void rest(struct service_networks *networks, struct service_network *old)
{
	struct service_network *network = &networks->of[networks->count++];

	memset(network, 0, sizeof(*network));
	memcpy(network->name, old->name, sizeof(network->name));
	network->full = old->full;
	network->denied = old->denied;
	network->dhcp.pool.from = 1;
	network->leases = old->leases;
	old->leases = NULL;
}

void service_networks_succeed(struct service_networks *networks, struct service_networks *old)
{
	for (unsigned i = 0; i < old->count; i++) {
		struct service_network *network = service_networks_find(networks, old->of[i].name);

		if (network)
			inherit(network, &old->of[i]);
		else if (holds(&old->of[i]))
			rest(networks, &old->of[i]);
	}
	service_networks_fini(old);
}

void service_networks_fini(struct service_networks *networks)
{
	for (unsigned i = 0; i < networks->count; i++)
		fini(&networks->of[i]);
	free(networks->of);
	*networks = (struct service_networks){0};
}
