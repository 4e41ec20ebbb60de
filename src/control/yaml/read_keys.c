/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/read_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"

void config_fault_unknown(struct config_reader *reader, const struct yaml_tree *node,
	const char *const *known, unsigned count)
{
	const char *meant = NULL;
	char list[512] = "";
	size_t used = 0;

	for (unsigned i = 0; i < count; i++) {
		spelling_consider(node->key, known[i], &meant);
		if (used < sizeof(list))
			used += (size_t)snprintf(
				list + used, sizeof(list) - used, "%s%s", i ? ", " : "", known[i]);
	}
	reader->entry_unsure = true;
	if (meant)
		config_fault(reader, node->key_line, "unknown key: did you mean '%s'?", meant);
	else
		config_fault(reader, node->key_line, "unknown key (known here: %s)", list);
}

/* A number that means a VLAN id, or a name. The name of the network; NULL after a fault, if one is
 * due. */
static const struct model_network *resolve(
	struct config_reader *reader, const struct yaml_tree *node)
{
	const char *name = node->text;
	bool number = *name && name[strspn(name, "0123456789")] == '\0';
	const struct model *model = reader->model;
	const struct model_network *network;
	const char *meant = NULL;

	if (number && config_number_ambiguous(name)) {
		config_fault(reader, node->line,
			"'%.64s' is ambiguous: write a VLAN id without leading zeros", name);
		return NULL;
	}
	if (number) {
		unsigned long vlan = strtoul(name, NULL, 10);

		name = vlan < TOPOLOGY_VLAN_COUNT ? reader->vlan_names[vlan] : "";
	}
	network = model_find_network(model, name);
	if (network || reader->networks_unsure)
		return network;
	for (unsigned i = 0; i < model->network_count && !number; i++)
		spelling_consider(name, model->networks[i].name, &meant);
	if (number)
		config_fault(reader, node->line, "no network has VLAN id %.64s", node->text);
	else if (meant)
		config_fault(reader, node->line, "unknown network '%.64s': did you mean '%s'?",
			node->text, meant);
	else
		config_fault(reader, node->line, "unknown network '%.64s'", node->text);
	return NULL;
}

/* What YAML makes of it, and what other readers would: true where there is no doubt. */
static bool notation_sound(
	struct config_reader *reader, const struct schema_key *key, const struct yaml_tree *node)
{
	unsigned number;

	if (key->kind == SCHEMA_NUMBER && node->plain && config_number_ambiguous(node->text)) {
		config_fault(reader, node->line,
			"'%.64s' is ambiguous, readers of YAML differ: write a number from %u to "
			"%u in decimal digits without leading zeros",
			node->text, key->minimum, key->maximum);
		return false;
	}
	if (key->kind == SCHEMA_NUMBER && !node->plain &&
		!(key->nothing_written && strcmp(node->text, key->nothing) == 0)) {
		config_fault(reader, node->line, "'%.64s' is not a number from %u to %u%s",
			node->text, key->minimum, key->maximum,
			value_number_parse(node->text, &number) ? ": in quotes it is a text" : "");
		return false;
	}
	/* Without quotes 0660 is 432 to one reader of YAML and 660 to another. */
	if (key->kind == SCHEMA_MODE && node->plain) {
		config_fault(reader, node->line, "'%.64s' " SCHEMA_MODE_RULE, node->text);
		return false;
	}
	return true;
}

/* Whether the list has the network already. Trunks are long and have a mark a VLAN id. */
static bool is_marked(const struct config_reader *reader, const struct schema_key *key,
	const void *object, const struct model_network *network)
{
	if (network->vlan)
		return reader->trunk_marks[network->vlan];
	return value_names_has(
		(const struct value_names *)((const char *)object + key->offset), network->name);
}

