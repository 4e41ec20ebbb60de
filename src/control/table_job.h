/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table of nft(8) in one namespace, brought to what is wanted by a run of that program, which
 * is watched and not waited for. A newer wish replaces an older one; one that failed is tried
 * again.
 *
 *   settled -- want --> running -- it ended well --> settled
 *                          `-- it failed --> waiting, with a problem --> running
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_TABLE_JOB_H
#define VSW_CONTROL_TABLE_JOB_H

#include <event2/event.h>
#include <stdbool.h>

#include "host/program.h"

struct table_job {
	struct event_base *base;
	const char *netns; /* the owner's */
	char *wanted;      /* what nft is to be told; NULL: nothing, ever yet */
	bool in_force;     /* that was done */
	bool exists;       /* there may be a table */
	bool runs;         /* nft does */
	bool stale;        /* and what it was told is no longer wanted */
	struct host_running running;
	struct event *exited, *retry;
	struct error problem; /* "": none */
	/* Something was done (NULL), or has failed. May free the job. */
	void (*told)(void *owner, const char *problem);
	void *owner;
};

void table_job_init(struct table_job *job, struct event_base *base, const char *netns,
	void (*told)(void *owner, const char *problem), void *owner);
/* Ends a run that is under way. */
void table_job_fini(struct table_job *job);

/* text: taken over, and told to nft also where it is in force, as somebody may have taken the table
 * away (it stays settled); NULL: no table, for which nft is told `none` if there may be one. */
void table_job_want(struct table_job *job, char *text, const char *none);
/* The namespace is gone, and the table with it. */
void table_job_abandon(struct table_job *job);
/* At the end: does it now, if there may be a table, and waits for a moment. */
void table_job_finish(struct table_job *job, const char *none);

bool table_job_settled(const struct table_job *job);
/* NULL: none. */
const char *table_job_problem(const struct table_job *job);

#endif
