/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config_reader *config_reader_new(
	const char *file, struct model *model, struct config_errors *errors)
{
	struct config_reader *reader = calloc(1, sizeof(*reader));

	if (reader) {
		reader->file = file;
		reader->model = model;
		reader->errors = errors;
	}
	return reader;
}

void config_reader_free(struct config_reader *reader)
{
	free(reader);
}

size_t config_enter(struct config_reader *reader, const char *key)
{
	size_t mark = strlen(reader->path);

	snprintf(reader->path + mark, sizeof(reader->path) - mark, "%s%.80s", mark ? "." : "", key);
	return mark;
}

void config_leave(struct config_reader *reader, size_t mark)
{
	reader->path[mark] = '\0';
}

static void errors_append(struct config_errors *errors, char *line)
{
	if (line && errors->count < CONFIG_ERROR_MAX)
		errors->lines[errors->count] = line;
	else
		free(line);
	errors->count++;
}

void config_errors_add(struct config_errors *errors, const char *format, ...)
{
	char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	errors_append(errors, line);
}

void config_errors_fini(struct config_errors *errors)
{
	for (unsigned i = 0; i < MIN(errors->count, CONFIG_ERROR_MAX); i++)
		free(errors->lines[i]);
	*errors = (struct config_errors){0};
}

/* What comes from the file must not move a terminal's cursor, nor end in half a character. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void config_fault(struct config_reader *reader, unsigned line, const char *format, ...)
{
	char *what = NULL;
	char path[sizeof(reader->path)];
	va_list args;

	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	strcpy(path, reader->path);
	make_printable(path);
	if (what)
		make_printable(what);
	config_errors_add(reader->errors, "%s:%u: %s%s%s", reader->file, line, path,
		*path ? ": " : "", what ? what : "out of memory");
	free(what);
}

void config_fault_memory(struct config_reader *reader)
{
	config_errors_add(reader->errors, "%s: out of memory", reader->file);
}

static int compare_keys(const void *a, const void *b)
{
	const struct yaml_tree *const *x = a;
	const struct yaml_tree *const *y = b;
	int order = strcmp((*x)->key, (*y)->key);

	/* Children lie in the order of the file, so the later address is the later key. */
	return order ? order : (*x > *y) - (*x < *y);
}

void config_fault_duplicates(struct config_reader *reader, const struct yaml_tree *map)
{
	const struct yaml_tree **sorted = calloc(map->count + 1, sizeof(*sorted));

	if (!sorted) {
		config_fault_memory(reader);
		return;
	}
	for (unsigned i = 0; i < map->count; i++)
		sorted[i] = &map->children[i];
	qsort(sorted, map->count, sizeof(*sorted), compare_keys);
	for (unsigned i = 1; i < map->count; i++) {
		size_t mark;

		if (strcmp(sorted[i]->key, sorted[i - 1]->key) != 0)
			continue;
		mark = config_enter(reader, sorted[i]->key);
		config_fault(reader, sorted[i]->key_line, "stands here twice: first in line %u",
			sorted[i - 1]->key_line);
		config_leave(reader, mark);
	}
	free(sorted);
}

bool config_number_ambiguous(const char *text)
{
	size_t digits;

	if (*text == '+' || *text == '-')
		text++;
	digits = strspn(text, "0123456789");
	if (!digits || !text[1])
		return false;
	/* 010, 0x10, 0o10 and 0b10 */
	if (*text == '0' && strchr("0123456789xXoObB_", text[1]))
		return true;
	/* 1_000, 1:30 and 1e3 */
	return text[digits] && text[strspn(text, "0123456789_:eE+-")] == '\0';
}

const struct model_network *config_resolve(
	struct config_reader *reader, const struct yaml_tree *node)
{
	const char *name = node->text;
	bool number = *name && name[strspn(name, "0123456789")] == '\0';
	const struct model_network *network;

	if (number && config_number_ambiguous(name)) {
		config_fault(reader, node->line,
			"'%.64s' is ambiguous: write a VLAN id without leading zeros", name);
		return NULL;
	}
	if (number) {
		unsigned long vlan = strtoul(name, NULL, 10);

		name = vlan < TOPOLOGY_VLAN_COUNT ? reader->vlan_names[vlan] : "";
	}
	network = model_find_network(reader->model, name);
	if (!network)
		config_fault(reader, node->line,
			number ? "no network has VLAN id %.64s" : "unknown network '%.64s'",
			node->text);
	return network;
}

bool config_trunk_mark(struct config_reader *reader, const struct model_network *network)
{
	bool marked = reader->trunk_marks[network->vlan];

	reader->trunk_marks[network->vlan] = true;
	return !marked;
}

void config_trunk_unmark(struct config_reader *reader, const struct model_port *port)
{
	for (unsigned i = 0; i < port->trunk_count; i++)
		reader->trunk_marks[model_find_network(reader->model, port->trunk[i])->vlan] =
			false;
}
