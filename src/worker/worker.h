/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker threads: the only place where ports meet forwarding.
 *
 * Every queue of every port is assigned to one worker, which visits it: receive a batch, forward it,
 * send it to each output port, release it. A queue is either *polled* (visited in every round, its
 * notifications off) or *armed* (its notifications on, visited when its descriptor says so). It
 * becomes polled when it is notified, and armed again when it has been empty for the idle window. A
 * worker with no polled queue sleeps in epoll.
 *
 * The pool reads a *plan* (topology, port table, queues of each worker) which is immutable and
 * published by the control thread; worker_pool_publish() returns after a grace period, when no
 * worker can see the previous plan, its topology or a port that is not in the new one.
 *
 * All functions here are for the control thread. It is the only one that publishes, so it needs no
 * registration as a reader to look at what it published itself.
 */
#ifndef VSW_WORKER_WORKER_H
#define VSW_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "forward/topology.h"
#include "port/port.h"
#include "tables/fdb.h"

/* More threads than this help nobody on one node. */
#define WORKER_MAX 64

enum worker_poll {
	WORKER_POLL_ADAPTIVE, /* poll under load, sleep when idle */
	WORKER_POLL_BUSY,     /* never sleep */
};

struct worker_settings {
	unsigned count; /* threads, 1 to WORKER_MAX */
	enum worker_poll poll;
	uint32_t idle_us; /* adaptive: how long an empty queue is polled before it is armed */
};

struct worker_pool;

/* Starts the threads (they sleep). The fdb is borrowed. NULL with *error filled on failure. */
struct worker_pool *worker_pool_new(
	const struct worker_settings *settings, struct fdb *fdb, struct error *error);

/* Stops and joins the threads. Ports and topology are the caller's again. NULL is allowed. */
void worker_pool_free(struct worker_pool *pool);

/* Makes the workers use this topology and these ports (ports[i]->index < topology->port_count).
 * Every port of the topology is among them, else what leaves there is lost.
 * The topology is taken over (freed when replaced); the array is copied. 0 or -ENOMEM (nothing has
 * changed then). */
int worker_pool_publish(struct worker_pool *pool, struct topology *topology,
	struct port *const *ports, unsigned port_count);

/* For the ports' constructors. */
const struct port_notifier *worker_pool_notifier(struct worker_pool *pool);

/* Forwards one frame of at most PACKET_HEAD_SIZE bytes as if it had come in on `port`, without
 * counting it there. A longer one is ignored. */
void worker_pool_inject(
	struct worker_pool *pool, struct port *port, const uint8_t *frame, uint16_t length);

/* The parts of a visit, in their order. */
enum worker_stage {
	WORKER_RECEIVE, /* heads copied from the sender's ring, net headers checked */
	WORKER_PARSE,   /* addresses and tag read, network and port security checked */
	WORKER_FORWARD, /* learned, looked up */
	WORKER_SEND,    /* copied into the receivers' rings */
	WORKER_RELEASE, /* descriptors given back to the sender */
	WORKER_KICK,    /* receivers and the sender notified, where they want that */
	WORKER_STAGE_COUNT,
};

/* "receive", "forward", ... */
extern const char *const worker_stage_names[WORKER_STAGE_COUNT];

/* Of one worker, since the last worker_pool_reset(). */
struct worker_stats {
	unsigned id;
	int cpu;                 /* where it ran last */
	double busy_percent;     /* share of the time in iterations that moved frames */
	uint64_t wakeups;        /* returns from sleep */
	uint64_t frames;         /* received and processed */
	uint64_t batches;        /* visits that found frames */
	double cycles_per_frame; /* only iterations that moved frames; 0 where there were none */
	double seconds;          /* since the reset */
	unsigned queues;         /* assigned to it now */

	/* Where those cycles go, from a sample: about every 256th batch is measured in detail. */
	uint64_t measured_frames;
	double stages[WORKER_STAGE_COUNT]; /* cycles a measured frame; 0 where there were none */
};
/*
 * For a watchdog: the first worker that has neither slept nor finished a round over its queues since the
 * last call, or -1 where all are well. Calls must be further apart than a round may take.
 */
int worker_pool_stuck(struct worker_pool *pool);

unsigned worker_pool_count(const struct worker_pool *pool);
void worker_pool_stats(struct worker_pool *pool, unsigned id, struct worker_stats *stats);
void worker_pool_reset(struct worker_pool *pool);

/* Which worker visits this queue. Depends on nothing but the three numbers, so it never changes. */
unsigned worker_pool_assignment(const struct worker_pool *pool, uint16_t port, unsigned queue);

#endif
