/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Last stages: learn the source address, look up the destination, choose the output ports.
 *
 * Isolation does not rest on the FDB: whatever it answers, a frame leaves only by a port that
 * carries the frame's network now (topology_carries(), or membership when flooding). What was
 * learned about a port that has since left the network counts as unknown.
 */
#ifndef VSW_FORWARD_L2_H
#define VSW_FORWARD_L2_H

#include "forward/stage.h"
#include "packet/mac.h"

ALWAYS_INLINE enum drop_reason l2_learn(struct stage_run *run, uint64_t source_key)
{
	if (source_key == run->learned_key)
		return STAGE_NEXT;
	if (unlikely(fdb_learn_key(run->context->fdb, source_key, run->batch->port,
			     run->context->now) == FDB_REFUSED))
		return DROP_SOURCE_BOUND_ELSEWHERE;
	run->learned_key = source_key;
	/* What the last look-up answered may have been just this. */
	if (source_key == run->unicast_key)
		run->unicast_key = KEY_NONE;
	return STAGE_NEXT;
}

/* The port behind which the key is, as far as it may be used for that network. */
static inline uint16_t l2_resolve(const struct stage_run *run, uint64_t key)
{
	uint16_t port = fdb_lookup_key(run->context->fdb, key, run->context->now);

	if (port >= run->topology->port_count ||
		!topology_carries(run->topology, port, (uint16_t)key))
		return FDB_PORT_NONE;
	return port;
}

/* Hands the collected packets to every other member of their network. */
static inline void l2_flood_flush(struct stage_run *run)
{
	const struct topology_network *network;

	if (!run->flood_mask)
		return;
	network = &run->topology->networks[run->flood_network];
	for (unsigned i = 0; i < network->member_count; i++)
		if (network->members[i] != run->batch->port)
			forward_output_add(run->output, network->members[i], run->flood_mask);
	run->batch->flooded |= run->flood_mask;
	run->flood_mask = 0;
}

/*
 * Of the packets of `mask`, the first ones that the port's limit leaves room for in this second.
 * Its queues may be served by several workers, which share the count.
 */
static inline uint64_t l2_flood_limited(const struct stage_run *run, uint64_t mask)
{
	const struct topology_port *ingress = &run->topology->ports[run->batch->port];
	uint64_t *flooded = ingress->flooded;
	uint64_t old = __atomic_load_n(flooded, __ATOMIC_RELAXED), count, new;
	uint32_t used, room;

	do {
		used = (uint32_t)(old >> 32) == run->context->now ? (uint32_t)old : 0;
		room = used < ingress->flood_limit ? ingress->flood_limit - used : 0;
		count = MIN((unsigned)__builtin_popcountll(mask), room);
		new = (uint64_t)run->context->now << 32 | (used + count);
	} while (!__atomic_compare_exchange_n(
		flooded, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	for (uint64_t kept = 0;; mask ^= mask & -mask) {
		if (!count--)
			return kept;
		kept |= mask & -mask;
	}
}

/* Whether the packets with this destination would be flooded from a port that is held in their
 * network. */
static inline bool l2_held(const struct stage_run *run, uint64_t destination_key)
{
	return topology_holds(run->topology, run->batch->port, (uint16_t)destination_key) &&
	       (destination_key & MAC_GROUP_BIT << 16 ||
		       l2_resolve(run, destination_key) == FDB_PORT_NONE);
}

static inline unsigned l2_flood(struct stage_run *run, uint16_t network, uint64_t mask)
{
	if (unlikely(run->topology->ports[run->batch->port].flood_limit)) {
		uint64_t kept = l2_flood_limited(run, mask);

		stage_drop(run, DROP_FLOOD_LIMIT, mask ^ kept);
		if (!kept)
			return STAGE_DONE;
		mask = kept;
	}
	/* The ingress port is one of the members, unless it is the local port. */
	if (run->topology->networks[network].member_count <
		(run->batch->port == TOPOLOGY_PORT_LOCAL ? 1 : 2)) {
		stage_drop(run, DROP_NO_DESTINATION, mask);
		return STAGE_DONE;
	}
	if (network != run->flood_network) {
		l2_flood_flush(run);
		run->flood_network = network;
	}
	run->flood_mask |= mask;
	return STAGE_DONE;
}

/* Chooses the outputs of the packets of `mask`: the end of every way. */
ALWAYS_INLINE unsigned l2_output(struct stage_run *run, uint64_t destination_key, uint64_t mask)
{
	if (unlikely(destination_key & MAC_GROUP_BIT << 16))
		return l2_flood(run, (uint16_t)destination_key, mask);
	if (destination_key != run->unicast_key) {
		run->unicast_port = l2_resolve(run, destination_key);
		run->unicast_key = destination_key;
	}
	if (unlikely(run->unicast_port == FDB_PORT_NONE))
		return l2_flood(run, (uint16_t)destination_key, mask);
	if (unlikely(run->unicast_port == run->batch->port))
		return DROP_HAIRPIN;
	forward_output_add(run->output, run->unicast_port, mask);
	return STAGE_DONE;
}

#endif
