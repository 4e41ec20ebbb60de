/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/forward.h"

#include "forward/classify.h"
#include "forward/l2.h"
#include "forward/security.h"
#include "forward/security_note.h"
#include "forward/services.h"
#include "forward/stage.h"

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

/* The same for a frame of the switch itself, which says its network. Its source is no key: who
 * it is stands in the rules that send frames to the local port, not in what anybody learns. */
static enum drop_reason classify_local(
	const struct topology *topology, const struct packet *packet, struct forward_key_pair *keys)
{
	enum drop_reason reason = classify_addresses(packet, keys);

	if (reason != STAGE_NEXT)
		return reason;
	if (packet->network >= topology->network_count ||
		!topology->networks[packet->network].present)
		return DROP_NO_DESTINATION;
	if (vlan_type_is_tag(load_be16(packet->head + ETHERNET_TYPE)))
		return DROP_QINQ_NOT_ALLOWED;
	keys->source = KEY_NONE;
	keys->destination |= packet->network;
	return STAGE_NEXT;
}

/* forward_classify() for the local port, and for what is no port: by itself, so that the guests'
 * frames carry nothing of it. */
static NO_INLINE void classify_other(const struct topology *topology, struct packet_batch *batch,
	struct forward_keys *keys, struct counters *counters)
{
	bool local = batch->port < topology->port_count &&
		     topology->ports[batch->port].mode == TOPOLOGY_LOCAL;

	*keys = (struct forward_keys){0};
	for (unsigned i = 0; i < batch->count; i++) {
		enum drop_reason reason = local ? classify_local(topology, &batch->packets[i],
							  &keys->of[i])
						: DROP_NO_DESTINATION;

		if (reason == STAGE_NEXT)
			keys->passed |= UINT64_C(1) << i;
		else
			packet_drop(batch, UINT64_C(1) << i, reason, counters);
		counter_add(&counters->bytes, batch->packets[i].length);
	}
	keys->first = keys->passed;
	counter_add(&counters->packets, batch->count);
}

/* The same as decide_packets() where something is held, or served, somewhere. */
static NO_INLINE unsigned decide_unusual(
	struct stage_run *run, const struct forward_key_pair *keys, uint64_t mask)
{
	enum drop_reason reason;

	/* Before learning: what a loop brings back would teach that everybody is behind it. */
	if (l2_held(run, keys->destination))
		return DROP_LOOP_HELD;
	mask = services_refuse(run, (uint16_t)keys->destination, mask);
	if (!mask)
		return STAGE_DONE;
	reason = l2_learn(run, keys->source);
	if (reason != STAGE_NEXT) {
		stage_drop(run, reason, mask);
		return STAGE_DONE;
	}
	/* After it: the answer goes back to where the question came from. */
	mask = services_divert(run, (uint16_t)keys->destination, mask);
	if (mask) {
		unsigned verdict = l2_output(run, keys->destination, mask);

		if (verdict < STAGE_NEXT)
			stage_drop(run, (enum drop_reason)verdict, mask);
	}
	return STAGE_DONE;
}

/* The stages that look at the keys, which the packets of `mask` share. */
ALWAYS_INLINE unsigned decide_packets(
	struct stage_run *run, const struct forward_key_pair *keys, uint64_t mask)
{
	enum drop_reason reason;

	if (unlikely(run->topology->unusual))
		return decide_unusual(run, keys, mask);
	reason = l2_learn(run, keys->source);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	return l2_output(run, keys->destination, mask);
}

/* The port where the batch came in; NULL where the topology does not have it, or it is the local
 * one. */
ALWAYS_INLINE const struct topology_port *find_ingress(
	const struct topology *topology, const struct packet_batch *batch)
{
	const struct topology_port *ports = topology->ports;

	if (batch->port >= topology->port_count || ports[batch->port].mode <= TOPOLOGY_LOCAL)
		return NULL;
	return &ports[batch->port];
}

/* Ends the way of packet `i`; what port security refused is noted as well. */
static NO_INLINE void refuse(const struct forward_context *context, struct packet_batch *batch,
	unsigned i, enum drop_reason reason, struct counters *counters)
{
	packet_drop(batch, UINT64_C(1) << i, reason, counters);
	if (security_names_address(reason)) {
		const struct topology *topology = &context->snapshot->topology;
		struct refused_address address;

		security_note(topology->ports[batch->port].security, &batch->packets[i], reason,
			context->now, &address);
		refused_write(&counters->refused, &address);
	}
}

void forward_classify(const struct forward_context *context, struct packet_batch *batch,
	struct forward_keys *keys, struct counters *counters)
{
	const struct topology *topology = &context->snapshot->topology;
	const struct topology_port *ingress = find_ingress(topology, batch);
	struct forward_key_pair last = {KEY_NONE, KEY_NONE};
	uint64_t bytes = 0, passed = 0, first = 0, bit = 1;

	if (unlikely(!ingress)) {
		classify_other(topology, batch, keys, counters);
		return;
	}
	for (unsigned i = 0; i < batch->count; i++, bit <<= 1) {
		struct packet *packet = &batch->packets[i];
		struct forward_key_pair pair;
		enum drop_reason reason;

		bytes += packet->length;
		reason = classify_packet(topology, ingress, packet, &pair);
		if (unlikely(reason != STAGE_NEXT)) {
			refuse(context, batch, i, reason, counters);
			continue;
		}
		passed |= bit;
		if (pair.source == last.source && pair.destination == last.destination)
			continue;
		first |= bit;
		fdb_prefetch(context->fdb, pair.source);
		fdb_prefetch(context->fdb, pair.destination);
		keys->of[i] = last = pair;
	}
	keys->passed = passed;
	keys->first = first;
	keys->stacked = unlikely(ingress->qinq) ? classify_stacked_mask(batch, passed) : 0;
	counter_add(&counters->packets, batch->count);
	counter_add(&counters->bytes, bytes);
}

/* Takes the stacked packets from the outputs that must not have them; those that then have no
 * output are dropped. */
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
	packet_drop(batch, chosen & ~kept, DROP_QINQ_NOT_ALLOWED, counters);
}

void forward_decide(const struct forward_context *context, struct packet_batch *batch,
	const struct forward_keys *keys, struct forward_output *output, struct counters *counters)
{
	struct stage_run run = stage_run_begin(context, batch, output, counters);

	batch->flooded = 0;
	stage_each_run(&run, keys, decide_packets);
	l2_flood_flush(&run);
	if (unlikely(keys->stacked))
		withhold_stacked(run.topology, batch, keys->stacked, output, counters);
}
