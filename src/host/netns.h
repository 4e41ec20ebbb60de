/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network namespaces: a visit to another one, for acts whose descriptors then stay there. Between
 * enter and leave the calling thread, and no other, is in the other namespace: whatever it opens
 * of the network belongs to that. It takes root, or CAP_SYS_ADMIN there and here.
 *
 * One thread at a time a visit; a visit does not nest.
 */
#ifndef VSW_HOST_NETNS_H
#define VSW_HOST_NETNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Characters of a namespace's name or path, with the terminating zero. */
#define NETNS_NAME_SIZE 256

/* A descriptor of the namespace, by a name as below but "". -errno and the reason. */
int netns_open(const char *name, struct error *error);

struct netns_visit {
	int home; /* -1: we never left */
};

/* The path that a name stands for: one without a slash is in the folder of `ip netns`. */
void netns_path(const char *name, char *path, size_t size);

/* Enters the namespace: a name as `ip netns` knows it, or a path with a slash in it
 * ("/proc/123/ns/net"); "" is the one where we are. 0, or -errno and what is wrong with it. */
int netns_enter(struct netns_visit *visit, const char *name, struct error *error);

/* Goes back. Without its own namespace the program is of no use, so where that fails it ends. */
void netns_leave(struct netns_visit *visit);

/* Which namespace that is now, as netns_identity() would say in it; nobody enters it. 0, or -errno
 * and what is wrong: -ENOENT where there is none of that name. */
int netns_find(const char *name, uint64_t *identity, struct error *error);

/* A number that tells the present namespace from all others; 0 where it is not known. */
uint64_t netns_identity(void);

#endif
