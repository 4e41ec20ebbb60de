/* SPDX-License-Identifier: BSD-3-Clause */
/* `vsw port|network|router add|set|del`: one object of the running configuration, by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"

/* {"KEY": "VALUE", ...} of the words behind the name; NULL after a message. */
static json_t *read_words(const struct command_line *line)
{
	json_t *words = json_object();

	for (unsigned i = 1; i < line->argument_count; i++) {
		const char *word = line->arguments[i];
		const char *sign = strchr(word, '=');
		char *key = sign ? strndup(word, (size_t)(sign - word)) : NULL;

		if (!key || !*key || json_object_get(words, key) ||
			json_object_set_new(words, key, json_string(sign + 1)) < 0) {
			fprintf(stderr, "vsw: '%s' is not KEY=VALUE, or says a key twice\n", word);
			free(key);
			json_decref(words);
			return NULL;
		}
		free(key);
	}
	return words;
}

static int edit(const struct command_line *line, const char *object, const char *verb)
{
	json_t *words = read_words(line);
	const json_t *item;
	json_t *result;
	size_t i;

	if (!words)
		return COMMAND_WRONG;
	if (strcmp(verb, "set") == 0 && !json_object_size(words)) {
		fprintf(stderr, "vsw: KEY=VALUE is missing: what is to change?\n");
		json_decref(words);
		return COMMAND_WRONG;
	}
	result = client_call(line->control, "config.edit",
		json_pack("{s:s, s:s, s:s, s:o, s:b}", "object", object, "verb", verb, "name",
			line->argument, "keys", words, "force",
			(line->given & COMMAND_FORCE) != 0));
	if (!result)
		return COMMAND_REFUSED;
	if (line->json)
		command_print_json(result);
	json_array_foreach (result, i, item)
		if (!line->json)
			printf("%s\n", json_string_value(item));
	fflush(stdout);
	if (!json_array_size(result) && !line->json)
		printf("nothing to change\n");
	else if (!line->json)
		fprintf(stderr, "vsw: this is in no file yet: 'vsw config save' keeps it\n");
	json_decref(result);
	return COMMAND_DONE;
}

int command_port_add(const struct command_line *line)
{
	return edit(line, "port", "add");
}

int command_port_set(const struct command_line *line)
{
	return edit(line, "port", "set");
}

int command_port_del(const struct command_line *line)
{
	return edit(line, "port", "del");
}

int command_network_add(const struct command_line *line)
{
	return edit(line, "network", "add");
}

int command_network_set(const struct command_line *line)
{
	return edit(line, "network", "set");
}

int command_network_del(const struct command_line *line)
{
	return edit(line, "network", "del");
}

int command_router_add(const struct command_line *line)
{
	return edit(line, "router", "add");
}

int command_router_set(const struct command_line *line)
{
	return edit(line, "router", "set");
}

int command_router_del(const struct command_line *line)
{
	return edit(line, "router", "del");
}
