/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The folder that a socket stands in: whoever may write it, or a folder above it, may put a socket of his
 * own in place of ours. Stateless; any thread.
 */
#ifndef VSW_VHOST_SOCKET_FOLDER_H
#define VSW_VHOST_SOCKET_FOLDER_H

#include "base/error.h"

/*
 * Makes the folder of `path` where it is missing, with the one above it where that is missing, too: both
 * with mode 0755, this process's user and its group, also beneath a folder that is setgid. 0, or -errno
 * and a reason.
 */
int socket_folder_make(const char *path, struct error *error);

/*
 * 0 where only root and this process's user may rename or replace files in the folder of `path` and name
 * the folder otherwise. -EPERM, with a reason that names the folder, where others may, or another errno
 * where it cannot be said. A sticky folder, such as /tmp, is safe.
 */
int socket_folder_check(const char *path, struct error *error);

#endif
