/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of vsw(8): one table, from which the command line is read and the help printed.
 * Stateless.
 */
#ifndef VSW_CLI_OPTIONS_H
#define VSW_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/command.h"

/* Reads all options, wherever they stand. argv is permuted: *words are the words that are none.
 * False, after a message, where one is wrong. */
bool options_parse(
	struct command_line *line, int argc, char **argv, unsigned *word_count, char ***words);

/* The option as one would type it: "--vmm", or "--vmm VMM". Valid until the next call. */
const char *options_name(enum command_option option, bool with_value);

/* A line of help for each of these options; `everywhere`: and for those that every command
 * takes. */
void options_print(FILE *out, unsigned options, bool everywhere);

#endif
