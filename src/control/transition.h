/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a difference of two models means for each port: which ones leave, which are opened, and in
 * what order where they hand something over (resources.h). Ports that are not marked are not
 * touched.
 *
 * Pure: no port is known here. Any thread.
 */
#ifndef VSW_CONTROL_TRANSITION_H
#define VSW_CONTROL_TRANSITION_H

#include <stdbool.h>

#include "control/diff.h"

/* By the position of a port in the old, or in the new model; owned. */
struct transition {
	bool *leaves;   /* old: removed, or replaced by a port that is opened anew */
	bool *yields;   /* old: leaves, and is closed before those that wait are opened */
	bool *outdated; /* old: stays, but what was learned about it no longer holds */
	bool *opens;    /* new: added, or opened anew */
	bool *waits;    /* new: opens, after those that yield are closed */
};

/* To be freed with transition_fini(). 0 or -ENOMEM (then it is empty). */
int transition_new(struct transition *transition, const struct diff *diff, const struct model *old,
	const struct model *new);
void transition_fini(struct transition *transition);

/* True where some port waits. */
bool transition_waits(const struct transition *transition, const struct model *new);

#endif
