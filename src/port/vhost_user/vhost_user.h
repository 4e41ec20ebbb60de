/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user port: a VM's virtio-net device, whose rings we serve over shared memory.
 *
 * The control thread owns the socket, the protocol state and the memory maps; a worker owns a ring
 * while it is published. To change a ring, the control thread unpublishes it, waits a grace period,
 * changes it and publishes it again: no ring is ever seen half changed, and after GET_VRING_BASE
 * has been answered no worker can touch it. Other ports are not disturbed.
 */
#ifndef VSW_PORT_VHOST_USER_VHOST_USER_H
#define VSW_PORT_VHOST_USER_VHOST_USER_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "host/host.h"
#include "port/port.h"

enum vhost_user_mode {
	VHOST_USER_SERVER, /* we listen at the socket; the VMM connects */
	VHOST_USER_CLIENT, /* the VMM listens; we connect, and keep trying */
};

struct vhost_user_options {
	enum vhost_user_mode mode;
	const char *socket; /* path; copied */
	/* Who may connect to it (server); copied; NULL: 0660, as the folder gives. */
	const struct host_access *access;
	/* Server: where it cannot listen that is its problem, and it tries again every second. */
	bool patient;
	unsigned queues;       /* queue pairs offered, 1 to PORT_QUEUE_MAX */
	uint16_t mtu;          /* offered to the guest; 0: none */
	uint64_t memory_limit; /* bytes that the VMM may have us map, 0: any; guest_mapping.h */
	/* Where packed rings note how far they are; copied. NULL: nowhere; see
	 * port/ring_places.h. */
	const char *places_folder;
	/* A VM announced itself (SEND_RARP): tell the network that `mac` is here. Control
	 * thread. */
	void (*announce)(void *owner, struct port *port, const uint8_t mac[6]);
	void *announce_owner;
};

/* Opens the socket (server) or starts dialling (client). Returns NULL with *error filled where the
 * socket cannot be had, and the port is not patient: too long a path, not a socket, in use, no
 * permission. The port is destroyed with port->class->destroy(). Control thread. */
struct port *vhost_user_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct vhost_user_options *options,
	struct error *error);

/* Server: lets in whom `access` names, and listens again where the socket file is gone; the present
 * VMM stays connected. 1 where it listens anew, 0, or -errno with *error filled: nothing has
 * changed then. Control thread. */
int vhost_user_renew(struct port *port, const struct host_access *access, struct error *error);

/* Changes options.memory_limit; what is mapped stays. Control thread. */
void vhost_user_set_memory_limit(struct port *port, uint64_t bytes);

enum vhost_user_state {
	VHOST_USER_DOWN,      /* no VMM */
	VHOST_USER_REFUSED,   /* a VMM was, or is, refused what it needs; `problem` says what */
	VHOST_USER_CONNECTED, /* a VMM, whose guest's driver has not started */
	VHOST_USER_NO_MEMORY, /* the driver has, and nothing of its memory is seen */
	VHOST_USER_RUNNING,   /* frames pass */
	VHOST_USER_BROKEN,    /* a ring is out of service */
};

extern const char *const vhost_user_state_names[];

struct vhost_user_status {
	enum vhost_user_state state;
	const char *problem;  /* what is or was wrong last, until it is over; NULL: nothing */
	unsigned problem_age; /* seconds since then */
	bool connected;       /* a VMM is connected */
	bool running;         /* and at least one pair of rings is started and enabled */
	pid_t peer;           /* its process, 0 where unknown */
	uint64_t features;    /* virtio features acked by the guest */
	uint64_t protocol_features;
	unsigned queues;       /* queue pairs that are started and enabled */
	uint64_t memory_bytes; /* guest memory mapped */
	/* address space for it and the dirty log: what memory_limit is about */
	uint64_t mapped_bytes;
	uint64_t connections;  /* how often a VMM has connected */
	uint64_t ring_errors;  /* queues stopped for a bad descriptor chain since the start */
	uint64_t owed_signals; /* sent late, because the VM's eventfds are slow */
	unsigned rings_lost;   /* packed rings out of service: nobody knows where they stand */
	const char *socket;
	enum vhost_user_mode mode;
};

/*
 * What the connected VM was told (queue pairs, MTU, features) it relies on as long as it runs, and
 * it comes back to the socket that it knows. 0 where a port with these options (socket, mode,
 * queues and mtu count) could go on serving it, or where there is none; else -EBUSY, and the words
 * for it. Control thread.
 */
int vhost_user_keeps_promise(
	const struct port *port, const struct vhost_user_options *options, struct error *error);

/* This port stands where another kept a VM that it cannot serve: its problem, until a VM runs.
 * Control thread. */
void vhost_user_break_promise(struct port *port, const char *words);

/* Control thread. */
void vhost_user_status(const struct port *port, struct vhost_user_status *status);

#endif
