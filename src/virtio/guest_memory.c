/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/guest_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool guest_memory_broken(const struct guest_memory *memory)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (guest_mapping_broken(memory->regions[i].mapping))
			return true;
	return false;
}

struct guest_memory *guest_memory_new(void)
{
	return calloc(1, sizeof(struct guest_memory));
}

struct guest_memory *guest_memory_copy(const struct guest_memory *memory)
{
	struct guest_memory *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *memory;
	for (unsigned i = 0; i < copy->count; i++)
		guest_mapping_hold(copy->regions[i].mapping);
	return copy;
}

void guest_memory_free(struct guest_memory *memory)
{
	if (!memory)
		return;
	for (unsigned i = 0; i < memory->count; i++)
		guest_mapping_retire(memory->regions[i].mapping);
	guest_mapping_reclaim();
	free(memory);
}

uint64_t guest_memory_size(const struct guest_memory *memory)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < memory->count; i++)
		size += memory->regions[i].size;
	return size;
}

uint64_t guest_memory_last(const struct guest_memory *memory)
{
	uint64_t last = 0;

	for (unsigned i = 0; i < memory->count; i++)
		last = MAX(last, memory->regions[i].guest_address + memory->regions[i].size - 1);
	return last;
}

/* Whether [a, a + a_size) and [b, b + b_size) share a byte; neither wraps. */
static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int check_region(const struct guest_memory *memory, uint64_t guest_address, uint64_t size,
	uint64_t user_address, struct error *error)
{
	uint64_t sum;

	if (memory->count == GUEST_MEMORY_SLOTS)
		return error_set(error, -ENOSPC, "more than %u memory regions", GUEST_MEMORY_SLOTS);
	if (!size || !checked_add(guest_address, size, &sum) ||
		!checked_add(user_address, size, &sum))
		return error_set(error, -EINVAL,
			"memory region at guest address 0x%llx: size 0x%llx is empty or wraps",
			(unsigned long long)guest_address, (unsigned long long)size);
	for (unsigned i = 0; i < memory->count; i++) {
		const struct guest_region *other = &memory->regions[i];

		if (overlap(guest_address, size, other->guest_address, other->size) ||
			overlap(user_address, size, other->user_address, other->size))
			return error_set(error, -EINVAL,
				"memory region at guest address 0x%llx overlaps the one at 0x%llx",
				(unsigned long long)guest_address,
				(unsigned long long)other->guest_address);
	}
	return 0;
}

int guest_memory_add(struct guest_memory *memory, uint64_t guest_address, uint64_t size,
	uint64_t user_address, uint64_t offset, int fd, struct error *error)
{
	struct guest_mapping *mapping;
	uint64_t end;
	int result;

	result = check_region(memory, guest_address, size, user_address, error);
	if (result < 0)
		return result;
	if (!checked_add(size, offset, &end))
		return error_set(error, -EINVAL, "memory region's offset wraps");
	result = guest_mapping_new(&mapping, memory->quota, fd, end, "memory region", error);
	if (result < 0) {
		error_prefix(error, "guest address 0x%llx", (unsigned long long)guest_address);
		return result;
	}
	memory->regions[memory->count++] = (struct guest_region){
		.guest_address = guest_address,
		.size = size,
		.user_address = user_address,
		.host = guest_mapping_start(mapping) + offset,
		.mapping = mapping,
	};
	return 0;
}

int guest_memory_remove(
	struct guest_memory *memory, uint64_t guest_address, uint64_t size, uint64_t user_address)
{
	for (unsigned i = 0; i < memory->count; i++) {
		struct guest_region *region = &memory->regions[i];

		if (region->guest_address != guest_address || region->size != size ||
			region->user_address != user_address)
			continue;
		guest_mapping_release(region->mapping);
		memory->count--;
		memmove(region, region + 1, (memory->count - i) * sizeof(*region));
		memset(&memory->regions[memory->count], 0, sizeof(*region));
		return 0;
	}
	return -ENOENT;
}

void *guest_memory_from_user(const struct guest_memory *memory, uint64_t user, uint64_t length)
{
	for (unsigned i = 0; i < memory->count; i++) {
		const struct guest_region *region = &memory->regions[i];

		if (checked_inside(user, length, region->user_address, region->size))
			return region->host + (user - region->user_address);
	}
	return NULL;
}

bool guest_memory_to_guest(
	const struct guest_memory *memory, const void *host, uint64_t *address, unsigned *hint)
{
	uintptr_t pointer = (uintptr_t)host;

	for (unsigned i = 0; i <= memory->count; i++) {
		/* The region of the last look-up first. */
		const struct guest_region *region = &memory->regions[i ? i - 1 : *hint];

		if (pointer - (uintptr_t)region->host >= region->size)
			continue;
		*hint = (unsigned)(region - memory->regions);
		*address = region->guest_address + (pointer - (uintptr_t)region->host);
		return true;
	}
	return false;
}
