/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a change of configuration means for the FDB: the addresses that ports are configured with
 * stand there for good (bound), those that were learned go where they no longer hold.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_ADDRESSES_H
#define VSW_CONTROL_ADDRESSES_H

#include "control/runtime.h"

/* Whether what was learned about a port no longer holds with its new words: it is in other
 * networks, or bound otherwise. */
bool addresses_outdated(const struct model_port *old, const struct model_port *new);

/* Binds and unbinds what differs between two states. Where there is no room, a warning says so. */
void addresses_rebind(
	struct fdb *fdb, const struct runtime_state *old, const struct runtime_state *next);

/* The port at this position leaves the state without a successor: unbinds its address. */
void addresses_unbind(struct fdb *fdb, const struct runtime_state *state, unsigned position);

/* Forgets what was learned behind those of the old ports for which `which` is true, and in the
 * networks that are in the old state only. */
void addresses_flush(struct fdb *fdb, const struct runtime_state *old,
	const struct runtime_state *next, const bool *which);

#endif
