/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/control_path.h"

#include <stdio.h>
#include <string.h>

void control_path_read_only(const char *path, char read_only[PATH_MAX])
{
	static const char suffix[] = ".sock";
	size_t length = strlen(path);
	size_t stem = length;

	if (length >= strlen(suffix) && strcmp(path + length - strlen(suffix), suffix) == 0)
		stem -= strlen(suffix);
	(void)!snprintf(read_only, PATH_MAX, "%.*s-ro%s", (int)stem, path, path + stem);
}
