/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of this folder: a check that tells where it failed and costs nothing where it
 * holds, random numbers from a fixed seed, and guest memory made of plain arrays, so that the
 * address sanitizer knows where it ends.
 */
#ifndef VSW_VIRTIO_TEST_RING_H
#define VSW_VIRTIO_TEST_RING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/split_device.h"
#include "virtio/test_memory.h"

#define require(condition)                                                                         \
	do {                                                                                       \
		if (__builtin_expect(!(condition), 0))                                             \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, #condition);                     \
	} while (0)

#define FEATURE(bit) (UINT64_C(1) << (bit))

/* xorshift64*: the same sequence on every machine. */
static inline uint64_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static inline uint64_t test_below(uint64_t *state, uint64_t limit)
{
	return test_random(state) % limit;
}

/* Adds a region that is an array of exactly `size` bytes; returns the array, which is zero. */
static inline uint8_t *test_region(struct guest_memory *memory, uint64_t address, uint64_t size)
{
	return test_memory_add(memory, address, size, 4096);
}

static inline void test_regions_free(struct guest_memory *memory)
{
	for (unsigned i = 0; i < memory->count; i++)
		free(memory->regions[i].host);
	memset(memory, 0, sizeof(*memory));
}

#endif
