/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/router_note.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"

/* As it is in the file. */
struct stored {
	char netns[MODEL_PATH_SIZE];
	char own, linked; /* 'y' or 'n' */
};

static int open_note(const char *folder, const char *name, struct error *error)
{
	struct host_record record = {.size = sizeof(struct stored)};
	int status = host_record_name(&record, folder, name, error);

	return status < 0 ? status : host_record_open(&record, error);
}

int router_note_read(
	const char *folder, const char *name, struct router_note *note, struct error *error)
{
	struct stored stored;
	int fd = open_note(folder, name, error);
	ssize_t size;

	if (fd < 0)
		return fd;
	size = pread(fd, &stored, sizeof(stored), 0);
	fd_close(&fd);
	if (size != (ssize_t)sizeof(stored) || !stored.own ||
		!memchr(stored.netns, '\0', sizeof(stored.netns)) ||
		strlen(name) >= MODEL_NAME_SIZE)
		return error_set(error, -EINVAL, "%s/%s is no record of a router", folder, name);
	*note = (struct router_note){.own = stored.own == 'y', .linked = stored.linked == 'y'};
	strcpy(note->netns, stored.netns);
	return 0;
}

int router_note_write(
	const char *folder, const char *name, const struct router_note *note, struct error *error)
{
	struct stored stored = {.own = note->own ? 'y' : 'n', .linked = note->linked ? 'y' : 'n'};
	int fd = open_note(folder, name, error);
	int status = 0;

	if (fd < 0)
		return fd;
	strcpy(stored.netns, note->netns);
	if (pwrite(fd, &stored, sizeof(stored), 0) != (ssize_t)sizeof(stored))
		status = error_set_errno(error, -errno, "%s/%s", folder, name);
	fd_close(&fd);
	return status;
}

void router_note_remove(const char *folder, const char *name)
{
	struct host_record record;
	struct error error;

	if (host_record_name(&record, folder, name, &error) == 0)
		host_record_remove(&record);
}
