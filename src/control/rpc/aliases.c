/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/aliases.h"

#include <string.h>

#include "base/common.h"

/* To go with the release after 0.1. */
static const struct {
	const char *key, *old;
} aliases[] = {
	{"socket_dir", "socket-dir"},
	{"idle_us", "idle-us"},
	{"log_lines_lost", "log-lines-lost"},
	{"dot1x", "802.1x"},
};

json_t *show_with_aliases(json_t *object)
{
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++) {
		json_t *value = json_object_get(object, aliases[i].key);

		if (value)
			json_object_set(object, aliases[i].old, value);
	}
	return object;
}

bool show_is_alias(const char *key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].old, key) == 0)
			return true;
	return false;
}
