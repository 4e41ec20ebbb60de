/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log of a live migration: a bitmap, shared with the VMM, of the guest's pages that we
 * wrote. Bit n stands for the 4096 bytes at guest physical address 4096 n. The VMM clears bits and
 * sends the pages again, at any time and while we write; so a bit is set after the bytes are
 * written, by an atomic OR, always: one that is set already may be about to be cleared.
 *
 *	struct dirty_log   the bitmap itself (SET_LOG_BASE)
 *	struct queue_log   what of a queue's writes goes into it, and where (SET_FEATURES,
 *	                   SET_VRING_ADDR)
 *
 * Ownership: the control thread makes both. A queue_log is immutable once a queue has it; another
 * one is put in its place while the queue runs, and the old one, and its log, are given up after a
 * grace period. Workers call the functions below that write; several may do so at once.
 *
 * Trust: guest physical addresses come from the guest, the file from the VMM. Bits beyond the log
 * are not set. A log whose file was truncated counts as broken (guest_mapping.h), and so does its
 * queue.
 */
#ifndef VSW_VIRTIO_DIRTY_LOG_H
#define VSW_VIRTIO_DIRTY_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bell.h"
#include "base/error.h"
#include "base/rcu.h"
#include "virtio/guest_memory.h"

/* Bytes that one bit stands for, whatever the size of the guest's pages. */
#define DIRTY_LOG_PAGE 4096

struct dirty_log;

/*
 * Maps a log of `size` bytes (eight times as many pages) at `offset` of the file `fd`, which is
 * borrowed, within the quota. NULL with *error filled for an empty log, a sum that wraps, or a file
 * that is too short or none. vhost-user: SET_LOG_BASE. Control thread.
 */
struct dirty_log *dirty_log_new(
	struct guest_quota *quota, uint64_t size, uint64_t offset, int fd, struct error *error);

/* NULL is allowed. Control thread, when no worker has it any more. */
void dirty_log_free(struct dirty_log *log);

/* True where the log has bits for all of [address, address + length). */
bool dirty_log_holds(const struct dirty_log *log, uint64_t address, uint64_t length);

/* True where a fault hit its mapping. Any thread. */
bool dirty_log_broken(const struct dirty_log *log);

/* Says that `length` bytes at guest physical `address` were written. */
void dirty_log_write(const struct dirty_log *log, uint64_t address, uint64_t length);

struct queue_log {
	const struct dirty_log *log;
	const struct guest_memory *memory; /* that of the queue */
	bool frames;                       /* what is written into buffers (VHOST_F_LOG_ALL) */
	bool ring;                         /* and into the ring (VHOST_VRING_F_LOG) */
	/* Guest physical addresses under which writes to the ring are logged. The VMM chooses the
	 * first, which need not be in guest memory. */
	uint64_t device_area;      /* split: used ring; packed: device event suppression */
	uint64_t device_area_size; /* bytes */
	uint64_t descriptors;      /* packed: descriptor ring */
	struct bell *bell;         /* for "something was logged", or NULL; borrowed */
};

/* What is logged at present: `place` is where the control thread publishes it, NULL for a queue
 * that has no such place. NULL: nothing. */
static inline const struct queue_log *queue_log_find(const struct queue_log *const *place)
{
	return place ? rcu_read(place) : NULL;
}

/* Logs `length` bytes at `offset` of the device area. */
static inline void queue_log_area(const struct queue_log *log, uint64_t offset, uint64_t length)
{
	if (log->ring)
		dirty_log_write(log->log, log->device_area + offset, length);
}

/* Logs `count` elements of `size` bytes from element `first` on of a ring of `entries`, around
 * whose end they may go, and which lies at guest physical `address`. */
void queue_log_elements(const struct queue_log *log, uint64_t address, unsigned size,
	unsigned entries, unsigned first, unsigned count);

/* Logs the first `length` bytes of the pieces, which guest_memory_translate() has found. */
void queue_log_pieces(const struct queue_log *log, const struct iovec *pieces, uint32_t length);

/* Tells who asked to be told that something was logged (SET_LOG_FD). */
void queue_log_signal(const struct queue_log *log);

/* True where the log's file vanished; false for NULL. */
bool queue_log_broken(const struct queue_log *log);

#endif
