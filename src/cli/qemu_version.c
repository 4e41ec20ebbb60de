/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/qemu_version.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

bool qemu_version_parse(const char *text, struct qemu_version *version)
{
	unsigned patch;
	int end = 0;

	if (*text < '0' || *text > '9')
		return false;
	if (sscanf(text, "%3u.%3u%n", &version->major, &version->minor, &end) < 2)
		return false;
	if (text[end] == '.') {
		int more = 0;

		if (sscanf(text + end, ".%5u%n", &patch, &more) < 1)
			return false;
		end += more;
	}
	return text[end] == '\0' || strchr(" -\n", text[end]);
}

bool qemu_version_at_least(const struct qemu_version *version, unsigned major, unsigned minor)
{
	return version->major > major || (version->major == major && version->minor >= minor);
}

/* A program in one of the folders of PATH. Relative ones are left out: vsw is often run by root. */
static bool find_in_path(const char *pattern, char path[PATH_MAX])
{
	const char *folder = getenv("PATH");
	bool found = false;

	while (folder && *folder && !found) {
		size_t length = strcspn(folder, ":");
		char full[PATH_MAX];
		glob_t matches;

		if (*folder == '/' &&
			snprintf(full, sizeof(full), "%.*s/%s", (int)length, folder, pattern) <
				(int)sizeof(full) &&
			glob(full, 0, NULL, &matches) == 0) {
			for (size_t i = 0; i < matches.gl_pathc && !found; i++) {
				found = access(matches.gl_pathv[i], X_OK) == 0 &&
					strlen(matches.gl_pathv[i]) < PATH_MAX;
				if (found)
					strcpy(path, matches.gl_pathv[i]);
			}
			globfree(&matches);
		}
		folder += length + (folder[length] == ':');
	}
	return found;
}

bool qemu_version_find(char path[PATH_MAX])
{
	struct utsname machine;
	char name[sizeof(machine.machine) + 16];

	if (uname(&machine) == 0) {
		snprintf(name, sizeof(name), "qemu-system-%s", machine.machine);
		if (find_in_path(name, path))
			return true;
	}
	return find_in_path("qemu-system-*", path) || find_in_path("qemu-kvm", path) ||
	       find_in_path("kvm", path);
}

/* Starts `BINARY --version`; *output is the end of a pipe from it. */
static int start(const char *binary, pid_t *child, int *output)
{
	char *words[] = {(char *)binary, (char *)"--version", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int ends[2];
	int rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	/* A group of its own: it may be a script. */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	rc = posix_spawnp(child, binary, &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (rc != 0)
		close(ends[0]);
	else
		*output = ends[0];
	return -rc;
}

/* What it prints, up to size - 1 characters. False where its end does not come in time. */
static bool read_output(int output, char *text, size_t size)
{
	const uint64_t end = clock_now_ns() + QEMU_VERSION_SECONDS * NS_PER_SECOND;
	struct pollfd waiting = {.fd = output, .events = POLLIN};
	size_t used = 0;

	while (used < size - 1) {
		uint64_t now = clock_now_ns();
		ssize_t n;

		if (now >= end || poll(&waiting, 1, (int)((end - now) / 1000000) + 1) == 0)
			return false;
		n = read(output, text + used, size - 1 - used);
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	text[used] = '\0';
	return true;
}

int qemu_version_ask(const char *binary, struct qemu_version *version, struct error *error)
{
	static const char mark[] = "version ";
	char text[1024] = "";
	const char *number;
	pid_t child = 0;
	int output = -1;
	bool ended;
	int rc = start(binary, &child, &output);

	if (rc < 0)
		return error_set(error, rc, "cannot run %s: %s", binary, strerror(-rc));
	ended = read_output(output, text, sizeof(text));
	close(output);
	kill(-child, SIGKILL); /* it has said all that is wanted */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (!ended)
		return error_set(error, -ETIMEDOUT, "%s --version does not end within %u s", binary,
			QEMU_VERSION_SECONDS);
	number = strstr(text, mark);
	if (!number || !qemu_version_parse(number + strlen(mark), version))
		return error_set(error, -EINVAL, "%s --version names no version", binary);
	return 0;
}
