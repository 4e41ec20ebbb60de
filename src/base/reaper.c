/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/peer_signal.h"

struct job {
	struct job *next;
	void (*run)(void *argument);
	void *argument;
};

struct reaper {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct job *first, **end;
	unsigned pending;
	unsigned owners; /* control thread */
	bool running;    /* the thread exists */
	bool given_up;
	void (*stalled)(void *owner); /* control thread */
	void *stalled_owner;
};

static unsigned total; /* of all reapers; atomic */

struct reaper *reaper_new(void)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));

	if (!reaper)
		return NULL;
	pthread_mutex_init(&reaper->lock, NULL);
	pthread_cond_init(&reaper->idle, NULL);
	reaper->end = &reaper->first;
	reaper->owners = 1;
	return reaper;
}

struct reaper *reaper_share(struct reaper *reaper)
{
	if (reaper)
		reaper->owners++;
	return reaper;
}

static void destroy(struct reaper *reaper)
{
	pthread_cond_destroy(&reaper->idle);
	pthread_mutex_destroy(&reaper->lock);
	free(reaper);
}

static void *work(void *argument)
{
	struct reaper *reaper = argument;
	struct job *job;
	bool last;

	pthread_mutex_lock(&reaper->lock);
	while ((job = reaper->first)) {
		reaper->first = job->next;
		if (!reaper->first)
			reaper->end = &reaper->first;
		pthread_mutex_unlock(&reaper->lock);
		job->run(job->argument);
		free(job);
		pthread_mutex_lock(&reaper->lock);
		reaper->pending--;
		__atomic_sub_fetch(&total, 1, __ATOMIC_RELEASE);
	}
	reaper->running = false;
	last = reaper->given_up;
	pthread_cond_broadcast(&reaper->idle);
	pthread_mutex_unlock(&reaper->lock);
	if (last)
		destroy(reaper);
	/* Another thread may have begun already. */
	peer_signal_close();
	return NULL;
}

/* Its signals are the control thread's. */
static bool start(struct reaper *reaper)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&thread, &attributes, work, reaper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return result == 0;
}

/* With the lock held: false where there are jobs and no thread for them. */
static bool ensure_thread(struct reaper *reaper)
{
	if (reaper->first && !reaper->running)
		reaper->running = start(reaper);
	return reaper->running || !reaper->first;
}

void reaper_on_stall(struct reaper *reaper, void (*stalled)(void *owner), void *owner)
{
	reaper->stalled = stalled;
	reaper->stalled_owner = owner;
}

static void say_stalled(struct reaper *reaper)
{
	log_limited(LOG_LEVEL_WARNING, "no thread can be made: what a peer left is given up later");
	if (reaper->stalled)
		reaper->stalled(reaper->stalled_owner);
}

void reaper_retry(struct reaper *reaper)
{
	bool works;

	pthread_mutex_lock(&reaper->lock);
	works = ensure_thread(reaper);
	pthread_mutex_unlock(&reaper->lock);
	if (!works)
		say_stalled(reaper);
}

void reaper_run(struct reaper *reaper, void (*run)(void *argument), void *argument)
{
	struct job *job;
	bool works;

	if (!reaper) {
		run(argument);
		return;
	}
	job = malloc(sizeof(*job));
	if (!job) {
		log_limited(
			LOG_LEVEL_ERROR, "out of memory: a peer's descriptor or memory is lost");
		return;
	}
	*job = (struct job){.run = run, .argument = argument};
	pthread_mutex_lock(&reaper->lock);
	*reaper->end = job;
	reaper->end = &job->next;
	reaper->pending++;
	__atomic_add_fetch(&total, 1, __ATOMIC_RELAXED);
	works = ensure_thread(reaper);
	pthread_mutex_unlock(&reaper->lock);
	if (!works)
		say_stalled(reaper);
}

static void close_it(void *argument)
{
	close((int)(intptr_t)argument);
}

void reaper_close(struct reaper *reaper, int *fd)
{
	int saved = errno;
	int taken = fd_take(fd);

	if (taken >= 0)
		reaper_run(reaper, close_it, (void *)(intptr_t)taken);
	errno = saved;
}

static void signal_it(void *argument)
{
	peer_signal((int)(intptr_t)argument);
}

void reaper_signal(struct reaper *reaper, int fd)
{
	if (fd >= 0)
		reaper_run(reaper, signal_it, (void *)(intptr_t)fd);
}

unsigned reaper_pending(struct reaper *reaper)
{
	unsigned pending;

	if (!reaper)
		return 0;
	pthread_mutex_lock(&reaper->lock);
	pending = reaper->pending;
	pthread_mutex_unlock(&reaper->lock);
	return pending;
}

bool reaper_full(struct reaper *reaper)
{
	unsigned pending = reaper_pending(reaper);

	return pending >= REAPER_JOBS_MAX ||
	       (pending >= REAPER_JOBS_FEW &&
		       __atomic_load_n(&total, __ATOMIC_RELAXED) >= REAPER_TOTAL_MAX);
}

void reaper_free(struct reaper *reaper)
{
	bool running;

	if (!reaper || --reaper->owners)
		return;
	pthread_mutex_lock(&reaper->lock);
	reaper->given_up = true;
	ensure_thread(reaper);
	running = reaper->running;
	pthread_mutex_unlock(&reaper->lock);
	/* Without a thread for them the jobs are lost, and so is this. */
	if (!running && !reaper->first)
		destroy(reaper);
}

void reaper_wait(struct reaper *reaper)
{
	if (!reaper)
		return;
	pthread_mutex_lock(&reaper->lock);
	while (reaper->running)
		pthread_cond_wait(&reaper->idle, &reaper->lock);
	pthread_mutex_unlock(&reaper->lock);
}

void reaper_wait_all(void)
{
	while (__atomic_load_n(&total, __ATOMIC_ACQUIRE))
		usleep(1000);
}
