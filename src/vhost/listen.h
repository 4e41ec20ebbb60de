/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a unix socket at a path that others may have used before. A socket nobody listens on is
 * stale and is replaced; a live one, or any other kind of file, is never touched. Stateless; any
 * thread.
 */
#ifndef VSW_VHOST_LISTEN_H
#define VSW_VHOST_LISTEN_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"

/* Which file we made, so that only that one is removed. */
struct vhost_socket_file {
	dev_t device;
	ino_t inode;
};

/* Fills the address for a path. 0, -EINVAL (empty) or -ENAMETOOLONG with the reason. */
int vhost_socket_address(const char *path, struct sockaddr_un *address, struct error *error);

/*
 * Looks at what is at the path. 1: nothing, 0: a stale socket, or a negative errno and a reason:
 * -EEXIST (no socket), -EADDRINUSE (someone listens), -ENAMETOOLONG, -EACCES, ...
 */
int vhost_socket_probe(const char *path, struct error *error);

/*
 * Listens at the path, replacing a stale socket. The file never has more permissions than `mode`.
 * Returns a non-blocking listening socket and fills *file, or a negative errno with the reason.
 */
int vhost_socket_listen(
	const char *path, mode_t mode, struct vhost_socket_file *file, struct error *error);

/* Removes the file at the path where it is still the one that vhost_socket_listen() made. */
void vhost_socket_unlink(const char *path, const struct vhost_socket_file *file);

#endif
