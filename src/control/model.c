/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct schema no_schema;

void model_init(struct model *model)
{
	*model = (struct model){0};
	schema_init(&model_switch_schema, &model->settings);
}

const char *model_kind_name(unsigned type)
{
	return model_kinds[type] ? model_kinds[type]->name : NULL;
}

const struct schema *model_port_kind_schema(const struct model_port *port)
{
	return port->settings ? &model_kinds[port->type]->schema : &no_schema;
}

static void free_settings(struct model_port *port)
{
	if (port->settings)
		schema_fini(model_port_kind_schema(port), port->settings);
	free(port->settings);
	port->settings = NULL;
}

int model_port_set_type(struct model_port *port, unsigned type)
{
	const struct schema *schema = &model_kinds[type]->schema;
	void *settings = calloc(1, schema->size);

	if (!settings)
		return -ENOMEM;
	schema_init(schema, settings);
	free_settings(port);
	port->type = type;
	port->settings = settings;
	return 0;
}

void model_port_fini(struct model_port *port)
{
	free_settings(port);
	schema_fini(&model_port_schema, port);
}

void model_fini(struct model *model)
{
	for (unsigned i = 0; i < model->port_count; i++)
		model_port_fini(&model->ports[i]);
	for (unsigned i = 0; i < model->network_count; i++)
		schema_fini(&model_network_schema, &model->networks[i]);
	free(model->ports);
	for (unsigned i = 0; i < model->router_count; i++)
		schema_fini(&model_router_schema, &model->routers[i]);
	free(model->routers);
	free(model->networks);
	model_init(model);
}

/* Room for one more element in an array that has `count` of them; it doubles at powers of two. */
static void *grow(void *array, unsigned count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * (size_t)count : 1, size);
}

struct model_network *model_add_network(struct model *model)
{
	struct model_network *grown = grow(
		model->networks, model->network_count, sizeof(*model->networks));

	if (!grown)
		return NULL;
	model->networks = grown;
	grown += model->network_count++;
	*grown = (struct model_network){0};
	schema_init(&model_network_schema, grown);
	return grown;
}

struct model_port *model_add_port(struct model *model)
{
	struct model_port *grown = grow(model->ports, model->port_count, sizeof(*model->ports));

	if (!grown)
		return NULL;
	model->ports = grown;
	grown += model->port_count++;
	*grown = (struct model_port){0};
	schema_init(&model_port_schema, grown);
	return grown;
}

struct model_router *model_add_router(struct model *model)
{
	struct model_router *grown = grow(
		model->routers, model->router_count, sizeof(*model->routers));

	if (!grown)
		return NULL;
	model->routers = grown;
	grown += model->router_count++;
	*grown = (struct model_router){0};
	schema_init(&model_router_schema, grown);
	return grown;
}

int model_port_copy(struct model_port *to, const struct model_port *from)
{
	*to = *from;
	to->settings = NULL;
	if (schema_copy(&model_port_schema, to, from) < 0)
		return -ENOMEM;
	if (!from->settings)
		return 0;
	if (model_port_set_type(to, from->type) == 0 &&
		schema_copy(model_port_kind_schema(from), to->settings, from->settings) == 0)
		return 0;
	model_port_fini(to);
	return -ENOMEM;
}

unsigned model_port_line(const struct model_port *port, const char *key)
{
	const struct schema *kind = model_port_kind_schema(port);
	const struct schema_key *row = schema_find(&model_port_schema, key);
	unsigned line = 0;

	if (row)
		line = port->lines[row - model_port_schema.keys];
	row = schema_find(kind, key);
	if (row)
		line = port->lines[model_port_schema.count + (unsigned)(row - kind->keys)];
	return line ? line : port->line;
}

bool model_port_in_network(const struct model_port *port, const char *network)
{
	return strcmp(port->network, network) == 0 || strcmp(port->native, network) == 0 ||
	       value_names_has(&port->trunk, network);
}

int model_copy(struct model *to, const struct model *from)
{
	model_init(to);
	to->settings = from->settings;
	for (unsigned i = 0; i < from->network_count; i++) {
		struct model_network *network = model_add_network(to);

		if (!network)
			goto fini_model;
		*network = from->networks[i];
		if (schema_copy(&model_network_schema, network, &from->networks[i]) < 0)
			goto fini_model;
	}
	for (unsigned i = 0; i < from->port_count; i++) {
		struct model_port *port = model_add_port(to);

		if (!port || model_port_copy(port, &from->ports[i]) < 0)
			goto fini_model;
	}
	for (unsigned i = 0; i < from->router_count; i++) {
		struct model_router *router = model_add_router(to);

		if (!router)
			goto fini_model;
		*router = from->routers[i];
		if (schema_copy(&model_router_schema, router, &from->routers[i]) < 0)
			goto fini_model;
	}
	return 0;

fini_model:
	model_fini(to);
	return -ENOMEM;
}

void model_remove_port(struct model *model, unsigned position)
{
	struct model_port *port = &model->ports[position];
	unsigned after = model->port_count - position - 1;

	model_port_fini(port);
	memmove(port, port + 1, after * sizeof(*port));
	model->port_count--;
}

/* Networks, ports and routers begin with their name. */
static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

void model_sort_networks(struct model *model)
{
	if (model->network_count)
		qsort(model->networks, model->network_count, sizeof(*model->networks),
			compare_names);
}

void model_sort_ports(struct model *model)
{
	if (model->port_count)
		qsort(model->ports, model->port_count, sizeof(*model->ports), compare_names);
}

void model_sort_routers(struct model *model)
{
	if (model->router_count)
		qsort(model->routers, model->router_count, sizeof(*model->routers), compare_names);
}

const struct model_network *model_find_network(const struct model *model, const char *name)
{
	if (!model->network_count)
		return NULL;
	return bsearch(name, model->networks, model->network_count, sizeof(*model->networks),
		compare_names);
}

const struct model_port *model_find_port(const struct model *model, const char *name)
{
	if (!model->port_count)
		return NULL;
	return bsearch(name, model->ports, model->port_count, sizeof(*model->ports), compare_names);
}

unsigned model_written_ports(const struct model *model)
{
	unsigned count = 0;

	for (unsigned i = 0; i < model->port_count; i++)
		count += !*model->ports[i].router;
	return count;
}

const struct model_router *model_find_router(const struct model *model, const char *name)
{
	if (!model->router_count)
		return NULL;
	return bsearch(
		name, model->routers, model->router_count, sizeof(*model->routers), compare_names);
}

const struct model_router *model_router_of(const struct model *model, const char *network)
{
	for (unsigned i = 0; i < model->router_count; i++)
		if (value_names_has(&model->routers[i].networks, network))
			return &model->routers[i];
	return NULL;
}
