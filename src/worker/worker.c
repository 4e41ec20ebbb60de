/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/bell.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/peer_signal.h"
#include "base/rcu.h"
#include "virtio/guest_memory.h"
#include "worker/worker_thread.h"

struct worker_pool {
	unsigned count; /* threads running */
	struct fdb *fdb;
	struct plan *plan; /* the one in force */
	struct port_notifier notifier;
	struct worker workers[];
};

/* Its pages become resident only as they are used: most of a carrier is room for absurd chains. */
static struct carrier *carrier_new(const struct worker_pool *pool, unsigned id)
{
	struct carrier *carrier = mmap(
		NULL, sizeof(*carrier), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (carrier == MAP_FAILED)
		return NULL;
	carrier->batch.worker = (uint16_t)id;
	carrier->context.fdb = pool->fdb;
	return carrier;
}

static void carrier_free(struct carrier *carrier)
{
	if (carrier)
		munmap(carrier, sizeof(*carrier));
}

static void wake(struct worker *worker)
{
	fd_signal(worker->wake);
}

static struct worker *worker_of(struct worker_pool *pool, const struct port *port, unsigned queue)
{
	return &pool->workers[plan_assignment(pool->count, port->index, queue)];
}

/*
 * Edge-triggered: a write wakes the worker once, and nobody needs to read the counter (one system
 * call less a kick, and the peer, whose descriptor it also is, sees no difference).
 */
static int watch(void *owner, struct port *port, unsigned queue, int fd)
{
	struct worker *worker = worker_of(owner, port, queue);
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLET,
		.data.u64 = worker_event_data(port->index, queue),
	};

