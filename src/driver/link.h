/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device and the connection that gives it to a backend: a vhost-user socket, the frontend's
 * negotiation over it, and a device (driver/device.h) that lives as long as one connection.
 *
 *   WAITING      no connection; client sockets keep trying
 *   -> SETTING UP   ops->connected(); then ops->negotiated(): the owner lays out its rings
 *   -> RUNNING      ops->running(): the rings may be used
 *   -> STOPPED      ops->stopped(), after driver_link_stop(): the rings are the owner's again
 *   any -> WAITING  ops->disconnected(): the backend went, misbehaved, or refused something
 *
 * Nothing here times out; the owner may. Thread: the one that runs the event base, from which all
 * operations are called. None of them may close the link.
 */
#ifndef VSW_DRIVER_LINK_H
#define VSW_DRIVER_LINK_H

#include "driver/device.h"
#include "vhost/frontend.h"

struct event_base;
struct vhost_endpoint;

/* All are required. */
struct driver_link_ops {
	void (*connected)(void *owner);
	/* Features and pairs are agreed: fill link->frontend.rings, with driver_device_lay_out() or
	 * on top of it. 0, or -errno and the reason, which ends the connection. */
	int (*negotiated)(
		void *owner, uint64_t features, unsigned queue_pairs, struct error *error);
	void (*running)(void *owner);
	void (*stopped)(void *owner);
	/* The last use of the device, which is closed, where it was opened, on return. */
	void (*disconnected)(void *owner, const char *reason);
};

struct driver_link_config {
	const char *path; /* of the socket; borrowed until the link is open */
	const char *name; /* in log messages; likewise */
	bool server;      /* we listen */
	struct driver_device_config device;
	uint64_t features;          /* wanted, see driver_link_features() */
	uint64_t features_required; /* the connection fails without these */
	uint16_t mtu;               /* told to the backend, bytes */
};

struct driver_link {
	struct driver_link_config config;
	const struct driver_link_ops *ops;
	void *owner;
	struct vhost_endpoint *endpoint; /* NULL: without a socket */
	bool device_open;
	struct driver_device device;    /* while device_open */
	struct vhost_frontend frontend; /* of the present connection */
	struct error failure;           /* why that cannot go on; empty: it can */
};

/* What every device here wants: VERSION_1, the MTU, and of these options what is asked for. */
uint64_t driver_link_features(bool mergeable, bool event_index, unsigned queue_pairs);

/* Opens the socket; the rest happens in the event loop. `base` NULL: no socket, only the device may
 * be opened. `ops` must outlive the link. 0, or -errno and the reason; driver_link_close() is
 * allowed either way. */
int driver_link_open(struct driver_link *link, struct event_base *base,
	const struct driver_link_config *config, const struct driver_link_ops *ops, void *owner,
	struct error *error);

/* Opens the device of a link without a socket. 0, or -errno and the reason. */
int driver_link_open_device(struct driver_link *link, struct error *error);

/* Asks a connected link for the orderly stop of its rings. */
void driver_link_stop(struct driver_link *link);

/* Ends a connection: disconnected() follows, inside of this call or soon after. */
void driver_link_disconnect(struct driver_link *link, const char *reason);

bool driver_link_connected(const struct driver_link *link);

/* Closes socket and device, without a word to the owner. A link of zeros is accepted. */
void driver_link_close(struct driver_link *link);

#endif
