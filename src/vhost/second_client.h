/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer that connects where there is one already: two VMs with the same socket, as a rule. QEMU
 * connects again as soon as it is disconnected, ten thousand times a second. So one such peer is
 * *held* for a while: open, unread, unanswered. While it is held its owner accepts nobody else
 * (others wait in the kernel's queue), and where the present connection ends meanwhile, the held
 * peer may be served at once.
 *
 *   FREE -> HELD -> FREE      by time-out (longer each time), by the peer's own end, or taken over
 *
 * Each time the hold is up the peer is disconnected; it may come again. The log says so at the
 * first one, the second, the fourth, and so on.
 *
 * Thread: the one that runs the event base.
 */
#ifndef VSW_VHOST_SECOND_CLIENT_H
#define VSW_VHOST_SECOND_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct event;

/* How long a peer is held, at first and at most: the shortest bounds what it costs us, the longest
 * what a VMM that waits for its answer does not react to otherwise. Without one for
 * VHOST_HOLD_FORGET_MS it starts afresh. */
#define VHOST_HOLD_FIRST_MS  1000
#define VHOST_HOLD_LAST_MS   4000
#define VHOST_HOLD_FORGET_MS 60000

/* Zeroed: free. */
struct second_client {
	struct event *event; /* NULL: free */
	int fd;
	unsigned hold_ms; /* of the last one */
	unsigned count;   /* held since it started afresh */
	uint64_t last;    /* ns: when the last one was let go */
	void (*gone)(void *owner);
	void *owner;
};

/* Holds the socket, which is borrowed: gone() is called when its time is over or the peer has hung
 * up, and must take it back. 0 or -ENOMEM (then nothing is held). *announce: true where the log
 * should say so. */
int second_client_hold(struct second_client *client, struct event_base *base, int fd,
	void (*gone)(void *owner), void *owner, bool *announce);

static inline bool second_client_held(const struct second_client *client)
{
	return client->event != 0;
}

/* Gives the held socket back, to be served or closed: descriptors that nobody has received may be
 * on their way in it, so that close() may sleep. */
int second_client_take(struct second_client *client);

#endif
