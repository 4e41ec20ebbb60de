/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/socket_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define FOLDER_MODE 0755

static int folder_of(const char *path, char folder[PATH_MAX], struct error *error)
{
	char copy[PATH_MAX];

	if (strlen(path) >= sizeof(copy))
		return error_set(error, -ENAMETOOLONG, "%.64s...: too long a path", path);
	strcpy(copy, path);
	strcpy(folder, dirname(copy));
	return 0;
}

/* 0 where it was made, 1 where it is there. */
static int make_one(const char *folder, struct error *error)
{
	int status = 0;
	int fd;

	if (mkdir(folder, 0700) < 0)
		return errno == EEXIST
			       ? 1
			       : error_set_errno(error, -errno, "cannot create '%s'", folder);
	/* Not by the path: what stands there now may be somebody else's. */
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, geteuid(), getegid()) < 0 || fchmod(fd, FOLDER_MODE) < 0)
		status = error_set_errno(error, -errno, "cannot create '%s'", folder);
	fd_close(&fd);
	return status;
}

int socket_folder_make(const char *path, struct error *error)
{
	char folder[PATH_MAX];
	char above[PATH_MAX];
	struct stat there;
	int status = folder_of(path, folder, error);

	if (status < 0 || stat(folder, &there) == 0)
		return status;
	status = folder_of(folder, above, error);
	if (status == 0)
		status = make_one(above, error);
	if (status >= 0)
		status = make_one(folder, error);
	return MIN(status, 0);
}

/* Of one folder, or of a link to one: 0, or -EPERM where others than root and we may move what is in it. */
static int check_one(const char *folder, struct error *error)
{
	struct stat now;

	if (lstat(folder, &now) < 0)
		return error_set_errno(error, -errno, "%s", folder);
	if (now.st_uid != 0 && now.st_uid != geteuid())
		return error_set(error, -EPERM,
			"folder '%s' belongs to user %u, who may replace what is in it", folder,
			now.st_uid);
	if (S_ISLNK(now.st_mode))
		return 0;
	if (now.st_mode & S_IWGRP && !(now.st_mode & S_ISVTX) && now.st_gid != 0)
		return error_set(error, -EPERM,
			"folder '%s' may be written by group %u, which may replace what is in it",
			folder, now.st_gid);
	if (now.st_mode & S_IWOTH && !(now.st_mode & S_ISVTX))
		return error_set(error, -EPERM,
			"folder '%s' may be written by everybody, who may replace what is in it",
			folder);
	return 0;
}

/* Of a folder and all above it. `path` is cut short. */
static int check_all(char *path, struct error *error)
{
	for (;;) {
		char *last = strrchr(path, '/');
		int status = check_one(*path ? path : "/", error);

		if (status < 0 || !last)
			return status;
		*last = '\0';
	}
}

int socket_folder_check(const char *path, struct error *error)
{
	char folder[PATH_MAX];
	char real[PATH_MAX];
	int status = folder_of(path, folder, error);

	if (status < 0)
		return status;
	if (!realpath(folder, real))
		return error_set_errno(error, -errno, "%s", folder);
	/* Where the folder is, and the way that the path takes: a link on it could be turned elsewhere. */
	status = check_all(real, error);
	return status < 0 ? status : check_all(folder, error);
}
