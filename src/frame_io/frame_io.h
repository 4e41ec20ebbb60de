/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames in and out of a descriptor that gives and takes one a system call, as a TAP's: many of
 * them by one, where that is less work.
 *
 * A ring is an io_uring that can do nothing else: it is restricted, before it is used, to READ,
 * READV, WRITE and WRITEV of the one descriptor that is registered with it. Nothing is left under
 * way: each request is done when the call returns, or refused because it would have to wait. So the
 * buffers and iovecs are the caller's again, and no thread is kept waiting. Linux has that for TAPs
 * from 6.4 on; where it does not, or io_uring is switched off (sysctl kernel.io_uring_disabled,
 * seccomp), there is no ring, and each frame is a call of its own. So it is where frames are so few
 * that a ring would cost more than it saves.
 *
 * The descriptor does not block. One thread at a time uses a ring; which one may change.
 */
#ifndef VSW_FRAME_IO_FRAME_IO_H
#define VSW_FRAME_IO_FRAME_IO_H

#include <sys/uio.h>

#include "base/error.h"

/* Frames of a call, at most. */
#define FRAME_IO_MAX 64u
/* Fewer than these are system calls of their own even where there is a ring. */
#define FRAME_IO_FEW 3u

/* One frame, or room for one. A single piece is less work for the kernel than a list. */
struct frame_io {
	struct iovec *pieces;
	unsigned count; /* of pieces, 1 to IOV_MAX */
	int result;     /* bytes, or -errno */
};

struct frame_io_ring;

/* A ring for this descriptor, which it holds open until it is freed. NULL with the reason. Control
 * thread. */
struct frame_io_ring *frame_io_ring_new(int fd, struct error *error);
void frame_io_ring_free(struct frame_io_ring *ring);

/* Reads into ios[0..count-1] in order (count <= FRAME_IO_MAX) and fills the results. -EAGAIN: there
 * was no frame. A frame that comes meanwhile may be taken by a request behind one that found none.
 * ring: of `fd`, or NULL. */
void frame_io_read(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count);

/* The same for writing; -EAGAIN: there was no room. */
void frame_io_write(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count);

/*
 * How many reads to ask for at once, of a descriptor that does not say how many frames it has: as
 * many as came last and one; then a few, which costs little where there are none; then as many
 * again as have come, and so on.
 *
 *   frame_io_first() -> wanted, until one finds nothing: frame_io_next() -> frame_io_learn()
 */
struct frame_io_window {
	unsigned first; /* 0: nothing is known */
};

static inline unsigned frame_io_first(const struct frame_io_window *window)
{
	return window->first ? window->first : FRAME_IO_FEW - 1;
}

/* All of `wanted` were there, and now `came` altogether. */
static inline unsigned frame_io_next(unsigned wanted, unsigned came)
{
	unsigned more = came > FRAME_IO_FEW ? came : FRAME_IO_FEW;

	if (wanted >= FRAME_IO_FEW)
		return FRAME_IO_FEW - 1;
	return more < FRAME_IO_MAX ? more : FRAME_IO_MAX;
}

/* `came` altogether. */
static inline void frame_io_learn(struct frame_io_window *window, unsigned came)
{
	window->first = came + 1 < FRAME_IO_MAX ? came + 1 : FRAME_IO_MAX;
	if (window->first < FRAME_IO_FEW - 1)
		window->first = FRAME_IO_FEW - 1;
}

#endif
