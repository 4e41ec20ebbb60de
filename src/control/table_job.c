/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/table_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Seconds that nft may take, and until it is tried again. */
#define RUN_SECONDS         10
#define RETRY_SECONDS       5
/* What the end of vswd waits for it. */
#define FINISH_MILLISECONDS 2000

static void start(struct table_job *job);

void table_job_init(struct table_job *job, struct event_base *base, const char *netns,
	void (*told)(void *owner, const char *problem), void *owner)
{
	*job = (struct table_job){.base = base, .netns = netns, .told = told, .owner = owner};
}

static void forget_events(struct table_job *job)
{
	if (job->exited)
		event_free(job->exited);
	if (job->retry)
		event_free(job->retry);
	job->exited = job->retry = NULL;
}

/* Where nft still runs it does not any more. */
static void end_run(struct table_job *job)
{
	struct error error;

	forget_events(job);
	if (!job->runs)
		return;
	host_program_kill(&job->running);
	host_program_finish(&job->running, "nft", &error);
	job->runs = false;
}

void table_job_fini(struct table_job *job)
{
	end_run(job);
	free(job->wanted);
	job->wanted = NULL;
}

static void on_retry(evutil_socket_t fd, short what, void *argument)
{
	start(argument);
}

static void fail(struct table_job *job)
{
	const struct timeval pause = {.tv_sec = RETRY_SECONDS};

	if (!job->retry)
		job->retry = evtimer_new(job->base, on_retry, job);
	if (!job->retry || event_add(job->retry, &pause) < 0)
		log_error("out of memory: nft will not be tried again");
	job->told(job->owner, job->problem.text);
}

/* It has ended, or has taken too long. */
static void on_exit_of_it(evutil_socket_t fd, short what, void *argument)
{
	struct table_job *job = argument;
	struct error error;
	bool done;

	if (what & EV_TIMEOUT)
		host_program_kill(&job->running);
	event_free(job->exited);
	job->exited = NULL;
	done = host_program_finish(&job->running, "nft", &error);
	job->runs = false;
	if (job->stale) {
		job->stale = false;
		start(job);
		return;
	}
	job->in_force = done;
	if (done) {
		*job->problem.text = '\0';
		job->told(job->owner, NULL);
		return;
	}
	job->problem = error;
	fail(job);
}

static int run(struct table_job *job, const char *text)
{
	struct host_program program = {
		.words = {"nft", "-j", "-f", "-", NULL}, .input = text, .size = strlen(text)};
	int status;

	snprintf(program.netns, sizeof(program.netns), "%s", job->netns);
	status = host_program_start(&program, &job->running, &job->problem);
	job->runs = status == 0;
	return status;
}

static void start(struct table_job *job)
{
	const struct timeval limit = {.tv_sec = RUN_SECONDS};

	if (run(job, job->wanted) < 0) {
		fail(job);
		return;
	}
	job->exited = event_new(job->base, job->running.exited, EV_READ, on_exit_of_it, job);
	if (job->exited && event_add(job->exited, &limit) == 0)
		return;
	end_run(job);
	error_set(&job->problem, -ENOMEM, "out of memory");
	fail(job);
}

void table_job_want(struct table_job *job, char *text, const char *none)
{
	bool table = text != NULL;

	if (!text && job->exists && none)
		text = strdup(none);
	if (!text)
		return;
	if (job->wanted && strcmp(job->wanted, text) == 0) {
		free(text);
		/* Somebody may have flushed it: what is asked for once more is said once more. */
		if (!table || job->runs)
			return;
		forget_events(job);
		start(job);
		return;
	}
	free(job->wanted);
	job->wanted = text;
	job->in_force = false;
	job->exists = job->exists || table;
	if (job->runs) {
		job->stale = true;
		return;
	}
	forget_events(job);
	start(job);
}

void table_job_abandon(struct table_job *job)
{
	table_job_fini(job);
	job->in_force = job->exists = false;
	*job->problem.text = '\0';
}

void table_job_finish(struct table_job *job, const char *none)
{
	struct error error;

	end_run(job);
	if (!job->exists || run(job, none) < 0)
		return;
	if (!host_program_wait(&job->running, FINISH_MILLISECONDS))
		host_program_kill(&job->running);
	if (!host_program_finish(&job->running, "nft", &error))
		log_warning("a table is left: %s", error.text);
	job->runs = false;
}

bool table_job_settled(const struct table_job *job)
{
	return !job->wanted || job->in_force;
}

const char *table_job_problem(const struct table_job *job)
{
	return *job->problem.text ? job->problem.text : NULL;
}
