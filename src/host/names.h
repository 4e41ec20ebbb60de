/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Users and groups of the host, by name: what its name service knows, which may be files, a daemon
 * or a server. Such a look-up takes as long as that takes; control thread or a tool.
 */
#ifndef VSW_HOST_NAMES_H
#define VSW_HOST_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* False, *id untouched, where the machine has no user, or group, of this name (any more). */
bool host_user(const char *name, uint32_t *id);
bool host_group(const char *name, uint32_t *id);

#endif
