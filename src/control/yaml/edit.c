/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"
#include "control/yaml/config.h"
#include "control/yaml/tree.h"

/* A new child, a scalar without text; NULL where memory is short. */
static struct yaml_tree *add_child(struct yaml_tree *parent, const char *key)
{
	struct yaml_tree *grown = reallocarray(
		parent->children, (size_t)parent->count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	parent->children = grown;
	grown += parent->count;
	*grown = (struct yaml_tree){.kind = YAML_TREE_SCALAR, .key = key ? strdup(key) : NULL};
	if (key && !grown->key)
		return NULL;
	parent->count++;
	return grown;
}

static struct yaml_tree *find_child(struct yaml_tree *map, const char *key)
{
	return (struct yaml_tree *)yaml_tree_find(map, key);
}

/* The child of that key as an empty map, if it is none yet. */
static struct yaml_tree *require_map(struct yaml_tree *parent, const char *key)
{
	struct yaml_tree *map = find_child(parent, key);

	if (!map)
		map = add_child(parent, key);
	if (map && map->kind != YAML_TREE_MAP) {
		free(map->text);
		map->text = NULL;
		map->kind = YAML_TREE_MAP;
	}
	return map;
}

static void remove_child(struct yaml_tree *map, const char *key)
{
	struct yaml_tree *child = find_child(map, key);

	if (!child)
		return;
	yaml_tree_fini(child);
	map->count--;
	memmove(child, child + 1, (size_t)(map->children + map->count - child) * sizeof(*child));
}

/* What is said by hand has no line. */
static void forget_lines(struct yaml_tree *node)
{
	node->line = node->key_line = 0;
	for (unsigned i = 0; i < node->count; i++)
		forget_lines(&node->children[i]);
}

/* The row of a key of the entry: for a port, that of its type if it has one. */
static const struct schema_key *find_row(
	const struct config_edit *edit, const struct yaml_tree *entry, const char *name)
{
	const struct yaml_tree *type = yaml_tree_find(entry, "type");
	const struct schema_key *row;

	if (strcmp(edit->object, "network") == 0)
		return schema_find(&model_network_schema, name);
	if (strcmp(edit->object, "router") == 0)
		return schema_find(&model_router_schema, name);
	row = schema_find(&model_port_schema, name);
	for (unsigned i = 0; model_kinds[i] && !row; i++)
		if (!type || !type->text || strcmp(type->text, model_kinds[i]->name) == 0)
			row = schema_find(&model_kinds[i]->schema, name);
	return row;
}

static int set_text(struct yaml_tree *node, const char *text, size_t length, bool plain)
{
	node->text = strndup(text, length);
	node->plain = plain;
	return node->text ? 0 : -ENOMEM;
}

/* The value as a file would have it: numbers plain, all else in quotes, lists as lists. */
static int set_value(struct yaml_tree *node, const struct schema_key *row, const char *value)
{
	if (!row || !schema_is_list(row))
		return set_text(node, value, strlen(value), row && row->kind == SCHEMA_NUMBER);
	node->kind = YAML_TREE_LIST;
	for (;;) {
		size_t blanks = strspn(value, " ");
		size_t length = strcspn(value + blanks, ",");
		const char *next = value + blanks + length;
		struct yaml_tree *item = add_child(node, NULL);

		/* Blanks around an item are the shell's user's, who had it in quotes. */
		while (length && value[blanks + length - 1] == ' ')
			length--;
		if (!item || set_text(item, value + blanks, length, false) < 0)
			return -ENOMEM;
		if (!*next)
			return 0;
		value = next + 1;
	}
}

/* A port that becomes one or the other is no longer what it was. */
static void displace(struct yaml_tree *entry, const char *key)
{
	if (strcmp(key, "network") == 0) {
		remove_child(entry, "trunk");
		remove_child(entry, "native");
	} else if (strcmp(key, "trunk") == 0) {
		remove_child(entry, "network");
	}
}

static int set_word(
	const struct config_edit *edit, struct yaml_tree *entry, const struct config_word *word)
{
	const struct schema_key *row = find_row(edit, entry, word->key);
	const char *name = row ? schema_inner_name(row) : word->key;
	struct yaml_tree *node;

	if (row && row->map)
		entry = require_map(entry, row->map);
	if (!entry)
		return -ENOMEM;
	remove_child(entry, name);
	if (!*word->value)
		return 0;
	node = add_child(entry, name);
	return node ? set_value(node, row, word->value) : -ENOMEM;
}

/* All words at once: of those that displace others, before any is set. A type goes first. */
static int set_words(const struct config_edit *edit, struct yaml_tree *entry)
{
	int rc = 0;

	for (unsigned i = 0; i < edit->word_count; i++)
		if (*edit->words[i].value)
			displace(entry, edit->words[i].key);
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < edit->word_count && rc == 0; i++)
			if ((strcmp(edit->words[i].key, "type") == 0) == !pass)
				rc = set_word(edit, entry, &edit->words[i]);
	return rc;
}

