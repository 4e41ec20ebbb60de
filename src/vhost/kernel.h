/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver side's hold on a device of the kernel's vhost-net (linux/vhost.h): one receiveq (0)
 * and one transmitq (1), which a thread of the kernel serves at the other side of the rings. It
 * sees our address space, but touches nothing of it that is not in the memory table; "guest
 * physical" addresses are whatever the table says, here the addresses themselves.
 *
 *   vhost_kernel_open()          we own the device, and features are agreed
 *   vhost_kernel_share()         the memory that descriptors may name
 *   vhost_kernel_start() a ring  where it lies, who wakes whom, and the TAP: it runs
 *   vhost_kernel_stop()  a ring  the kernel touches it no more
 *   vhost_kernel_close()         stops what runs, closes the device
 *
 * The device keeps the TAP's queue open while a ring runs, whoever closes it. Which layout of rings
 * it has, it says itself by its features (so far none has packed rings).
 *
 * Threads: one, the control thread; stop and close wait for the kernel's thread to put down what it
 * has in its hands, which takes as long as one burst of frames. Errors: -errno, with *error.
 */
#ifndef VSW_VHOST_KERNEL_H
#define VSW_VHOST_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { VHOST_KERNEL_RECEIVE, VHOST_KERNEL_TRANSMIT, VHOST_KERNEL_RINGS };

/* Memory that is shared as it is: the kernel's names of it are our addresses. */
struct vhost_kernel_memory {
	void *start; /* page-aligned */
	uint64_t size;
};

/* The eventfds stay the caller's. */
struct vhost_kernel_ring {
	unsigned size; /* descriptors */
	unsigned base; /* the available index at which it begins */
	void *descriptors;
	void *available;
	void *used;
	int kick_fd;  /* we signal the kernel */
	int call_fd;  /* it signals us; -1: never */
	int error_fd; /* it found the ring, or our memory, faulty; -1: it keeps that to itself */
};

struct vhost_kernel {
	int fd; /* -1: closed */
	/* ioctl(), or what a test has in its place. */
	int (*request)(int fd, unsigned long request, void *argument);
	uint64_t features; /* agreed */
	bool running[VHOST_KERNEL_RINGS];
};

/*
 * Takes the descriptor (host_vhost_net_open()) and agrees on those of `wanted` that the kernel has;
 * -ENOTSUP where one of `needed` is not among them. The device is closed where this fails. request:
 * NULL but in tests.
 */
int vhost_kernel_open(struct vhost_kernel *kernel, int fd,
	int (*request)(int fd, unsigned long request, void *argument), uint64_t wanted,
	uint64_t needed, struct error *error);

/* Sets the memory table: one region. Before any ring starts. */
int vhost_kernel_share(
	struct vhost_kernel *kernel, const struct vhost_kernel_memory *memory, struct error *error);

/* Starts ring `index` (VHOST_KERNEL_*) over a queue of a TAP, whose header in front of frames has
 * the size that goes with the features. */
int vhost_kernel_start(struct vhost_kernel *kernel, unsigned index,
	const struct vhost_kernel_ring *ring, int tap_fd, struct error *error);

void vhost_kernel_stop(struct vhost_kernel *kernel, unsigned index);

/* Harmless for one that is closed. */
void vhost_kernel_close(struct vhost_kernel *kernel);

#endif
