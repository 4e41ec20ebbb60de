/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/forward.h"

#include "forward/classify.h"
#include "forward/l2.h"
#include "forward/security.h"
#include "forward/stage.h"
#include "packet/vlan.h"

/* The stages that look at the packet; the reason why it was dropped, or STAGE_NEXT. */
ALWAYS_INLINE enum drop_reason classify_packet(const struct topology *topology,
	const struct topology_port *ingress, struct packet *packet, struct forward_key_pair *keys)
{
	enum drop_reason reason;

	reason = classify_addresses(packet, keys);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	reason = classify_vlan(ingress, packet);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	reason = classify_link_local(topology, packet, keys->destination);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	reason = security_check(ingress, packet);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	keys->source |= packet->network;
	keys->destination |= packet->network;
	return STAGE_NEXT;
}

/* The stages that look at the keys, which the packets of `mask` share. */
ALWAYS_INLINE enum drop_reason decide_packets(
	struct stage_run *run, const struct forward_key_pair *keys, uint64_t mask)
{
	enum drop_reason reason;

	/* Before learning: what a loop brings back would teach that everybody is behind it. */
	if (unlikely(run->topology->holds) && l2_held(run, keys->destination))
		return DROP_LOOP_HELD;
	reason = l2_learn(run, keys->source);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	return l2_output(run, keys->destination, mask);
}

static NO_INLINE void count_drops(struct counters *counters, enum drop_reason reason, uint64_t mask)
{
	counter_add(&counters->drops[reason], (unsigned)__builtin_popcountll(mask));
}

void forward_classify(const struct topology *topology, const struct fdb *fdb,
	struct packet_batch *batch, struct forward_keys *keys, struct counters *counters)
{
	const struct topology_port *ingress = batch->port < topology->port_count
						      ? &topology->ports[batch->port]
						      : NULL;
	struct forward_key_pair last = {KEY_NONE, KEY_NONE};
	uint64_t bytes = 0, passed = 0, first = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[i];
		const uint64_t bit = UINT64_C(1) << i;
		enum drop_reason reason = DROP_NO_DESTINATION;
		struct forward_key_pair pair;

		bytes += packet->length;
		if (likely(ingress && ingress->mode != TOPOLOGY_ABSENT))
			reason = classify_packet(topology, ingress, packet, &pair);
		if (unlikely(reason != STAGE_NEXT)) {
			count_drops(counters, reason, bit);
			continue;
		}
		passed |= bit;
		if (pair.source == last.source && pair.destination == last.destination)
			continue;
		first |= bit;
		fdb_prefetch(fdb, pair.source);
		fdb_prefetch(fdb, pair.destination);
		keys->of[i] = last = pair;
	}
	keys->passed = passed;
	keys->first = first;
	keys->stacked = unlikely(ingress && ingress->qinq) ? classify_stacked_mask(batch, passed)
							   : 0;
	counter_add(&counters->packets, batch->count);
	counter_add(&counters->bytes, bytes);
}

/* Takes the stacked packets from the outputs that must not have them; those that then have no output
 * are dropped. */
static NO_INLINE void withhold_stacked(const struct topology *topology,
	const struct packet_batch *batch, uint64_t stacked, struct forward_output *output,
	struct counters *counters)
{
	uint64_t chosen = 0, kept = 0;
	unsigned count = 0;

	for (unsigned t = 0; t < output->count; t++) {
		uint16_t port = output->touched[t];
		uint64_t mask = output->mask[port];
		unsigned i;

		chosen |= mask & stacked;
		PACKET_MASK_FOR_EACH (i, mask & stacked)
			if (!classify_stacks(&topology->ports[port], batch->packets[i].network))
				output->mask[port] &= ~(UINT64_C(1) << i);
		kept |= output->mask[port];
		if (output->mask[port])
			output->touched[count++] = port;
	}
	output->count = count;
	count_drops(counters, DROP_QINQ_NOT_ALLOWED, chosen & ~kept);
}

void forward_decide(const struct topology *topology, struct fdb *fdb,
	const struct packet_batch *batch, const struct forward_keys *keys,
	struct forward_output *output, struct counters *counters)
{
	struct stage_run run = {
		.topology = topology,
		.counters = counters,
		.fdb = fdb,
		.batch = batch,
		.output = output,
		.learned_key = KEY_NONE,
		.unicast_key = KEY_NONE,
		.unicast_port = FDB_PORT_NONE,
		.flood_network = NETWORK_NONE,
	};
	uint64_t first = keys->first;

	while (first) {
		uint64_t begin = first & -first, mask;
		enum drop_reason reason;

		first ^= begin;
		/* From this one to the next first one, or to the end: 0 - 1 is all ones. */
		mask = keys->passed & -begin & ((first & -first) - 1);
		reason = decide_packets(&run, &keys->of[__builtin_ctzll(begin)], mask);
		if (unlikely(reason != STAGE_NEXT))
			count_drops(counters, reason, mask);
	}
	l2_flood_flush(&run);
	if (unlikely(keys->stacked))
		withhold_stacked(topology, batch, keys->stacked, output, counters);
}

void forward_output_clear(struct forward_output *output)
{
	for (unsigned i = 0; i < output->count; i++)
		output->mask[output->touched[i]] = 0;
	output->count = 0;
}

uint64_t forward_tag_push(
	const struct topology *topology, uint16_t port, struct packet_batch *batch, uint64_t mask)
{
	const struct topology_port *egress = &topology->ports[port];
	uint64_t tagged = 0;
	unsigned i;

	if (egress->mode != TOPOLOGY_TRUNK)
		return 0;
	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &batch->packets[i];

		if (packet->network == egress->network)
			continue;
		packet_vlan_push(
			packet, packet->vlan_pcp | topology->networks[packet->network].vlan);
		tagged |= UINT64_C(1) << i;
	}
	return tagged;
}

void forward_tag_pop(struct packet_batch *batch, uint64_t mask)
{
	unsigned i;

	PACKET_MASK_FOR_EACH (i, mask)
		packet_vlan_pop(&batch->packets[i]);
}
