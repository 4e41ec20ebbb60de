/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of vsw(8): usage, help, checking of the command line and dispatch all come from this
 * table. A new command is a row and a function.
 */
#ifndef VSW_CLI_COMMAND_TABLE_H
#define VSW_CLI_COMMAND_TABLE_H

#include "cli/command.h"

struct command {
	const char *object, *verb; /* verb: NULL for a command of one word */
	const char *
		argument; /* "NAME", "NAME..." (one or more), "[NAME]" (may be left out), or NULL */
	unsigned options; /* enum command_option: allowed */
	unsigned required; /* and those of them that must be given */
	int (*run)(const struct command_line *line);
	const char *help;
};

extern const struct command command_table[];
extern const unsigned command_count;

/* The command that the words name, and how many of them name it; NULL where there is none. */
const struct command *command_find(unsigned word_count, char *const *words, unsigned *used);

/* True where there is a command that begins with this word. */
bool command_object_known(const char *object);

#endif
