/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a unix socket at a path that others may have used before. A socket nobody listens on is
 * stale and is replaced; a live one, or any other kind of file, is never touched.
 *
 * Nobody but this process's user may connect before the socket has its owner, group and permissions, and
 * no operation here follows a symbolic link at the end of a path: permissions are changed through a
 * descriptor of the file, which must be a socket of ours. Who may write a folder may put a socket of his
 * own in place of ours all the same: socket_folder.h says where that is so. Stateless; any thread.
 */
#ifndef VSW_VHOST_LISTEN_H
#define VSW_VHOST_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"

/* Who may connect to a socket that we make. */
struct vhost_socket_access {
	mode_t mode; /* permissions */
	uid_t owner; /* VHOST_SOCKET_AS_MADE: this process's user */
	gid_t group; /* VHOST_SOCKET_AS_MADE: what the folder gives (its own where it is setgid) */
};
#define VHOST_SOCKET_AS_MADE UINT32_MAX

/* Which file we made, so that only that one is removed. */
struct vhost_socket_file {
	dev_t device;
	ino_t inode;
	uid_t owner; /* as made */
	gid_t group;
};

/* Fills the address for a path. 0, -EINVAL (empty) or -ENAMETOOLONG with the reason. */
int vhost_socket_address(const char *path, struct sockaddr_un *address, struct error *error);

/*
 * Looks at what is at the path. 1: nothing, 0: a stale socket, or a negative errno and a reason:
 * -EEXIST (no socket), -EADDRINUSE (someone listens), -ENAMETOOLONG, -EACCES, ...
 */
int vhost_socket_probe(const char *path, struct error *error);

/*
 * Listens at the path, replacing a stale socket. Returns a non-blocking listening socket and fills *file,
 * or a negative errno with the reason.
 */
int vhost_socket_listen(const char *path, const struct vhost_socket_access *access,
	struct vhost_socket_file *file, struct error *error);

/* True where the file at the path is the one that vhost_socket_listen() made. */
bool vhost_socket_exists(const char *path, const struct vhost_socket_file *file);

/* Gives the socket that vhost_socket_listen() made other permissions. 0 or -errno and a reason; -ENOENT
 * where it is not there any more. */
int vhost_socket_set_access(const char *path, const struct vhost_socket_file *file,
	const struct vhost_socket_access *access, struct error *error);

/* Removes the file at the path where it is still the one that vhost_socket_listen() made. */
void vhost_socket_unlink(const char *path, const struct vhost_socket_file *file);

#endif
