/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "control/gateways.h"
#include "control/resources.h"
#include "control/yaml/check.h"

static void check_gateway(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_router *router)
{
	static const char missing[] =
		"layer 3 inside the switch does not exist yet: say 'gateway: kernel'";

	if (reader->entry_unsure || router->gateway == MODEL_GATEWAY_KERNEL)
		return;
	/* A word that is no gateway's was refused. */
	if (!yaml_tree_find(node, "gateway"))
		config_fault(reader, node->key_line, "needs 'gateway: kernel': %s", missing);
	else if (strcmp(yaml_tree_find(node, "gateway")->text ?: "", "switch") == 0)
		config_fault_at(reader, node, "gateway", missing, NULL);
}

static void check_member(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_router *router, const struct model_network *network)
{
	char name[MODEL_NAME_SIZE];

	if (!network->gateway.length && !network->gateway6.length)
		config_fault_at(reader, node, "networks",
			network->subnet.length || network->subnet6.length
				? "a router needs its 'gateway', but this is 'none' in network"
				: "a router needs 'subnet' or 'subnet6', as has not network",
			network->name);
	if (!gateways_port_name(router->name, network->name, name))
		config_fault_at(reader, node, "networks",
			"the names are too long together (at most 62 characters) with network",
			network->name);
}

void config_check_router(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_router *router)
{
	if (!yaml_tree_find(node, "networks") && !reader->entry_unsure)
		config_fault(reader, node->key_line, "needs 'networks', a list such as [blue]");
	check_gateway(reader, node, router);
	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *network = model_find_network(
			reader->model, router->networks.of[i]);

		if (network)
			check_member(reader, node, router, network);
	}
	if (router->forward.count && router->uplink != MODEL_UPLINK_NAT && !reader->entry_unsure)
		config_fault_at(reader, node, "forward", "forwarding needs 'uplink: nat'", NULL);
}

static bool overlap(const struct value_address *a, const struct value_address *b)
{
	return value_prefix_holds(a, b) || value_prefix_holds(b, a);
}

/* Two routers forward in one namespace. */
static bool share_namespace(const struct model_router *a, const struct model_router *b)
{
	return a == b || (*a->netns && strcmp(a->netns, b->netns) == 0);
}

/* What is wrong with two networks, of one router or of two. */
static const char *judge_pair(const struct model_router *a, const struct model_router *b,
	const struct model_network *x, const struct model_network *y)
{
	bool together = share_namespace(a, b);

	if (x == y && a != b)
		return "network is in another router, which is";
	if (x == y)
		return NULL;
	if (together && overlap(&x->subnet, &y->subnet))
		return "'subnet' overlaps with that of network";
	if (together && overlap(&x->subnet6, &y->subnet6))
		return "'subnet6' overlaps with that of network";
	if (a->uplink && b->uplink && !a->nat6 && !b->nat6 && overlap(&x->subnet6, &y->subnet6))
		return "without 'nat6', 'subnet6' must not overlap with that of network";
	return NULL;
}

/* Of the entries' two routers, the later one is at fault. */
static bool check_pair(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_router *router, const struct model_router *earlier)
{
	const struct model *model = reader->model;

	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *x = model_find_network(model, router->networks.of[i]);
		unsigned count = router == earlier ? i : earlier->networks.count;

		for (unsigned k = 0; k < count; k++) {
			const struct model_network *y = model_find_network(
				model, earlier->networks.of[k]);
			const char *wrong = judge_pair(router, earlier, x, y);
			char text[160];

			if (!wrong)
				continue;
			snprintf(text, sizeof(text), "of network '%.63s': %s", x->name, wrong);
			config_fault_at(
				reader, node, "networks", text, x == y ? earlier->name : y->name);
			return false;
		}
	}
	for (unsigned i = 0; i < router->forward.count && router != earlier; i++) {
		if (!value_forwards_has(&earlier->forward, &router->forward.of[i]))
			continue;
		config_fault_at(reader, node, "forward",
			"a port of this host is forwarded by two routers, the other one is",
			earlier->name);
		return false;
	}
	return true;
}

static void check_targets(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_router *router)
{
	for (unsigned i = 0; i < router->forward.count; i++) {
		struct value_address address;
		const char *wrong = gateways_resolve(
			reader->model, router, &router->forward.of[i], &address);

		if (wrong)
			config_fault_at(
				reader, node, "forward", wrong, router->forward.of[i].target);
	}
}

/* Of two ports that have the same thing one at least is a router's. */
static void check_claims(struct config_reader *reader)
{
	const struct model_port *ports = reader->model->ports;
	const struct claim *clash;
	struct claims claims;
	unsigned position = 0;

	if (claims_of(&claims, reader->model, NULL) < 0) {
		config_fault_memory(reader);
		return;
	}
	while ((clash = resources_next_clash(&claims, &position))) {
		const struct model_port *port = &ports[clash->owner];
		const struct model_port *other = &ports[clash[-1].owner];

		if (!*port->router) {
			port = other;
			other = &ports[clash->owner];
		}
		/* "10.0.0.1/0 in NAMESPACE", whose numbers tell a reader nothing. */
		config_fault(reader, port->line,
			"%s: %s %.*s is used already by port '%s', in the same network namespace",
			port->router, clash->kind, (int)strcspn(clash->text, "/ "), clash->text,
			other->name);
	}
	claims_fini(&claims);
}

static void check_macs(struct config_reader *reader)
{
	const struct model *model = reader->model;

	for (unsigned i = 0; i < model->port_count; i++) {
		const struct model_port *port = &model->ports[i];

		for (unsigned k = 0; k < model->port_count && *port->router; k++) {
			const struct model_port *other = &model->ports[k];

			if (k != i && other->mac.set &&
				strcmp(other->network, port->network) == 0 &&
				memcmp(other->mac.bytes, port->mac.bytes, 6) == 0)
				config_fault(reader, other->line,
					"the MAC address of port '%s' is that of the router in its "
					"network",
					other->name);
		}
	}
}

static void add_ports(struct config_reader *reader)
{
	struct model *model = reader->model;

	for (unsigned i = 0; i < model->router_count; i++) {
		if (model->port_count + model->routers[i].networks.count > TOPOLOGY_PORT_MAX) {
			config_fault(reader, model->routers[i].line,
				"there are too many ports, those of routers included: at most %u",
				TOPOLOGY_PORT_MAX);
			return;
		}
		if (gateways_add(model, &model->routers[i]) < 0) {
			config_fault_memory(reader);
			return;
		}
	}
	model_sort_ports(model);
	check_claims(reader);
	check_macs(reader);
}

void config_check_routers(struct config_reader *reader, const struct yaml_tree *section)
{
	const struct model *model = reader->model;

	/* What follows from another fault is not said as well. */
	for (unsigned i = 0; i < model->router_count && !reader->errors->count; i++) {
		const struct model_router *router = &model->routers[i];
		const struct yaml_tree *node = &section->children[i];
		size_t mark = config_enter(reader, router->name);
		bool sound = true;

		for (unsigned k = 0; k <= i && sound; k++)
			sound = check_pair(reader, node, router, &model->routers[k]);
		check_targets(reader, node, router);
		config_leave(reader, mark);
	}
	if (!reader->errors->count)
		add_ports(reader);
}
