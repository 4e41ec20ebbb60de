/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"
#include "host/process.h"

_Static_assert(HOST_SOCKET_PATH_SIZE == sizeof(((struct sockaddr_un *)0)->sun_path),
	"a path that fits a request fits an address");

/* Peers that may wait between two turns of our event loop; one is the rule. */
#define BACKLOG 8

/* Permissions of a socket file that is not ready: nobody but our own user may connect. */
#define CLOSED (S_IRUSR | S_IWUSR)

int host_socket_name(struct host_socket *socket, const char *path, struct error *error)
{
	size_t length = strlen(path);

	if (length == 0)
		return error_set(error, -EINVAL, "the socket path is empty");
	if (length >= sizeof(socket->path))
		return error_set(error, -ENAMETOOLONG,
			"%s: socket path of %zu bytes, at most %zu are possible", path, length,
			sizeof(socket->path) - 1);
	memcpy(socket->path, path, length + 1);
	return 0;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, strlen(path) + 1);
	return address;
}

static int open_stream(const char *path, struct error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_set_errno(error, -errno, "%s: cannot make a socket", path) : fd;
}

/* Only a connection attempt tells a live socket from one that its process left behind. */
static int probe_file(const char *path, int file, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = open_stream(path, error);
	struct ucred listener = {0};
	socklen_t length = sizeof(listener);
	char process[PROCESS_TEXT_SIZE];
	int status;

	if (fd < 0)
		return fd;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	status = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	if (status == 0)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &length);
	fd_close(&fd);
	switch (status) {
	case ECONNREFUSED:
		return 0;
	case ENOENT:
		return 1;
	case 0:
	case EAGAIN:     /* alive, with a full backlog */
	case EPROTOTYPE: /* alive, of another type */
		process_describe(listener.pid, process);
		return error_set(
			error, -EADDRINUSE, "%s is in use: %s listens there", path, process);
	default:
		return error_set_errno(error, -status, "%s", path);
	}
}

int host_socket_probe(const struct host_socket *socket, struct error *error)
{
	const char *path = socket->path;
	struct stat file;
	int status;
	int fd;

	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 1 : error_set_errno(error, -errno, "%s", path);
	if (fstat(fd, &file) < 0)
		status = error_set_errno(error, -errno, "%s", path);
	else if (!S_ISSOCK(file.st_mode))
		status = error_set(error, -EEXIST, "%s exists and is not a socket", path);
	else
		status = probe_file(path, fd, error);
	fd_close(&fd);
	return status;
}

/*
 * The socket file at the path, as a descriptor (O_PATH) that names the file and not the path;
 * -errno where it is not a socket of this file's, -EMLINK where that has another name as well.
 * `file`: NULL where it was made right now, by this user.
 */
static int open_file(const char *path, const struct host_file *file, struct stat *found)
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
 * The order lets nobody in who may not be in at the end: first it is ours and closed to others,
 * then the group changes, then what the group may do, and last the owner, after which it may not be
 * ours to change. Where all is as it should be nothing is touched, so that no peer meets a closed
 * door.
 */
static int set_access(int fd, const struct stat *now, const struct host_file *file,
	const struct host_access *access)
{
	uid_t owner = access->owner == HOST_AS_MADE ? file->owner : access->owner;
	gid_t group = access->group == HOST_AS_MADE ? file->group : access->group;
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

bool host_socket_exists(const struct host_socket *socket)
{
	struct stat now;

	return lstat(socket->path, &now) == 0 && now.st_dev == socket->made.device &&
	       now.st_ino == socket->made.inode;
}

int host_socket_set_access(const struct host_socket *socket, struct error *error)
{
	struct stat found;
	int fd = open_file(socket->path, &socket->made, &found);
	int status = fd < 0 ? fd : set_access(fd, &found, &socket->made, &socket->access);

	fd_close(&fd);
	if (status < 0)
		return error_set_errno(
			error, status, "%s: cannot set who may connect", socket->path);
	return 0;
}

void host_socket_remove(const struct host_socket *socket)
{
	if (host_socket_exists(socket))
		unlink(socket->path);
}

/* Binds the socket, lets in whom the request names, listens. 0 or -errno and a reason. */
static int bind_and_listen(
	int fd, const struct host_socket *request, struct host_file *made, struct error *error)
{
	struct sockaddr_un address = address_of(request->path);
	struct host_socket again = *request;
	struct stat found;
	int file_fd;
	int status;

	/* Before bind() it sets what the file may have at most; after it, whatever the umask is. */
	if (fchmod(fd, CLOSED) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(error, -errno, "%s: cannot bind", request->path);
	file_fd = open_file(request->path, NULL, &found);
	if (file_fd < 0)
		return error_set(error, file_fd, "%s: somebody else replaced the socket just made",
			request->path);
	*made = (struct host_file){.device = found.st_dev,
		.inode = found.st_ino,
		.owner = found.st_uid,
		.group = found.st_gid};
	status = set_access(file_fd, &found, made, &request->access);
	if (status < 0)
		error_set_errno(error, status, "%s: cannot set who may connect", request->path);
	else if (listen(fd, BACKLOG) < 0)
		status = error_set_errno(error, -errno, "%s: cannot listen", request->path);
	fd_close(&file_fd);
	if (status < 0) {
		again.made = *made;
		host_socket_remove(&again);
	}
	return status;
}

static int replace_and_listen(
	const struct host_socket *request, struct host_file *made, struct error *error)
{
	int status = host_socket_probe(request, error);
	int fd;

	if (status < 0)
		return status;
	if (status == 0 && unlink(request->path) < 0 && errno != ENOENT)
		return error_set_errno(
			error, -errno, "%s: cannot replace the stale socket", request->path);
	fd = open_stream(request->path, error);
	if (fd < 0)
		return fd;
	status = bind_and_listen(fd, request, made, error);
	if (status < 0) {
		fd_close(&fd);
		return status;
	}
	return fd;
}

int host_socket_listen(
	const struct host_socket *socket, struct host_file *made, struct error *error)
{
	struct host_folder folder = {.kind = HOST_FOLDER_OURS};
	struct host_folders_made folders;
	int status;

	if (!socket->safe_folder)
		return replace_and_listen(socket, made, error);
	status = host_folder_of(&folder, socket->path, error);
	if (status == 0)
		status = host_folder_make(&folder, &folders, error);
	if (status < 0)
		return status;
	status = host_folder_check(&folder, error);
	if (status == 0)
		status = replace_and_listen(socket, made, error);
	if (status < 0)
		host_folder_remove(&folder, &folders);
	return status;
}

int host_socket_connect(const struct host_socket *socket, struct error *error)
{
	struct sockaddr_un address = address_of(socket->path);
	int fd = open_stream(socket->path, error);
	int status;

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	status = error_set_errno(error, -errno, "cannot connect to %s", socket->path);
	fd_close(&fd);
	return status;
}
