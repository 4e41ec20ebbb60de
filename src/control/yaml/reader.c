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
	if (reader->file)
		config_errors_add_at(reader->errors, line, "%s:%u: %s%s%s", reader->file, line,
			path, *path ? ": " : "", what ? what : "out of memory");
	else
		config_errors_add(reader->errors, "%s%s%s", path, *path ? ": " : "",
			what ? what : "out of memory");
	free(what);
}

void config_fault_memory(struct config_reader *reader)
{
	config_errors_add(reader->errors, "%s%sout of memory", reader->file ? reader->file : "",
		reader->file ? ": " : "");
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

bool config_require_kind(
	struct config_reader *reader, const struct yaml_tree *node, enum yaml_tree_kind kind)
{
	static const char *const names[] = {
		[YAML_TREE_SCALAR] = "a single value",
		[YAML_TREE_LIST] = "a list such as [a, b]",
		[YAML_TREE_MAP] = "a map of keys",
	};

	if (node->kind == kind && !(kind == YAML_TREE_SCALAR && yaml_tree_is_null(node)))
		return true;
	config_fault(reader, node->line, "must be %s, not %s", names[kind],
		yaml_tree_is_null(node) ? "empty" : names[node->kind]);
	return false;
}

bool config_name_valid(struct config_reader *reader, unsigned line, const char *name)
{
	struct error error;

	if (schema_check_name(name, &error) == 0)
		return true;
	config_fault(reader, line, "%s", error.text);
	return false;
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
