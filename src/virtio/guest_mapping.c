/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/guest_mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/rcu.h"

struct guest_quota {
	struct reaper *reaper;
	uint64_t limit;
	uint64_t used;       /* atomic: taken by the control thread, given back by a reaper */
	unsigned references; /* atomic: its owner's, and one for each mapping */
};

struct guest_mapping {
	struct guest_quota *quota; /* NULL: none */
	bool foreign;              /* a peer's: counted in its quota and in the total */
	unsigned references;       /* users; control thread */
	unsigned slot;             /* in guarded[] */
	bool broken;               /* written by the SIGBUS handler of any thread */
	uint8_t *start;
	uint64_t size;
	uint64_t page_size;         /* of the file: a huge page is replaced whole */
	struct guest_mapping *next; /* in retired; control thread */
};

unsigned guest_memory_faults;

/* The rules for all, and what is mapped by all. */
static bool any_file_allowed;
static uint64_t total_limit = GUEST_MAPPINGS_BYTES;
static uint64_t total_used; /* atomic, as guest_quota.used */

/*
 * Written by the control thread, read by the signal handler, which looks at every entry to find the
 * one that was hit. So an entry that leaves needs a grace period of its own before its mapping is
 * freed, although no worker could touch the mapping even before: a worker in a handler for another
 * mapping may have read the entry already. It is inside a visit, hence has not passed, and the
 * grace period waits for it; one that enters the handler afterwards finds the entry gone. The
 * control thread's own faults are answered before it goes on, so it never waits inside a handler.
 * No other thread touches guest memory. And because the mapping stays mapped until then, no other
 * one can have its addresses while its entry may be read.
 */
static struct guest_mapping *guarded[GUEST_MAPPINGS_MAX];
static unsigned guarded_end; /* entries at and above this were never used */

/* Without an entry, and still to be unmapped; control thread. */
static struct guest_mapping *retired;

