/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory: the regions that a VMM shares with us, and the one routine that turns addresses of
 * theirs into pointers of ours.
 *
 * A `struct guest_memory` is built by the control thread and immutable once a ring uses it; changes
 * make a new one that shares the mappings (counted, control thread only). Workers translate.
 *
 * The peer owns the file behind a region and may truncate it; guest_mapping.h says what happens
 * then.
 */
#ifndef VSW_VIRTIO_GUEST_MEMORY_H
#define VSW_VIRTIO_GUEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/common.h"
#include "base/error.h"
#include "virtio/guest_mapping.h"

/* Regions of one guest: QEMU uses 3 without hotplug; every DIMM adds one. */
#define GUEST_MEMORY_SLOTS 64

struct guest_region {
	uint64_t guest_address; /* GPA of the first byte */
	uint64_t size;          /* bytes */
	uint64_t user_address;  /* the same byte in the frontend's address space */
	uint8_t *host;          /* and in ours */
	struct guest_mapping *mapping;
};

struct guest_memory {
	struct guest_quota *quota; /* of the peer; borrowed; NULL: no limit */
	unsigned count;
	struct guest_region regions[GUEST_MEMORY_SLOTS];
};

/* An empty memory; NULL where memory is short. */
struct guest_memory *guest_memory_new(void);

/* A memory with the same regions, for changing. */
struct guest_memory *guest_memory_copy(const struct guest_memory *memory);

/*
 * Maps a region: `size` bytes at `offset` of the file `fd`, which is borrowed (the mapping keeps
 * the file alive). Checks every sum, the file's size, and overlap with other regions. 0 or a
 * negative errno with *error filled. vhost-user: SET_MEM_TABLE, ADD_MEM_REG.
 */
int guest_memory_add(struct guest_memory *memory, uint64_t guest_address, uint64_t size,
	uint64_t user_address, uint64_t offset, int fd, struct error *error);

/* Removes the region with exactly these three values; -ENOENT where there is none. REM_MEM_REG. */
int guest_memory_remove(
	struct guest_memory *memory, uint64_t guest_address, uint64_t size, uint64_t user_address);

/* Unmaps what no other memory shares. NULL is allowed. */
void guest_memory_free(struct guest_memory *memory);

/* Bytes in all regions. */
uint64_t guest_memory_size(const struct guest_memory *memory);

/* The highest guest physical address of any region, 0 where there is none. */
uint64_t guest_memory_last(const struct guest_memory *memory);

/* A pointer to [user, user + length) of the frontend's addresses, NULL unless it lies in one
 * region. */
void *guest_memory_from_user(const struct guest_memory *memory, uint64_t user, uint64_t length);

/*
 * The guest physical address of a byte that guest_memory_translate() found, in *address; false
 * where no region has it. *hint as there.
 */
bool guest_memory_to_guest(
	const struct guest_memory *memory, const void *host, uint64_t *address, unsigned *hint);

/* True where a fault hit one of this memory's mappings. */
bool guest_memory_broken(const struct guest_memory *memory);

/*
 * A pointer to guest physical address `address`, NULL where no region has it. *length, the bytes
 * wanted on entry (not 0), is lowered to what is contiguous: the caller loops. *hint, any value
 * below GUEST_MEMORY_SLOTS, remembers the region of the last look-up.
 */
ALWAYS_INLINE uint8_t *guest_memory_translate(
	const struct guest_memory *memory, uint64_t address, uint32_t *length, unsigned *hint)
{
	const struct guest_region *region = &memory->regions[*hint];
	uint64_t offset = address - region->guest_address;

	/* Unused slots have size 0, so a stale hint never matches. */
	if (unlikely(offset >= region->size)) {
		unsigned i;

		for (i = 0; i < memory->count; i++) {
			region = &memory->regions[i];
			offset = address - region->guest_address;
			if (offset < region->size)
				break;
		}
		if (i == memory->count)
			return NULL;
		*hint = i;
	}
	if (unlikely(*length > region->size - offset))
		*length = (uint32_t)(region->size - offset);
	return region->host + offset;
}

#endif
