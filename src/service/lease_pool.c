/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/lease_pool.h"

#include <stdlib.h>

#include "base/common.h"

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

bool lease_pool_has(const struct lease_pool *pool, uint64_t address)
{
	return address >= pool->from && address <= pool->to &&
	       !(pool->excluded_count && bsearch(&address, pool->excluded, pool->excluded_count,
						 sizeof(*pool->excluded), compare_addresses));
}

uint64_t lease_pool_size(const struct lease_pool *pool)
{
	uint64_t span = pool->to - pool->from;

	if (pool->from > pool->to)
		return 0;
	span += span != UINT64_MAX;
	return span - MIN(span, (uint64_t)pool->excluded_count);
}
