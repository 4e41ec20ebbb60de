/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user socket path and the one connection it has at a time, in either mode:
 *
 *   server  we listen at the path and accept one peer; a second one is held for a while, then
 *           refused (see second_client.h), and logged with its process id. A stale socket file is
 *           replaced, a live one or another kind of file is not.
 *   client  the peer listens; we connect, and try for ever with a growing delay.
 *
 *   WAITING (listening or dialling) -> CONNECTED -> WAITING -> ... until vhost_endpoint_close()
 *
 * The role (frontend or backend) is the owner's business. Both modes call the same operations, and
 * after disconnected() both start over by themselves.
 *
 * Thread: the one that runs the event base; operations are called from the event loop only. The
 * owner may disconnect or close the endpoint from inside any operation.
 */
#ifndef VSW_VHOST_ENDPOINT_H
#define VSW_VHOST_ENDPOINT_H

#include <sys/types.h>

#include "host/host.h"
#include "vhost/message.h"

struct event_base;
struct vhost_endpoint;

enum vhost_mode { VHOST_MODE_SERVER, VHOST_MODE_CLIENT };

/* Delay between attempts to connect: short enough for a restart not to be noticed, bounded in
 * cost. */
#define VHOST_DIAL_FIRST_MS 100
#define VHOST_DIAL_LAST_MS  1000

struct vhost_endpoint_config {
	enum vhost_mode mode;
	const char *path;                 /* copied */
	const char *name;                 /* of the port, for log lines; copied */
	const struct host_access *access; /* server mode; copied; NULL: 0660, as made */
	bool patient; /* server mode: where it cannot listen it tries again every second */
};

/* All are required. */
struct vhost_endpoint_ops {
	void (*connected)(void *owner);
	/* One whole message. The callee owns its descriptors; what it leaves in fds[] is closed. */
	void (*message)(void *owner, struct vhost_message *message);
	/* After the peer went away or broke a rule, and after vhost_endpoint_disconnect(). */
	void (*disconnected)(void *owner, const char *reason);
};

/*
 * Opens the path. In client mode an absent peer is no error, nor is a path that a patient server
 * cannot have: vhost_endpoint_problem() says so then. `ops` must outlive the endpoint.
 * 0 and *endpoint, or -errno and a reason that names the path: -ENAMETOOLONG, -EEXIST (no socket),
 * -EADDRINUSE (someone listens there), -EACCES, ...
 */
int vhost_endpoint_open(struct event_base *base, const struct vhost_endpoint_config *config,
	const struct vhost_endpoint_ops *ops, void *owner, struct vhost_endpoint **endpoint,
	struct error *error);

/* True between connected() and disconnected(). */
bool vhost_endpoint_connected(const struct vhost_endpoint *endpoint);

/* Why a patient server does not listen, as tried last, and for how many seconds; NULL where it
 * does, and in client mode. The text is the endpoint's. */
const char *vhost_endpoint_problem(const struct vhost_endpoint *endpoint, unsigned *age);

/* Process id of the connected peer (SO_PEERCRED), 0 where there is none or it is unknown. */
int vhost_endpoint_peer_pid(const struct vhost_endpoint *endpoint);

/* Gives up what peers of this endpoint have sent; borrowed. NULL never. */
struct reaper *vhost_endpoint_reaper(const struct vhost_endpoint *endpoint);

/* Sends to the peer; see vhost_connection_send(). -ENOTCONN where there is none. */
int vhost_endpoint_send(struct vhost_endpoint *endpoint, const struct vhost_message *message);

/* Ends the present connection: disconnected(reason) is called before this returns. */
void vhost_endpoint_disconnect(struct vhost_endpoint *endpoint, const char *reason);

/* Closes everything, without a callback, and removes the socket file that it made. NULL is
 * accepted. */
void vhost_endpoint_close(struct vhost_endpoint *endpoint);

/*
 * Server mode: lets in whom `access` (copied) names from now on, and listens again where the socket
 * file was removed or replaced; a present connection goes on. 1 where it listens anew, else 0, or
 * -errno and a reason: then all is as it was. Client mode: 0.
 */
int vhost_endpoint_renew(
	struct vhost_endpoint *endpoint, const struct host_access *access, struct error *error);

/*
 * What vhost_endpoint_open() would say of a server's path, without changing anything there. For
 * configuration checks. 0 or -errno and a reason.
 */
int vhost_endpoint_check(const char *path, struct error *error);

#endif