static int guard_mapping(struct guest_mapping *mapping)
{
	for (unsigned i = 0; i < GUEST_MAPPINGS_MAX; i++) {
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

void guest_mapping_set_rules(bool any_file, uint64_t total)
{
	any_file_allowed = any_file;
	total_limit = total;
}

struct guest_quota *guest_quota_new(uint64_t limit, struct reaper *reaper)
{
	struct guest_quota *quota = malloc(sizeof(*quota));

	if (quota)
		*quota = (struct guest_quota){.reaper = reaper, .limit = limit, .references = 1};
	return quota;
}

void guest_quota_set_limit(struct guest_quota *quota, uint64_t limit)
{
	quota->limit = limit;
}

void guest_quota_put(struct guest_quota *quota)
{
	if (quota && __atomic_sub_fetch(&quota->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(quota);
}

uint64_t guest_quota_used(const struct guest_quota *quota)
{
	return __atomic_load_n(&quota->used, __ATOMIC_RELAXED);
}

/* Whether `size` bytes more are within a limit. */
static int check_limit(uint64_t used, uint64_t size, uint64_t limit, const char *whose,
	const char *what, struct error *error)
{
	if (used <= limit && size <= limit - used)
		return 0;
	return error_set(error, -EDQUOT,
		"%s of %llu MiB: the limit of %s is %llu MiB, and %llu MiB are mapped", what,
		(unsigned long long)(size >> 20), whose, (unsigned long long)(limit >> 20),
		(unsigned long long)(used >> 20));
}

static int take_quota(
	struct guest_quota *quota, uint64_t size, const char *what, struct error *error)
{
	uint64_t used = __atomic_load_n(&total_used, __ATOMIC_RELAXED);
	int result = 0;

	if (quota && quota->limit)
		result = check_limit(guest_quota_used(quota), size, quota->limit,
			"the port (memory-limit-gib)", what, error);
	if (result == 0)
		result = check_limit(used, size, total_limit, "all ports (switch.memory-limit-gib)",
			what, error);
	if (result < 0)
		return result;
	__atomic_add_fetch(&total_used, size, __ATOMIC_RELAXED);
	if (quota) {
		__atomic_add_fetch(&quota->used, size, __ATOMIC_RELAXED);
		__atomic_add_fetch(&quota->references, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

static void give_back_quota(struct guest_quota *quota, uint64_t size)
{
	__atomic_sub_fetch(&total_used, size, __ATOMIC_RELAXED);
	if (!quota)
		return;
	__atomic_sub_fetch(&quota->used, size, __ATOMIC_RELAXED);
	guest_quota_put(quota);
}

void guest_mapping_hold(struct guest_mapping *mapping)
{
	mapping->references++;
}

static void unmap(void *argument)
{
	struct guest_mapping *mapping = argument;

	munmap(mapping->start, mapping->size);
	if (mapping->foreign)
		give_back_quota(mapping->quota, mapping->size);
	free(mapping);
}

void guest_mapping_retire(struct guest_mapping *mapping)
{
	if (--mapping->references)
		return;
	__atomic_store_n(&guarded[mapping->slot], NULL, __ATOMIC_RELEASE);
	mapping->next = retired;
	retired = mapping;
}

void guest_mapping_reclaim(void)
{
	if (!retired)
		return;
	rcu_wait();
	while (retired) {
		struct guest_mapping *mapping = retired;

		retired = mapping->next;
		/* Where the VM is dead, its pages are freed by this. */
		reaper_run(mapping->quota ? mapping->quota->reaper : NULL, unmap, mapping);
	}
}

void guest_mapping_release(struct guest_mapping *mapping)
{
	guest_mapping_retire(mapping);
	guest_mapping_reclaim();
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

/* Puts anonymous memory in the place of what vanished. Nothing is reserved, nothing is dumped, and
 * what is touched of it until the ring stops is charged to us by the small page. */
static bool replace(uint8_t *start, uint64_t size)
{
	if (mmap(start, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return false;
	madvise(start, size, MADV_DONTDUMP);
	madvise(start, size, MADV_NOHUGEPAGE);
	return true;
}

/* The whole mapping, so that there is no second fault in it, however many pages are gone, and no
 * more mappings than before. Where the kernel commits no memory in advance for so much, the
 * page. */
static bool replace_mapping(struct guest_mapping *mapping, uintptr_t address)
{
	uint64_t offset = address - (uintptr_t)mapping->start;

	return replace(mapping->start, mapping->size) ||
	       replace(mapping->start + (offset & ~(mapping->page_size - 1)), mapping->page_size);
}

/* Runs on the thread that touched the missing page; only async-signal-safe calls. Two threads may
 * meet in one mapping: the later one replaces what the other put there, which nobody needs. */
static void answer_fault(int number, siginfo_t *info, void *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	struct guest_mapping *mapping = mapping_at(address);
	int saved = errno;

	if (mapping && replace_mapping(mapping, address)) {
		__atomic_store_n(&mapping->broken, true, __ATOMIC_RELEASE);
		__atomic_fetch_add(&guest_memory_faults, 1, __ATOMIC_RELEASE);
		errno = saved;
		return;
	}
	/* Not guest memory: a fault of our own, which shall be fatal when the access is
	 * repeated. */
	signal(number, SIG_DFL);
	errno = saved;
}

int guest_memory_guard(void)
{
	struct sigaction action = {.sa_sigaction = answer_fault, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

bool guest_mapping_broken(const struct guest_mapping *mapping)
{
	return __atomic_load_n(&mapping->broken, __ATOMIC_ACQUIRE);
}

uint8_t *guest_mapping_start(const struct guest_mapping *mapping)
{
	return mapping->start;
}

/* Whether a peer's file is of a kind that is allowed. */
static int check_kind(int fd, const char *what, struct error *error)
{
	/* The file systems that keep seals are tmpfs and hugetlbfs. This asks the kernel only:
	 * fstat() may ask the file's server, which may be the peer and never answer. */
	if (!any_file_allowed && fcntl(fd, F_GET_SEALS) < 0)
		return error_set(error, -EINVAL,
			"%s's file is neither a memfd nor on tmpfs (/dev/shm) or hugetlbfs: have "
			"the "
			"VMM share such memory, or allow any file with 'guest-memory: any' under "
			"'switch'",
			what);
	return 0;
}

/* The page size of the file, and whether it holds `end` bytes. */
static int check_file(
	int fd, uint64_t end, uint64_t *page_size, const char *what, struct error *error)
{
	struct statfs filesystem;
	struct stat status;

	if (fstat(fd, &status) < 0 || fstatfs(fd, &filesystem) < 0)
		return error_set_errno(error, -errno, "%s's file", what);
	if (!S_ISREG(status.st_mode))
		return error_set(error, -EINVAL, "%s's descriptor is not a file", what);
	if (status.st_size < 0 || (uint64_t)status.st_size < end)
		return error_set(error, -EINVAL, "%s's file has %lld bytes, %llu are needed", what,
			(long long)status.st_size, (unsigned long long)end);
	*page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	if (filesystem.f_type == HUGETLBFS_MAGIC)
		*page_size = (uint64_t)filesystem.f_bsize;
	return 0;
}

/* foreign: the file is a peer's, whose quota and kinds of files are limited. */
static int map_file(struct guest_mapping **made, bool foreign, struct guest_quota *quota, int fd,
	uint64_t end, const char *what, struct error *error)
{
	struct guest_mapping *mapping = calloc(1, sizeof(*mapping));
	int result;

	if (!mapping)
		return error_set(error, -ENOMEM, "out of memory");
	result = foreign ? check_kind(fd, what, error) : 0;
	if (result == 0)
		result = check_file(fd, end, &mapping->page_size, what, error);
	if (result < 0)
		goto free_mapping;
	if (!checked_round_up(end, mapping->page_size, &mapping->size)) {
		result = error_set(error, -EINVAL, "%s's size wraps", what);
		goto free_mapping;
	}
	/* Peers that have used up the limit of all do not take ours from us. */
	result = foreign ? take_quota(quota, mapping->size, what, error) : 0;
	if (result < 0)
		goto free_mapping;
	mapping->foreign = foreign;
	mapping->quota = quota;
	mapping->references = 1;
	mapping->start = mmap(NULL, mapping->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapping->start == MAP_FAILED) {
		result = error_set_errno(error, -errno, "cannot map %llu bytes of %s",
			(unsigned long long)mapping->size, what);
		goto give_back;
	}
	/* Guests' memory has no place in our core dumps. Not every file system can promise that. */
	madvise(mapping->start, mapping->size, MADV_DONTDUMP);
	result = guard_mapping(mapping);
	if (result < 0) {
		error_set(error, result, "too many memory regions in all guests");
		goto unmap;
	}
	*made = mapping;
	return 0;

unmap:
	munmap(mapping->start, mapping->size);
give_back:
	if (foreign)
		give_back_quota(quota, mapping->size);
free_mapping:
	free(mapping);
	return result;
}

int guest_mapping_new(struct guest_mapping **made, struct guest_quota *quota, int fd, uint64_t end,
	const char *what, struct error *error)
{
	return map_file(made, true, quota, fd, end, what, error);
}

int guest_mapping_new_own(
	struct guest_mapping **made, int fd, uint64_t end, const char *what, struct error *error)
{
	return map_file(made, false, NULL, fd, end, what, error);
}
