/* SPDX-License-Identifier: BSD-3-Clause */
/* vsw fdb: the addresses that are known, and forgetting them. */
#include <stdio.h>

#include "cli/client.h"
#include "cli/command.h"

static void print_fdb(const json_t *result)
{
	static const char *const titles[] = {"MAC", "NETWORK", "PORT", ">AGE-S", NULL};
	struct table table;
	const json_t *entry;
	size_t i;

	table_init(&table, titles);
	json_array_foreach (result, i, entry) {
		table_add(&table, "%s", command_text(entry, "mac"));
		table_add(&table, "%s", command_text(entry, "network"));
		table_add(&table, "%s", command_text(entry, "port"));
		if (json_is_true(json_object_get(entry, "static")))
			table_add(&table, "static");
		else
			command_add_plain(&table, entry, "age");
	}
	table_print(&table);
}

int command_fdb_show(const struct command_line *line)
{
	return command_ask(line, "fdb.show", NULL, print_fdb);
}

static int forget(const struct command_line *line, const char *method, json_t *params)
{
	json_t *result = client_call(line->control, method, params);

	if (!result)
		return COMMAND_REFUSED;
	if (line->json)
		command_print_json(result);
	else
		printf("addresses forgotten: %" JSON_INTEGER_FORMAT "\n",
			command_number(result, "addresses"));
	json_decref(result);
	return COMMAND_DONE;
}

int command_fdb_flush(const struct command_line *line)
{
	json_t *params = json_object();

	if (line->port)
		json_object_set_new(params, "port", json_string(line->port));
	if (line->network)
		json_object_set_new(params, "network", json_string(line->network));
	return forget(line, "fdb.flush", params);
}

int command_fdb_del(const struct command_line *line)
{
	return forget(line, "fdb.del",
		json_pack("{s:s, s:s}", "mac", line->argument, "network", line->network));
}
