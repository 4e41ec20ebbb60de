/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool config_name_valid(struct config_reader *reader, unsigned line, const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.-";
	bool begins = *name && (strchr(letters, *name) || (*name >= '0' && *name <= '9'));

	if (!begins || name[strspn(name, rest)] != '\0')
		config_fault(reader, line,
			"'%.64s' is not a name: letters, digits, '_', '.' and '-', "
			"not beginning with '.' or '-'",
			name);
	else if (strlen(name) >= MODEL_NAME_SIZE)
		config_fault(reader, line, "name of %zu characters is too long: at most %u",
			strlen(name), MODEL_NAME_SIZE - 1);
	else
		return true;
	return false;
}

/* The line of a key, or of the entry where the key is missing. */
static unsigned line_of(const struct yaml_tree *node, const char *key)
{
	const struct yaml_tree *child = yaml_tree_find(node, key);

	return child ? child->line : node->key_line;
}

static void fault_at(struct config_reader *reader, const struct yaml_tree *node, const char *key,
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
		fault_at(reader, node, "vlan", "VLAN id is used already by network", owner);
	else
		strcpy(owner, network->name);
}

static void check_membership(struct config_reader *reader, const struct yaml_tree *node)
{
	bool network = yaml_tree_find(node, "network");
	bool trunk = yaml_tree_find(node, "trunk");

	if (network && trunk)
		fault_at(reader, node, "trunk", "a port has either 'network' or 'trunk', not both",
			NULL);
	else if (!network && !trunk)
		config_fault(reader, node->key_line,
			"needs 'network' (untagged frames of one network) or 'trunk' (tagged "
			"ones)");
	if (yaml_tree_find(node, "native") && !trunk)
		fault_at(reader, node, "native", "only a port with 'trunk' has a native network",
			NULL);
}

/* What the port does not say of its socket, the switch says. */
static void check_access(
	struct config_reader *reader, const struct yaml_tree *node, struct model_port *port)
{
	static const char *const keys[] = {"owner", "group", "socket-mode"};
	const struct model_settings *settings = &reader->model->settings;

	if (port->mode == MODEL_SERVER) {
		if (!yaml_tree_find(node, "group"))
			strcpy(port->group, settings->socket_group);
		if (!yaml_tree_find(node, "socket-mode"))
			port->socket_mode = settings->socket_mode;
		if (*port->group && strcmp(port->group, settings->control_group) == 0)
			fault_at(reader, node, "group",
				"who may connect to a port must not be of the control group, which "
				"may "
				"change everything:",
				port->group);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (yaml_tree_find(node, keys[i]))
			fault_at(reader, node, keys[i],
				"with mode 'client' the socket is the VMM's, not ours to give",
				NULL);
}

void config_check_port(
	struct config_reader *reader, const struct yaml_tree *node, struct model_port *port)
{
	const char *folder = reader->model->settings.socket_dir;
	size_t length = strlen(folder) + 1 + strlen(port->name) + strlen(".sock");

	if (!yaml_tree_find(node, "type"))
		config_fault(
			reader, node->key_line, "needs 'type', for example 'type: vhost-user'");
	check_membership(reader, node);
	port->line = line_of(node, "socket");
	check_access(reader, node, port);
	if (yaml_tree_find(node, "socket"))
		return;
	if (port->mode == MODEL_CLIENT)
		fault_at(reader, node, "mode",
			"mode 'client' needs 'socket': the path where the VMM listens", NULL);
	if (length >= MODEL_PATH_SIZE)
		config_fault(reader, node->key_line,
			"socket path '%s/%s.sock' of %zu characters is too long: at most %zu; "
			"shorten 'socket-dir' or set 'socket'",
			folder, port->name, length, MODEL_PATH_SIZE - 1);
	else
		(void)!snprintf(
			port->socket, sizeof(port->socket), "%s/%s.sock", folder, port->name);
}

static int compare_sockets(const void *a, const void *b)
{
	const struct model_port *const *x = a;
	const struct model_port *const *y = b;
	int order = strcmp((*x)->socket, (*y)->socket);

	return order ? order : (*x > *y) - (*x < *y);
}

/* Ports with a MAC address first, those with the same network and address side by side. */
static int compare_macs(const void *a, const void *b)
{
	const struct model_port *const *x = a;
	const struct model_port *const *y = b;
	int order = (int)(*y)->has_mac - (int)(*x)->has_mac;

	if (!order)
		order = strcmp((*x)->network, (*y)->network);
	if (!order)
		order = memcmp((*x)->mac, (*y)->mac, sizeof((*x)->mac));
	return order ? order : (*x > *y) - (*x < *y);
}

static bool same_socket(const struct model_port *a, const struct model_port *b)
{
	return *a->socket && strcmp(a->socket, b->socket) == 0;
}

static bool same_mac(const struct model_port *a, const struct model_port *b)
{
	return a->has_mac && b->has_mac && *a->network && strcmp(a->network, b->network) == 0 &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
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

void config_check_ports(struct config_reader *reader, const struct yaml_tree *section)
{
	static const struct {
		int (*compare)(const void *, const void *);
		bool (*same)(const struct model_port *, const struct model_port *);
		const char *key, *text;
	} checks[] = {
		{compare_sockets, same_socket, "socket", "socket path is used already by port"},
		{compare_macs, same_mac, "mac",
			"MAC address is used already in the same network by port"},
	};
	struct model *model = reader->model;
	const struct model_port **sorted = calloc(model->port_count + 1, sizeof(*sorted));

	if (!sorted) {
		config_fault_memory(reader);
		return;
	}
	for (unsigned i = 0; i < model->port_count; i++)
		sorted[i] = &model->ports[i];
	for (unsigned c = 0; c < ARRAY_SIZE(checks); c++) {
		qsort(sorted, model->port_count, sizeof(*sorted), checks[c].compare);
		for (unsigned i = 1; i < model->port_count; i++) {
			size_t mark;

			if (!checks[c].same(sorted[i], sorted[i - 1]) ||
				strcmp(sorted[i]->name, sorted[i - 1]->name) == 0)
				continue;
			mark = config_enter(reader, sorted[i]->name);
			fault_at(reader, entry_of(section, sorted[i]), checks[c].key,
				checks[c].text, sorted[i - 1]->name);
			config_leave(reader, mark);
		}
	}
	free(sorted);
}
