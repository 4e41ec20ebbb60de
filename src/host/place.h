/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One spelling for what several names lead to, so that two names can be compared: of a file, by its
 * folder with all links followed; of a network namespace, by its number. What is not there is
 * spelled as it was written. Nothing is opened.
 *
 * Any thread, as long as the host's file systems take.
 */
#ifndef VSW_HOST_PLACE_H
#define VSW_HOST_PLACE_H

#include "host/host.h"

/* Characters of a place, with the terminating zero. */
#define HOST_PLACE_SIZE (HOST_PATH_SIZE + HOST_NAME_SIZE)

/* The file itself need not be there, and where it is a link that is not followed: it is in its
 * folder by this name. */
void host_file_place(const char *path, char place[HOST_PLACE_SIZE]);

/* netns: as in host/netns.h. */
void host_netns_place(const char *netns, char place[HOST_PLACE_SIZE]);

#endif
