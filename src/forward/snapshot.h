/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The snapshot: everything that forwarding knows of the configuration, as one immutable object. It
 * is built by the control thread, handed to worker_pool_publish() as a whole, and freed when no
 * worker can see it any more. What forwarding learns by itself is not in it: that is in tables
 * (context.h).
 *
 * Something new of the configuration that forwarding needs is another member here, filled where the
 * snapshot is built and freed with it.
 */
#ifndef VSW_FORWARD_SNAPSHOT_H
#define VSW_FORWARD_SNAPSHOT_H

#include "forward/topology.h"

struct snapshot {
	struct topology topology; /* which port is in which network */
};

/* One with an empty topology of so many ports and networks (topology.h); NULL where memory is
 * short. */
struct snapshot *snapshot_new(unsigned port_count, unsigned network_count);

/* NULL is allowed. Only after a grace period where it was published. */
void snapshot_free(struct snapshot *snapshot);

#endif