	return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void unwatch(void *owner, struct port *port, unsigned queue, int fd)
{
	/* Closing it would not be enough: the peer holds the same file open. */
	epoll_ctl(worker_of(owner, port, queue)->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void poke(void *owner, struct port *port)
{
	struct worker_pool *pool = owner;

	for (unsigned i = 0; i < pool->count && i < port->queue_count; i++) {
		struct worker *worker = worker_of(pool, port, i);

		__atomic_store_n(&worker->poked, true, __ATOMIC_RELEASE);
		wake(worker);
	}
}

static void worker_fini(struct worker *worker)
{
	sem_destroy(&worker->prepared);
	fd_close(&worker->epoll);
	fd_close(&worker->wake);
	carrier_free(worker->carrier);
}

/* Returns when the thread is prepared. */
static int start_thread(struct worker *worker, struct error *error)
{
	sigset_t all, before;
	char name[16];
	int result;

	/* Signals are the control thread's; only faults may be delivered here. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(&worker->thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result < 0)
		return error_set_errno(error, result, "no thread");
	snprintf(name, sizeof(name), "worker%u", worker->id);
	pthread_setname_np(worker->thread, name);
	while (sem_wait(&worker->prepared) < 0)
		continue;
	if (worker->preparation.text[0] == '\0')
		return 0;
	pthread_join(worker->thread, NULL);
	return error_set(error, -EAGAIN, "%s", worker->preparation.text);
}

static int worker_init(struct worker_pool *pool, struct worker *worker, unsigned id,
	const struct worker_settings *settings, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = WORKER_WAKE};
	int result;

	worker->id = id;
	worker->settings = *settings;
	worker->plan = pool->plan;
	worker->counters.cpu = -1;
	worker_baseline_set(&worker->baseline, &worker->counters);
	sem_init(&worker->prepared, 0, 0);
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->carrier = carrier_new(pool, id);
	if (worker->epoll < 0 || worker->wake < 0 || !worker->carrier ||
		epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->wake, &event) < 0)
		result = error_set_errno(error, -errno, "no descriptor or no memory");
	else
		result = start_thread(worker, error);
	if (result < 0)
		worker_fini(worker);
	return result;
}

/* A plan without ports, so that a worker always has one. */
static struct plan *empty_plan(unsigned worker_count)
{
	struct snapshot *snapshot = snapshot_new(0, 0);
	struct plan *plan = snapshot ? plan_new(snapshot, NULL, 0, worker_count) : NULL;

	if (!plan)
		snapshot_free(snapshot);
	return plan;
}

struct worker_pool *worker_pool_new(
	const struct worker_settings *settings, struct fdb *fdb, struct error *error)
{
	size_t size = sizeof(struct worker_pool) + settings->count * sizeof(struct worker);
	struct worker_pool *pool = aligned_alloc(
		CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	int result;

	if (!pool) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(pool, 0, size);
	pool->fdb = fdb;
	pool->notifier = (struct port_notifier){pool, watch, unwatch, poke};
	pool->plan = empty_plan(settings->count);
	result = pool->plan ? guest_memory_guard() : -ENOMEM;
	if (result < 0) {
		error_set_errno(error, result, "cannot set up the workers");
		goto free_pool;
	}
	/* The calling thread, the control thread, signals as well. */
	if (peer_signal_open(error) < 0)
		goto free_pool;
	bell_calibrate();
	for (unsigned i = 0; i < settings->count; i++) {
		result = worker_init(pool, &pool->workers[i], i, settings, error);
		if (result < 0) {
			error_prefix(error, "cannot start worker %u", i);
			goto free_pool;
		}
		pool->count++;
	}
	return pool;

free_pool:
	worker_pool_free(pool);
	return NULL;
}

void worker_pool_free(struct worker_pool *pool)
{
	if (!pool)
		return;
	for (unsigned i = 0; i < pool->count; i++) {
		__atomic_store_n(&pool->workers[i].stop, true, __ATOMIC_RELEASE);
		wake(&pool->workers[i]);
	}
	for (unsigned i = 0; i < pool->count; i++) {
		pthread_join(pool->workers[i].thread, NULL);
		worker_fini(&pool->workers[i]);
	}
	plan_free(pool->plan);
	free(pool);
}

int worker_pool_publish(struct worker_pool *pool, struct snapshot *snapshot,
	struct port *const *ports, unsigned port_count)
{
	struct plan *old = pool->plan;
	struct plan *plan = plan_new(snapshot, ports, port_count, pool->count);

	if (!plan)
		return -ENOMEM;
	plan->generation = old->generation + 1;
	pool->plan = plan;
	for (unsigned i = 0; i < pool->count; i++) {
		rcu_publish(&pool->workers[i].plan, plan);
		wake(&pool->workers[i]);
	}
	rcu_wait();
	plan_free(old);
	return 0;
}

const struct port_notifier *worker_pool_notifier(struct worker_pool *pool)
{
	return &pool->notifier;
}

unsigned worker_pool_count(const struct worker_pool *pool)
{
	return pool->count;
}

int worker_pool_stuck(struct worker_pool *pool)
{
	int stuck = -1;

	for (unsigned i = pool->count; i-- > 0;) {
		struct worker *worker = &pool->workers[i];
		uint64_t rounds = counter_read(&worker->counters.rounds);

		if (rounds == worker->seen_rounds &&
			!__atomic_load_n(&worker->counters.asleep, __ATOMIC_RELAXED))
			stuck = (int)i;
		worker->seen_rounds = rounds;
	}
	return stuck;
}

unsigned worker_pool_assignment(const struct worker_pool *pool, uint16_t port, unsigned queue)
{
	return plan_assignment(pool->count, port, queue);
}

void worker_pool_stats(struct worker_pool *pool, unsigned id, struct worker_stats *stats)
{
	const struct worker *worker = &pool->workers[id];

	worker_stats_since(&worker->baseline, &worker->counters, stats);
	stats->id = id;
	stats->queues = pool->plan->rosters[id].count;
}

void worker_pool_reset(struct worker_pool *pool)
{
	for (unsigned i = 0; i < pool->count; i++)
		worker_baseline_set(&pool->workers[i].baseline, &pool->workers[i].counters);
}
