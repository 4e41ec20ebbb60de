/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What vsw says of itself, from the tables of commands and options, and of command lines that are
 * wrong.
 */
#ifndef VSW_CLI_USAGE_H
#define VSW_CLI_USAGE_H

#include <stdio.h>

#include "base/common.h"
#include "cli/command_table.h"

/* All commands, and the options that each of them takes. */
void usage_print(FILE *out);

/* Help for the command that these words name, for all commands of an object, or for everything
 * where there is no word. An exit status: COMMAND_WRONG, after a message, where they name
 * nothing. */
int usage_help(unsigned word_count, char *const *words);

/* The words name no command: says so, and what there is. COMMAND_WRONG. */
int usage_unknown(unsigned word_count, char *const *words);

/* Says what is wrong with how a command is used, and where its help is. COMMAND_WRONG. */
int usage_wrong(const struct command *command, const char *format, ...) PRINTF(2, 3);

#endif
