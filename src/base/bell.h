/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a signal costs is the peer's choice: each epoll that watches its eventfd is told within our
 * call, and a hundred thousand of them take a millisecond. A *bell* is an eventfd of a peer that is
 * signalled from the frame path; the *bells* of a peer stand or fall together.
 *
 *	usual ----a signal takes long----> suspected ----they do in sum----> owed
 *	  ^----none did for a second---------'  ^------bells_forgive()--------'
 *
 * Usual: bell_ring() signals. Suspected: it measures the thread's own time as well, because what
 * took long may have been something else's turn on the processor. What slow signals take is added
 * up, while a small share of the time that passes is taken off: so quick ones in between change
 * nothing. Owed: that sum is too much, and a few signals more, at once, were slow as well; or it is
 * far too much whatever those say, because who sleeps until he is woken makes only the first one
 * slow. From then on bell_ring() only notes that the bell is owed a signal and, where that is news,
 * tells the control thread, which has all of them sent elsewhere and rarely
 * (port/vhost_user/bells.c). None is lost.
 *
 * Threads: any may ring; the control thread makes bells, and changes `fd` while nobody can ring.
 * Those who ring at once may lose one another's part of the sum: it is too much one signal later
 * then.
 */
#ifndef VSW_BASE_BELL_H
#define VSW_BASE_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"

/* A signal that takes longer is suspect: an eventfd with one watcher takes a microsecond, and ten
 * or twenty where the one who wakes sleeps on another processor of a virtual machine. Some 30 to 50
 * us, where clock_cycles() counts cycles. */
#define BELL_SLOW_CYCLES 100000
/* The thread's own time that a signal may take without being counted; on a machine where our own
 * eventfds are slow, as within an emulated one, BELL_FAIR_TIMES what one of those takes, if that is
 * more, up to BELL_FAIR_MAX_NS. */
#define BELL_FAIR_NS     50000
#define BELL_FAIR_TIMES  32
#define BELL_FAIR_MAX_NS 1000000
/* Slow signals in a row, less than BELL_SOON_NS apart, before the sum counts: a processor that
 * stands still for a moment, as those of virtual machines do, makes one. No such moment is as long
 * as BELL_ENDLESS_NS. */
#define BELL_SLOW_MIN    4
#define BELL_SOON_NS     100000000
#define BELL_ENDLESS_NS  50000000
/* The sum that is too much where BELL_PROBES signals more are all slow, the one that is in any
 * case, and the share of the time that is taken off it: 1 / BELLS_SHARE. The thread's own time is
 * not all the peer's doing: interrupts are counted in it, too, and where the one who wakes sleeps
 * on another virtual processor, what its host does. */
#define BELL_DEBT_NS     1000000
#define BELL_PROBES      3
#define BELL_DEBT_MAX_NS 16000000
#define BELLS_SHARE      32

enum bells_trust { BELLS_USUAL, BELLS_SUSPECTED, BELLS_OWED };

/* Bells of one peer. All but `attention` is written by whoever rings, and by forgiving. */
struct bells {
	int attention;    /* an eventfd of ours: written when a bell is owed a signal */
	unsigned trust;   /* enum bells_trust */
	uint64_t debt_ns; /* what slow signals took, at `debt_at` */
	uint64_t debt_at; /* ns, clock_now_ns() */
	uint64_t until;   /* suspected till then at least: a second after the last slow signal */
	unsigned slow;    /* slow signals, each soon after the last */
	uint64_t owed;    /* signals that were not sent at once; any thread adds */
};

struct bell {
	struct bells *bells;
	int fd;    /* borrowed; -1: nobody listens */
	bool owed; /* set by who rings, cleared by the control thread */
};

/* Measures what a signal takes here, before there is a peer that could have a hand in it. For the
 * process, once; a thread that signals (peer_signal_open()). */
void bell_calibrate(void);

/* Signals, or has it done later. The clock_cycles() that it took. */
uint64_t bell_ring(struct bell *bell);

/* Leaves the signal to the control thread, whatever the bells' trust: no system call on the peer's
 * eventfd is made here, and one on ours only where it is news. */
void bell_owe(struct bell *bell);

/* Whether it is owed a signal, which the caller sends now. */
static inline bool bell_take(struct bell *bell)
{
	return __atomic_load_n(&bell->owed, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&bell->owed, false, __ATOMIC_ACQ_REL);
}

enum bell_verdict {
	BELL_FAIR,
	BELL_DEAR, /* too much, if it is always so */
	BELL_TOO_DEAR,
};

/* Adds a signal of suspected bells to the sum, which took so many ns of the thread's time and ended
 * at `now` (clock_now_ns()), and judges that. For bell_ring() and its test. */
enum bell_verdict bells_note(struct bells *bells, uint64_t took, uint64_t now);

/* Signals `fd`; nanoseconds of this thread's time that it took. */
uint64_t bell_measure(int fd);

/* They seem to be cheap again: they are suspected for a while. */
void bells_forgive(struct bells *bells);

#endif
