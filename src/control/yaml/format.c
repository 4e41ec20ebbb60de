/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/yaml/config.h"

/*
 * Text of the user's, as a key or as a value. It always stands in quotes: what a plain word means
 * differs from reader to reader. To one of YAML 1.1 52:54:00:00:00:02 is the number 41135040002,
 * 010 is eight, and yes, on, 1e3, null, 2026-01-02, = and << are not strings either; as a key
 * neither. All text is printable ASCII (schema_set() sees to it), so two characters need an escape.
 */
static void format_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	fputc('"', out);
}

/* Words of ours and numbers are plain. */
static void format_text(FILE *out, const struct schema_key *key, const char *text)
{
	if (key->kind == SCHEMA_NUMBER || key->kind == SCHEMA_CHOICE || key->kind == SCHEMA_FLAG)
		fputs(text, out);
	else
		format_quoted(out, text);
}

/* KEY=VALUE as a map. */
static void format_pairs(FILE *out, const struct schema_key *key, const void *object)
{
	unsigned count = schema_count(key, object);
	char text[SCHEMA_TEXT_SIZE];

	for (unsigned i = 0; i < count; i++) {
		char *value;

		schema_text(key, object, i, text);
		value = strchr(text, '=');
		*value++ = '\0';
		fputs(i ? ", " : "{ ", out);
		format_quoted(out, text);
		fputs(": ", out);
		format_quoted(out, value);
	}
	fputs(" }", out);
}

static void format_value(FILE *out, const struct schema_key *key, const void *object)
{
	unsigned count = schema_count(key, object);
	char text[SCHEMA_TEXT_SIZE];

	if (key->pairs) {
		format_pairs(out, key, object);
		return;
	}
	if (!count)
		fputs(key->nothing, out);
	fputs(schema_is_list(key) ? "[" : "", out);
	for (unsigned i = 0; i < count; i++) {
		schema_text(key, object, i, text);
		fputs(i ? ", " : "", out);
		format_text(out, key, text);
	}
	fputs(schema_is_list(key) ? "]" : "", out);
}

/* Where a map has one key a line, and where it is one line: what stands before the first key, and
 * before each other one. */
struct style {
	const char *first, *other;
};

/* Says of a key whether it may be left out, because the value would be the same without it. */
struct brevity {
	bool (*is_implied)(const struct brevity *brevity, const struct schema_key *key);
	const void *object, *common;
};

/* Writes the object's keys, those of one map together; returns how many there are with the ones
 * before. brevity: NULL: each key that has a value is written. */
static unsigned format_keys(FILE *out, const struct style *style, const struct schema *schema,
	const void *object, const struct brevity *brevity, unsigned written)
{
	const char *map = NULL;

	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];
		bool same_map = map && key->map && strcmp(map, key->map) == 0;

		if (brevity ? brevity->is_implied(brevity, key)
			    : !schema_is_set(key, object) && !key->nothing_written)
			continue;
		if (map && !same_map)
			fputs(" }", out);
		if (same_map)
			fputs(", ", out);
		else
			fputs(written++ ? style->other : style->first, out);
		if (key->map && !same_map)
			fprintf(out, "%s: { ", key->map);
		fprintf(out, "%s: ", schema_inner_name(key));
		format_value(out, key, object);
		map = key->map;
	}
	fputs(map ? " }" : "", out);
	return written;
}

/* As a new object has it. */
static bool is_initial(const struct brevity *brevity, const struct schema_key *key)
{
	return schema_is_initial(key, brevity->object);
}

/* Of a network. */
static bool is_implied(const struct brevity *brevity, const struct schema_key *key)
{
	return model_network_implies(brevity->object, key);
}

/* What has a value is written; of what has none, only that somebody wants it so. */
static bool is_implied_nothing(const struct brevity *brevity, const struct schema_key *key)
{
	return !schema_is_set(key, brevity->object) &&
	       (!key->nothing_written || is_implied(brevity, key));
}

static void format_settings(
	FILE *out, const struct model_settings *settings, enum config_wording wording)
{
	static const struct style style = {"\n  ", "\n  "};
	const struct brevity brevity = {is_initial, settings, NULL};

	fputs("switch:", out);
	if (!format_keys(out, &style, &model_switch_schema, settings,
		    wording == CONFIG_BRIEF ? &brevity : NULL, 0))
		fputs(" {}", out);
	fputc('\n', out);
}

