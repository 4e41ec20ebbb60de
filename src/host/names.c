/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/names.h"

#include <grp.h>
#include <pwd.h>

bool host_user(const char *name, uint32_t *id)
{
	const struct passwd *entry = getpwnam(name);

	if (entry)
		*id = entry->pw_uid;
	return entry;
}

bool host_group(const char *name, uint32_t *id)
{
	const struct group *entry = getgrnam(name);

	if (entry)
		*id = entry->gr_gid;
	return entry;
}
