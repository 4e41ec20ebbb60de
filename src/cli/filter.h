/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows that --port, --network and --state ask for. */
#ifndef VSW_CLI_FILTER_H
#define VSW_CLI_FILTER_H

#include <jansson.h>

#include "cli/command.h"

/* Removes from a list of ports, networks, addresses, workers or drop reasons what was not asked
 * for; of drop reasons also the other ports. What is no list is left as it is. */
void filter_apply(json_t *list, const struct command_line *line);

/* COMMAND_DONE where what is asked for may exist: --state is a word of STATE, and --port and
 * --network name what the daemon knows, which is asked. Else another status, after a message. */
int filter_check(const struct command_line *line);

#endif
