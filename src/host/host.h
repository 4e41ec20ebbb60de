/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Acts on the host: whatever takes privilege, or names something outside this process (a socket, a
 * folder, a file, an interface: those stand in host/tap.h). No other folder makes such a system
 * call, but for the few that tools/check-host-calls lists with their reasons.
 *
 * An act is a function. Its request and its answer are plain data: numbers, and text in arrays of
 * their own that ends with a zero, so that another process could carry it out as well; here this
 * one does. What is opened is answered as a descriptor (O_CLOEXEC), which is the caller's from then
 * on. Nothing is kept from one act to the next: who made a file is told which one (struct
 * host_file) and brings that along later, so that what others put in its place is never touched.
 *
 *   socket   listen -> exists, set_access as often as one likes -> remove
 *            connect; probe, which changes nothing
 *   folder   make -> remove, where what it was made for failed; lock; check, which changes nothing
 *   record   open, rename, as often as one likes -> remove
 *
 * No operation follows a symbolic link at the end of a path. Permissions are changed through a
 * descriptor of the file, which must be ours. Who may write a folder, or one on the way to it, may
 * put a file of his own in place of ours all the same: host_folder_check() says where that is so.
 *
 * Thread: any; an act lasts as long as the host's file systems take, so never a worker's. Errors:
 * -errno, and *error names what could not be done, with the path.
 */
#ifndef VSW_HOST_HOST_H
#define VSW_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Sizes of texts, their final zero included: of sun_path, of a path, and of a name in a folder. */
#define HOST_SOCKET_PATH_SIZE 108
#define HOST_PATH_SIZE        4096
#define HOST_NAME_SIZE        256

/* Which file an act made. */
struct host_file {
	uint64_t device;
	uint64_t inode;
	uint32_t owner; /* as made */
	uint32_t group;
};

/* Who may connect to a socket that we make. */
struct host_access {
	uint32_t mode;  /* permissions */
	uint32_t owner; /* HOST_AS_MADE: this process's user */
	uint32_t group; /* HOST_AS_MADE: what the folder gives (its own where it is setgid) */
};
#define HOST_AS_MADE UINT32_MAX

/* A unix stream socket with a path. */
struct host_socket {
	char path[HOST_SOCKET_PATH_SIZE];
	struct host_access access; /* listen, set_access */
	bool safe_folder;          /* listen: only where nobody else can replace it; see there */
	struct host_file made;     /* exists, set_access, remove: what listen answered */
};

/* Fills the path. 0, -EINVAL (empty) or -ENAMETOOLONG with the reason. */
int host_socket_name(struct host_socket *socket, const char *path, struct error *error);

/*
 * Looks at what is at the path. 1: nothing, 0: a stale socket, or a negative errno and a reason:
 * -EEXIST (no socket), -EADDRINUSE (someone listens), -EACCES, ...
 */
int host_socket_probe(const struct host_socket *socket, struct error *error);

/*
 * Listens at the path, replacing a stale socket; a live one, or any other kind of file, is never
 * touched. Nobody but this process's user may connect before the socket has its owner, group and
 * permissions. With safe_folder its folder is made where it is missing, as HOST_FOLDER_OURS, and
 * must pass host_folder_check(); what was made goes again where anything fails. Returns a
 * non-blocking listening socket and fills *made, or a negative errno (-EPERM: not a safe folder)
 * with the reason.
 */
int host_socket_listen(
	const struct host_socket *socket, struct host_file *made, struct error *error);

/* Connects to who listens at the path. A non-blocking socket, or a negative errno and a reason. */
int host_socket_connect(const struct host_socket *socket, struct error *error);

/* True where the file at the path is the one that we made. */
bool host_socket_exists(const struct host_socket *socket);

/* Gives the socket that we made other permissions. 0 or -errno and a reason; -ENOENT where it is
 * not there any more. */
int host_socket_set_access(const struct host_socket *socket, struct error *error);

/* Removes the file at the path where it is still the one that we made. */
void host_socket_remove(const struct host_socket *socket);

enum host_folder_kind {
	/* One folder; the one above it must be there. Permissions 0755 less the umask, and the
	 * group that the one above gives. */
	HOST_FOLDER_PLAIN,
	/* With the one above it where that is missing, too: both with mode 0755, this process's
	 * user and its group, also beneath a folder that is setgid. */
	HOST_FOLDER_OURS,
};

struct host_folder {
	char path[HOST_PATH_SIZE];
	enum host_folder_kind kind; /* make */
};

/* Which folders an act made: of the path, and above it. All zero: none. */
struct host_folders_made {
	struct host_file folder, above; /* inode 0: was there before */
};

/* Fills the path, or with the path of the folder in which `file` stands. 0 or -ENAMETOOLONG with a
 * reason. */
int host_folder_name(struct host_folder *folder, const char *path, struct error *error);
int host_folder_of(struct host_folder *folder, const char *file, struct error *error);

/* Makes the folder where it is missing. 0 and *made, or -errno and a reason: then nothing was
 * made. */
int host_folder_make(
	const struct host_folder *folder, struct host_folders_made *made, struct error *error);

/* Removes what host_folder_make() made, where it still is that, and empty. */
void host_folder_remove(const struct host_folder *folder, const struct host_folders_made *made);

/*
 * 0 where only root and this process's user may rename or replace files in the folder and name the
 * folder otherwise: each folder on the way is looked at, and each link with what it leads to.
 * -EPERM, with a reason that names the folder or link, where others may, or another errno where it
 * cannot be said. A sticky folder, such as /tmp, is safe.
 */
int host_folder_check(const struct host_folder *folder, struct error *error);

/*
 * Takes the folder for this process alone: another host_folder_lock() of it fails until the
 * descriptor that is answered is closed, or the process has ended. Nothing is left in the folder. A
 * negative errno where not: -EADDRINUSE where another process has it, with that one in the reason.
 * The lock of a process of another user, root's excepted, counts for nothing.
 */
int host_folder_lock(const struct host_folder *folder, struct error *error);

/* A file of our own in a folder of our own, for what a successor of this process needs:
 * FOLDER/NAME. */
struct host_record {
	char folder[HOST_PATH_SIZE];
	char name[HOST_NAME_SIZE]; /* no '/' in it, and does not begin with a dot */
	uint64_t size;             /* open: bytes; 0: as it is */
};

/* Fills folder and name. 0, -EINVAL (no name of a record) or -ENAMETOOLONG with the reason. */
int host_record_name(
	struct host_record *record, const char *folder, const char *name, struct error *error);

/*
 * Opens the file for reading and writing, at least `size` bytes long, all of which have room on
 * their file system. Where they are missing the folder is made (0700; the one it stands in as
 * HOST_FOLDER_OURS), and the file (0600, zeros); what belongs to somebody else, or may be used by
 * others, is refused (-EPERM).
 */
int host_record_open(const struct host_record *record, struct error *error);

/* Gives the file another name in its folder, in place of what has that name there: at once, so
 * that there is one of the two at any time. 0 or -errno and a reason. */
int host_record_rename(const struct host_record *record, const char *name, struct error *error);
/* Calls `each` with the name of every record in the folder. */
void host_record_each(const char *folder, void (*each)(void *owner, const char *name), void *owner);

/* Removes the file, and the folder with its last one. */
void host_record_remove(const struct host_record *record);

#endif
