/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The methods that take a whole configuration, {"file": NAME, "text": YAML}: what would it change,
 * and do it. Faults of the file are show_failure.lines. Private to show.c. Control thread only.
 */
#ifndef VSW_CONTROL_RPC_CHANGE_H
#define VSW_CONTROL_RPC_CHANGE_H

#include "control/rpc/failure.h"
#include "control/runtime.h"

/* The lines of the difference: a new reference, or NULL with *failure filled. */
json_t *change_diff(struct runtime *runtime, const json_t *params, struct show_failure *failure);

/* The same, carried out; "force": true also where VMs are cut off, "own": true where it is the file
 * that a reload reads, "path": its name for those who ask which one was applied last. */
json_t *change_apply(struct runtime *runtime, const json_t *params, struct show_failure *failure);

/* One object by hand: {"object", "verb", "name", "keys", "force"}; edit.h. The lines of what
 * changed. */
json_t *change_edit(struct runtime *runtime, const json_t *params, struct show_failure *failure);

/* {"text"}: the file that a reload reads says this now, with the first line of saved.h. true, or
 * refused where the running one does not. */
json_t *change_saved(struct runtime *runtime, const json_t *params, struct show_failure *failure);

#endif
