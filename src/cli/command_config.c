/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/command.h"
#include "control/yaml/config.h"

/* "-" is what comes in at the standard input. */
static const char *file_name(const struct command_line *line)
{
	return strcmp(line->argument, "-") == 0 ? "/dev/stdin" : line->argument;
}

static int print_faults(const char *file, struct config_errors *errors)
{
	char total[CONFIG_TOTAL_SIZE];
	unsigned printed = MIN(errors->count, CONFIG_ERROR_MAX);

	for (unsigned i = 0; i < printed; i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	if (config_errors_total(errors, total))
		fprintf(stderr, "%s: %s\n", file, total);
	config_errors_fini(errors);
	return COMMAND_REFUSED;
}

int command_config_check(const struct command_line *line)
{
	struct config_errors errors;
	struct model model;
	json_t *result;

	if (config_load(file_name(line), &model, NULL, &errors) < 0)
		return print_faults(file_name(line), &errors);
	if (line->json) {
		result = json_pack("{s:s, s:i, s:i, s:i}", "file", line->argument, "networks",
			(int)model.network_count, "ports", (int)model_written_ports(&model),
			"routers", (int)model.router_count);
		command_print_json(result);
		json_decref(result);
	} else {
		printf("%s: correct: networks: %u, ports: %u, routers: %u\n", line->argument,
			model.network_count, model_written_ports(&model), model.router_count);
	}
	config_errors_fini(&errors);
	model_fini(&model);
	return COMMAND_DONE;
}

/* Sends the file's text and name; prints the difference that comes back. own: vswd reads it. */
static int send_file(
	const struct command_line *line, const char *method, const char *nothing, bool own)
{
	struct config_errors errors = {0};
	const char *name = file_name(line);
	const json_t *item;
	json_t *params;
	json_t *result;
	size_t length;
	char *text, *path;
	size_t i;

	if (config_read_file(name, &text, &length, &errors) < 0)
		return print_faults(file_name(line), &errors);
	path = realpath(name, NULL);
	params = json_pack("{s:s, s:s%, s:b, s:b, s:s?}", "file", name, "text", text, length,
		"force", (line->given & COMMAND_FORCE) != 0, "own", (int)own, "path", path);
	free(path);
	free(text);
	if (!params) {
		fprintf(stderr, "%s: not UTF-8 text\n", name);
		return COMMAND_REFUSED;
	}
	result = client_call(line->control, method, params);
	if (!result)
		return COMMAND_REFUSED;
	if (line->json) {
		command_print_json(result);
	} else {
		json_array_foreach (result, i, item)
			printf("%s\n", json_string_value(item));
		if (!json_array_size(result))
			printf("%s\n", nothing);
	}
	json_decref(result);
	return COMMAND_DONE;
}

int command_config_diff(const struct command_line *line)
{
	return send_file(line, "config.diff", "no difference", false);
}

/* What is applied from another file than vswd's own is gone with its next reload. */
int command_config_apply(const struct command_line *line)
{
	json_t *state = client_call(line->control, "show", NULL);
	const char *own_name = json_string_value(json_object_get(state, "config_file"));
	char *own_path = own_name ? realpath(own_name, NULL) : NULL;
	char *path = realpath(file_name(line), NULL);
	bool own = own_path && path && strcmp(own_path, path) == 0;
	int status = state ? send_file(line, "config.apply", "nothing to change", own)
			   : COMMAND_REFUSED;

	fflush(stdout);
	if (status == COMMAND_DONE && !line->json && !own && own_name)
		fprintf(stderr,
			"vsw: vswd was started with %s: its next start or reload undoes this; 'vsw "
			"config save' keeps it\n",
			own_name);
	free(path);
	free(own_path);
	json_decref(state);
	return status;
}

int command_config_show(const struct command_line *line)
{
	json_t *result = client_call(
		line->control, "config.show", json_pack("{s:b}", "values", (int)line->json));

	if (!result)
		return COMMAND_REFUSED;
	if (line->json)
		command_print_json(result);
	else
		fputs(json_string_value(result), stdout);
	json_decref(result);
	return COMMAND_DONE;
}
