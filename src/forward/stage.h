/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stages share: their verdict, and the run of forward_decide() over one batch.
 *
 * A stage looks at one packet and returns STAGE_NEXT, or the drop reason that ends the packet's way.
 * The stages are small inline functions in two loops, one over packets and one over runs of equal keys;
 * all that goes from one to the other is a pair of keys a packet.
 */
#ifndef VSW_FORWARD_STAGE_H
#define VSW_FORWARD_STAGE_H

#include "forward/forward.h"

/* Every drop reason is a smaller number. */
#define STAGE_NEXT DROP_REASON_COUNT

/* No key: network NETWORK_NONE is nobody's. */
#define KEY_NONE UINT64_MAX

/* A burst belongs to one flow more often than not, so each table's last answer is kept. An answer
 * lives as long as the batch: microseconds, far below the precision of ageing. */
struct stage_run {
	const struct topology *topology;
	struct counters *counters;
	struct fdb *fdb;
	const struct packet_batch *batch;
	struct forward_output *output;

	uint64_t learned_key;  /* the last source address that was learned from here */
	uint64_t unicast_key;  /* the last destination that was looked up */
	uint16_t unicast_port; /* and where it leads: FDB_PORT_NONE floods */

	/* Packets to be flooded in one network are collected and spread at once. */
	uint16_t flood_network;
	uint64_t flood_mask;
};

static inline void output_add(struct forward_output *output, uint16_t port, uint64_t mask)
{
	if (!output->mask[port])
		output->touched[output->count++] = port;
	output->mask[port] |= mask;
}

#endif
