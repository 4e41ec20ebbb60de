/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct builder {
	yaml_parser_t parser;
	yaml_event_t event;
	const char *text; /* all of it, for words about errors */
	size_t length;
	unsigned depth;
	unsigned *error_line;
	struct error *error;
};

static int build_node(struct builder *builder, struct yaml_tree *node);

void yaml_tree_fini(struct yaml_tree *node)
{
	for (unsigned i = 0; i < node->count; i++)
		yaml_tree_fini(&node->children[i]);
	free(node->children);
	free(node->text);
	free(node->key);
	*node = (struct yaml_tree){0};
}

const struct yaml_tree *yaml_tree_find(const struct yaml_tree *map, const char *key)
{
	for (unsigned i = 0; map->kind == YAML_TREE_MAP && i < map->count; i++)
		if (strcmp(map->children[i].key, key) == 0)
			return &map->children[i];
	return NULL;
}

bool yaml_tree_is_null(const struct yaml_tree *node)
{
	return node->kind == YAML_TREE_SCALAR && node->plain &&
	       (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static unsigned event_line(const struct builder *builder)
{
	return (unsigned)builder->event.start_mark.line + 1;
}

/* Fails at the line of the current event. */
static int refuse(struct builder *builder, const char *why)
{
	*builder->error_line = event_line(builder);
	return error_set(builder->error, -EINVAL, "%s", why);
}

/* True where the line (from 0) has a tab in its indentation. */
static bool begins_with_tab(const struct builder *builder, size_t line)
{
	const char *at = builder->text;
	const char *end = at + builder->length;

	for (; at && line; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	while (at && at < end && *at == ' ')
		at++;
	return at && at < end && *at == '\t';
}

/* Replaces the current event by the next one. */
static int next_event(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;

	yaml_event_delete(&builder->event);
	if (yaml_parser_parse(&builder->parser, &builder->event))
		return 0;
	memset(&builder->event, 0, sizeof(builder->event));
	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(builder->error, -ENOMEM, "out of memory");
	*builder->error_line = (unsigned)parser->problem_mark.line + 1;
	if (begins_with_tab(builder, parser->problem_mark.line))
		return error_set(builder->error, -EINVAL,
			"the line begins with a tab: YAML is indented with blanks");
	return error_set(builder->error, -EINVAL, "not valid YAML: %s%s%s",
		parser->problem ? parser->problem : "unknown fault", parser->context ? " " : "",
		parser->context ? parser->context : "");
}

/* The current scalar event's characters, to be freed. */
static int scalar_text(struct builder *builder, char **text)
{
	const char *value = (const char *)builder->event.data.scalar.value;
	size_t length = builder->event.data.scalar.length;

	if (memchr(value, '\0', length))
		return refuse(builder, "text holds a zero byte");
	*text = strndup(value, length);
	return *text ? 0 : error_set(builder->error, -ENOMEM, "out of memory");
}

static int refuse_decoration(
	struct builder *builder, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return refuse(builder, "anchors are not supported");
	if (tag)
		return refuse(builder, "tags are not supported");
	return 0;
}

static int build_scalar(struct builder *builder, struct yaml_tree *node)
{
	int rc = refuse_decoration(
		builder, builder->event.data.scalar.anchor, builder->event.data.scalar.tag);

	if (rc < 0)
		return rc;
	node->kind = YAML_TREE_SCALAR;
	node->plain = builder->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return scalar_text(builder, &node->text);
}

static struct yaml_tree *add_child(struct builder *builder, struct yaml_tree *node)
{
	struct yaml_tree *grown = node->children;

	if (!(node->count & (node->count - 1)))
		grown = reallocarray(
			grown, node->count ? 2 * (size_t)node->count : 1, sizeof(*grown));
	if (!grown) {
		error_set(builder->error, -ENOMEM, "out of memory");
		return NULL;
	}
	node->children = grown;
	grown += node->count++;
	*grown = (struct yaml_tree){0};
	return grown;
}

/* Reads the children of a map or list up to the event that ends it. */
static int build_children(struct builder *builder, struct yaml_tree *node, yaml_event_type_t end)
{
	int rc;

	if (++builder->depth > YAML_TREE_DEPTH_MAX)
		return refuse(builder, "nested too deeply");
	for (;;) {
		struct yaml_tree *child;

		rc = next_event(builder);
		if (rc < 0)
			return rc;
		if (builder->event.type == end)
			break;
		child = add_child(builder, node);
		if (!child)
			return -ENOMEM;
		if (node->kind == YAML_TREE_MAP) {
			if (builder->event.type != YAML_SCALAR_EVENT)
				return refuse(builder, "a key must be a plain word");
			child->key_line = event_line(builder);
			rc = refuse_decoration(builder, builder->event.data.scalar.anchor,
				builder->event.data.scalar.tag);
			if (rc == 0)
				rc = scalar_text(builder, &child->key);
			if (rc == 0)
				rc = next_event(builder);
			if (rc < 0)
				return rc;
		}
		rc = build_node(builder, child);
		if (rc < 0)
			return rc;
	}
	builder->depth--;
	return 0;
}

/* Fills *node from the current event on. A half built node is freed with the tree. */
static int build_node(struct builder *builder, struct yaml_tree *node)
{
	const yaml_event_t *event = &builder->event;
	int rc;

	node->line = event_line(builder);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return build_scalar(builder, node);
	case YAML_SEQUENCE_START_EVENT:
		rc = refuse_decoration(
			builder, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		node->kind = YAML_TREE_LIST;
		return rc < 0 ? rc : build_children(builder, node, YAML_SEQUENCE_END_EVENT);
	case YAML_MAPPING_START_EVENT:
		rc = refuse_decoration(
			builder, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		node->kind = YAML_TREE_MAP;
		return rc < 0 ? rc : build_children(builder, node, YAML_MAPPING_END_EVENT);
	default:
		return refuse(builder, "aliases are not supported");
	}
}

/* The events around the one document. */
static int build_stream(struct builder *builder, struct yaml_tree *root)
{
	int rc = next_event(builder); /* start of the stream */

	if (rc == 0)
		rc = next_event(builder);
	if (rc < 0)
		return rc;
	if (builder->event.type == YAML_STREAM_END_EVENT) {
		*root = (struct yaml_tree){.kind = YAML_TREE_MAP, .line = 1};
		return 0;
	}
	rc = next_event(builder);
	if (rc == 0)
		rc = build_node(builder, root);
	if (rc == 0)
		rc = next_event(builder); /* end of the document */
	if (rc == 0)
		rc = next_event(builder);
	if (rc == 0 && builder->event.type != YAML_STREAM_END_EVENT)
		return refuse(builder, "a second document in the same file");
	return rc;
}

int yaml_tree_parse(const char *text, size_t length, struct yaml_tree *root, unsigned *error_line,
	struct error *error)
{
	struct builder builder = {
		.text = text, .length = length, .error_line = error_line, .error = error};
	int rc;

	*root = (struct yaml_tree){0};
	*error_line = 1;
	if (!yaml_parser_initialize(&builder.parser))
		return error_set(error, -ENOMEM, "out of memory");
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, length);
	rc = build_stream(&builder, root);
	yaml_event_delete(&builder.event);
	yaml_parser_delete(&builder.parser);
	if (rc < 0)
		yaml_tree_fini(root);
	return rc;
}
