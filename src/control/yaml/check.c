/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/resources.h"

/* The line of a key, or of what it should stand in where it is missing. */
static unsigned line_of(const struct yaml_tree *node, const char *key)
{
	const char *dot = strchr(key, '.');
	const struct yaml_tree *child = yaml_tree_find(node, key);
	char map[64];

	if (!child && dot) {
		snprintf(map, sizeof(map), "%.*s", (int)(dot - key), key);
		child = yaml_tree_find(node, map);
		if (child && child->kind == YAML_TREE_MAP && yaml_tree_find(child, dot + 1))
			child = yaml_tree_find(child, dot + 1);
	}
	return child ? child->line : node->key_line;
}

void config_fault_at(struct config_reader *reader, const struct yaml_tree *node, const char *key,
	const char *text, const char *other)
{
	size_t mark = config_enter(reader, key);

	config_fault(reader, line_of(node, key), "%s%s%s%s", text, other ? " '" : "",
		other ? other : "", other ? "'" : "");
	config_leave(reader, mark);
}

void config_check_vlan(struct config_reader *reader, const struct yaml_tree *node,
	const struct model_network *network)
{
	char *owner = reader->vlan_names[network->vlan];

	if (!network->vlan)
		return;
	if (*owner)
		config_fault_at(reader, node, "vlan", "VLAN id is used already by network", owner);
	else
		strcpy(owner, network->name);
}

static void check_gateway(struct config_reader *reader, const struct yaml_tree *node,
	const char *key, const char *subnet_key, const struct value_address *gateway,
	const struct value_address *subnet)
{
	if (!gateway->length || !yaml_tree_find(node, key) || reader->entry_unsure)
		return;
	if (!subnet->length && yaml_tree_find(node, subnet_key))
		return;
	if (!subnet->length)
		config_fault_at(reader, node, key, "a gateway needs", subnet_key);
	else if (!value_prefix_holds(subnet, gateway))
		config_fault_at(reader, node, key, "the gateway lies outside of", subnet_key);
	else if (value_prefix_reserves(subnet, gateway))
		config_fault_at(reader, node, key, "this is no host's address in", subnet_key);
}

void config_check_addresses(
	struct config_reader *reader, const struct yaml_tree *node, struct model_network *network)
{
	check_gateway(reader, node, "gateway", "subnet", &network->gateway, &network->subnet);
	check_gateway(reader, node, "gateway6", "subnet6", &network->gateway6, &network->subnet6);
	model_network_complete(
		network, yaml_tree_find(node, "gateway"), yaml_tree_find(node, "gateway6"));
}

static void check_membership(struct config_reader *reader, const struct yaml_tree *node)
{
	bool network = yaml_tree_find(node, "network");
	bool trunk = yaml_tree_find(node, "trunk");

	if (network && trunk)
		config_fault_at(reader, node, "trunk",
			"a port has either 'network' or 'trunk', not both", NULL);
	else if (!network && !trunk && !reader->entry_unsure)
		config_fault(reader, node->key_line,
			"needs 'network' (untagged frames of one network) or 'trunk' (tagged "
			"ones)");
	if (yaml_tree_find(node, "native") && !trunk && !reader->entry_unsure)
		config_fault_at(reader, node, "native",
			"only a port with 'trunk' has a native network", NULL);
}

/* What a kind of port may ask and say while it completes a port. */
struct completion {
	struct config_reader *reader;
	const struct yaml_tree *node;
};

static bool is_given(void *owner, const char *key)
{
	const struct completion *completion = owner;

	return yaml_tree_find(completion->node, key);
}

static void tell_fault(void *owner, const char *key, const struct error *error)
{
	const struct completion *completion = owner;

	if (completion->reader->entry_unsure)
		return;
	if (key)
		config_fault_at(completion->reader, completion->node, key, error->text, NULL);
	else
		config_fault(completion->reader, completion->node->key_line, "%s", error->text);
}

void config_check_port(
	struct config_reader *reader, const struct yaml_tree *node, struct model_port *port)
{
	struct completion completion = {reader, node};
	const struct model_check check = {&completion, is_given, tell_fault};

	if (!yaml_tree_find(node, "type") && !reader->entry_unsure)
		config_fault(
			reader, node->key_line, "needs 'type', for example 'type: vhost-user'");
	check_membership(reader, node);
	if (port->settings && model_kinds[port->type]->complete)
		model_kinds[port->type]->complete(port, &reader->model->settings, &check);
}

/* Ports with a MAC address first, those with the same network and address side by side. */
static int compare_macs(const void *a, const void *b)
{
	const struct model_port *const *x = a;
	const struct model_port *const *y = b;
	int order = (int)(*y)->mac.set - (int)(*x)->mac.set;

	if (!order)
		order = strcmp((*x)->network, (*y)->network);
	if (!order)
		order = memcmp((*x)->mac.bytes, (*y)->mac.bytes, sizeof((*x)->mac.bytes));
	return order ? order : (*x > *y) - (*x < *y);
}

static bool same_mac(const struct model_port *a, const struct model_port *b)
{
	return a->mac.set && b->mac.set && *a->network && strcmp(a->network, b->network) == 0 &&
	       memcmp(a->mac.bytes, b->mac.bytes, sizeof(a->mac.bytes)) == 0;
}

/* The entry that a port was read from. */
static const struct yaml_tree *entry_of(
	const struct yaml_tree *section, const struct model_port *port)
{
	const struct yaml_tree *entry = NULL;

	/* With a duplicate key, the one in the fault may be either: both are reported anyway. */
	for (unsigned i = 0; i < section->count && !entry; i++)
		if (strcmp(section->children[i].key, port->name) == 0)
			entry = &section->children[i];
	return entry;
}

/* A fault of a key of the later of two ports, if they are two. */
static void fault_of_later(struct config_reader *reader, const struct yaml_tree *section,
	const struct model_port *port, const struct model_port *earlier, const char *key,
	const char *text)
{
	size_t mark;

	/* Twice the same name is a fault of its own. */
	if (strcmp(port->name, earlier->name) == 0)
		return;
	mark = config_enter(reader, port->name);
	config_fault_at(reader, entry_of(section, port), key, text, earlier->name);
	config_leave(reader, mark);
}

static void check_claims(struct config_reader *reader, const struct yaml_tree *section)
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
		char text[128];

		snprintf(text, sizeof(text), "%s is used already by port", clash->kind);
		fault_of_later(reader, section, &ports[clash->owner], &ports[clash[-1].owner],
			clash->key, text);
	}
	claims_fini(&claims);
}

static void check_macs(struct config_reader *reader, const struct yaml_tree *section)
{
	struct model *model = reader->model;
	const struct model_port **sorted = calloc(model->port_count + 1, sizeof(*sorted));

	if (!sorted) {
		config_fault_memory(reader);
		return;
	}
	for (unsigned i = 0; i < model->port_count; i++)
		sorted[i] = &model->ports[i];
	qsort(sorted, model->port_count, sizeof(*sorted), compare_macs);
	for (unsigned i = 1; i < model->port_count; i++)
		if (same_mac(sorted[i], sorted[i - 1]))
			fault_of_later(reader, section, sorted[i], sorted[i - 1], "mac",
				"MAC address is used already in the same network by port");
	free(sorted);
}

void config_check_ports(struct config_reader *reader, const struct yaml_tree *section)
{
	/* Where it is no map, or too long, nothing was read of it. */
	if (!reader->model->port_count)
		return;
	check_claims(reader, section);
	check_macs(reader, section);
}
