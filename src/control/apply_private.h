/* SPDX-License-Identifier: BSD-3-Clause */
/* What apply.c does to the ports of a change, step by step. Private to it. Control thread only. */
#ifndef VSW_CONTROL_APPLY_PRIVATE_H
#define VSW_CONTROL_APPLY_PRIVATE_H

#include "control/diff.h"
#include "control/runtime.h"
#include "control/transition.h"

struct services_change;

/* A change under way. */
struct change {
	struct runtime *runtime;
	struct diff diff;
	struct transition transition;
	struct runtime_state next;
	const char *source; /* NULL: no file */
	struct error *error;
	struct services_change *services;
	unsigned prepared; /* bit i: the kind at this position has made something */
	unsigned changed;  /* of the ports before this position those that stay were changed */
	unsigned mended;   /* ports at which something of somebody else's was put right */
	bool torn_down;    /* those that yield are closed */
};

/* Each of those that return int: 0, or -errno with *change->error filled. */

int apply_fail_memory(struct change *change);

/* What the kinds of the new ports all need, and that it goes again. */
int apply_prepare(struct change *change);
void apply_unprepare(struct change *change);
/* What the routers need before their ports are opened. */
int apply_prepare_routers(struct change *change);

/* The ports that stay, in what takes no reopening; and back, those that were changed, as far as
 * that goes. */
int apply_change(struct change *change);
void apply_change_back(struct change *change);

/* Opens the ports that wait for others to be closed, or those that do not; closes all that were
 * opened. */
int apply_open(struct change *change, bool waiting);
void apply_close_opened(struct change *change);

/* Closes those of the old ports that `which` names and no worker can see any more. */
void apply_close(struct change *change, const bool *which);

/* Takes the ports that yield out of service before what replaces them exists, their indices
 * included; and opens them again. One that cannot be opened even without its far end (port_kinds.h)
 * leaves the running model, so that the next change opens it. */
int apply_tear_down(struct change *change);
void apply_restore(struct change *change);

#endif