/* One value, or one item of a list. */
static bool read_scalar(struct config_reader *reader, const struct schema_key *key,
	const struct yaml_tree *node, void *object)
{
	const char *text = node->text;
	const struct model_network *network = NULL;
	struct error error;
	int rc;

	if (!config_require_kind(reader, node, YAML_TREE_SCALAR) ||
		!notation_sound(reader, key, node))
		return false;
	if (key->kind == SCHEMA_NETWORK || key->kind == SCHEMA_NETWORKS) {
		network = resolve(reader, node);
		if (!network)
			return false;
		text = network->name;
		if (key->kind == SCHEMA_NETWORKS && !network->vlan && !key->untagged) {
			config_fault(reader, node->line,
				"network '%s' has no 'vlan', so a trunk cannot carry it", text);
			return false;
		}
		if (key->kind == SCHEMA_NETWORKS && is_marked(reader, key, object, network)) {
			config_fault(reader, node->line, "network '%s' is listed twice", text);
			return false;
		}
	}
	rc = schema_set(key, object, text, &error);
	if (rc == -ENOMEM)
		config_fault_memory(reader);
	else if (rc < 0)
		config_fault(reader, node->line, "%s", error.text);
	else if (key->kind == SCHEMA_NETWORKS)
		reader->trunk_marks[network->vlan] = true;
	return rc == 0;
}

static bool read_list(struct config_reader *reader, const struct schema_key *key,
	const struct yaml_tree *node, void *object)
{
	const char *items = key->kind == SCHEMA_NETWORKS ? "network"
			    : key->kind == SCHEMA_TEXTS  ? "value"
							 : "address";
	bool sound = node->count > 0;

	if (!sound)
		config_fault(reader, node->line, "the list is empty: name at least one %s", items);
	if (key->maximum && node->count > key->maximum) {
		config_fault(reader, node->line, "%u %s are too many: at most %u", node->count,
			key->kind == SCHEMA_TEXTS ? "values" : "addresses", key->maximum);
		return false;
	}
	for (unsigned i = 0; i < node->count; i++)
		sound = read_scalar(reader, key, &node->children[i], object) && sound;
	schema_sort(key, object);
	if (key->kind == SCHEMA_NETWORKS)
		memset(reader->trunk_marks, 0, sizeof(reader->trunk_marks));
	return sound;
}

/* A map whose keys are as free as its values: each pair is an item. */
static bool read_pairs(struct config_reader *reader, const struct schema_key *key,
	const struct yaml_tree *node, void *object)
{
	bool sound = node->count > 0;

	if (!sound)
		config_fault(reader, node->line, "the map is empty: name at least one value");
	config_fault_duplicates(reader, node);
	for (unsigned i = 0; i < node->count; i++) {
		const struct yaml_tree *child = &node->children[i];
		size_t mark = config_enter(reader, child->key);
		struct yaml_tree item = *child;

		item.text = NULL;
		if (!config_require_kind(reader, child, YAML_TREE_SCALAR))
			sound = false;
		else if (asprintf(&item.text, "%s=%s", child->key, child->text) < 0)
			config_fault_memory(reader);
		else
			sound = read_scalar(reader, key, &item, object) && sound;
		free(item.text);
		config_leave(reader, mark);
	}
	schema_sort(key, object);
	return sound;
}

bool config_read_value(struct config_reader *reader, const struct schema_key *key,
	const struct yaml_tree *node, void *object)
{
	if (key->pairs && node->kind == YAML_TREE_MAP)
		return read_pairs(reader, key, node, object);
	/* One address needs no brackets; a trunk of one network is a trunk. */
	if (!schema_is_list(key) || (key->kind != SCHEMA_NETWORKS && node->kind != YAML_TREE_LIST))
		return read_scalar(reader, key, node, object);
	return config_require_kind(reader, node, YAML_TREE_LIST) &&
	       read_list(reader, key, node, object);
}

/* The row of a key that stands in this map of the object (NULL: the object's own). */
static const struct schema_key *find_row(
	const struct schema *schema, const char *map, const char *name)
{
	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];

		if (!key->map == !map && (!map || strcmp(key->map, map) == 0) &&
			strcmp(schema_inner_name(key), name) == 0)
			return key;
	}
	return NULL;
}

