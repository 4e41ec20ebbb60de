/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of one ring of the vhost-user port, and what may be done in each of its states. Whether
 * its frontend wants it started or enabled is another matter: vhost/backend.h.
 *
 *   state     what it is                                       legal
 *   STOPPED   not laid over guest memory, or not any more      LAY, LOSE, CLEAR
 *   READY     laid over it, and the control thread's           PUBLISH, FAIL, CLEAR
 *   RUNNING   published: the ring's inside is a worker's,      WITHDRAW
 *             or that of whoever holds the send lock
 *   FAILED    its thread met what no driver does; until its    CLEAR
 *             frontend starts it anew
 *   LOST      nobody knows where it stands; as FAILED          CLEAR
 *
 *   STOPPED --LAY--> READY --PUBLISH--> RUNNING --WITHDRAW--> READY --FAIL--> FAILED
 *   STOPPED --LOSE--> LOST;  any but RUNNING --CLEAR--> STOPPED
 *
 * WITHDRAW comes first and is followed by a grace period: only then is the ring READY for the
 * control thread in fact, and only then is what its thread said of it (vhost_user_ring.broken) the
 * last word.
 *
 * Control thread only; pure.
 */
#ifndef VSW_PORT_VHOST_USER_RING_STATE_H
#define VSW_PORT_VHOST_USER_RING_STATE_H

#include <stdbool.h>

enum ring_state {
	RING_STOPPED, /* zero: a ring that was never started */
	RING_READY,
	RING_RUNNING,
	RING_FAILED,
	RING_LOST,
};
#define RING_STATE_COUNT 5

enum ring_act {
	RING_LAY,
	RING_LOSE,
	RING_PUBLISH,
	RING_WITHDRAW,
	RING_FAIL,
	RING_CLEAR,
};
#define RING_ACT_COUNT 6

/* Carries out the act. False, and *state as it was, where it is not legal. */
bool ring_state_act(enum ring_state *state, enum ring_act act);

/* True where the ring is started, but out of service until it is started anew. */
static inline bool ring_state_out_of_service(enum ring_state state)
{
	return state == RING_FAILED || state == RING_LOST;
}

/* "running", for messages. */
const char *ring_state_name(enum ring_state state);

#endif
