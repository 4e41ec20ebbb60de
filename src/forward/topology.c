/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/topology.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forward/security_rules.h"
#include "packet/packet.h"

int topology_init(struct topology *topology, unsigned port_count, unsigned network_count)
{
	*topology = (struct topology){.port_count = port_count, .network_count = network_count};
	/* One more than asked for: an allocation of nothing may be NULL. */
	topology->ports = calloc(port_count + 1, sizeof(*topology->ports));
	topology->networks = calloc(network_count + 1, sizeof(*topology->networks));
	if (!topology->ports || !topology->networks) {
		topology_fini(topology);
		return -ENOMEM;
	}
	for (unsigned port = 0; port < port_count; port++)
		topology->ports[port].network = NETWORK_NONE;
	return 0;
}

void topology_network_set(struct topology *topology, uint16_t network, uint16_t vlan)
{
	topology->networks[network].present = true;
	topology->networks[network].vlan = vlan;
}

bool topology_carries_other(const struct topology *topology, uint16_t port, uint16_t network)
{
	const struct topology_port *p = &topology->ports[port];
	uint16_t vlan = topology->networks[network].vlan;

	switch (p->mode) {
	case TOPOLOGY_ABSENT:
	case TOPOLOGY_ACCESS:
		return false;
	case TOPOLOGY_LOCAL:
		return true;
	case TOPOLOGY_TRUNK:
		break;
	}
	return p->network == network || (vlan && p->vlan_network[vlan] == network);
}

/* Inserts the port at its place among the members, where it is not one yet. */
static int member_add(struct topology_network *network, uint16_t port)
{
	unsigned count = network->member_count, at = count;
	uint16_t *members = network->members;

	while (at > 0 && members[at - 1] > port)
		at--;
	if (at > 0 && members[at - 1] == port)
		return 0;
	/* The room doubles whenever the count is a power of two. */
	if ((count & (count - 1)) == 0) {
		members = realloc(members, (count ? 2 * count : 1) * sizeof(*members));
		if (!members)
			return -ENOMEM;
		network->members = members;
	}
	memmove(&members[at + 1], &members[at], (count - at) * sizeof(*members));
	members[at] = port;
	network->member_count++;
	return 0;
}

int topology_access_set(struct topology *topology, uint16_t port, uint16_t network)
{
	topology->ports[port].mode = TOPOLOGY_ACCESS;
	topology->ports[port].network = network;
	return member_add(&topology->networks[network], port);
}

int topology_trunk_set(struct topology *topology, uint16_t port, uint16_t native,
	const uint16_t *networks, unsigned count)
{
	struct topology_port *p = &topology->ports[port];
	int error = 0;

	p->vlan_network = malloc(TOPOLOGY_VLAN_COUNT * sizeof(*p->vlan_network));
	if (!p->vlan_network)
		return -ENOMEM;
	for (unsigned vlan = 0; vlan < TOPOLOGY_VLAN_COUNT; vlan++)
		p->vlan_network[vlan] = NETWORK_NONE;
	p->mode = TOPOLOGY_TRUNK;
	p->network = native;
	if (native != NETWORK_NONE)
		error = member_add(&topology->networks[native], port);
	for (unsigned i = 0; i < count && !error; i++) {
		struct topology_network *network = &topology->networks[networks[i]];

		p->vlan_network[network->vlan] = networks[i];
		error = member_add(network, port);
	}
	return error;
}

void topology_local_set(struct topology *topology)
{
	topology->ports[TOPOLOGY_PORT_LOCAL].mode = TOPOLOGY_LOCAL;
}

void topology_pass_link_local(struct topology *topology, uint16_t network, uint16_t groups)
{
	topology->networks[network].link_local = groups;
}

int topology_limit_flood(struct topology *topology, uint16_t port, uint32_t limit)
{
	struct topology_port *p = &topology->ports[port];

	p->flooded = calloc(1, sizeof(*p->flooded));
	if (!p->flooded)
		return -ENOMEM;
	p->flood_limit = limit;
	return 0;
}

void topology_hold(struct topology *topology, uint16_t port, uint16_t network)
{
	struct topology_network *n = &topology->networks[network];
	uint16_t *held;
	unsigned at = 0;

	while (at < n->member_count && n->members[at] != port)
		at++;
	if (at == n->member_count)
		return;
	held = reallocarray(n->held, n->held_count + 1, sizeof(*held));
	if (!held)
		return;
	n->held = held;
	held[n->held_count++] = port;
	n->member_count--;
	memmove(&n->members[at], &n->members[at + 1], (n->member_count - at) * sizeof(*n->members));
	topology->unusual = true;
}

bool topology_holds(const struct topology *topology, uint16_t port, uint16_t network)
{
	const struct topology_network *n = &topology->networks[network];

	for (unsigned i = 0; i < n->held_count; i++)
		if (n->held[i] == port)
			return true;
	return false;
}

void topology_serve(
	struct topology *topology, uint16_t network, unsigned services, uint32_t address)
{
	topology->networks[network].services = services;
	topology->networks[network].service_address = address;
	topology->unusual = topology->unusual || services;
}

void topology_trust(struct topology *topology, uint16_t port)
{
	topology->ports[port].trusted = true;
}

void topology_allow_qinq(struct topology *topology, uint16_t port)
{
	topology->ports[port].qinq = true;
}

int topology_secure(struct topology *topology, uint16_t port, const struct security_rules *rules)
{
	struct security_rules *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *rules;
	topology->ports[port].security = copy;
	return 0;
}

void topology_fini(struct topology *topology)
{
	for (unsigned port = 0; topology->ports && port < topology->port_count; port++) {
		free(topology->ports[port].vlan_network);
		free(topology->ports[port].security);
		free(topology->ports[port].flooded);
	}
	for (unsigned network = 0; topology->networks && network < topology->network_count;
		network++) {
		free(topology->networks[network].members);
		free(topology->networks[network].held);
	}
	free(topology->networks);
	free(topology->ports);
}
