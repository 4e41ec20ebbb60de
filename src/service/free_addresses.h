/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which addresses of a pool nobody is known to have: a bit each, and a bit for each word of those,
 * so that a search takes some hundred words at the most, however full the pool is and whoever
 * fills it. It covers the pool's first FREE_ADDRESSES_MAX; of a larger one the rest is not known
 * here.
 *
 *	cover -> set, find, ... -> fini
 *
 * It is for one pool at a time: cover() says whether it begins anew. One thread.
 */
#ifndef VSW_SERVICE_FREE_ADDRESSES_H
#define VSW_SERVICE_FREE_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#define FREE_ADDRESSES_MAX (UINT64_C(1) << 20)

struct lease_pool;

/* All zero: for no pool. */
struct free_addresses {
	uint64_t from, to;
	uint64_t *excluded; /* a copy */
	unsigned excluded_count;
	uint64_t count;   /* addresses that are covered */
	uint64_t *free;   /* a bit an address */
	uint64_t *filled; /* a bit a word of those: it has a free one */
};

enum free_addresses_cover {
	FREE_ADDRESSES_SAME, /* it was for this pool already */
	FREE_ADDRESSES_NEW,  /* it is now, and all of the pool are free: say which are not */
	FREE_ADDRESSES_NONE, /* memory is short: it is for no pool */
};

enum free_addresses_cover free_addresses_cover(
	struct free_addresses *addresses, const struct lease_pool *pool);
void free_addresses_fini(struct free_addresses *addresses);

/* An address that is not of the pool, or not covered, is ignored. */
void free_addresses_set(struct free_addresses *addresses, uint64_t address, bool is_free);

/* A free one; 0: there is none. */
uint64_t free_addresses_find(const struct free_addresses *addresses);

#endif
