/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small words that every folder uses. Nothing here has state, allocates or fails.
 */
#ifndef VSW_BASE_COMMON_H
#define VSW_BASE_COMMON_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array)   (sizeof(array) / sizeof((array)[0]))
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Each argument is evaluated once: it may be a read of memory that changes meanwhile. */
#define MIN(a, b)                                                                                  \
	__extension__({                                                                            \
		__typeof__(1 ? (a) : (b)) min_a_ = (a);                                            \
		__typeof__(1 ? (a) : (b)) min_b_ = (b);                                            \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	__extension__({                                                                            \
		__typeof__(1 ? (a) : (b)) max_a_ = (a);                                            \
		__typeof__(1 ? (a) : (b)) max_b_ = (b);                                            \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NO_INLINE     __attribute__((noinline))
#define UNUSED        __attribute__((unused))
#define MUST_USE      __attribute__((warn_unused_result))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))

/* Bytes of a cache line on every machine that we run on; also keeps two threads' fields apart. */
#define CACHE_LINE    64
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE)))

/* Asks for a cache line that will be written: the other side's copy goes at once, not at the store.
 * The compiler's builtin keeps off the instruction unless told that every processor knows it; those
 * that do not, all of them old, ignore it. */
ALWAYS_INLINE void prefetch_write(const void *address)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
