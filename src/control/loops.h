/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loops: a guest that bridges two ports of one network sends out of one what it got from the other,
 * for ever. The FDB notes addresses that move back and forth (tables/fdb_flap.h); once a second the
 * control thread looks, logs the address and both ports, and *holds* the port that was opened
 * later:
 *
 *   free -> held    what would be flooded into or out of the port in this network is dropped
 *                   (loop-held); what was learned behind it is forgotten
 *   held -> free    after 10 s, to see whether the loop is still there; each time that it is
 *                   noticed again soon, twice as long, up to 5 minutes
 *
 * Frames for known addresses pass a held port. A port whose frames all have its own bound address
 * (`mac`) is never held, as no address moves to it.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_LOOPS_H
#define VSW_CONTROL_LOOPS_H

#include <jansson.h>

#include "control/runtime.h"

/* Starts looking, until the runtime is freed. 0 or -ENOMEM. */
int loops_start(struct runtime *runtime);

/* Forgets holds of ports and networks that are gone; after a change of the state. */
void loops_prune(struct runtime *runtime);

/* [{"network", "seconds", "other", "mac"}, ...]: where the port at this position is held. */
json_t *loops_show_port(const struct runtime *runtime, unsigned position);
/* The names of the ports that are held in the network at this position. */
json_t *loops_show_network(const struct runtime *runtime, unsigned position);

#endif
