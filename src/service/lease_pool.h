/* SPDX-License-Identifier: BSD-3-Clause */
/* The addresses that a network has to give: numbers, as in leases.h. Pure; any thread. */
#ifndef VSW_SERVICE_LEASE_POOL_H
#define VSW_SERVICE_LEASE_POOL_H

#include <stdbool.h>
#include <stdint.h>

/* What addresses there are to give. Borrowed for the call. */
struct lease_pool {
	uint64_t from, to;        /* both are of the pool; from > to: there is none */
	const uint64_t *excluded; /* rising; those that are not */
	unsigned excluded_count;
	unsigned limit; /* addresses that one owner may hold; 0: any number */
};

/* True where the address is of the pool. */
bool lease_pool_has(const struct lease_pool *pool, uint64_t address);

/* The addresses of the pool, cut off at UINT64_MAX. */
uint64_t lease_pool_size(const struct lease_pool *pool);

#endif
