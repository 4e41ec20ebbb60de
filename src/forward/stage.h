/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stages share: their verdict, and the run of forward_decide() over one batch.
 *
 * A stage is a small inline function in a header of its own. There are two kinds:
 *
 *   of classification   looks at one packet, for what every packet has: classify_packet()
 *                       (forward.c)
 *   of decision         is given a *run*, packets with the same keys, once: decide_packets()
 *
 * and each returns its verdict: STAGE_NEXT, or the drop reason that ends the way of all packets
 * that it was given, or STAGE_DONE where it has taken care of each of them itself.
 *
 * Packets of a run share both MAC addresses and the network, and nothing else. So a stage of
 * decision that looks deeper, or edits packets, ends the run there: it goes through the packets of
 * the mask one by one (PACKET_MASK_FOR_EACH; the batch is its to change), hands each, or as many
 * neighbours as it finds alike, to what comes next under keys of its own, drops with stage_drop(),
 * and returns STAGE_DONE:
 *
 *	if (unlikely(run->context->snapshot->routers) && route_is_for_us(run, keys))
 *		return route_packets(run, keys, mask);  // l2_output(run, key, some); STAGE_DONE
 *
 * What is remembered between runs (stage_run) is remembered by key, so it stays right in the midst
 * of one, and frames that need no such stage pay for one test a run. See stage_test.c for one that
 * does all this.
 */
#ifndef VSW_FORWARD_STAGE_H
#define VSW_FORWARD_STAGE_H

#include "forward/context.h"
#include "packet/fate.h"

/* Verdicts. Every drop reason is a smaller number. */
#define STAGE_NEXT DROP_REASON_COUNT
#define STAGE_DONE (DROP_REASON_COUNT + 1)

/* No key: network NETWORK_NONE is nobody's. */
#define KEY_NONE UINT64_MAX

/* A burst belongs to one flow more often than not, so each table's last answer is kept. An answer
 * lives as long as the batch: microseconds, far below the precision of ageing. */
struct stage_run {
	const struct forward_context *context;
	const struct topology *topology; /* that of the context */
	struct packet_batch *batch;
	struct forward_output *output;
	struct counters *counters; /* of the ingress side */

	uint64_t learned_key;  /* the last source address that was learned from here */
	uint64_t unicast_key;  /* the last destination that was looked up */
	uint16_t unicast_port; /* and where it leads: FDB_PORT_NONE floods */

	/* Packets to be flooded in one network are collected and spread at once. */
	uint16_t flood_network;
	uint64_t flood_mask;
};

/* For a stage that drops some packets only. */
static inline void stage_drop(struct stage_run *run, enum drop_reason reason, uint64_t mask)
{
	packet_drop(run->batch, mask, reason, run->counters);
}

/* For a stage that has frames answered by the switch itself: sends packets to the local port,
 * and nowhere else. Where there is none, they are dropped. */
static inline unsigned stage_divert(struct stage_run *run, uint64_t mask)
{
	if (unlikely(!topology_has_local(run->topology)))
		return DROP_NO_DESTINATION;
	forward_output_add(run->output, TOPOLOGY_PORT_LOCAL, mask);
	return STAGE_DONE;
}

/* Begins a run over the batch. */
ALWAYS_INLINE struct stage_run stage_run_begin(const struct forward_context *context,
	struct packet_batch *batch, struct forward_output *output, struct counters *counters)
{
	return (struct stage_run){
		.context = context,
		.topology = &context->snapshot->topology,
		.batch = batch,
		.output = output,
		.counters = counters,
		.learned_key = KEY_NONE,
		.unicast_key = KEY_NONE,
		.unicast_port = FDB_PORT_NONE,
		.flood_network = NETWORK_NONE,
	};
}

/* The stages of decision, in their order, for the packets of `mask`, which share the keys. */
typedef unsigned stage_decide(
	struct stage_run *run, const struct forward_key_pair *keys, uint64_t mask);

/* Hands each run of equal keys to `decide`, which is inlined, and drops what it says. */
ALWAYS_INLINE void stage_each_run(
	struct stage_run *run, const struct forward_keys *keys, stage_decide decide)
{
	uint64_t first = keys->first;

	while (first) {
		uint64_t begin = first & -first, mask;
		unsigned verdict;

		first ^= begin;
		/* From this one to the next first one, or to the end: 0 - 1 is all ones. */
		mask = keys->passed & -begin & ((first & -first) - 1);
		verdict = decide(run, &keys->of[__builtin_ctzll(begin)], mask);
		if (unlikely(verdict < STAGE_NEXT))
			stage_drop(run, (enum drop_reason)verdict, mask);
	}
}

#endif
