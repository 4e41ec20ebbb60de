/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/free_addresses.h"

#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "service/lease_pool.h"

#define WORD 64u

static uint64_t words_of(uint64_t bits)
{
	return (bits + WORD - 1) / WORD;
}

static bool is_for(const struct free_addresses *addresses, const struct lease_pool *pool)
{
	return addresses->free && addresses->from == pool->from && addresses->to == pool->to &&
	       addresses->excluded_count == pool->excluded_count &&
	       (!pool->excluded_count ||
		       memcmp(addresses->excluded, pool->excluded,
			       pool->excluded_count * sizeof(*pool->excluded)) == 0);
}

static void set_bit(struct free_addresses *addresses, uint64_t bit, bool is_free)
{
	uint64_t word = bit / WORD, mask = UINT64_C(1) << bit % WORD;

	if (is_free)
		addresses->free[word] |= mask;
	else
		addresses->free[word] &= ~mask;
	bit = word;
	word = bit / WORD;
	mask = UINT64_C(1) << bit % WORD;
	if (addresses->free[bit])
		addresses->filled[word] |= mask;
	else
		addresses->filled[word] &= ~mask;
}

enum free_addresses_cover free_addresses_cover(
	struct free_addresses *addresses, const struct lease_pool *pool)
{
	uint64_t words;

	if (is_for(addresses, pool))
		return FREE_ADDRESSES_SAME;
	free_addresses_fini(addresses);
	if (pool->from > pool->to)
		return FREE_ADDRESSES_NONE;
	addresses->count = MIN(pool->to - pool->from, FREE_ADDRESSES_MAX - 1) + 1;
	words = words_of(addresses->count);
	addresses->free = calloc(words, sizeof(uint64_t));
	addresses->filled = calloc(words_of(words), sizeof(uint64_t));
	addresses->excluded = calloc(pool->excluded_count + 1, sizeof(uint64_t));
	if (!addresses->free || !addresses->filled || !addresses->excluded) {
		free_addresses_fini(addresses);
		return FREE_ADDRESSES_NONE;
	}
	addresses->from = pool->from;
	addresses->to = pool->to;
	addresses->excluded_count = pool->excluded_count;
	if (pool->excluded_count)
		memcpy(addresses->excluded, pool->excluded,
			pool->excluded_count * sizeof(*pool->excluded));
	for (uint64_t i = 0; i < addresses->count; i++)
		set_bit(addresses, i, pool->from + i != 0);
	for (unsigned i = 0; i < pool->excluded_count; i++)
		free_addresses_set(addresses, pool->excluded[i], false);
	return FREE_ADDRESSES_NEW;
}

void free_addresses_fini(struct free_addresses *addresses)
{
	free(addresses->excluded);
	free(addresses->free);
	free(addresses->filled);
	*addresses = (struct free_addresses){0};
}

void free_addresses_set(struct free_addresses *addresses, uint64_t address, bool is_free)
{
	const struct lease_pool pool = {.from = addresses->from,
		.to = addresses->to,
		.excluded = addresses->excluded,
		.excluded_count = addresses->excluded_count};

	if (!addresses->free || address < addresses->from ||
		address - addresses->from >= addresses->count)
		return;
	set_bit(addresses, address - addresses->from,
		is_free && address && lease_pool_has(&pool, address));
}

uint64_t free_addresses_find(const struct free_addresses *addresses)
{
	uint64_t words = words_of(words_of(addresses->count));

	for (uint64_t i = 0; i < words; i++) {
		uint64_t word;

		if (!addresses->filled[i])
			continue;
		word = i * WORD + (uint64_t)__builtin_ctzll(addresses->filled[i]);
		return addresses->from + word * WORD +
		       (uint64_t)__builtin_ctzll(addresses->free[word]);
	}
	return 0;
}
