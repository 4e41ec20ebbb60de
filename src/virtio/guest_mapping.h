/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One shared mapping of a file that a VMM gave us: a region of guest memory, or its dirty log.
 *
 * The peer owns the file and may truncate it: touching the mapping then raises SIGBUS. With
 * guest_memory_guard() the fault is answered by an anonymous page in that place, and the mapping is
 * marked broken for the ring's next visit to see: the port dies, not the switch.
 *
 * Mappings are made, counted and released by the control thread; it releases one only when no worker
 * can touch it any more. Capacity: GUEST_MAPPINGS_MAX in all; a mapping beyond them is refused.
 */
#ifndef VSW_VIRTIO_GUEST_MAPPING_H
#define VSW_VIRTIO_GUEST_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Mappings that the SIGBUS handler may look at: ports times slots, far above what a node has. A
 * mapping beyond them would work, but a fault in it would be fatal. */
#define GUEST_MAPPINGS_MAX 16384

struct guest_mapping;

/*
 * Maps the file `fd`, which is borrowed (the mapping keeps the file alive), from its beginning to
 * `end` bytes, rounded up to its page size, for reading and writing. The file must be a regular one
 * that holds `end` bytes. `what` names it in errors. 0 or a negative errno with *error filled.
 */
int guest_mapping_new(struct guest_mapping **mapping, int fd, uint64_t end, const char *what,
	struct error *error);

/* One user more. */
void guest_mapping_hold(struct guest_mapping *mapping);

/* One user less; the last one unmaps. */
void guest_mapping_release(struct guest_mapping *mapping);

/* The file's first byte. */
uint8_t *guest_mapping_start(const struct guest_mapping *mapping);

/* True where a fault hit it. Any thread. */
bool guest_mapping_broken(const struct guest_mapping *mapping);

/* Installs the SIGBUS handler described above; once, before threads start. 0 or -errno. */
int guest_memory_guard(void);

/* Rises with every fault answered. */
extern unsigned guest_memory_faults;

#endif
