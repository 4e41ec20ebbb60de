/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a difference would do to the VMs that are connected now. What a running VM has been promised
 * (queue pairs, an MTU, features, the socket at which it finds the switch) cannot be taken back: it
 * would be cut off until its VMM is restarted. Nor can the whole port, which another may take over
 * with all that it claims. Such changes, and a file without any port, are carried out only where
 * the operator insists. Where no VM is connected, or this one was not promised it, there is nothing
 * to lose.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_JUDGE_H
#define VSW_CONTROL_JUDGE_H

#include "base/error.h"
#include "control/diff.h"
#include "control/runtime.h"

/* Raises to DIFF_CUT what would cut a VM off, and adds to its text why. 0 or -ENOMEM. */
int judge_diff(struct diff *diff, const struct runtime *runtime);

/* 0, or -EBUSY where a file leaves a switch that has ports without any; *error says so. */
int judge_empty(
	const struct model *old, const struct model *new, const char *source, struct error *error);

/* source: NULL: by hand. 0, or -EBUSY where VMs would be cut off; *error says for which ports, and
 * that `force` does it. */
int judge_refuse(
	const struct diff *diff, const char *source, const char *force, struct error *error);

/* The changes are made: ports of the new state say to whom that matters, until their VMs run
 * again. */
void judge_tell(const struct diff *diff, const struct runtime_state *state);

#endif
