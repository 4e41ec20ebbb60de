/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan: what the workers read of the configuration, as one immutable object; and the roster,
 * each worker's own list of the queues it visits. Inside worker/ only.
 *
 * A plan is built by the control thread and constant once published. A roster is written by the
 * control thread until its plan is published, and by its worker alone after that.
 */
#ifndef VSW_WORKER_PLAN_H
#define VSW_WORKER_PLAN_H

#include "forward/snapshot.h"
#include "port/port.h"

/* One queue that a worker visits. */
struct visit {
	struct port *port;
	uint16_t queue;
	bool polled; /* in the roster's polled[] */
	bool timed;  /* armed, but its peer does not notify: visited every PORT_TIMED_NS */
	uint16_t empty_visits;
	struct port *expected; /* where its last batch for a single port went; NULL: none yet */
	uint64_t idle_since;   /* ns when it was found empty; 0: it had frames last time */
	uint64_t used;         /* cycles, on the scale of the roster's `served`: see fair_share.h */
	uint64_t uncharged;    /* cycles of short visits that are not in `used` yet */
	uint16_t frames_max;   /* that a visit may take, 1 to PACKET_BATCH */
};

struct roster {
	unsigned count;
	unsigned polled_count;
	unsigned timed_count;
	/* Of fair_share.h; cycles. */
	uint64_t served; /* what a queue has had that got no more than its share */
	uint64_t limit;  /* beyond which a queue is left out */
	/* which need not be charged at once; 0: somebody is left out, or it is the first round */
	uint64_t small;
	uint64_t least; /* this round: what one has had that wants more; UINT64_MAX: none does */
	uint64_t most;  /* this round: what any has had that was charged or left out */
	struct visit *visits;  /* sorted by port index, then queue */
	struct visit **polled; /* the visits that are polled now, in no order */
	uint32_t *first;       /* by port index: its first visit here; [port_count + 1] */
};

struct plan {
	uint64_t generation;       /* tells plans apart: an address may be used again */
	struct snapshot *snapshot; /* owned */
	unsigned port_count;       /* of ports[]: that of the topology */
	struct port **ports;       /* by index; NULL where there is none */
	unsigned worker_count;
	struct roster rosters[];
};

/* Which worker visits a queue: neighbours go to different ones, and nothing ever moves. */
static inline unsigned plan_assignment(unsigned worker_count, uint16_t port, unsigned queue)
{
	return (port + queue) % worker_count;
}

/* Takes the snapshot over on success. NULL where memory is short. */
struct plan *plan_new(struct snapshot *snapshot, struct port *const *ports, unsigned port_count,
	unsigned worker_count);
void plan_free(struct plan *plan);

/* The visit of a queue in a roster, NULL where it is not (or no longer) there. */
struct visit *roster_find(
	const struct plan *plan, struct roster *roster, uint16_t port, uint16_t queue);

#endif
