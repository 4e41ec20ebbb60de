/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving up what a peer sent us, where that may sleep.
 *
 * close(2) is the peer's choice when the descriptor is: a TCP socket lingers for its unsent data, a
 * FUSE file waits for its file system's answer, a unix socket drops what lies in it, descriptors
 * included, and an eventfd is taken out of each epoll that watches it. And whoever gives up a dead
 * VM's memory last frees all its pages. A reaper does such jobs on a thread of its own: one reaper
 * for each port, so that one whose job never ends holds up no other. The thread exists while there
 * are jobs; nobody waits for it, and the end of the process does not either (but for the kernel,
 * where a job waits in a way that no signal ends: a FUSE file whose server is alive and silent).
 *
 * Where no thread can be made (the process or its user has too many) the jobs wait: whoever asked
 * for it (reaper_on_stall()) is told, and calls reaper_retry() after a while.
 *
 * Capacity: none is refused, but whoever causes jobs must stop while reaper_full(): the port takes
 * no message and no connection then.
 *
 * Control thread, but for the jobs. A reaper of NULL does each job at once (tests, tools).
 */
#ifndef VSW_BASE_REAPER_H
#define VSW_BASE_REAPER_H

#include <stdbool.h>

/* Jobs of one reaper at which it is full: a VM with 128 queue pairs leaves 768 eventfds. */
#define REAPER_JOBS_MAX  1024
/* Jobs of all reapers together at which each is full that has more than a few, as a VM that behaves
 * leaves for a moment. */
#define REAPER_TOTAL_MAX 4096
#define REAPER_JOBS_FEW  64

struct reaper;

/* NULL where memory is short. */
struct reaper *reaper_new(void);

/* Has `stalled` called with `owner`, within a call of a function below, when jobs have no thread.
 * NULL: not any more. */
void reaper_on_stall(struct reaper *reaper, void (*stalled)(void *owner), void *owner);

/* Tries once more to have a thread for jobs that have none; says so where that fails again. */
void reaper_retry(struct reaper *reaper);

/* Has `run` called with `argument`. Where memory is short it never is: better lost than late. */
void reaper_run(struct reaper *reaper, void (*run)(void *argument), void *argument);

/* Closes *fd as a job, where it is one, and sets it to -1. errno is kept. */
void reaper_close(struct reaper *reaper, int *fd);

/* Signals a peer's eventfd, unless it is -1. A close of it that comes later is done later, too. */
void reaper_signal(struct reaper *reaper, int fd);

/* Jobs that are not done. */
unsigned reaper_pending(struct reaper *reaper);

bool reaper_full(struct reaper *reaper);

/* One more owner, who calls reaper_free() too. Returns it; NULL is allowed. */
struct reaper *reaper_share(struct reaper *reaper);

/* Gives it up; with the last owner it goes. Jobs are done all the same. NULL is allowed. */
void reaper_free(struct reaper *reaper);

/* For tests: waits until there is no job, of this one or of any. */
void reaper_wait(struct reaper *reaper);
void reaper_wait_all(void);

#endif
