/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/listen.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* Peers that may wait between two turns of our event loop; one is the rule. */
#define BACKLOG 8

int vhost_socket_address(const char *path, struct sockaddr_un *address, struct error *error)
{
	size_t length = strlen(path);

	if (length == 0)
		return error_set(error, -EINVAL, "the socket path is empty");
	if (length >= sizeof(address->sun_path))
		return error_set(error, -ENAMETOOLONG,
			"%s: socket path of %zu bytes, at most %zu are possible", path, length,
			sizeof(address->sun_path) - 1);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	return 0;
}

/* Only a connection attempt tells a live socket from one that its process left behind. */
static int probe_socket(const char *path, const struct sockaddr_un *address, struct error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int status;

	if (fd < 0)
		return error_set_errno(error, -errno, "%s: cannot make a socket", path);
	status = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	fd_close(&fd);
	switch (status) {
	case ECONNREFUSED:
		return 0;
	case ENOENT:
		return 1;
	case 0:
	case EAGAIN:     /* alive, with a full backlog */
	case EPROTOTYPE: /* alive, of another type */
		return error_set(
			error, -EADDRINUSE, "%s is in use: another process listens there", path);
	default:
		return error_set_errno(error, -status, "%s", path);
	}
}

int vhost_socket_probe(const char *path, struct error *error)
{
	struct sockaddr_un address;
	struct stat file;
	int status = vhost_socket_address(path, &address, error);

	if (status < 0)
		return status;
	if (lstat(path, &file) < 0)
		return errno == ENOENT ? 1 : error_set_errno(error, -errno, "%s", path);
	if (!S_ISSOCK(file.st_mode))
		return error_set(error, -EEXIST, "%s exists and is not a socket", path);
	return probe_socket(path, &address, error);
}

int vhost_socket_listen(
	const char *path, mode_t mode, struct vhost_socket_file *file, struct error *error)
{
	struct sockaddr_un address;
	struct stat made;
	int status = vhost_socket_probe(path, error);
	int fd;

	if (status < 0)
		return status;
	vhost_socket_address(path, &address, error);
	if (status == 0 && unlink(path) < 0 && errno != ENOENT)
		return error_set_errno(error, -errno, "%s: cannot replace the stale socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set_errno(error, -errno, "%s: cannot make a socket", path);
	/* Before bind() it sets what the file may have at most; after it, whatever the umask is. */
	if (fchmod(fd, mode) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		status = error_set_errno(error, -errno, "%s: cannot bind", address.sun_path);
		goto close_fd;
	}
	if (lstat(path, &made) < 0 || chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		status = error_set_errno(error, -errno, "%s: cannot listen", address.sun_path);
		goto unlink_path;
	}
	*file = (struct vhost_socket_file){.device = made.st_dev, .inode = made.st_ino};
	return fd;

unlink_path:
	unlink(path);
close_fd:
	fd_close(&fd);
	return status;
}

void vhost_socket_unlink(const char *path, const struct vhost_socket_file *file)
{
	struct stat now;

	if (lstat(path, &now) == 0 && now.st_dev == file->device && now.st_ino == file->inode)
		unlink(path);
}
