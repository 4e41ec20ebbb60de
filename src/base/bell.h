/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a signal costs is the peer's choice: each epoll that watches its eventfd is told within our call,
 * and a hundred thousand of them take a millisecond. A *bell* is an eventfd of a peer that is signalled
 * from the frame path; the *bells* of a peer stand or fall together.
 *
 *	usual ----a signal takes far too long----> suspected ----several do----> owed
 *	  ^------------------signals are quick again---------'                     |
 *	  '----------------------------bells_forgive()-----------------------------'
 *
 * Usual: bell_ring() signals. Suspected: it measures the thread's own time as well, because what
 * took long may have been something else's turn on the processor. Owed: it only notes that the bell is
 * owed a signal and, where that is news, tells the control thread, which has all of them sent elsewhere and
 * rarely (port/vhost_user_bells.c). None is lost.
 *
 * Threads: any may ring; the control thread makes bells, and changes `fd` while nobody can ring.
 */
#ifndef VSW_BASE_BELL_H
#define VSW_BASE_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"

/* A signal is slow that takes so long: an eventfd with one watcher takes a microsecond. Some 30 to 50 us,
 * where clock_cycles() counts cycles. */
#define BELL_SLOW_CYCLES 100000
#define BELL_SLOW_NS     50000

/* Bells of one peer. */
struct bells {
	int attention; /* an eventfd of ours: written when a bell is owed a signal */
	unsigned
		suspicion; /* 0: usual; BELLS_OWED: owed. Written by whoever rings, and by forgiving */
	uint64_t owed;     /* signals that were not sent at once; any thread adds */
};

/* As much as four slow signals, and none quick, amount to. */
#define BELLS_OWED 8

struct bell {
	struct bells *bells;
	int fd;    /* borrowed; -1: nobody listens */
	bool owed; /* set by who rings, cleared by the control thread */
};

/* Signals, or has it done later. The clock_cycles() that it took. */
uint64_t bell_ring(struct bell *bell);

/* Whether it is owed a signal, which the caller sends now. */
static inline bool bell_take(struct bell *bell)
{
	return __atomic_load_n(&bell->owed, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&bell->owed, false, __ATOMIC_ACQ_REL);
}

/* Signals `fd`; nanoseconds of this thread's time that it took. */
uint64_t bell_measure(int fd);

/* They are cheap again. */
void bells_forgive(struct bells *bells);

#endif