static bool has_map(const struct config_part *parts, unsigned count, const char *name)
{
	for (unsigned p = 0; p < count; p++)
		for (unsigned i = 0; i < parts[p].schema->count; i++)
			if (parts[p].schema->keys[i].map &&
				strcmp(parts[p].schema->keys[i].map, name) == 0)
				return true;
	return false;
}

static void fault_unknown(struct config_reader *reader, const struct yaml_tree *node,
	const struct config_part *parts, unsigned count, const char *map)
{
	const char *known[2 * MODEL_PORT_KEY_MAX];
	unsigned n = 0;

	for (unsigned p = 0; p < count; p++) {
		for (unsigned i = 0; i < parts[p].schema->count && n < ARRAY_SIZE(known); i++) {
			const struct schema_key *key = &parts[p].schema->keys[i];
			const char *name = map || !key->map ? schema_inner_name(key) : key->map;

			if (map && (!key->map || strcmp(key->map, map) != 0))
				continue;
			if (!n || strcmp(known[n - 1], name) != 0)
				known[n++] = name;
		}
	}
	config_fault_unknown(reader, node, known, n);
}

static void read_map(struct config_reader *reader, const struct yaml_tree *map_node,
	const struct config_part *parts, unsigned count, const char *map, config_foreign foreign);

/*
 * A map that has a key `enabled` may be written as true or false, and one that is there without
 * that key is enabled. True where this was all of it.
 */
static bool read_switched(struct config_reader *reader, const struct yaml_tree *node,
	const struct config_part *parts, unsigned count)
{
	const struct schema_key *key = NULL;
	struct error error;
	unsigned p = 0;

	for (; p < count && !key; p++)
		key = find_row(parts[p].schema, node->key, "enabled");
	if (!key)
		return false;
	if (node->kind == YAML_TREE_SCALAR && !yaml_tree_is_null(node)) {
		config_read_value(reader, key, node, parts[p - 1].object);
		return true;
	}
	if (node->kind == YAML_TREE_MAP && !yaml_tree_find(node, "enabled"))
		schema_set(key, parts[p - 1].object, "true", &error);
	return false;
}

static void read_key(struct config_reader *reader, const struct yaml_tree *node,
	const struct config_part *parts, unsigned count, const char *map, config_foreign foreign)
{
	for (unsigned p = 0; p < count; p++) {
		const struct schema_key *key = find_row(parts[p].schema, map, node->key);

		if (!key)
			continue;
		if (parts[p].lines)
			parts[p].lines[key - parts[p].schema->keys] = node->line;
		config_read_value(reader, key, node, parts[p].object);
		return;
	}
	if (!map && has_map(parts, count, node->key)) {
		if (read_switched(reader, node, parts, count))
			return;
		read_map(reader, node, parts, count, node->key, foreign);
		return;
	}
	if (map || !foreign || !foreign(reader, node, parts))
		fault_unknown(reader, node, parts, count, map);
}

static void read_map(struct config_reader *reader, const struct yaml_tree *map_node,
	const struct config_part *parts, unsigned count, const char *map, config_foreign foreign)
{
	if (yaml_tree_is_null(map_node) || !config_require_kind(reader, map_node, YAML_TREE_MAP))
		return;
	config_fault_duplicates(reader, map_node);
	for (unsigned i = 0; i < map_node->count; i++) {
		const struct yaml_tree *node = &map_node->children[i];
		size_t mark = config_enter(reader, node->key);

		if (node != reader->done)
			read_key(reader, node, parts, count, map, foreign);
		config_leave(reader, mark);
	}
}

void config_read_keys(struct config_reader *reader, const struct yaml_tree *map,
	const struct config_part *parts, unsigned count, config_foreign foreign)
{
	read_map(reader, map, parts, count, NULL, foreign);
}
