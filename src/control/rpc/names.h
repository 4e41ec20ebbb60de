/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of ports and networks in requests: found, or refused with the one that was probably meant.
 * Control thread. */
#ifndef VSW_CONTROL_RPC_NAMES_H
#define VSW_CONTROL_RPC_NAMES_H

#include "control/rpc/failure.h"
#include "control/runtime.h"

/* The position in the running model of what has this name; NULL and "" are names of nothing. -1,
 * with *failure filled, where there is none. */
int names_find_port(const struct runtime *runtime, const char *name, struct show_failure *failure);
int names_find_network(
	const struct runtime *runtime, const char *name, struct show_failure *failure);

#endif
