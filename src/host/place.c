/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/netns.h"

void host_file_place(const char *path, char place[HOST_PLACE_SIZE])
{
	const char *slash = strrchr(path, '/');
	char folder[HOST_PATH_SIZE], found[HOST_PATH_SIZE];

	snprintf(place, HOST_PLACE_SIZE, "%s", path);
	if (!slash || (size_t)(slash - path) >= sizeof(folder) - 1)
		return;
	snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
	if (realpath(folder, found))
		snprintf(place, HOST_PLACE_SIZE, "%s/%.255s", found, slash + 1);
}

void host_netns_place(const char *netns, char place[HOST_PLACE_SIZE])
{
	struct error ignored;
	uint64_t identity;

	if (netns_find(netns, &identity, &ignored) == 0)
		snprintf(place, HOST_PLACE_SIZE, "namespace %llu", (unsigned long long)identity);
	else
		netns_path(netns, place, HOST_PLACE_SIZE);
}
