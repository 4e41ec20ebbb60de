/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One shared mapping of a file that a VMM gave us: a region of guest memory, or its dirty log.
 *
 * The peer owns the file and may truncate it: touching the mapping then raises SIGBUS. With
 * guest_memory_guard() the first fault is answered by anonymous memory in the place of the whole
 * mapping, which is marked broken for its rings to see: the port dies, not the switch.
 *
 * Mappings are made, counted and released by the control thread; it releases one only when no
 * worker can touch it any more. Capacity: GUEST_MAPPINGS_MAX in all; a mapping beyond them is
 * refused.
 */
#ifndef VSW_VIRTIO_GUEST_MAPPING_H
#define VSW_VIRTIO_GUEST_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/reaper.h"

/* Mappings that the SIGBUS handler may look at: ports times slots, far above what a node has. A
 * mapping beyond them would work, but a fault in it would be fatal. */
#define GUEST_MAPPINGS_MAX 16384

struct guest_mapping;

/* Address space of all peers together unless configured otherwise: half of what a process has. */
#define GUEST_MAPPINGS_BYTES (64ULL << 40)

/*
 * What one peer may have mapped. Sizes are those of mappings, from the beginning of each file to
 * the region's end: a VM with a hole below 4 GiB has twice its memory, and while one memory table
 * takes the place of another both count. Sparse memory counts whole, though it has no pages yet:
 * they come when somebody touches them, and if that is the switch its cgroup pays.
 *
 * Made by the control thread, and freed when the last mapping is.
 */
struct guest_quota;

/* `limit` in bytes, 0: none; `reaper`, borrowed, unmaps. NULL where memory is short. */
struct guest_quota *guest_quota_new(uint64_t limit, struct reaper *reaper);
void guest_quota_set_limit(struct guest_quota *quota, uint64_t limit);

/* Mappings may still have it; no new one will. NULL is allowed. */
void guest_quota_put(struct guest_quota *quota);

/* Bytes mapped. */
uint64_t guest_quota_used(const struct guest_quota *quota);

/*
 * For all peers, from now on. any_file: memory may lie in a file of any file system. Otherwise only
 * on tmpfs and hugetlbfs (memfd, /dev/shm, huge pages), because of a file system that does not
 * answer (FUSE, NFS) a page fault waits, in a thread of ours. total: bytes of all peers. Control
 * thread.
 */
void guest_mapping_set_rules(bool any_file, uint64_t total);

/*
 * Maps the file `fd`, which is borrowed (the mapping keeps the file alive), from its beginning to
 * `end` bytes, rounded up to its page size, for reading and writing. The file must be a regular one
 * of an allowed kind that holds `end` bytes, and within the quota (NULL: without limit). `what`
 * names it in errors. 0 or a negative errno with *error filled.
 */
int guest_mapping_new(struct guest_mapping **mapping, struct guest_quota *quota, int fd,
	uint64_t end, const char *what, struct error *error);

/* The same for a file that only this process's user can write: on any file system, in no
 * peer's quota. */
int guest_mapping_new_own(struct guest_mapping **mapping, int fd, uint64_t end, const char *what,
	struct error *error);

/* One user more. */
void guest_mapping_hold(struct guest_mapping *mapping);

/* One user less; with the last one it is unmapped, by the quota's reaper where it has one. Waits
 * for a grace period. */
void guest_mapping_release(struct guest_mapping *mapping);

/* The same in two halves, so that many share one grace period: with its last user a mapping is
 * retired; what is retired is unmapped. */
void guest_mapping_retire(struct guest_mapping *mapping);
void guest_mapping_reclaim(void);

/* The file's first byte. */
uint8_t *guest_mapping_start(const struct guest_mapping *mapping);

/* True where a fault hit it. Any thread. */
bool guest_mapping_broken(const struct guest_mapping *mapping);

/* Installs the SIGBUS handler described above; once, before threads start. 0 or -errno. */
int guest_memory_guard(void);

/* Rises with every fault answered. */
extern unsigned guest_memory_faults;

#endif
