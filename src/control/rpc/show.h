/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The methods that the daemon answers: a table of names and functions which turn the running switch
 * into JSON, and those which change it (config.apply, worker.reset). rpc.h calls them.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_RPC_SHOW_H
#define VSW_CONTROL_RPC_SHOW_H

#include <jansson.h>

#include "control/rpc/failure.h"
#include "control/runtime.h"

struct show_method {
	const char *name;
	bool changes; /* or is more than a look: not for read-only clients */
	bool logged;  /* that it was refused: it would have changed the switch */
	/* params: an object, or NULL. A new reference, or NULL with *failure filled. */
	json_t *(*call)(
		struct runtime *runtime, const json_t *params, struct show_failure *failure);
};

/* The method of that name; NULL where there is none. */
const struct show_method *show_find(const char *name);

#endif
