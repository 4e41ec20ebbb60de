/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/show_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *one_text(const struct schema_key *key, const void *object, unsigned i)
{
	char text[SCHEMA_TEXT_SIZE];

	schema_text(key, object, i, text);
	if (key->kind == SCHEMA_NUMBER)
		return json_integer(strtoul(text, NULL, 10));
	if (key->kind == SCHEMA_FLAG)
		return json_boolean(strcmp(text, "true") == 0);
	return json_string(text);
}

/* KEY=VALUE as {KEY: VALUE}. */
static json_t *pairs(const struct schema_key *key, const void *object, unsigned count)
{
	json_t *map = json_object();
	char text[SCHEMA_TEXT_SIZE];

	for (unsigned i = 0; i < count; i++) {
		char *value;

		schema_text(key, object, i, text);
		value = strchr(text, '=');
		*value++ = '\0';
		json_object_set_new(map, text, json_string(value));
	}
	return map;
}

json_t *show_value(const struct schema_key *key, const void *object)
{
	unsigned count = schema_count(key, object);
	json_t *list;

	if (!count)
		return json_null();
	if (!schema_is_list(key))
		return one_text(key, object, 0);
	if (key->pairs)
		return pairs(key, object, count);
	list = json_array();
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, one_text(key, object, i));
	return list;
}

/* False where the key's map can be switched off, and is. */
static bool is_enabled(
	const struct schema *schema, const struct schema_key *key, const void *object)
{
	char name[64], value[SCHEMA_TEXT_SIZE];
	const struct schema_key *enabled;

	snprintf(name, sizeof(name), "%s.enabled", key->map);
	enabled = schema_find(schema, name);
	if (!enabled)
		return true;
	schema_text(enabled, object, 0, value);
	return strcmp(value, "true") == 0;
}

/* Where the members of the key's map go: NULL where it is off. */
static json_t *member_map(
	json_t *to, const struct schema *schema, const struct schema_key *key, const void *object)
{
	if (!is_enabled(schema, key, object)) {
		json_object_set_new(to, key->map, json_null());
		return NULL;
	}
	if (!json_object_get(to, key->map))
		json_object_set_new(to, key->map, json_object());
	return json_object_get(to, key->map);
}

void show_add_values(json_t *to, const struct schema *schema, const void *object)
{
	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];
		json_t *map = key->map ? member_map(to, schema, key, object) : to;
		char name[64];

		snprintf(name, sizeof(name), "%s",
			key->member ? key->member : schema_inner_name(key));
		for (char *c = name; *c; c++)
			*c = *c == '-' || *c == '.' ? '_' : *c;
		json_object_set_new(map, name, show_value(key, object));
	}
}

/* The keys that have a value, or whose file may say that there is none ("auto"), as the file has
 * them: those of a map within it. */
static void add_keys(json_t *to, const struct schema *schema, const void *object)
{
	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];
		json_t *map = to;

		if (!schema_is_set(key, object) && !key->nothing_written)
			continue;
		if (key->map && !json_object_get(to, key->map))
			json_object_set_new(to, key->map, json_object());
		if (key->map)
			map = json_object_get(to, key->map);
		json_object_set_new(map, schema_inner_name(key),
			schema_is_set(key, object) ? show_value(key, object)
						   : json_string(key->nothing));
	}
}

/* What a network has not, though it would have it if the file did not say so. */
static void add_nothings(json_t *to, const struct model_network *network)
{
	const struct schema *schema = &model_network_schema;

	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];

		if (!schema_is_set(key, network) && !model_network_implies(network, key))
			json_object_set_new(to, key->name, json_string(key->nothing));
	}
}

json_t *show_model(const struct model *model)
{
	json_t *settings = json_object();
	json_t *networks = json_object();
	json_t *ports = json_object();
	json_t *routers = json_object();
	json_t *whole;

	add_keys(settings, &model_switch_schema, &model->settings);
	for (unsigned i = 0; i < model->network_count; i++) {
		json_t *network = json_object();

		add_keys(network, &model_network_schema, &model->networks[i]);
		add_nothings(network, &model->networks[i]);
		json_object_set_new(networks, model->networks[i].name, network);
	}
	for (unsigned i = 0; i < model->port_count; i++) {
		const struct model_port *port = &model->ports[i];
		json_t *object;

		if (*port->router)
			continue;
		object = json_object();
		add_keys(object, &model_port_schema, port);
		add_keys(object, model_port_kind_schema(port), port->settings);
		json_object_set_new(ports, port->name, object);
	}
	for (unsigned i = 0; i < model->router_count; i++) {
		json_t *router = json_object();

		add_keys(router, &model_router_schema, &model->routers[i]);
		json_object_set_new(routers, model->routers[i].name, router);
	}
	whole = json_pack(
		"{s:o, s:o, s:o}", "switch", settings, "networks", networks, "ports", ports);
	if (model->router_count)
		json_object_set(whole, "routers", routers);
	json_decref(routers);
	return whole;
}
