/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"

/* Who may read or write it, but for our own user. */
#define OTHERS (S_IRWXG | S_IRWXO)

int host_record_name(
	struct host_record *record, const char *folder, const char *name, struct error *error)
{
	size_t folder_length = strlen(folder), length = strlen(name);

	if (folder_length >= sizeof(record->folder) || length >= sizeof(record->name))
		return error_set(
			error, -ENAMETOOLONG, "%.64s/%.64s: too long a path", folder, name);
	if (length == 0 || *name == '.' || strchr(name, '/'))
		return error_set(error, -EINVAL, "%s/%s: not a file name", folder, name);
	memcpy(record->folder, folder, folder_length + 1);
	memcpy(record->name, name, length + 1);
	return 0;
}

/* A folder or file of ours that nobody else may touch; `name`: "" for the folder. */
static int check_owner(const struct host_record *record, const char *name, const struct stat *found,
	mode_t kind, struct error *error)
{
	if ((found->st_mode & S_IFMT) != kind || (kind == S_IFREG && found->st_nlink != 1))
		return error_set(error, -EINVAL, "%s/%s is not what we made", record->folder, name);
	if (found->st_uid != geteuid() || found->st_mode & OTHERS)
		return error_set(error, -EPERM,
			"%s/%s belongs to user %u or may be used by others (mode %03o)",
			record->folder, name, found->st_uid, (unsigned)found->st_mode & 0777);
	return 0;
}

static int open_folder(const struct host_record *record, struct error *error)
{
	int fd = open(record->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat found;
	int status;

	if (fd < 0 || fstat(fd, &found) < 0)
		status = error_set_errno(error, -errno, "%s", record->folder);
	else
		status = check_owner(record, "", &found, S_IFDIR, error);
	if (status == 0)
		return fd;
	fd_close(&fd);
	return status;
}

static int make_folder(const struct host_record *record, struct error *error)
{
	struct host_folder above = {.kind = HOST_FOLDER_OURS};
	struct host_folders_made made;
	int status = host_folder_of(&above, record->folder, error);

	if (status == 0)
		status = host_folder_make(&above, &made, error);
	if (status < 0)
		return status;
	if (mkdir(record->folder, S_IRWXU) == 0 || errno == EEXIST)
		return 0;
	status = error_set_errno(error, -errno, "cannot create '%s'", record->folder);
	host_folder_remove(&above, &made);
	return status;
}

static int open_file(const struct host_record *record, int folder, struct error *error)
{
	int fd = openat(folder, record->name,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S_IRUSR | S_IWUSR);
	struct stat found;
	int status;

	if (fd < 0 || fstat(fd, &found) < 0)
		status = error_set_errno(error, -errno, "%s/%s", record->folder, record->name);
	else
		status = check_owner(record, record->name, &found, S_IFREG, error);
	if (status == 0 && record->size) {
		status = -posix_fallocate(fd, 0, (off_t)record->size);
		if (status < 0)
			error_set_errno(error, status, "%s/%s", record->folder, record->name);
	}
	if (status == 0)
		return fd;
	fd_close(&fd);
	return status;
}

int host_record_open(const struct host_record *record, struct error *error)
{
	int status = make_folder(record, error);
	int folder = status < 0 ? status : open_folder(record, error);
	int fd = folder < 0 ? folder : open_file(record, folder, error);

	fd_close(&folder);
	return fd;
}

int host_record_rename(const struct host_record *record, const char *name, struct error *error)
{
	struct host_record other;
	int status = host_record_name(&other, record->folder, name, error);
	int folder = status < 0 ? status : open_folder(record, error);

	if (folder < 0)
		return folder;
	if (renameat(folder, record->name, folder, name) < 0)
		status = error_set_errno(
			error, -errno, "%s/%s to %s", record->folder, record->name, name);
	fd_close(&folder);
	return status;
}

void host_record_remove(const struct host_record *record)
{
	int folder = open(record->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder < 0)
		return;
	unlinkat(folder, record->name, 0);
	fd_close(&folder);
	rmdir(record->folder);
}

void host_record_each(const char *folder, void (*each)(void *owner, const char *name), void *owner)
{
	DIR *stream = opendir(folder);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (*entry->d_name != '.')
			each(owner, entry->d_name);
	if (stream)
		closedir(stream);
}
