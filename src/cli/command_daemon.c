/* SPDX-License-Identifier: BSD-3-Clause */
/* vsw log level and vsw version: of the process itself, not of what it switches. */
#include <stdio.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"

static void print_log_level(const json_t *result)
{
	printf("%s\n", command_text(result, "level"));
}

int command_log_level(const struct command_line *line)
{
	enum log_level level;

	if (!line->argument)
		return command_ask(line, "log.show", NULL, print_log_level);
	if (!log_level_parse(line->argument, &level)) {
		fprintf(stderr, "vsw: '%s' is not a log level: " LOG_LEVEL_WORDS "\n",
			line->argument);
		return COMMAND_WRONG;
	}
	return command_ask(
		line, "log.level", json_pack("{s:s}", "level", line->argument), print_log_level);
}

/* Ours is known also where nobody can be asked for the daemon's, which is then said. */
int command_version(const struct command_line *line)
{
	json_t *result, *shown;

	if (!line->json) {
		printf("vsw  %s\n", VSW_VERSION);
		fflush(stdout);
	}
	result = client_call(line->control, "show", NULL);
	shown = json_pack("{s:s, s:O?, s:O?}", "vsw", VSW_VERSION, "vswd",
		json_object_get(result, "version"), "pid", json_object_get(result, "pid"));
	if (line->json)
		command_print_json(shown);
	else if (result)
		printf("vswd %s, pid %" JSON_INTEGER_FORMAT "\n", command_text(result, "version"),
			command_number(result, "pid"));
	json_decref(shown);
	json_decref(result);
	return COMMAND_DONE;
}
