/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lock for a few hundred nanoseconds of work, never held over a system call. Used where a second
 * writer is rare: one receive ring written by several workers, the write side of the FDB.
 */
#ifndef VSW_BASE_SPINLOCK_H
#define VSW_BASE_SPINLOCK_H

#include <sched.h>
#include <stdbool.h>

#include "base/common.h"

struct spinlock {
	int taken;
};

static inline void spinlock_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static inline void spinlock_lock(struct spinlock *lock)
{
	/* Holder preempted (fewer cores than threads): give the core away instead of burning it. */
	const unsigned spins_before_yield = 1000;
	unsigned spins = 0;

	while (unlikely(__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE))) {
		while (__atomic_load_n(&lock->taken, __ATOMIC_RELAXED)) {
			spinlock_pause();
			if (++spins == spins_before_yield) {
				spins = 0;
				sched_yield();
			}
		}
	}
}

/* True where it was free, and is the caller's now. */
static inline bool spinlock_try(struct spinlock *lock)
{
	return !__atomic_load_n(&lock->taken, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE);
}

static inline void spinlock_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

#endif
