/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/guest_memory.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * Mappings that the SIGBUS handler may look at: ports times slots, far above what a node has. A
 * mapping beyond them works, but a fault in it is fatal, so it is refused instead.
 */
#define MAPPINGS_MAX 16384

struct guest_mapping {
	unsigned references; /* memories that use it; control thread */
	unsigned slot;       /* in guarded[] */
	bool broken;         /* written by the SIGBUS handler of any thread */
	uint8_t *start;
	uint64_t size;
	uint64_t page_size; /* of the file: a huge page is replaced whole */
};

unsigned guest_memory_faults;

/* Written by the control thread, read by the signal handler. An entry leaves before its mapping is
 * unmapped, and a mapping is unmapped only after a grace period, so no handler can still use it. */
static struct guest_mapping *guarded[MAPPINGS_MAX];
static unsigned guarded_end; /* entries at and above this were never used */

static int guard_mapping(struct guest_mapping *mapping)
{
	for (unsigned i = 0; i < MAPPINGS_MAX; i++) {
		if (__atomic_load_n(&guarded[i], __ATOMIC_RELAXED))
			continue;
		mapping->slot = i;
		__atomic_store_n(&guarded[i], mapping, __ATOMIC_RELEASE);
		if (i >= guarded_end)
			__atomic_store_n(&guarded_end, i + 1, __ATOMIC_RELEASE);
		return 0;
	}
	return -ENOSPC;
}

static void mapping_release(struct guest_mapping *mapping)
{
	if (--mapping->references)
		return;
	__atomic_store_n(&guarded[mapping->slot], NULL, __ATOMIC_RELEASE);
	munmap(mapping->start, mapping->size);
	free(mapping);
}

static struct guest_mapping *mapping_at(uintptr_t address)
{
	unsigned end = __atomic_load_n(&guarded_end, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < end; i++) {
		struct guest_mapping *mapping = __atomic_load_n(&guarded[i], __ATOMIC_ACQUIRE);

		if (mapping && address - (uintptr_t)mapping->start < mapping->size)
			return mapping;
	}
	return NULL;
}

/* Runs on the thread that touched the missing page; only async-signal-safe calls. */
static void answer_fault(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	struct guest_mapping *mapping = mapping_at(address);
	int saved = errno;
	void *page;

	if (mapping) {
		page = (void *)(address & ~(uintptr_t)(mapping->page_size - 1));
		if (mmap(page, mapping->page_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
			__atomic_store_n(&mapping->broken, true, __ATOMIC_RELEASE);
			__atomic_fetch_add(&guest_memory_faults, 1, __ATOMIC_RELEASE);
			errno = saved;
			return;
		}
	}
	/* Not guest memory: a fault of our own, which shall be fatal when the access is repeated. */
	signal(number, SIG_DFL);
	errno = saved;
}

int guest_memory_guard(void)
{
	struct sigaction action = {.sa_sigaction = answer_fault, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

bool guest_memory_broken(const struct guest_memory *memory)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (__atomic_load_n(&memory->regions[i].mapping->broken, __ATOMIC_ACQUIRE))
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
		copy->regions[i].mapping->references++;
	return copy;
}

void guest_memory_free(struct guest_memory *memory)
{
	if (!memory)
		return;
	for (unsigned i = 0; i < memory->count; i++)
		mapping_release(memory->regions[i].mapping);
	free(memory);
}

uint64_t guest_memory_size(const struct guest_memory *memory)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < memory->count; i++)
		size += memory->regions[i].size;
	return size;
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

/* The page size of the file, and whether it holds `end` bytes. */
static int check_file(int fd, uint64_t end, uint64_t *page_size, struct error *error)
{
	struct statfs filesystem;
	struct stat status;

	if (fstat(fd, &status) < 0 || fstatfs(fd, &filesystem) < 0)
		return error_set_errno(error, -errno, "memory region's file");
	if (!S_ISREG(status.st_mode))
		return error_set(error, -EINVAL, "memory region's descriptor is not a file");
	if (status.st_size < 0 || (uint64_t)status.st_size < end)
		return error_set(error, -EINVAL,
			"memory region's file has %lld bytes, %llu are needed",
			(long long)status.st_size, (unsigned long long)end);
	*page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (filesystem.f_type == HUGETLBFS_MAGIC)
		*page_size = (uint64_t)filesystem.f_bsize;
	return 0;
}

int guest_memory_add(struct guest_memory *memory, uint64_t guest_address, uint64_t size,
	uint64_t user_address, uint64_t offset, int fd, struct error *error)
{
	struct guest_mapping *mapping;
	uint64_t end, length;
	int result;

	result = check_region(memory, guest_address, size, user_address, error);
	if (result < 0)
		return result;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return error_set(error, -ENOMEM, "out of memory");
	if (!checked_add(size, offset, &end)) {
		result = error_set(error, -EINVAL, "memory region's offset wraps");
		goto free_mapping;
	}
	result = check_file(fd, end, &mapping->page_size, error);
	if (result < 0)
		goto free_mapping;
	if (!checked_round_up(end, mapping->page_size, &length)) {
		result = error_set(error, -EINVAL, "memory region's size wraps");
		goto free_mapping;
	}
	mapping->references = 1;
	mapping->size = length;
	mapping->start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapping->start == MAP_FAILED) {
		result = error_set_errno(error, -errno, "cannot map %llu bytes of guest memory",
			(unsigned long long)length);
		goto free_mapping;
	}
	/* Guests' memory has no place in our core dumps. Not every file system can promise that. */
	madvise(mapping->start, length, MADV_DONTDUMP);
	result = guard_mapping(mapping);
	if (result < 0) {
		error_set(error, result, "too many memory regions in all guests");
		goto unmap;
	}
	memory->regions[memory->count++] = (struct guest_region){
		.guest_address = guest_address,
		.size = size,
		.user_address = user_address,
		.host = mapping->start + offset,
		.mapping = mapping,
	};
	return 0;

unmap:
	munmap(mapping->start, length);
free_mapping:
	free(mapping);
	return result;
}

int guest_memory_remove(
	struct guest_memory *memory, uint64_t guest_address, uint64_t size, uint64_t user_address)
{
	for (unsigned i = 0; i < memory->count; i++) {
		struct guest_region *region = &memory->regions[i];

		if (region->guest_address != guest_address || region->size != size ||
			region->user_address != user_address)
			continue;
		mapping_release(region->mapping);
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
