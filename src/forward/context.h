/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stages of forwarding work with, and what goes from one half to the other.
 */
#ifndef VSW_FORWARD_CONTEXT_H
#define VSW_FORWARD_CONTEXT_H

#include <stdint.h>

#include "forward/snapshot.h"
#include "packet/packet.h"
#include "tables/fdb.h"

/*
 * One of each thread that forwards, and written by it: configuration, tables and time. Which worker
 * it is says the batch. The snapshot is the one that the thread has read since it last passed
 * (rcu_pass()).
 */
struct forward_context {
	const struct snapshot *snapshot;
	/* Tables: what is learned while frames pass. All threads share them; each table says
	 * how. */
	struct fdb *fdb;
	uint32_t now; /* seconds of the monotonic clock, for ageing; of the batch */
};

/* What the first half of forwarding has found out for the second: keys of the FDB. */
struct forward_keys {
	uint64_t passed; /* packets that were not dropped */
	/* Of these, the ones whose keys differ from those of the one before: a burst belongs to few
	 * flows, and each run of equal keys is decided at once. Only these have keys here. */
	uint64_t first;
	/* packets that begin with a tag of their own: for ports with `qinq` only */
	uint64_t stacked;
	struct forward_key_pair {
		uint64_t destination;
		uint64_t source;
	} of[PACKET_BATCH];
};

/* For each port touched by a batch, which of the batch's packets leave there (bit i = packet i). */
struct forward_output {
	unsigned count;                       /* ports in touched[] */
	uint16_t touched[TOPOLOGY_INDEX_MAX]; /* in the order in which they were first chosen */
	uint64_t mask[TOPOLOGY_INDEX_MAX]; /* by port index; zero for every port not in touched[] */
};

static inline void forward_output_add(struct forward_output *output, uint16_t port, uint64_t mask)
{
	if (!output->mask[port])
		output->touched[output->count++] = port;
	output->mask[port] |= mask;
}

/* Makes *output empty again in time proportional to the ports touched. */
static inline void forward_output_clear(struct forward_output *output)
{
	for (unsigned i = 0; i < output->count; i++)
		output->mask[output->touched[i]] = 0;
	output->count = 0;
}

#endif
