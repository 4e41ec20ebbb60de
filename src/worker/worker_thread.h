/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One worker thread. Inside worker/ only: worker.c (control side) starts and stops it and publishes
 * plans to it, worker_thread.c is what it runs.
 */
#ifndef VSW_WORKER_WORKER_THREAD_H
#define VSW_WORKER_WORKER_THREAD_H

#include <pthread.h>
#include <semaphore.h>

#include "base/error.h"
#include "forward/forward.h"
#include "worker/plan.h"
#include "worker/settings.h"
#include "worker/stats.h"

/* What carries a batch through forwarding to its outputs; one for each thread that does so. */
struct carrier {
	struct packet_batch batch;
	struct forward_context context; /* of the plan that is carried under */
	struct forward_keys keys;
	struct forward_output output;
};

struct worker {
	unsigned id;
	pthread_t thread;
	sem_t prepared;           /* posted once the thread has tried to prepare itself */
	struct error preparation; /* why it could not, and has ended; empty text: it runs */
	struct worker_settings settings;
	struct plan *plan; /* published by the control thread */
	bool stop;         /* written by the control thread */
	bool poked;        /* set by the control thread, cleared by the worker */
	int epoll;         /* the kick descriptors, and `wake` */
	int wake;          /* eventfd: plan, stop or poked changed */
	struct worker_counters counters CACHE_ALIGNED;
	struct worker_baseline baseline; /* at the last reset; control thread */
	uint64_t seen_rounds;            /* at the last worker_pool_stuck(); control thread */
	struct carrier *carrier;         /* the worker's own */
	unsigned unmeasured;             /* 0: the next batch is measured, else batches till then */
};

/* The epoll data of a queue's kick descriptor; WORKER_WAKE is that of `wake`. */
#define WORKER_WAKE UINT64_MAX
static inline uint64_t worker_event_data(uint16_t port, unsigned queue)
{
	return (uint64_t)port << 16 | queue;
}

/* Frames of a batch whose cache misses are too few to overlap each other. */
#define WORKER_SMALL_BATCH 4

/* The thread's main function; argument is the struct worker. */
void *worker_main(void *argument);

/* Decide, in two halves, where the batch of *carrier goes, counting it in *ingress. Any thread,
 * with a carrier of its own. */
void carrier_classify(struct carrier *carrier, struct counters *ingress);
void carrier_decide(struct carrier *carrier, struct counters *ingress);

/* Sends it there, to these ports of the plan. */
void carrier_send(struct carrier *carrier, struct port *const *ports, struct counters *ingress);

#endif
