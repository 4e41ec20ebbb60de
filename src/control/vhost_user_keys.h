/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only a vhost-user port is configured by: where its socket is, who may connect, and what the
 * VM is offered. Passive data; any thread.
 */
#ifndef VSW_CONTROL_VHOST_USER_KEYS_H
#define VSW_CONTROL_VHOST_USER_KEYS_H

#include "control/model.h"

enum model_socket_mode { MODEL_SERVER, MODEL_CLIENT };

struct model_vhost_user {
	unsigned mode; /* enum model_socket_mode */
	char socket[MODEL_PATH_SIZE];
	/* Who may connect where we listen: by name, "" for what the folder gives, and permissions.
	 * With MODEL_CLIENT nothing: the socket is the VMM's. */
	char owner[MODEL_NAME_SIZE];
	char group[MODEL_NAME_SIZE];
	unsigned socket_mode;      /* 0: nothing */
	unsigned queues;           /* pairs */
	unsigned mtu;              /* bytes; 0: none is offered */
	unsigned memory_limit_gib; /* or MODEL_MEMORY_AUTO */
};

extern const struct model_kind vhost_user_kind;

/* The settings of a port of this kind. */
static inline const struct model_vhost_user *model_vhost_user(const struct model_port *port)
{
	return port->settings;
}

#endif
