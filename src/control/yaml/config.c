/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/spelling.h"
#include "control/yaml/check.h"
#include "control/yaml/read_keys.h"

static void read_switch(struct config_reader *reader, const struct yaml_tree *node)
{
	struct model_settings *settings = &reader->model->settings;
	unsigned lines[MODEL_PORT_KEY_MAX] = {0};
	const struct schema *schema = &model_switch_schema;
	const struct config_part part = {schema, settings, lines};

	config_read_keys(reader, node, &part, 1, NULL);
	settings->socket_dir_line = lines[schema_find(schema, "socket-dir") - schema->keys];
	settings->state_dir_line = lines[schema_find(schema, "state-dir") - schema->keys];
}

/* Calls read() for each named entry of a section. */
static void read_section(struct config_reader *reader, const struct yaml_tree *section,
	unsigned maximum, void (*read)(struct config_reader *, const struct yaml_tree *))
{
	if (yaml_tree_is_null(section) || !config_require_kind(reader, section, YAML_TREE_MAP))
		return;
	config_fault_duplicates(reader, section);
	if (section->count > maximum) {
		config_fault(reader, section->line, "%u entries are too many: at most %u",
			section->count, maximum);
		return;
	}
	for (unsigned i = 0; i < section->count; i++) {
		size_t mark = config_enter(reader, section->children[i].key);

		reader->entry_unsure = false;
		if (config_name_valid(
			    reader, section->children[i].key_line, section->children[i].key))
			read(reader, &section->children[i]);
		else
			reader->networks_unsure = true;
		config_leave(reader, mark);
	}
}

static void read_network(struct config_reader *reader, const struct yaml_tree *node)
{
	struct model_network *network = model_add_network(reader->model);
	const struct config_part part = {&model_network_schema, network, NULL};
	unsigned number;

	if (!network) {
		config_fault_memory(reader);
		return;
	}
	strcpy(network->name, node->key);
	if (value_number_parse(network->name, &number))
		config_fault(reader, node->key_line,
			"a network's name must not be a number: that is how VLAN ids are written");
	config_read_keys(reader, node, &part, 1, NULL);
	config_check_vlan(reader, node, network);
	config_check_addresses(reader, node, network);
	config_check_dhcp(reader, node, network);
}

/* Reads the key on which the others depend. True where the port has a type now. */
static bool read_type(
	struct config_reader *reader, const struct yaml_tree *node, struct model_port *port)
{
	const struct schema_key *key = schema_find(&model_port_schema, "type");
	size_t mark = config_enter(reader, key->name);
	bool sound = config_read_value(reader, key, node, port);

	if (sound && model_port_set_type(port, port->type) < 0) {
		config_fault_memory(reader);
		sound = false;
	}
	config_leave(reader, mark);
	return sound;
}

/* A key that another kind of port has. Where the port's own is not known it may be right. */
static bool read_foreign(
	struct config_reader *reader, const struct yaml_tree *node, const struct config_part *parts)
{
	const struct model_port *port = parts[0].object;
	unsigned type = 0;

	while (model_kinds[type] && !schema_find(&model_kinds[type]->schema, node->key))
		type++;
	if (!model_kinds[type])
		return false;
	if (port->settings)
		config_fault(reader, node->key_line,
			"a port of type '%s' has no such key, one of type '%s' has",
			model_kind_name(port->type), model_kind_name(type));
	return true;
}

static void read_port(struct config_reader *reader, const struct yaml_tree *node)
{
	struct model_port *port = model_add_port(reader->model);
	struct config_part parts[2];
	bool typed = false;

	if (!port) {
		config_fault_memory(reader);
		return;
	}
	strcpy(port->name, node->key);
	port->line = node->key_line;
	reader->done = node->kind == YAML_TREE_MAP ? yaml_tree_find(node, "type") : NULL;
	if (reader->done) {
		typed = read_type(reader, reader->done, port);
		reader->entry_unsure = !typed;
	}
	parts[0] = (struct config_part){&model_port_schema, port, port->lines};
	if (typed)
		parts[1] = (struct config_part){model_port_kind_schema(port), port->settings,
			port->lines + model_port_schema.count};
	config_read_keys(reader, node, parts, typed ? 2 : 1, read_foreign);
	reader->done = NULL;
	config_check_port(reader, node, port);
}

static void read_router(struct config_reader *reader, const struct yaml_tree *node)
{
	struct model_router *router = model_add_router(reader->model);
	struct config_part part;

	if (!router) {
		config_fault_memory(reader);
		return;
	}
	strcpy(router->name, node->key);
	router->line = node->key_line;
	part = (struct config_part){&model_router_schema, router, router->lines};
	config_read_keys(reader, node, &part, 1, NULL);
	config_check_router(reader, node, router);
}

static void read_networks(struct config_reader *reader, const struct yaml_tree *node)
{
	if (node->kind != YAML_TREE_MAP && !yaml_tree_is_null(node))
		reader->networks_unsure = true;
	read_section(reader, node, TOPOLOGY_NETWORK_MAX, read_network);
	model_sort_networks(reader->model);
}

