/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker threads: the only place where ports meet forwarding.
 *
 * Every queue of every port is assigned to one worker, which visits it: receive a batch, forward
 * it, send it to each output port, release it. A queue is either *polled* (visited in every round,
 * its notifications off) or *armed* (its notifications on, visited when its descriptor says so). It
 * becomes polled when it is notified, and armed again when it has been empty for the idle window. A
 * worker with no polled queue sleeps in epoll.
 *
 * The pool reads a *plan* (snapshot, port table, queues of each worker) which is immutable and
 * published by the control thread; worker_pool_publish() returns after a grace period, when no
 * worker can see the previous plan, its snapshot or a port that is not in the new one.
 *
 * All functions here are for the control thread. It is the only one that publishes, so it needs no
 * registration as a reader to look at what it published itself.
 */
#ifndef VSW_WORKER_WORKER_H
#define VSW_WORKER_WORKER_H

#include <stdint.h>

#include "base/error.h"
#include "forward/snapshot.h"
#include "port/port.h"
#include "tables/fdb.h"
#include "worker/settings.h"
#include "worker/stats.h"

struct worker_pool;

/* Starts the threads (they sleep). The fdb is borrowed. NULL with *error filled on failure. */
struct worker_pool *worker_pool_new(
	const struct worker_settings *settings, struct fdb *fdb, struct error *error);

/* Stops and joins the threads. Ports are the caller's again. NULL is allowed. */
void worker_pool_free(struct worker_pool *pool);

/*
 * Makes the workers use this snapshot and these ports (ports[i]->index < topology.port_count). What
 * leaves by a port of the topology that is not among them is dropped as DROP_RECEIVER_NOT_READY.
 * The snapshot is taken over (freed when replaced); the array is copied. 0 or -ENOMEM (nothing has
 * changed then).
 */
int worker_pool_publish(struct worker_pool *pool, struct snapshot *snapshot,
	struct port *const *ports, unsigned port_count);

/* For the ports' constructors. */
const struct port_notifier *worker_pool_notifier(struct worker_pool *pool);

/*
 * For a watchdog: the first worker that has neither slept nor finished a round over its queues
 * since the last call, or -1 where all are well. Calls must be further apart than a round may take.
 */
int worker_pool_stuck(struct worker_pool *pool);

unsigned worker_pool_count(const struct worker_pool *pool);
void worker_pool_stats(struct worker_pool *pool, unsigned id, struct worker_stats *stats);
void worker_pool_reset(struct worker_pool *pool);

/* Which worker visits this queue. Depends on nothing but the three numbers, so it never changes. */
unsigned worker_pool_assignment(const struct worker_pool *pool, uint16_t port, unsigned queue);

#endif
