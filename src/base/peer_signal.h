/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signalling an eventfd that a peer shares with us, without ever waiting for that peer.
 *
 * O_NONBLOCK belongs to the open file, which the peer has open too: it may clear the flag at any
 * time and fill the counter, and write(2) then sleeps until somebody reads. So these eventfds are
 * not written. The kernel adds to them by itself when a request of asynchronous I/O completes
 * (io_submit(2), IOCB_FLAG_RESFD): it does not sleep for that, and a full counter stays full.
 *
 * Each thread has a context of its own: peer_signal_open() when it starts, peer_signal_close() at
 * its end. Where the kernel gives none (fs.aio-max-nr used up, no such call), the thread writes
 * after all, with a timer running that interrupts it every PEER_SIGNAL_PATIENCE_NS; that is logged,
 * once. Where it cannot have a timer either, opening fails, and so should the program's start.
 *
 * For eventfds of our own there is fd_signal() in base/fd.h, which costs a third.
 */
#ifndef VSW_BASE_PEER_SIGNAL_H
#define VSW_BASE_PEER_SIGNAL_H

#include "base/error.h"

/* The second way only: how long a peer that has made its eventfd blocking can hold a thread up,
 * each time. A signal takes about a microsecond. */
#define PEER_SIGNAL_PATIENCE_NS 1000000

/* Prepares the calling thread; again: nothing. 0, or -errno with *error filled. */
int peer_signal_open(struct error *error);

/* Gives up what the calling thread has. Without an open one: nothing. */
void peer_signal_close(void);

/* Adds one to an eventfd, unless it is full. -1 and what is no eventfd: nothing. A thread that was
 * not prepared is prepared now; where that fails nothing is signalled. */
void peer_signal(int fd);

/* For tests: the calling thread, not prepared yet, is to use the second way. */
void peer_signal_forbid_aio(void);

#endif
