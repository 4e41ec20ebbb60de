/* SPDX-License-Identifier: BSD-3-Clause */
/* `vsw schema`: the keys of the configuration, for people and for the shell's completion. Needs no
 * vswd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "control/model.h"

static const char *const effects[] = {
	[DIFF_LIVE] = "live", [DIFF_REOPEN] = "reopen", [DIFF_RESTART] = "restart"};

static json_t *describe(const char *object, const struct schema_key *key)
{
	char *range = NULL;
	size_t length;
	FILE *out = open_memstream(&range, &length);
	json_t *row;

	if (!out)
		return NULL;
	schema_print_range(out, key);
	fclose(out);
	row = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}", "object", object, "key", key->name,
		"values", range, "effect", effects[key->effect], "unit", key->unit, "help",
		key->help);
	free(range);
	return row;
}

static void add_rows(
	json_t *rows, const char *wanted, const char *object, const struct schema *schema)
{
	for (unsigned i = 0; i < schema->count; i++)
		if (!wanted || strcmp(wanted, object) == 0)
			json_array_append_new(rows, describe(object, &schema->keys[i]));
}

static void print_rows(const json_t *rows)
{
	static const char *const titles[] = {"OBJECT", "KEY", "VALUES", "CHANGE", "MEANING", NULL};
	struct table table;
	const json_t *row;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (rows, i, row) {
		table_add(&table, "%s", command_text(row, "object"));
		table_add(&table, "%s", command_text(row, "key"));
		table_add(&table, "%s", command_text(row, "values"));
		table_add(&table, "%s", command_text(row, "effect"));
		table_add(&table, "%s", command_text(row, "help"));
	}
	table_print(&table);
}

int command_schema(const struct command_line *line)
{
	json_t *rows = json_array();
	int status = COMMAND_DONE;

	add_rows(rows, line->argument, "switch", &model_switch_schema);
	add_rows(rows, line->argument, "network", &model_network_schema);
	add_rows(rows, line->argument, "port", &model_port_schema);
	add_rows(rows, line->argument, "router", &model_router_schema);
	for (unsigned i = 0; model_kinds[i]; i++)
		add_rows(rows, line->argument, model_kinds[i]->name, &model_kinds[i]->schema);
	if (!json_array_size(rows)) {
		fprintf(stderr,
			"vsw: no keys of '%s': switch, network, port, router, or a type of ports\n",
			line->argument);
		status = COMMAND_WRONG;
	} else if (line->json) {
		command_print_json(rows);
	} else {
		print_rows(rows);
	}
	json_decref(rows);
	return status;
}
