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
#include "control/yaml/config.h"

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

/* What is to be replaced. */
struct old_file {
	bool there;
	struct stat stat;
	char digest[SAVED_DIGEST_SIZE]; /* of its text */
	bool untouched;                 /* since it was saved: nothing of a person is in it */
};

/* 0, or -errno: there may be something that cannot be looked at, or is no file. */
static int look_at(const char *path, struct old_file *old)
{
	struct config_errors errors = {0};
	size_t length;
	char *text;
	int rc;

	*old = (struct old_file){0};
	if (stat(path, &old->stat) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(old->stat.st_mode))
		return -EINVAL;
	old->there = true;
	rc = config_read_file(path, &text, &length, &errors);
	config_errors_fini(&errors);
	/* One that is too large is no configuration: somebody's, and not what vswd has read. */
	if (rc == -EFBIG)
		return 0;
	if (rc < 0)
		return rc;
	saved_digest(text, length, old->digest);
	old->untouched = saved_untouched(text, length);
	free(text);
	return 0;
}

/* The new file is the old one's successor: same owner and permissions, as far as we may give them.
 * One without a predecessor is like any other that its user makes. */
static void set_rights(int fd, const struct old_file *old)
{
	mode_t mask;

	if (!old->there) {
		mask = umask(0);
		umask(mask);
		(void)!fchmod(fd, 0666 & ~mask);
	} else if (fchown(fd, old->stat.st_uid, old->stat.st_gid) == 0 || geteuid() != 0) {
		(void)!fchmod(fd, old->stat.st_mode & 07777);
	}
}

/* What a person wrote last is FILE~, in place of what was. draft: a name that is nobody's, where
 * there is room for one letter more. 0 or -errno. */
static int keep(const char *path, const char *kept, char *draft)
{
	int rc = 0;

	strcat(draft, "~");
	if (link(path, draft) < 0)
		return -errno;
	if (rename(draft, kept) < 0)
		rc = -errno;
	/* Where both were the same file already rename() does nothing. */
	unlink(draft);
	return rc;
}

/* The text is at the path at once and durably, or what was there is untouched. kept: where what was
 * there is kept; NULL: nowhere. 0 or -errno. */
static int replace_file(
	const char *path, const char *kept, const char *text, const struct old_file *old)
{
	char draft[PATH_MAX], other[PATH_MAX + 1];
	int fd, rc;

	if (snprintf(draft, sizeof(draft), "%s.XXXXXX", path) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	set_rights(fd, old);
	rc = write_all(fd, text);
	fd_close(&fd);
	strcpy(other, draft);
	if (rc == 0 && kept)
		rc = keep(path, kept, other);
	if (rc == 0 && rename(draft, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(draft);
	return rc;
}

/* Where a name leads in the end, also where nothing is there yet: a link stays one. False where it
 * leads in a circle, or too far. */
static bool follow(const char *name, char path[PATH_MAX])
{
	char target[PATH_MAX], *slash;

	if (strlen(name) >= PATH_MAX)
		return false;
	strcpy(path, name);
	for (unsigned links = 0; links < 40; links++) {
		ssize_t length = readlink(path, target, sizeof(target) - 1);

		if (length < 0)
			return true;
		target[length] = '\0';
		slash = *target == '/' ? NULL : strrchr(path, '/');
		if (slash && (size_t)(slash + 1 - path) + (size_t)length >= PATH_MAX)
			return false;
		strcpy(slash ? slash + 1 : path, target);
	}
	return false;
}

/* True where two names are of one file, or would be. */
static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	if (stat(a, &x) == 0 && stat(b, &y) == 0)
		return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
	return strcmp(a, b) == 0;
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

/* Nobody has read yet what stands there: whoever wrote it must know before it goes. */
static bool may_replace(const struct command_line *line, const char *path,
	const struct old_file *old, const json_t *state)
{
	const char *read = json_string_value(json_object_get(state, "config_digest"));

	if (line->given & COMMAND_FORCE || !old->there || !read || !*read ||
		strcmp(read, old->digest) == 0)
		return true;
	fprintf(stderr,
		"vsw: %s has changed since vswd read it: 'vsw config diff %s' shows how it differs "
		"from what is running; --force writes over it\n",
		path, path);
	return false;
}

/* Writes it, and tells vswd where it is the file that it reads. */
static int write_file(const struct command_line *line, const char *path, const struct old_file *old,
	bool own, const char *text)
{
	char kept[PATH_MAX + 1];
	bool keeps = old->there && !old->untouched;
	json_t *done;
	int rc;

	snprintf(kept, sizeof(kept), "%s~", path);
	rc = replace_file(path, keeps ? kept : NULL, text, old);
	if (rc < 0) {
		fprintf(stderr, "vsw: cannot write %s: %s\n", path, strerror(-rc));
		return COMMAND_REFUSED;
	}
	report(line, path, keeps ? kept : NULL, own);
	if (!own)
		return COMMAND_DONE;
	done = client_call(line->control, "config.saved", json_pack("{s:s}", "text", text));
	json_decref(done);
	return done ? COMMAND_DONE : COMMAND_REFUSED;
}

static int save(const struct command_line *line, const char *name, const json_t *state)
{
	const char *own_name = json_string_value(json_object_get(state, "config_file"));
	int status = COMMAND_REFUSED;
	char path[PATH_MAX];
	struct old_file old;
	json_t *running;
	char *text;
	bool own;
	int rc = follow(name, path) ? look_at(path, &old) : -ELOOP;

	if (rc < 0) {
		fprintf(stderr, "vsw: cannot write %s: %s\n", name,
			rc == -EINVAL ? "it is no ordinary file" : strerror(-rc));
		return COMMAND_REFUSED;
	}
	own = own_name && (strcmp(name, own_name) == 0 || same_file(path, own_name));
	if (own && !may_replace(line, path, &old, state))
		return COMMAND_REFUSED;
	running = client_call(line->control, "config.show", json_pack("{s:b}", "brief", 1));
	text = running ? saved_text(json_string_value(running)) : NULL;
	if (text)
		status = write_file(line, path, &old, own, text);
	free(text);
	json_decref(running);
	return status;
}

int command_config_save(const struct command_line *line)
{
	json_t *state = client_call(line->control, "show", NULL);
	const char *name = line->argument;
	int status = COMMAND_REFUSED;

	if (!state)
		return COMMAND_REFUSED;
	if (!name)
		name = json_string_value(json_object_get(state, "config_file"));
	if (name)
		status = save(line, name, state);
	else
		fprintf(stderr,
			"vsw: config save: vswd does not say which file it reads: name one\n");
	json_decref(state);
	return status;
}
