/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File descriptors: owned by exactly one variable, which holds -1 when it owns none.
 */
#ifndef VSW_BASE_FD_H
#define VSW_BASE_FD_H

#include <stdbool.h>

/* Closes *fd where it is one, and sets it to -1. errno is kept. */
void fd_close(int *fd);

/* Moves ownership out of *fd, which becomes -1. */
int fd_take(int *fd);

/* 0, or a negative errno. */
int fd_set_nonblocking(int fd);

/* True for an eventfd and nothing else: a peer may send us any descriptor it likes. */
bool fd_is_eventfd(int fd);

/* Adds one to an eventfd of our own, non-blocking; a full or broken one is ignored. A peer's
 * eventfd is signalled by base/peer_signal.h. Any thread. */
void fd_signal(int fd);

#endif
