/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums and products of untrusted numbers. Each returns true where the exact result fits and was
 * stored, false (and stores nothing meaningful) where it would wrap. There is no other way to add
 * two numbers that came from a guest, a VMM or a file.
 */
#ifndef VSW_BASE_CHECKED_H
#define VSW_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

static inline bool checked_multiply(uint64_t a, uint64_t b, uint64_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

/* True where [start, start + length) lies inside [base, base + size), wrapping of either
 * excluded. */
static inline bool checked_inside(uint64_t start, uint64_t length, uint64_t base, uint64_t size)
{
	return start >= base && start - base <= size && length <= size - (start - base);
}

/* Rounds value up to a multiple of unit, which is a power of two. */
static inline bool checked_round_up(uint64_t value, uint64_t unit, uint64_t *rounded)
{
	uint64_t sum;

	if (!checked_add(value, unit - 1, &sum))
		return false;
	*rounded = sum & ~(unit - 1);
	return true;
}

#endif
