/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/unreachable.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/common.h"

pid_t unreachable_peer(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? peer.pid : 0;
}

bool unreachable_stopped(pid_t pid, const char **what)
{
	char path[32], text[512];
	const char *state;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = pid ? fopen(path, "re") : NULL;
	if (!file)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[length] = '\0';
	/* "PID (NAME) STATE ...", proc(5); the name may hold anything. */
	state = strrchr(text, ')');
	if (!state || state[1] != ' ')
		return false;
	switch (state[2]) {
	case 'T':
		*what = "it is stopped; 'kill -CONT' continues it";
		return true;
	case 't':
		*what = "a debugger holds it";
		return true;
	case 'Z':
	case 'X':
		*what = "it has ended";
		return true;
	default:
		return false;
	}
}

void unreachable_who_may(const char *path, struct error *error)
{
	const struct group *group;
	struct stat file;

	if (stat(path, &file) < 0)
		error_set(error, -EACCES, "use sudo");
	else if (!(file.st_mode & S_IWGRP) || file.st_gid == 0)
		error_set(error, -EACCES,
			"use sudo ('control-group' in the configuration lets a group in)");
	else if ((group = getgrgid(file.st_gid)))
		error_set(error, -EACCES, "use sudo, or join the group '%s'", group->gr_name);
	else
		error_set(error, -EACCES, "use sudo, or join group %u", (unsigned)file.st_gid);
}

void unreachable_explain(const char *path, int cause, struct error *error)
{
	struct error who;
	struct stat file;

	switch (cause) {
	case ENOENT:
		error_set(error, -cause,
			"there is no socket %s: vswd does not run, or was started with another "
			"--control",
			path);
		break;
	case ECONNREFUSED:
		if (stat(path, &file) == 0 && !S_ISSOCK(file.st_mode))
			error_set(error, -cause, "%s is not a socket", path);
		else
			error_set(error, -cause,
				"nobody listens at %s: vswd does not run (it was killed, and left "
				"the "
				"socket)",
				path);
		break;
	case EACCES:
		unreachable_who_may(path, &who);
		error_set(error, -cause, "permission denied: %s: %s", path, who.text);
		break;
	case EAGAIN:
		error_set(error, -cause, "vswd at %s takes no connections: it is stopped, or hangs",
			path);
		break;
	default:
		error_set(error, -cause, "cannot connect to vswd at %s: %s", path, strerror(cause));
		break;
	}
}
