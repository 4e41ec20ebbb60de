/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A walk over the buffers of one descriptor chain: the part that does not depend on the ring's
 * layout. It turns buffers, named by addresses that the driver chose, into pieces of our address
 * space.
 *
 * The caller owns the walk, on its stack; the thread that runs the queue calls. Room: pieces_max
 * pieces.
 */
#ifndef VSW_VIRTIO_CHAIN_H
#define VSW_VIRTIO_CHAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "virtio/guest_memory.h"

struct chain_walk {
	const struct guest_memory *memory;
	unsigned *region; /* hint of guest_memory_translate() */
	bool writable;    /* every buffer must be device-writable; false: device-readable */
	struct iovec *pieces;
	unsigned pieces_max;
	unsigned count;  /* of pieces so far */
	uint64_t length; /* their sum, bytes */
};

/*
 * Appends a buffer of `length` bytes at guest physical `address`, split where it crosses regions.
 * False, with the walk of no further use, for an empty buffer, the wrong direction, an address
 * outside guest memory, no room, or a sum of 4 GiB or more.
 */
bool chain_append(struct chain_walk *walk, uint64_t address, uint32_t length, bool writable);

/* Copies `length` bytes at guest physical `address`, which may cross regions, to private memory,
 * once. False where guest memory does not hold them all. */
bool chain_copy(struct chain_walk *walk, uint64_t address, void *to, uint32_t length);

#endif