static void read_ports(struct config_reader *reader, const struct yaml_tree *node)
{
	read_section(reader, node, TOPOLOGY_PORT_MAX, read_port);
	config_check_ports(reader, node);
	model_sort_ports(reader->model);
}

static void read_routers(struct config_reader *reader, const struct yaml_tree *node)
{
	read_section(reader, node, TOPOLOGY_NETWORK_MAX, read_router);
	config_check_routers(reader, node);
	model_sort_routers(reader->model);
}

/* In the order in which they are read, whatever their order in the file: ports name networks. */
static const struct {
	const char *name;
	void (*read)(struct config_reader *reader, const struct yaml_tree *node);
} sections[] = {
	{"switch", read_switch},
	{"networks", read_networks},
	{"ports", read_ports},
	{"routers", read_routers},
};

/* The keys that are no section. Where `networks` is missing, one of them may be what it was meant
 * to be. */
static void find_unknown(struct config_reader *reader, const struct yaml_tree *root)
{
	const char *known[ARRAY_SIZE(sections)];
	bool unknown = false;

	for (unsigned k = 0; k < ARRAY_SIZE(sections); k++)
		known[k] = sections[k].name;
	for (unsigned i = 0; i < root->count; i++) {
		const struct yaml_tree *node = &root->children[i];
		size_t mark = config_enter(reader, node->key);
		unsigned k = 0;

		while (k < ARRAY_SIZE(sections) && strcmp(sections[k].name, node->key) != 0)
			k++;
		if (k == ARRAY_SIZE(sections)) {
			config_fault_unknown(reader, node, known, ARRAY_SIZE(known));
			unknown = true;
		}
		config_leave(reader, mark);
	}
	if (unknown && !yaml_tree_find(root, "networks"))
		reader->networks_unsure = true;
}

static void read_root(struct config_reader *reader, const struct yaml_tree *root)
{
	if (yaml_tree_is_null(root) || !config_require_kind(reader, root, YAML_TREE_MAP))
		return;
	config_fault_duplicates(reader, root);
	find_unknown(reader, root);
	for (unsigned k = 0; k < ARRAY_SIZE(sections); k++) {
		const struct yaml_tree *node = yaml_tree_find(root, sections[k].name);
		size_t mark = config_enter(reader, sections[k].name);

		if (node)
			sections[k].read(reader, node);
		config_leave(reader, mark);
	}
}

int config_read_tree(const char *file, const struct yaml_tree *root, struct model *model,
	struct config_errors *errors)
{
	struct config_reader *reader;

	model_init(model);
	*errors = (struct config_errors){0};
	reader = config_reader_new(file, model, errors);
	if (reader)
		read_root(reader, root);
	else
		config_errors_add(errors, "%s%sout of memory", file ? file : "", file ? ": " : "");
	config_reader_free(reader);
	if (!errors->count)
		return 0;
	model_fini(model);
	return -EINVAL;
}

int config_parse(const char *file, const char *text, size_t length, struct model *model,
	struct config_errors *errors)
{
	struct yaml_tree root;
	struct error error;
	unsigned line;
	int rc;

	model_init(model);
	*errors = (struct config_errors){0};
	if (length > CONFIG_SIZE_MAX) {
		config_errors_add(errors, "%s: larger than %u bytes", file, CONFIG_SIZE_MAX);
		return -EINVAL;
	}
	rc = yaml_tree_parse(text, length, &root, &line, &error);
	if (rc < 0) {
		config_errors_add(errors, "%s:%u: %s", file, line, error.text);
		return rc;
	}
	rc = config_read_tree(file, &root, model, errors);
	yaml_tree_fini(&root);
	return rc;
}

int config_read_file(const char *path, char **text, size_t *length, struct config_errors *errors)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buffer = malloc(CONFIG_SIZE_MAX + 1);
	size_t used = 0;
	ssize_t n = 0;
	int rc = 0;

	if (fd < 0 || !buffer) {
		rc = fd < 0 ? -errno : -ENOMEM;
		goto close_file;
	}
	do {
		n = read(fd, buffer + used, CONFIG_SIZE_MAX + 1 - used);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		rc = -errno;
	else if (used > CONFIG_SIZE_MAX)
		rc = -EFBIG;

close_file:
	fd_close(&fd);
	if (rc < 0) {
		config_errors_add(errors, "%s: %s", path, strerror(-rc));
		free(buffer);
		return rc;
	}
	*text = buffer;
	*length = used;
	return 0;
}

int config_load(const char *path, struct model *model, char digest[SAVED_DIGEST_SIZE],
	struct config_errors *errors)
{
	size_t length;
	char *text;
	int rc;

	model_init(model);
	*errors = (struct config_errors){0};
	rc = config_read_file(path, &text, &length, errors);
	if (rc < 0)
		return rc;
	rc = config_parse(path, text, length, model, errors);
	if (rc == 0 && digest)
		saved_digest(text, length, digest);
	free(text);
	return rc;
}
