/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a command of vsw(8) is given, and the functions that run them. command_table.h says what
 * each is called and which options it takes.
 */
#ifndef VSW_CLI_COMMAND_H
#define VSW_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/table.h"
#include "control/rpc/control_path.h"

#define COMMAND_CONTROL_PATH CONTROL_PATH

/* Options that only some commands take; options.c says how they are typed. */
enum command_option {
	COMMAND_STATISTICS = 1 << 0,
	COMMAND_RESET = 1 << 1,
	COMMAND_VMM = 1 << 2,
	COMMAND_MEMORY = 1 << 3,
	COMMAND_QEMU = 1 << 4,
	COMMAND_VERSION = 1 << 5,
	COMMAND_FORCE = 1 << 6,
	COMMAND_WATCH = 1 << 7,
	COMMAND_SORT = 1 << 8,
	COMMAND_EXACT = 1 << 9,
	COMMAND_PORT = 1 << 10,
	COMMAND_NETWORK = 1 << 11,
	COMMAND_STATE = 1 << 12,
};
#define COMMAND_OPTION_COUNT 13

struct command_line {
	const char *control;
	bool json, help, version;
	unsigned given; /* enum command_option */
	const char *vmm;
	const char *memory;
	const char *qemu;                   /* NULL where it was not given */
	const char *vmm_version;            /* likewise, as all below */
	const char *sort;                   /* a column */
	const char *port, *network, *state; /* which rows to show */
	double watch;                       /* seconds between two looks */
	const char *watch_word;             /* the word behind --watch that is no number */
	const char *argument;               /* NAME or FILE; NULL where none was given */
	char *const *arguments;             /* all of them */
	unsigned argument_count;
};

/* Exit statuses; every command returns one. */
enum { COMMAND_DONE = 0, COMMAND_REFUSED = 1, COMMAND_WRONG = 2 };

int command_show(const struct command_line *line);
int command_port_show(const struct command_line *line);
int command_port_args(const struct command_line *line);
int command_fdb_show(const struct command_line *line);
int command_fdb_flush(const struct command_line *line);
int command_fdb_del(const struct command_line *line);
int command_lease_show(const struct command_line *line);
int command_lease_del(const struct command_line *line);
int command_network_show(const struct command_line *line);
int command_worker_show(const struct command_line *line);
int command_drops(const struct command_line *line);
int command_config_check(const struct command_line *line);
int command_config_show(const struct command_line *line);
int command_config_diff(const struct command_line *line);
int command_config_apply(const struct command_line *line);
int command_port_reset(const struct command_line *line);
int command_log_level(const struct command_line *line);
int command_port_add(const struct command_line *line);
int command_port_set(const struct command_line *line);
int command_port_del(const struct command_line *line);
int command_network_add(const struct command_line *line);
int command_network_set(const struct command_line *line);
int command_network_del(const struct command_line *line);
int command_router_show(const struct command_line *line);
int command_router_add(const struct command_line *line);
int command_router_set(const struct command_line *line);
int command_router_del(const struct command_line *line);
int command_config_save(const struct command_line *line);
int command_schema(const struct command_line *line);
int command_version(const struct command_line *line);

/* Calls a method of the daemon, and print() with what it answers, or prints that as JSON where JSON
 * is wanted; with --port and the like only what was asked for, with --watch again and again, with
 * rates (rates.h). params: taken over, or NULL. An exit status. */
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
/* Likewise, with all digits: an identity and no amount. */
void command_add_plain(struct table *table, const json_t *object, const char *key);

/* True where the answer has rates: it is shown by --watch. */
bool command_has_rates(const json_t *list);

/* The strings of a list with a separator between them, "-" for an empty list. To be freed; NULL
 * where memory is short. */
char *command_join(const json_t *list, const char *separator);

#endif
