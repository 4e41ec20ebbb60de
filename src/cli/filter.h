/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows that --port, --network and --state ask for. Pure. */
#ifndef VSW_CLI_FILTER_H
#define VSW_CLI_FILTER_H

#include <jansson.h>

#include "cli/command.h"

/* Removes from a list of ports, networks, addresses, workers or drop reasons what was not asked
 * for; of drop reasons also the other ports. What is no list is left as it is. */
void filter_apply(json_t *list, const struct command_line *line);

#endif
