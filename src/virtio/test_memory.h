/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest memory made of plain arrays, so that the address sanitizer knows where it ends: for tests
 * and fuzz targets. */
#ifndef VSW_VIRTIO_TEST_MEMORY_H
#define VSW_VIRTIO_TEST_MEMORY_H

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "virtio/guest_memory.h"

/* Adds a region that is an array of exactly `size` bytes, a multiple of `alignment`; returns the
 * array, which is zero. */
static inline uint8_t *test_memory_add(
	struct guest_memory *memory, uint64_t address, uint64_t size, size_t alignment)
{
	uint8_t *bytes = aligned_alloc(alignment, size);

	if (!bytes || memory->count == GUEST_MEMORY_SLOTS)
		abort();
	memset(bytes, 0, size);
	memory->regions[memory->count++] = (struct guest_region){
		.guest_address = address, .size = size, .user_address = address, .host = bytes};
	return bytes;
}

/* Fills all regions with the bytes, repeated; with zeros where there are none. */
static inline void test_memory_fill(struct guest_memory *memory, const uint8_t *bytes, size_t size)
{
	for (unsigned i = 0; i < memory->count; i++)
		for (size_t at = 0; at < memory->regions[i].size;) {
			size_t left = memory->regions[i].size - at;

			if (!size) {
				memset(memory->regions[i].host + at, 0, left);
				break;
			}
			memcpy(memory->regions[i].host + at, bytes, MIN(left, size));
			at += MIN(left, size);
		}
}

/* Whether the piece lies within one region. */
static inline bool test_memory_holds(const struct guest_memory *memory, const struct iovec *piece)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (checked_inside((uintptr_t)piece->iov_base, piece->iov_len,
			    (uintptr_t)memory->regions[i].host, memory->regions[i].size))
			return true;
	return false;
}

#endif
