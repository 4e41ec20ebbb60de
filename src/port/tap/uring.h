/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many reads or writes of one descriptor by one system call: an io_uring that can do nothing else.
 * It is restricted, before it is used, to READV, WRITEV and WRITE (of what is one piece) of the one
 * descriptor registered with it.
 *
 * Nothing is left under way: each request is done when tap_uring_run() returns, or refused because
 * it would have to wait. So the buffers and iovecs are the caller's again, and no thread is kept
 * waiting. Linux has that for TAPs from 6.4 on; where it does not, or io_uring is switched off
 * (sysctl kernel.io_uring_disabled, seccomp), there is no ring and the caller uses readv() and
 * writev().
 *
 * One thread at a time uses a ring; which one may change.
 */
#ifndef VSW_PORT_TAP_URING_H
#define VSW_PORT_TAP_URING_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/error.h"
#include "packet/packet.h"

/* One frame, or room for one. */
struct tap_io {
	struct iovec *pieces;
	unsigned count; /* of pieces, at most IOV_MAX */
	int result;     /* bytes, or -errno */
};

struct tap_uring;

/* A ring for this descriptor, which it holds open until it is freed; a frame that waits there may
 * be lost. NULL with the reason. Control thread. */
struct tap_uring *tap_uring_new(int fd, struct error *error);
void tap_uring_free(struct tap_uring *ring);

/* True where the kernel has refused a call: the ring must not be used any more. */
bool tap_uring_dead(const struct tap_uring *ring);

/* Reads into, or writes, ios[0..count-1] in order (count <= PACKET_BATCH), and fills the results. A
 * full or empty TAP is -EAGAIN. */
void tap_uring_run(struct tap_uring *ring, bool write, struct tap_io *ios, unsigned count);

#endif
