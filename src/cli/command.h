/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of vsw(8): what each is called, which options it takes, and the function that runs
 * it. The table in main.c is all there is: usage, help and checking come from it.
 */
#ifndef VSW_CLI_COMMAND_H
#define VSW_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#define COMMAND_CONTROL_PATH "/run/virtswitch/control.sock"

/* Options that only some commands take. */
enum command_option {
	COMMAND_STATISTICS = 1 << 0, /* -s */
	COMMAND_RESET = 1 << 1,      /* --reset */
	COMMAND_VMM = 1 << 2,        /* --vmm VMM */
	COMMAND_MEMORY = 1 << 3,     /* --memory SIZE */
};

struct command_line {
	const char *control;
	bool json;
	unsigned given; /* enum command_option */
	const char *vmm;
	const char *memory;
	const char *argument; /* NAME or FILE; NULL where none was given */
};

/* Exit statuses; every command returns one. */
enum { COMMAND_DONE = 0, COMMAND_REFUSED = 1, COMMAND_WRONG = 2 };

int command_show(const struct command_line *line);
int command_port_show(const struct command_line *line);
int command_port_args(const struct command_line *line);
int command_fdb_show(const struct command_line *line);
int command_network_show(const struct command_line *line);
int command_worker_show(const struct command_line *line);
int command_drops(const struct command_line *line);
int command_config_check(const struct command_line *line);
int command_config_show(const struct command_line *line);
int command_config_diff(const struct command_line *line);
int command_config_apply(const struct command_line *line);

/* Prints a value as one line of JSON. */
void command_print_json(const json_t *value);

/* The text of a member, "-" where it is null or missing. */
const char *command_text(const json_t *object, const char *key);

/* The number of a member, 0 where it is missing. */
json_int_t command_number(const json_t *object, const char *key);

#endif
