/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Read-copy-update, in the words of this project: what workers read and the control thread changes
 * is an immutable object behind a pointer. The control thread publishes a new one, waits a grace
 * period, and then owns the old one alone.
 *
 * The readers are the workers. Between two calls of rcu_pass() a worker may keep what it read; a
 * worker that sleeps is between rcu_sleep() and rcu_awake() and holds nothing. The implementation
 * is liburcu's QSBR flavour: reading costs nothing.
 */
#ifndef VSW_BASE_RCU_H
#define VSW_BASE_RCU_H

#include <urcu-qsbr.h>

/* The thread sanitizer cannot see through liburcu: tell it what a grace period orders. */
#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#ifdef RCU_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
extern char rcu_order;
#define RCU_TSAN_RELEASE() __tsan_release(&rcu_order)
#define RCU_TSAN_ACQUIRE() __tsan_acquire(&rcu_order)
#else
#define RCU_TSAN_RELEASE() ((void)0)
#define RCU_TSAN_ACQUIRE() ((void)0)
#endif

/* Reader: the current version of *pointer, NULL where there is none. */
#define rcu_read(pointer) __atomic_load_n(pointer, __ATOMIC_ACQUIRE)

/* Control thread: makes `value`, complete and from now on immutable, the current version. */
#define rcu_publish(pointer, value) __atomic_store_n(pointer, value, __ATOMIC_RELEASE)

/* Reader threads: at start and end. */
static inline void rcu_join(void)
{
	urcu_qsbr_register_thread();
}

static inline void rcu_leave(void)
{
	RCU_TSAN_RELEASE();
	urcu_qsbr_unregister_thread();
}

/* Reader: nothing that was read before this call is used after it. */
static inline void rcu_pass(void)
{
	RCU_TSAN_RELEASE();
	urcu_qsbr_quiescent_state();
	RCU_TSAN_ACQUIRE();
}

static inline void rcu_sleep(void)
{
	RCU_TSAN_RELEASE();
	urcu_qsbr_thread_offline();
}

static inline void rcu_awake(void)
{
	urcu_qsbr_thread_online();
	RCU_TSAN_ACQUIRE();
}

/* Control thread: returns when no reader holds anything that it read before this call. */
static inline void rcu_wait(void)
{
	RCU_TSAN_RELEASE();
	urcu_qsbr_synchronize_rcu();
	RCU_TSAN_ACQUIRE();
}

#endif
