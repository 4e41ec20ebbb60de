/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/dhcp_settings.h"
#include "forward/security_rules.h"
#include "packet/packet.h"

static uint16_t network_index(const struct compile_input *input, const char *name)
{
	const struct model_network *found = model_find_network(input->model, name);

	return found ? input->networks[found - input->model->networks] : NETWORK_NONE;
}

static int set_trunk(struct topology *topology, const struct compile_input *input,
	const struct model_port *port, uint16_t index)
{
	uint16_t *networks = calloc(port->trunk.count, sizeof(*networks));
	int rc;

	if (!networks)
		return -ENOMEM;
	for (unsigned i = 0; i < port->trunk.count; i++)
		networks[i] = network_index(input, port->trunk.of[i]);
	rc = topology_trunk_set(
		topology, index, network_index(input, port->native), networks, port->trunk.count);
	free(networks);
	return rc;
}

static int secure_port(struct topology *topology, const struct model_port *port, uint16_t index)
{
	struct security_rules rules = {.has_mac = port->mac.set, .trusted = port->trusted};

	memcpy(rules.mac, port->mac.bytes, sizeof(rules.mac));
	for (unsigned i = 0; i < port->ip.count; i++) {
		const struct value_address *address = &port->ip.of[i];

		/* There is room: config.h has seen to it. */
		if (address->ipv6)
			security_allow_ipv6(&rules, address->bytes, address->length);
		else
			security_allow_ipv4(&rules, address->bytes, address->length);
	}
	return topology_secure(topology, index, &rules);
}

static int set_port(struct topology *topology, const struct compile_input *input,
	const struct model_port *port, uint16_t index)
{
	int rc;

	if (*port->network)
		rc = topology_access_set(topology, index, network_index(input, port->network));
	else
		rc = set_trunk(topology, input, port, index);
	if (rc == 0 && port->flood_limit)
		rc = topology_limit_flood(topology, index, port->flood_limit);
	if (rc == 0 && port->qinq)
		topology_allow_qinq(topology, index);
	if (port->trusted)
		topology_trust(topology, index);
	if (rc == 0 && (port->mac.set || port->ip.count))
		rc = secure_port(topology, port, index);
	return rc;
}

/* Pause frames, :01, never pass, nor what no key names. */
static void set_network(
	struct topology *topology, const struct model_network *network, uint16_t index)
{
	unsigned groups = network->stp << 0x0 | network->lacp << 0x2 | network->dot1x << 0x3 |
			  network->lldp << 0xe;
	unsigned services;
	uint32_t address;

	topology_network_set(topology, index, (uint16_t)network->vlan);
	topology_pass_link_local(topology, index, (uint16_t)groups);
	services = network_services(network, &address);
	topology_serve(topology, index, services, address);
}

/* True where the port is there, and the network is, and wants loops in it held. */
static bool may_hold(const struct compile_input *input, const struct compile_hold *hold)
{
	const struct model *model = input->model;
	bool present = false, wanted = false;

	for (unsigned i = 0; i < model->port_count; i++)
		present |= input->ports[i] == hold->port;
	for (unsigned i = 0; i < model->network_count; i++)
		if (input->networks[i] == hold->network)
			wanted = model->networks[i].loops == MODEL_LOOPS_HOLD;
	return present && wanted;
}

static struct snapshot *new_snapshot(const struct compile_input *input)
{
	unsigned network_count = 0;

	for (unsigned i = 0; i < input->model->network_count; i++)
		network_count = MAX(network_count, input->networks[i] + 1U);
	/* The local port, whose index is the last, is in every snapshot. */
	return snapshot_new(TOPOLOGY_INDEX_MAX, network_count);
}

struct snapshot *compile_snapshot(const struct compile_input *input)
{
	const struct model *model = input->model;
	struct snapshot *snapshot = new_snapshot(input);
	struct topology *topology;
	int rc = 0;

	if (!snapshot)
		return NULL;
	topology = &snapshot->topology;
	topology_local_set(topology);
	for (unsigned i = 0; i < model->network_count; i++)
		set_network(topology, &model->networks[i], input->networks[i]);
	for (unsigned i = 0; i < model->port_count && rc == 0; i++)
		if (input->ports[i] != COMPILE_NO_PORT)
			rc = set_port(topology, input, &model->ports[i], input->ports[i]);
	if (rc < 0) {
		snapshot_free(snapshot);
		return NULL;
	}
	for (unsigned i = 0; i < input->hold_count; i++)
		if (may_hold(input, &input->holds[i]))
			topology_hold(topology, input->holds[i].port, input->holds[i].network);
	return snapshot;
}