/* Says which one may be meant. */
static int fault_missing(const struct model *model, const struct config_edit *edit,
	const struct yaml_tree *section, struct config_errors *errors)
{
	const struct model_port *port = model_find_port(model, edit->name);
	const char *meant = NULL;

	if (strcmp(edit->object, "port") == 0 && port && *port->router) {
		config_errors_add(errors,
			"port '%.64s' follows from router '%.64s': change that one, or its network",
			edit->name, port->router);
		return -EINVAL;
	}
	for (unsigned i = 0; i < section->count; i++)
		spelling_consider(edit->name, section->children[i].key, &meant);
	config_errors_add(errors, "no %s '%.64s'%s%s%s", edit->object, edit->name,
		meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	return -EINVAL;
}

/* A network that ports are members of stays: naming them is more than each one's complaint. */
static int check_unused(const struct model *model, const char *name, struct config_errors *errors)
{
	unsigned users = 0;
	const char *first = NULL;

	for (unsigned i = model->port_count; i-- > 0;) {
		if (!model_port_in_network(&model->ports[i], name))
			continue;
		first = model->ports[i].name;
		users++;
	}
	if (!users)
		return 0;
	config_errors_add(errors, "network '%.64s' is in use: ports: %u, the first is '%s'", name,
		users, first);
	return -EINVAL;
}

static const char *section_of(const struct config_edit *edit)
{
	if (strcmp(edit->object, "port") == 0)
		return "ports";
	return strcmp(edit->object, "router") == 0 ? "routers" : "networks";
}

static int edit_tree(const struct model *model, const struct config_edit *edit,
	struct yaml_tree *root, struct config_errors *errors)
{
	bool is_network = strcmp(edit->object, "network") == 0;
	struct yaml_tree *section = require_map(root, section_of(edit));
	struct yaml_tree *entry = section ? find_child(section, edit->name) : NULL;

	if (!section)
		return -ENOMEM;
	if (edit->verb != CONFIG_ADD && !entry)
		return fault_missing(model, edit, section, errors);
	if (edit->verb == CONFIG_ADD && entry) {
		config_errors_add(errors, "%s '%s' exists already: 'vsw %s set' changes it",
			edit->object, edit->name, edit->object);
		return -EINVAL;
	}
	if (edit->verb == CONFIG_DELETE) {
		if (is_network && check_unused(model, edit->name, errors) < 0)
			return -EINVAL;
		remove_child(section, edit->name);
		return 0;
	}
	entry = require_map(section, edit->name);
	return entry ? set_words(edit, entry) : -ENOMEM;
}

int config_edit(const struct model *model, const struct config_edit *edit, struct model *new,
	struct config_errors *errors)
{
	char *text = config_format(model, CONFIG_BRIEF);
	struct yaml_tree root;
	struct error error;
	unsigned line;
	int rc = -ENOMEM;

	model_init(new);
	*errors = (struct config_errors){0};
	if (text)
		rc = yaml_tree_parse(text, strlen(text), &root, &line, &error);
	free(text);
	if (rc == 0) {
		rc = edit_tree(model, edit, &root, errors);
		forget_lines(&root);
		if (rc == 0)
			rc = config_read_tree(NULL, &root, new, errors);
		yaml_tree_fini(&root);
	}
	if (rc < 0 && !errors->count)
		config_errors_add(errors, "out of memory");
	return rc;
}
