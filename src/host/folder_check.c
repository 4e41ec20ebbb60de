/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may change what a path leads to. The path is walked as the kernel walks it, one name after
 * the other and each link to where it leads, with a descriptor of the folder reached: what was
 * looked at is what the next step starts from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"

/* Links on the way, as many as the kernel follows. */
#define LINKS_MAX 40

struct walk {
	int folder;                /* the one reached (O_PATH) */
	const char *path;          /* the one asked about */
	char name[HOST_PATH_SIZE]; /* its name without links, for messages; "" is the root */
	char rest[HOST_PATH_SIZE]; /* what is still to go */
	unsigned links;
};

static int fail_long(const struct walk *walk, struct error *error)
{
	return error_set_errno(error, -ENAMETOOLONG, "%.64s", walk->path);
}

/* Of a folder or a link to one: 0, or -EPERM where others than root and we may move what is in
 * it. */
static int judge(const char *name, const struct stat *now, struct error *error)
{
	const char *shown = *name ? name : "/";

	if (now->st_uid != 0 && now->st_uid != geteuid())
		return error_set(error, -EPERM, "%s '%s' belongs to user %u, who may %s",
			S_ISLNK(now->st_mode) ? "link" : "folder", shown, now->st_uid,
			S_ISLNK(now->st_mode) ? "turn it elsewhere" : "replace what is in it");
	if (S_ISLNK(now->st_mode) || now->st_mode & S_ISVTX)
		return 0;
	if (now->st_mode & S_IWGRP && now->st_gid != 0)
		return error_set(error, -EPERM,
			"folder '%s' may be written by group %u, which may replace what is in it",
			shown, now->st_gid);
	if (now->st_mode & S_IWOTH)
		return error_set(error, -EPERM,
			"folder '%s' may be written by everybody, who may replace what is in it",
			shown);
	return 0;
}

/* Takes the next name off the rest, which may be empty ("a//b"). False at the end. */
static bool next_name(struct walk *walk, char name[HOST_PATH_SIZE])
{
	size_t length = strcspn(walk->rest, "/");
	size_t used = length + strspn(walk->rest + length, "/");

	if (!*walk->rest)
		return false;
	memcpy(name, walk->rest, length);
	name[length] = '\0';
	memmove(walk->rest, walk->rest + used, strlen(walk->rest + used) + 1);
	return true;
}

/* The name of what `name` is in the folder reached. 0 or -ENAMETOOLONG. */
static int extend(const struct walk *walk, const char *name, char extended[HOST_PATH_SIZE])
{
	char *last;
	int length;

	if (strcmp(name, "..") != 0) {
		length = snprintf(extended, HOST_PATH_SIZE, "%s/%s", walk->name, name);
		return length < HOST_PATH_SIZE ? 0 : -ENAMETOOLONG;
	}
	memcpy(extended, walk->name, strlen(walk->name) + 1);
	last = strrchr(extended, '/');
	if (last)
		*last = '\0';
	return 0;
}

/* Starts at the root (again). */
static int enter_root(struct walk *walk, struct error *error)
{
	struct stat now;

	fd_close(&walk->folder);
	walk->name[0] = '\0';
	walk->folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (walk->folder < 0 || fstat(walk->folder, &now) < 0)
		return error_set_errno(error, -errno, "/");
	return judge("", &now, error);
}

/* Puts what the link says in front of the rest. */
static int follow(struct walk *walk, int link, const char *name, struct error *error)
{
	char target[HOST_PATH_SIZE];
	char rest[HOST_PATH_SIZE];
	ssize_t length = readlinkat(link, "", target, sizeof(target) - 1);

	if (length < 0)
		return error_set_errno(error, -errno, "%s", name);
	target[length] = '\0';
	if (++walk->links > LINKS_MAX)
		return error_set_errno(error, -ELOOP, "%s", walk->path);
	if (snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest) >= (int)sizeof(rest))
		return fail_long(walk, error);
	memcpy(walk->rest, rest, strlen(rest) + 1);
	return *target == '/' ? enter_root(walk, error) : 0;
}

/* One name further. */
static int step(struct walk *walk, const char *name, struct error *error)
{
	char extended[HOST_PATH_SIZE];
	struct stat now;
	int status;
	int fd;

	if (extend(walk, name, extended) < 0)
		return fail_long(walk, error);
	fd = openat(walk->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &now) < 0)
		status = error_set_errno(error, -errno, "%s", extended);
	else if (!S_ISLNK(now.st_mode) && !S_ISDIR(now.st_mode))
		status = error_set_errno(error, -ENOTDIR, "%s", extended);
	else
		status = judge(extended, &now, error);
	if (status == 0 && S_ISLNK(now.st_mode)) {
		status = follow(walk, fd, extended, error);
	} else if (status == 0) {
		memcpy(walk->name, extended, strlen(extended) + 1);
		fd_close(&walk->folder);
		walk->folder = fd_take(&fd);
	}
	fd_close(&fd);
	return status;
}

/* A path that does not begin at the root begins in this process's folder, which has a way of its
 * own. */
static int begin(struct walk *walk, struct error *error)
{
	const char *path = walk->path;
	char here[HOST_PATH_SIZE] = "";

	if (*path != '/' && !getcwd(here, sizeof(here)))
		return error_set_errno(error, -errno, "%s", path);
	if (*path != '/' && *here != '/')
		return error_set_errno(error, -ENOENT, "%s", path);
	if (snprintf(walk->rest, sizeof(walk->rest), "%s%s%s", here, *here ? "/" : "", path) >=
		(int)sizeof(walk->rest))
		return fail_long(walk, error);
	return enter_root(walk, error);
}

int host_folder_check(const struct host_folder *folder, struct error *error)
{
	struct walk walk = {.folder = -1, .path = folder->path};
	char name[HOST_PATH_SIZE];
	int status;

	status = begin(&walk, error);
	while (status == 0 && next_name(&walk, name))
		if (*name && strcmp(name, ".") != 0)
			status = step(&walk, name, error);
	fd_close(&walk.folder);
	return status;
}
