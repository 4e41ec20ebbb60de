/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may connect to a port's socket: from the names of the configuration to those of the kernel, and from
 * there to the socket of a running port. A folder in which others could replace the socket is said in the
 * log: the socket's permissions do not help there.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_SOCKET_ACCESS_H
#define VSW_CONTROL_SOCKET_ACCESS_H

#include "control/model.h"
#include "vhost/listen.h"

/* 0, or -ENOENT with a reason: the machine has no such user or group (any more). */
int socket_access_of(
	const struct model_port *model, struct vhost_socket_access *access, struct error *error);

/* Makes the socket of a running port what the model says of its access; see vhost_user_renew(). */
int socket_access_renew(struct port *port, const struct model_port *model, struct error *error);

/* Warns where somebody else may replace the socket of a server's port. */
void socket_access_check_folder(const struct model_port *model);

#endif