static void format_network(
	FILE *out, const struct model_network *network, enum config_wording wording)
{
	static const struct style style = {" { ", ", "};
	const struct brevity brevity = {
		wording == CONFIG_BRIEF ? is_implied : is_implied_nothing, network, NULL};
	bool any;

	fputs("  ", out);
	format_quoted(out, network->name);
	fputc(':', out);
	any = format_keys(out, &style, &model_network_schema, network, &brevity, 0);
	fputs(any ? " }\n" : " {}\n", out);
}

/* A file that says of the port what it is, but for one key. */
struct omission {
	const struct model_port *port;
	const struct schema_key *key;
	bool faulty; /* without that key something would be wrong */
};

static bool is_given(void *owner, const char *name)
{
	const struct omission *omission = owner;
	const struct model_port *port = omission->port;
	const struct schema_key *key = schema_find(model_port_kind_schema(port), name);

	return key && key != omission->key && schema_is_set(key, port->settings);
}

static void note_fault(void *owner, const char *key, const struct error *error)
{
	((struct omission *)owner)->faulty = true;
}

/* What only this kind of port has may follow from the rest: what does it say without the key? */
static bool follows(const struct brevity *brevity, const struct schema_key *key)
{
	struct omission omission = {.port = brevity->object, .key = key};
	const struct model_check check = {&omission, is_given, note_fault};
	const struct model_kind *kind = model_kinds[omission.port->type];
	struct model_port without;
	bool same;

	if (model_port_copy(&without, omission.port) < 0)
		return false;
	schema_reset(key, without.settings);
	if (kind->complete)
		kind->complete(&without, brevity->common, &check);
	same = schema_equal(key, without.settings, omission.port->settings);
	model_port_fini(&without);
	return same && !omission.faulty;
}

/* What a port is must stand there in any case. */
static bool is_initial_but_type(const struct brevity *brevity, const struct schema_key *key)
{
	return strcmp(key->name, "type") != 0 && schema_is_initial(key, brevity->object);
}

static void format_port(FILE *out, const struct model_port *port,
	const struct model_settings *settings, enum config_wording wording)
{
	static const struct style style = {"\n    ", "\n    "};
	const struct brevity common = {is_initial_but_type, port, settings};
	const struct brevity own = {follows, port, settings};
	bool brief = wording == CONFIG_BRIEF;

	fputs("  ", out);
	format_quoted(out, port->name);
	fputc(':', out);
	format_keys(out, &style, &model_port_schema, port, brief ? &common : NULL, 0);
	format_keys(
		out, &style, model_port_kind_schema(port), port->settings, brief ? &own : NULL, 1);
	fputc('\n', out);
}

static void format_router(FILE *out, const struct model_router *router, enum config_wording wording)
{
	static const struct style style = {"\n    ", "\n    "};
	const struct brevity brevity = {is_initial, router, NULL};

	fputs("  ", out);
	format_quoted(out, router->name);
	fputc(':', out);
	format_keys(out, &style, &model_router_schema, router,
		wording == CONFIG_BRIEF ? &brevity : NULL, 0);
	fputc('\n', out);
}

char *config_format(const struct model *model, enum config_wording wording)
{
	char *text = NULL;
	size_t length = 0;
	unsigned ports = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	format_settings(out, &model->settings, wording);
	fprintf(out, "networks:%s\n", model->network_count ? "" : " {}");
	for (unsigned i = 0; i < model->network_count; i++)
		format_network(out, &model->networks[i], wording);
	for (unsigned i = 0; i < model->port_count; i++)
		ports += !*model->ports[i].router;
	fprintf(out, "ports:%s\n", ports ? "" : " {}");
	for (unsigned i = 0; i < model->port_count; i++)
		if (!*model->ports[i].router)
			format_port(out, &model->ports[i], &model->settings, wording);
	if (model->router_count)
		fputs("routers:\n", out);
	for (unsigned i = 0; i < model->router_count; i++)
		format_router(out, &model->routers[i], wording);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
