/* SPDX-License-Identifier: BSD-3-Clause */
/* `vsw config save`: the running configuration becomes a file, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/client.h"
#include "cli/command.h"

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The new file is the old one's successor: same owner and permissions, as far as we may give
 * them. */
static void inherit(int fd, const struct stat *old)
{
	if (fchown(fd, old->st_uid, old->st_gid) == 0 || geteuid() != 0)
		(void)!fchmod(fd, old->st_mode & 07777);
}

/* The text is at the path at once and durably, or what was there is untouched. What was there is
 * kept as `kept` if there is no such file yet, *kept_old: the first, a person's, is worth more than
 * a later one. 0 or -errno. */
static int replace_file(const char *path, const char *kept, const char *text, bool *kept_old)
{
	char draft[PATH_MAX];
	struct stat old;
	bool had_old;
	int fd, rc;

	*kept_old = false;
	had_old = stat(path, &old) == 0;
	if (had_old && !S_ISREG(old.st_mode))
		return -EINVAL;
	if (snprintf(draft, sizeof(draft), "%s.XXXXXX", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)!fchmod(fd, 0644);
	if (had_old)
		inherit(fd, &old);
	rc = write_all(fd, text);
	fd_close(&fd);
	if (rc == 0 && had_old) {
		*kept_old = link(path, kept) == 0;
		rc = *kept_old || errno == EEXIST ? 0 : -errno;
	}
	if (rc == 0 && rename(draft, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(draft);
	return rc;
}

/* The file that vswd reads, in *path; false after a message. A link is followed: it stays one. */
static bool find_path(const struct command_line *line, char path[PATH_MAX], json_t **state)
{
	const char *name = line->argument;

	*state = client_call(line->control, "show", NULL);
	if (!*state)
		return false;
	if (!name)
		name = json_string_value(json_object_get(*state, "config_file"));
	if (name && realpath(name, path))
		return true;
	if (name && errno == ENOENT && strlen(name) < PATH_MAX) {
		strcpy(path, name);
		return true;
	}
	fprintf(stderr, "vsw: %s: %s\n", name ? name : "config save",
		name ? strerror(errno) : "vswd does not say which file it reads: name one");
	return false;
}

/* kept: where the old file is now; NULL: it is not kept. own: vswd reads the file. */
static void report(const struct command_line *line, const char *path, const char *kept, bool own)
{
	json_t *object;

	if (!line->json) {
		printf("%s written", path);
		if (kept)
			printf(", what it was (with its comments) is %s", kept);
		printf("%s\n", own ? "" : "; vswd reads another file");
		return;
	}
	object = json_pack("{s:s, s:s?, s:b}", "file", path, "kept", kept, "own", (int)own);
	command_print_json(object);
	json_decref(object);
}

static int save(const struct command_line *line, const char *path, const json_t *state)
{
	const char *own = json_string_value(json_object_get(state, "config_file"));
	json_t *text = client_call(line->control, "config.show", json_pack("{s:b}", "brief", 1));
	char kept[PATH_MAX + 1];
	bool kept_old = false;
	json_t *done;
	int rc;

	if (!text)
		return COMMAND_REFUSED;
	snprintf(kept, sizeof(kept), "%s~", path);
	rc = replace_file(path, kept, json_string_value(text), &kept_old);
	if (rc < 0) {
		fprintf(stderr, "vsw: cannot write %s: %s\n", path,
			rc == -EINVAL ? "it is no ordinary file" : strerror(-rc));
		json_decref(text);
		return COMMAND_REFUSED;
	}
	report(line, path, kept_old ? kept : NULL, own && strcmp(own, path) == 0);
	if (!own || strcmp(own, path) != 0) {
		json_decref(text);
		return COMMAND_DONE;
	}
	done = client_call(line->control, "config.saved", json_pack("{s:o}", "text", text));
	json_decref(done);
	return done ? COMMAND_DONE : COMMAND_REFUSED;
}

int command_config_save(const struct command_line *line)
{
	char path[PATH_MAX];
	json_t *state = NULL;
	int status = COMMAND_REFUSED;

	if (find_path(line, path, &state))
		status = save(line, path, state);
	json_decref(state);
	return status;
}
