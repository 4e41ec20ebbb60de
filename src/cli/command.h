/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of vsw(8): what each is called, which options it takes, and the function that runs
 * it. The table in main.c is all there is: usage, help and checking come from it.
 */
#ifndef VSW_CLI_COMMAND_H
#define VSW_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/table.h"
#include "control/rpc/control_path.h"

#define COMMAND_CONTROL_PATH CONTROL_PATH

/* Options that only some commands take. */
enum command_option {
	COMMAND_STATISTICS = 1 << 0, /* -s */
	COMMAND_RESET = 1 << 1,      /* --reset */
	COMMAND_VMM = 1 << 2,        /* --vmm VMM */
	COMMAND_MEMORY = 1 << 3,     /* --memory SIZE */
	COMMAND_QEMU = 1 << 4,       /* --qemu BINARY */
	COMMAND_VERSION = 1 << 5,    /* --vmm-version X.Y */
	COMMAND_FORCE = 1 << 6,      /* --force */
};

struct command_line {
	const char *control;
	bool json;
	unsigned given; /* enum command_option */
	const char *vmm;
	const char *memory;
	const char *qemu;        /* NULL where it was not given */
	const char *vmm_version; /* likewise */
	const char *argument;    /* NAME or FILE; NULL where none was given */
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

/* Calls a method of the daemon, and print() with what it answers, or prints that as JSON where JSON is
 * wanted. params: taken over, or NULL. An exit status. */
int command_ask(const struct command_line *line, const char *method, json_t *params,
	void (*print)(const json_t *result));

/* Prints a value as one line of JSON. */
void command_print_json(const json_t *value);

/* The text of a member, "-" where it is null or missing. */
const char *command_text(const json_t *object, const char *key);

/* The number of a member, 0 where it is missing. */
json_int_t command_number(const json_t *object, const char *key);

/* A cell with the number of a member; "-" where it is none. */
void command_add_number(struct table *table, const json_t *object, const char *key);

/* The strings of a list with a separator between them, "-" for an empty list. To be freed; NULL where
 * memory is short. */
char *command_join(const json_t *list, const char *separator);

#endif
