/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/snapshot.h"

#include <stdlib.h>

struct snapshot *snapshot_new(unsigned port_count, unsigned network_count)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (snapshot && topology_init(&snapshot->topology, port_count, network_count) < 0) {
		free(snapshot);
		return NULL;
	}
	return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	topology_fini(&snapshot->topology);
	free(snapshot);
}
