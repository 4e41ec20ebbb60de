/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* Peers that may wait between two turns of our event loop; one is the rule. */
#define BACKLOG 8

/* Permissions of a socket file that is not ready: nobody but our own user may connect. */
#define CLOSED (S_IRUSR | S_IWUSR)

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
static int probe_socket(const char *path, int file, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int status;

	if (fd < 0)
		return error_set_errno(error, -errno, "%s: cannot make a socket", path);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	status = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
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
	int fd;

	if (status < 0)
		return status;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : error_set_errno(error, -errno, "%s", path);
	if (fstat(fd, &file) < 0)
		status = error_set_errno(error, -errno, "%s", path);
	else if (!S_ISSOCK(file.st_mode))
		status = error_set(error, -EEXIST, "%s exists and is not a socket", path);
	else
		status = probe_socket(path, fd, error);
	fd_close(&fd);
	return status;
}

/*
 * The socket file at the path, as a descriptor (O_PATH) that names the file and not the path; -errno where
 * it is not a socket of this file's, -EMLINK where that has another name as well. `file`: NULL where it was made right now, by this user.
 */
static int open_file(const char *path, const struct vhost_socket_file *file, struct stat *found)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int status = 0;
	bool ours;

	if (fd < 0)
		return -errno;
	if (fstat(fd, found) < 0) {
		status = -errno;
	} else {
		ours = file ? found->st_dev == file->device && found->st_ino == file->inode
			    : found->st_uid == geteuid();
		if (!S_ISSOCK(found->st_mode) || !ours)
			status = -ENOENT;
		else if (found->st_nlink != 1)
			status = -EMLINK;
	}
	if (status == 0)
		return fd;
	fd_close(&fd);
	return status;
}

/*
 * The order lets nobody in who may not be in at the end: first it is ours and closed to others, then the
 * group changes, then what the group may do, and last the owner, after which it may not be ours to change.
 * Where all is as it should be nothing is touched, so that no peer meets a closed door.
 */
static int set_access(int fd, const struct stat *now, const struct vhost_socket_file *file,
	const struct vhost_socket_access *access)
{
	uid_t owner = access->owner == VHOST_SOCKET_AS_MADE ? file->owner : access->owner;
	gid_t group = access->group == VHOST_SOCKET_AS_MADE ? file->group : access->group;
	char path[32];

	if (now->st_uid == owner && now->st_gid == group && (now->st_mode & 07777) == access->mode)
		return 0;
	/* The way to the file of an O_PATH descriptor: fchmod() takes none. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((now->st_uid != geteuid() &&
		    fchownat(fd, "", geteuid(), (gid_t)-1, AT_EMPTY_PATH) < 0) ||
		chmod(path, CLOSED) < 0 ||
		(now->st_gid != group && fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH) < 0) ||
		chmod(path, access->mode) < 0 ||
		(owner != geteuid() && fchownat(fd, "", owner, (gid_t)-1, AT_EMPTY_PATH) < 0))
		return -errno;
	return 0;
}

bool vhost_socket_exists(const char *path, const struct vhost_socket_file *file)
{
	struct stat now;

	return lstat(path, &now) == 0 && now.st_dev == file->device && now.st_ino == file->inode;
}

int vhost_socket_set_access(const char *path, const struct vhost_socket_file *file,
	const struct vhost_socket_access *access, struct error *error)
{
	struct stat found;
	int fd = open_file(path, file, &found);
	int status = fd < 0 ? fd : set_access(fd, &found, file, access);

	fd_close(&fd);
	if (status < 0)
		return error_set_errno(error, status, "%s: cannot set who may connect", path);
	return 0;
}

/* Binds the socket, lets in whom `access` names, listens. 0 or -errno and a reason. */
static int bind_and_listen(int fd, const struct sockaddr_un *address,
	const struct vhost_socket_access *access, struct vhost_socket_file *file,
	struct error *error)
{
	const char *path = address->sun_path;
	struct stat made;
	int file_fd;
	int status;

	/* Before bind() it sets what the file may have at most; after it, whatever the umask is. */
	if (fchmod(fd, CLOSED) < 0 ||
		bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return error_set_errno(error, -errno, "%s: cannot bind", path);
	file_fd = open_file(path, NULL, &made);
	if (file_fd < 0)
		return error_set(
			error, file_fd, "%s: somebody else replaced the socket just made", path);
	*file = (struct vhost_socket_file){.device = made.st_dev,
		.inode = made.st_ino,
		.owner = made.st_uid,
		.group = made.st_gid};
	status = set_access(file_fd, &made, file, access);
	if (status < 0)
		error_set_errno(error, status, "%s: cannot set who may connect", path);
	else if (listen(fd, BACKLOG) < 0)
		status = error_set_errno(error, -errno, "%s: cannot listen", path);
	fd_close(&file_fd);
	if (status < 0)
		vhost_socket_unlink(path, file);
	return status;
}

int vhost_socket_listen(const char *path, const struct vhost_socket_access *access,
	struct vhost_socket_file *file, struct error *error)
{
	struct sockaddr_un address;
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
	status = bind_and_listen(fd, &address, access, file, error);
	if (status < 0) {
		fd_close(&fd);
		return status;
	}
	return fd;
}

void vhost_socket_unlink(const char *path, const struct vhost_socket_file *file)
{
	if (vhost_socket_exists(path, file))
		unlink(path);
}
