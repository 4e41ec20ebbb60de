/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/ring_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/socket_folder.h"
#include "virtio/guest_mapping.h"

struct ring_places {
	struct guest_mapping *mapping;
};

/* A folder or file of ours that nobody else may touch. */
static int check_owner(const char *folder, const char *name, const struct stat *found, mode_t kind,
	struct error *error)
{
	if ((found->st_mode & S_IFMT) != kind || (kind == S_IFREG && found->st_nlink != 1))
		return error_set(error, -EINVAL, "%s/%s is not what we made", folder, name);
	if (found->st_uid != geteuid() || found->st_mode & (S_IRWXG | S_IRWXO))
		return error_set(error, -EPERM,
			"%s/%s belongs to user %u or may be used by others (mode %03o)", folder,
			name, found->st_uid, (unsigned)found->st_mode & 0777);
	return 0;
}

static int open_folder(const char *folder, struct error *error)
{
	struct stat found;
	int fd;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_set_errno(error, -errno, "cannot create '%s'", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &found) < 0)
		error_set_errno(error, -errno, "%s", folder);
	else if (check_owner(folder, "", &found, S_IFDIR, error) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

/* The file, `size` bytes long at least, all of which have room on their file system. */
static int open_file(
	int folder_fd, const char *folder, const char *name, uint64_t size, struct error *error)
{
	int fd = openat(
		folder_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat found;
	int rc;

	if (fd < 0 || fstat(fd, &found) < 0) {
		error_set_errno(error, -errno, "%s/%s", folder, name);
	} else if (check_owner(folder, name, &found, S_IFREG, error) == 0) {
		rc = posix_fallocate(fd, 0, (off_t)size);
		if (rc == 0)
			return fd;
		error_set_errno(error, -rc, "%s/%s", folder, name);
	}
	fd_close(&fd);
	return -1;
}

struct ring_places *ring_places_open(
	const char *folder, const char *name, unsigned count, struct error *error)
{
	struct ring_places *places = calloc(1, sizeof(*places));
	uint64_t size = count * sizeof(struct ring_place);
	int folder_fd = -1, fd = -1, rc = -1;

	if (!places) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	if (socket_folder_make(folder, error) == 0)
		folder_fd = open_folder(folder, error);
	if (folder_fd >= 0)
		fd = open_file(folder_fd, folder, name, size, error);
	if (fd >= 0)
		rc = guest_mapping_new_own(&places->mapping, fd, size, name, error);
	/* The mapping keeps the file. */
	fd_close(&fd);
	fd_close(&folder_fd);
	if (rc < 0) {
		free(places);
		return NULL;
	}
	return places;
}

struct ring_place *ring_places_at(struct ring_places *places, unsigned index)
{
	return (struct ring_place *)guest_mapping_start(places->mapping) + index;
}

void ring_places_close(struct ring_places *places)
{
	if (!places)
		return;
	guest_mapping_release(places->mapping);
	free(places);
}

void ring_places_remove(const char *folder, const char *name)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	unlinkat(fd, name, 0);
	fd_close(&fd);
	rmdir(folder);
}
