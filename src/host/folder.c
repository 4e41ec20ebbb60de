/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"
#include "host/process.h"

#define FOLDER_MODE 0755

int host_folder_name(struct host_folder *folder, const char *path, struct error *error)
{
	size_t length = strlen(path);

	if (length >= sizeof(folder->path))
		return error_set(error, -ENAMETOOLONG, "%.64s...: too long a path", path);
	memcpy(folder->path, path, length + 1);
	return 0;
}

int host_folder_of(struct host_folder *folder, const char *file, struct error *error)
{
	struct host_folder copy;
	int status = host_folder_name(&copy, file, error);

	return status < 0 ? status : host_folder_name(folder, dirname(copy.path), error);
}

static int fail_to_make(const char *path, int status, struct error *error)
{
	return error_set_errno(error, status, "cannot create '%s'", path);
}

static void remove_one(const char *path, const struct host_file *made)
{
	struct stat now;

	if (made->inode && lstat(path, &now) == 0 && now.st_dev == made->device &&
		now.st_ino == made->inode)
		rmdir(path);
}

/* Whose it is and what others may do: not by the path, where somebody else's may stand by now. */
static int set_ours(const char *path, struct host_file *made, struct error *error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat now;
	int status = 0;

	if (fd < 0 || fchown(fd, geteuid(), getegid()) < 0 || fchmod(fd, FOLDER_MODE) < 0 ||
		fstat(fd, &now) < 0)
		status = fail_to_make(path, -errno, error);
	else
		*made = (struct host_file){now.st_dev, now.st_ino, now.st_uid, now.st_gid};
	fd_close(&fd);
	return status;
}

/* One that is there already is left as it is. 0 and *made, or -errno. */
static int make_one(
	const char *path, enum host_folder_kind kind, struct host_file *made, struct error *error)
{
	struct stat now;

	if (mkdir(path, kind == HOST_FOLDER_OURS ? 0700 : FOLDER_MODE) < 0)
		return errno == EEXIST ? 0 : fail_to_make(path, -errno, error);
	if (kind == HOST_FOLDER_OURS)
		return set_ours(path, made, error);
	if (lstat(path, &now) < 0)
		return fail_to_make(path, -errno, error);
	*made = (struct host_file){now.st_dev, now.st_ino, now.st_uid, now.st_gid};
	return 0;
}

int host_folder_make(
	const struct host_folder *folder, struct host_folders_made *made, struct error *error)
{
	struct host_folder above;
	struct stat there;
	int status = host_folder_of(&above, folder->path, error);

	*made = (struct host_folders_made){0};
	if (status < 0 || stat(folder->path, &there) == 0)
		return status;
	if (folder->kind == HOST_FOLDER_OURS)
		status = make_one(above.path, folder->kind, &made->above, error);
	if (status == 0)
		status = make_one(folder->path, folder->kind, &made->folder, error);
	if (status < 0) {
		host_folder_remove(folder, made);
		*made = (struct host_folders_made){0};
	}
	return status;
}

void host_folder_remove(const struct host_folder *folder, const struct host_folders_made *made)
{
	struct host_folder above;

	remove_one(folder->path, &made->folder);
	if (host_folder_of(&above, folder->path, NULL) == 0)
		remove_one(above.path, &made->above);
}

/* Anybody who may look into the folder may lock it; only who could be a vswd is believed. */
static bool may_be_ours(pid_t holder)
{
	char path[32];
	struct stat process;

	snprintf(path, sizeof(path), "/proc/%d", (int)holder);
	return holder == 0 || stat(path, &process) < 0 || process.st_uid == 0 ||
	       process.st_uid == geteuid();
}

int host_folder_lock(const struct host_folder *folder, struct error *error)
{
	char holder[PROCESS_TEXT_SIZE];
	struct stat found = {0};
	pid_t pid;
	int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int status;

	if (fd < 0)
		return error_set_errno(error, -errno, "%s", folder->path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	status = -errno;
	fstat(fd, &found);
	pid = process_holding(&found);
	if (status == -EWOULDBLOCK && !may_be_ours(pid))
		return fd;
	fd_close(&fd);
	if (status != -EWOULDBLOCK)
		return error_set_errno(error, status, "%s: cannot lock it", folder->path);
	process_describe(pid, holder);
	return error_set(error, -EADDRINUSE, "folder %s is in use by %s", folder->path, holder);
}
