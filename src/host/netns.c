/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/log.h"

#define OURS "/proc/thread-self/ns/net"

void netns_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);
}

/* A file that only looks like one of a namespace's names: a mount that failed leaves such. */
int netns_open(const char *name, struct error *error)
{
	char path[NETNS_NAME_SIZE + sizeof("/run/netns/")];
	struct statfs place;
	int fd;

	netns_path(name, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set_errno(error, -errno, "cannot open network namespace %s", path);
	if (fstatfs(fd, &place) == 0 && place.f_type == NSFS_MAGIC)
		return fd;
	fd_close(&fd);
	return error_set(error, -EINVAL, "%s is no network namespace", path);
}

int netns_find(const char *name, uint64_t *identity, struct error *error)
{
	char path[NETNS_NAME_SIZE + sizeof("/run/netns/")];
	struct stat ours, status;

	if (!*name) {
		*identity = netns_identity();
		return 0;
	}
	netns_path(name, path, sizeof(path));
	if (stat(path, &status) < 0)
		return error_set_errno(error, -errno, "cannot find network namespace %s", path);
	/* All of them lie in one file system. */
	if (stat(OURS, &ours) == 0 && status.st_dev != ours.st_dev)
		return error_set(error, -ENOENT, "%s is no network namespace", path);
	*identity = status.st_ino;
	return 0;
}

int netns_enter(struct netns_visit *visit, const char *name, struct error *error)
{
	int there, status = 0;

	visit->home = -1;
	if (!*name)
		return 0;
	there = netns_open(name, error);
	if (there < 0)
		return there;
	visit->home = open(OURS, O_RDONLY | O_CLOEXEC);
	if (visit->home < 0)
		status = error_set_errno(error, -errno, "cannot open our network namespace");
	else if (setns(there, CLONE_NEWNET) < 0)
		status = error_set_errno(error, -errno, "cannot enter network namespace %s%s", name,
			errno == EPERM ? " (it takes root, or the capability CAP_SYS_ADMIN)" : "");
	fd_close(&there);
	if (status < 0)
		fd_close(&visit->home);
	return status;
}

void netns_leave(struct netns_visit *visit)
{
	if (visit->home < 0)
		return;
	if (setns(visit->home, CLONE_NEWNET) < 0) {
		log_error("cannot return to our network namespace: %s", strerror(errno));
		abort();
	}
	fd_close(&visit->home);
}

uint64_t netns_identity(void)
{
	struct stat status;

	return stat(OURS, &status) == 0 ? status.st_ino : 0;
}
