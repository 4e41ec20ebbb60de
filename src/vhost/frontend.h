/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frontend of one vhost-user connection, for a virtio driver in user space: it negotiates,
 * hands over memory and rings, and later stops them in order. Like the backend it has no socket and
 * no clock: the shell takes messages from vhost_frontend_next() and brings replies to
 * vhost_frontend_handle(). One thread.
 *
 *   start -> NEGOTIATING -> (features known: ops->negotiated(), the driver lays out its rings)
 *         -> STARTING    -> memory, rings, enable
 *         -> RUNNING     -> ops->running()
 *   stop  -> STOPPING    -> each ring's base comes back into rings[].base
 *         -> STOPPED     -> ops->stopped(); vhost_frontend_restart() goes to STARTING again
 *   any   -> FAILED      -> ops->failed() once; drop the connection and begin anew
 *
 * Usage, after a connection and after each handled reply:
 *	while (vhost_frontend_next(frontend, &message))
 *		send(&message);
 * next() yields nothing while a reply is outstanding. Nothing here times out; the caller may.
 *
 * Order follows the strictest backends: the memory table before any address, SET_VRING_CALL before
 * the ring's other messages, kick last, enable after all kicks. Every message that can be
 * acknowledged is (REPLY_ACK), and waited for.
 *
 * Descriptors in messages to send are borrowed from the configuration and the rings: they stay open
 * until the message is sent. Descriptors in replies are closed.
 */
#ifndef VSW_VHOST_FRONTEND_H
#define VSW_VHOST_FRONTEND_H

#include "base/error.h"
#include "vhost/backend.h"
#include "vhost/message.h"

enum vhost_frontend_state {
	VHOST_FRONTEND_NEGOTIATING,
	VHOST_FRONTEND_STARTING,
	VHOST_FRONTEND_RUNNING,
	VHOST_FRONTEND_STOPPING,
	VHOST_FRONTEND_STOPPED,
	VHOST_FRONTEND_FAILED,
};

/* One ring, filled by the driver in negotiated(). Addresses are user addresses inside a region. */
struct vhost_frontend_ring {
	uint32_t size;                        /* descriptors */
	uint32_t base;                        /* where to begin; after a stop: where it ended */
	uint64_t descriptor, available, used; /* user addresses */
	int kick_fd, call_fd;                 /* eventfds of the driver; -1: the peer polls */
};

struct vhost_frontend_config {
	uint64_t features;          /* wanted; what the backend does not offer is left out */
	uint64_t features_required; /* fails without these */
	uint64_t protocol_features; /* wanted, of VHOST_FRONTEND_PROTOCOL_FEATURES */
	unsigned queue_pairs;       /* wanted; fewer where the backend has fewer */
	uint16_t mtu;               /* told with NET_SET_MTU where negotiated; 0: not told */
	unsigned region_count;      /* memory, at most VHOST_MESSAGE_FDS_MAX without memory slots */
	struct vhost_region regions[VHOST_MEMORY_SLOTS_MAX];
	int region_fds[VHOST_MEMORY_SLOTS_MAX];
};

/* The protocol features that this frontend can use. */
#define VHOST_FRONTEND_PROTOCOL_FEATURES                                                           \
	(BIT64(VHOST_PROTOCOL_MQ) | BIT64(VHOST_PROTOCOL_REPLY_ACK) |                              \
		BIT64(VHOST_PROTOCOL_NET_MTU) | BIT64(VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS) |        \
		BIT64(VHOST_PROTOCOL_STATUS))

/* All are required. None may free the frontend; each may call stop(). */
struct vhost_frontend_ops {
	/* Features and pairs are agreed: fill frontend->rings[0 .. 2 * queue_pairs). 0 or
	 * -errno. */
	int (*negotiated)(
		void *owner, uint64_t features, unsigned queue_pairs, struct error *error);
	void (*running)(void *owner);
	void (*stopped)(void *owner);
	void (*failed)(void *owner, const struct error *error);
};

struct vhost_frontend {
	const struct vhost_frontend_ops *ops;
	void *owner;
	struct vhost_frontend_config config;
	enum vhost_frontend_state state;
	uint64_t features;          /* agreed */
	uint64_t protocol_features; /* agreed */
	unsigned queue_pairs;       /* agreed */
	struct vhost_frontend_ring rings[VHOST_RING_MAX];
	unsigned step;    /* position in the list of steps of frontend.c */
	unsigned element; /* which region or ring of that step */
	uint32_t waiting; /* id of the request whose reply is outstanding; 0: none */
	bool stop_asked;  /* stop() came while starting */
	bool memory_sent; /* a restart does not send it again */
};

/* Begins a session on a fresh connection. `ops` must outlive the frontend; config is copied. */
void vhost_frontend_init(struct vhost_frontend *frontend,
	const struct vhost_frontend_config *config, const struct vhost_frontend_ops *ops,
	void *owner);

/* Fills the next message to send and returns true; false where there is none now. */
bool vhost_frontend_next(struct vhost_frontend *frontend, struct vhost_message *message);

/* Consumes a reply, with its descriptors. A reply that was not expected makes the session fail. */
void vhost_frontend_handle(struct vhost_frontend *frontend, struct vhost_message *message);

/* Asks for an orderly stop; call next() afterwards. While starting it takes effect when running. */
void vhost_frontend_stop(struct vhost_frontend *frontend);

/* From STOPPED: sets the rings up again, from rings[].base as they are then. Call next()
 * afterwards. */
void vhost_frontend_restart(struct vhost_frontend *frontend);

#endif
