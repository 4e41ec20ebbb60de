/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame_io/frame_io.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

struct frame_io_ring {
	struct io_uring ring;
	bool dead; /* a call was refused: what it left in the ring must never be submitted */
};

/* Calls that the kernel has no memory for at present, before the ring is given up. */
#define BUSY_TRIES 16

/* Debian 12's liburing declares functions for these two and has them not. */
static int restrict_ring(struct io_uring *ring)
{
	struct io_uring_restriction allowed[] = {
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV},
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE},
		{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_FILES},
	};
	int status = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS,
		allowed, ARRAY_SIZE(allowed));

	if (status < 0)
		return status;
	return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Takes the results that are there; returns how many. */
static unsigned reap(struct io_uring *ring, struct frame_io *ios, unsigned count)
{
	struct io_uring_cqe *entry;
	unsigned head, taken = 0;

	io_uring_for_each_cqe(ring, head, entry)
	{
		if (entry->user_data < count)
			ios[entry->user_data].result = entry->res;
		taken++;
	}
	io_uring_cq_advance(ring, taken);
	return taken;
}

static void prepare(struct io_uring_sqe *entry, bool write, const struct frame_io *io)
{
	const struct iovec *pieces = io->pieces;

	if (io->count == 1)
		io_uring_prep_rw(write ? IORING_OP_WRITE : IORING_OP_READ, entry, 0,
			pieces->iov_base, (unsigned)pieces->iov_len, 0);
	else
		io_uring_prep_rw(
			write ? IORING_OP_WRITEV : IORING_OP_READV, entry, 0, pieces, io->count, 0);
	entry->rw_flags = RWF_NOWAIT;
	entry->flags = IOSQE_FIXED_FILE;
}

static void run(struct frame_io_ring *ring, bool write, struct frame_io *ios, unsigned count)
{
	unsigned done = 0, busy = 0;

	for (unsigned i = 0; i < count; i++) {
		struct io_uring_sqe *entry = io_uring_get_sqe(&ring->ring);

		/* The ring is empty between two calls, and has room for all of one. */
		prepare(entry, write, &ios[i]);
		entry->user_data = i;
		ios[i].result = -EIO;
	}
	/* All are done within the call, because none may wait; so waiting for them does not. */
	while (done < count) {
		int status = io_uring_submit_and_wait(&ring->ring, count - done);

		if (status < 0 && status != -EINTR && (status != -EAGAIN || ++busy > BUSY_TRIES)) {
			ring->dead = true;
			return;
		}
		done += reap(&ring->ring, ios, count);
	}
}

/* Of a kernel that would answer a read later, or not at all, a ring is of no use here. One of no
 * bytes tells, and takes no frame. */
static int probe(struct frame_io_ring *ring)
{
	char byte;
	struct iovec piece = {&byte, 0};
	struct frame_io io = {.pieces = &piece, .count = 1};

	run(ring, false, &io, 1);
	return io.result >= 0 || io.result == -EAGAIN ? 0 : io.result;
}

struct frame_io_ring *frame_io_ring_new(int fd, struct error *error)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_COOP_TASKRUN,
	};
	struct frame_io_ring *ring = calloc(1, sizeof(*ring));
	int status;

	if (!ring) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	status = io_uring_queue_init_params(FRAME_IO_MAX, &ring->ring, &params);
	if (status < 0) {
		free(ring);
		error_set_errno(error, status, "io_uring");
		return NULL;
	}
	status = io_uring_register_files(&ring->ring, &fd, 1);
	if (status == 0)
		status = restrict_ring(&ring->ring);
	if (status == 0)
		status = probe(ring);
	if (status < 0) {
		frame_io_ring_free(ring);
		error_set_errno(error, status, "io_uring");
		return NULL;
	}
	return ring;
}

void frame_io_ring_free(struct frame_io_ring *ring)
{
	if (!ring)
		return;
	/* The kernel takes rings apart at its leisure, and the TAP shall be free when we return. */
	io_uring_unregister_files(&ring->ring);
	io_uring_queue_exit(&ring->ring);
	free(ring);
}

static bool worth_a_ring(const struct frame_io_ring *ring, unsigned count)
{
	return ring && !ring->dead && count >= FRAME_IO_FEW;
}

/* The first one that finds nothing is the last one. */
void frame_io_read(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count)
{
	if (worth_a_ring(ring, count)) {
		run(ring, false, ios, count);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		struct iovec *pieces = ios[i].pieces;
		ssize_t result = ios[i].count == 1 ? read(fd, pieces->iov_base, pieces->iov_len)
						   : readv(fd, pieces, (int)ios[i].count);

		ios[i].result = result < 0 ? -errno : (int)result;
		while (result < 0 && ++i < count)
			ios[i].result = -EAGAIN;
	}
}

void frame_io_write(struct frame_io_ring *ring, int fd, struct frame_io *ios, unsigned count)
{
	if (worth_a_ring(ring, count)) {
		run(ring, true, ios, count);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		struct iovec *pieces = ios[i].pieces;
		ssize_t result = ios[i].count == 1 ? write(fd, pieces->iov_base, pieces->iov_len)
						   : writev(fd, pieces, (int)ios[i].count);

		ios[i].result = result < 0 ? -errno : (int)result;
	}
}
