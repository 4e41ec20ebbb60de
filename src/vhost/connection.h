/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connected vhost-user socket: bytes and descriptors in, whole messages out, for either role.
 * It reads without ever blocking, whatever the pieces in which a peer sends, and closes each
 * descriptor that did not become part of a message.
 *
 * Bounds on what a peer can do here:
 *   - a message that is not complete VHOST_MESSAGE_DEADLINE_MS after its first byte ends the
 *   connection;
 *   - so does a peer that lets more than VHOST_SEND_QUEUE_MAX replies wait for it to read;
 *   - one wake-up handles at most VHOST_MESSAGES_PER_WAKE messages, then others get their turn.
 *
 * Thread: the one that runs the event base. Callbacks come from the event loop, never from inside a
 * function called here. The owner may close the connection from inside its own callbacks.
 */
#ifndef VSW_VHOST_CONNECTION_H
#define VSW_VHOST_CONNECTION_H

#include "vhost/message.h"

struct event_base;
struct vhost_connection;

/* Header, payload and descriptors are sent together: anything slower is broken or hostile. */
#define VHOST_MESSAGE_DEADLINE_MS 2000

/* A frontend waits for each reply, so one is the rule; setups that pipeline stay well below
 * this. */
#define VHOST_SEND_QUEUE_MAX 64

/* A whole session's set-up is about 30 messages; larger bursts wait for the other connections. */
#define VHOST_MESSAGES_PER_WAKE 64
#define VHOST_WAKE_NS           5000000

/* While the reaper is full: between two looks whether it still is. */
#define VHOST_HOLD_MS 100

/* Most descriptors that one sendmsg() can carry on Linux (SCM_MAX_FD). */
#define VHOST_RECEIVE_FDS_MAX 253

/* The reason of closed() where the peer went away in good order. */
#define VHOST_PEER_CLOSED "the peer closed"

struct vhost_connection_ops {
	/* One whole message. The callee owns its descriptors; what it leaves in fds[] is closed. */
	void (*message)(void *owner, struct vhost_message *message);
	/* The peer is gone, or broke a rule: the text says so. The connection is freed
	 * afterwards. */
	void (*closed)(void *owner, const struct error *reason);
};

/*
 * Wraps a connected stream socket, which becomes the connection's on success. `ops` and `name` (for
 * the log) must outlive it, but for the rest of an operation that closes it. The reaper is shared;
 * it closes what the peer has sent, and the socket. While it is full nothing is read. NULL (and
 * errno) where memory or descriptors are short.
 */
struct vhost_connection *vhost_connection_new(struct event_base *base, int fd, const char *name,
	struct reaper *reaper, const struct vhost_connection_ops *ops, void *owner);

/*
 * Queues a message and sends what the socket takes. Its descriptors are borrowed and must stay open
 * until it is sent or the connection closed. 0, -ENOBUFS where the peer does not read, or
 * -errno of the socket: in both cases closed() follows from the event loop.
 */
int vhost_connection_send(struct vhost_connection *connection, const struct vhost_message *message);

/* Closes at once, without a callback. Allowed inside callbacks; NULL is accepted. */
void vhost_connection_close(struct vhost_connection *connection);

/* True where the peer has closed its end, though unread messages may be left. */
bool vhost_connection_peer_gone(const struct vhost_connection *connection);

/* Process id of the peer (SO_PEERCRED), 0 where unknown. */
int vhost_socket_peer_pid(int fd);

#endif
