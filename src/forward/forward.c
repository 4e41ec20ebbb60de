/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/forward.h"

#include "forward/classify.h"
#include "forward/l2.h"
#include "forward/security.h"
#include "forward/stage.h"
#include "packet/vlan.h"

/* All stages of one packet; the reason why it was dropped, or STAGE_NEXT. */
ALWAYS_INLINE enum drop_reason forward_packet(
	struct stage_run *run, struct packet *packet, unsigned index)
{
	struct stage_addresses addresses;
	enum drop_reason reason;

	reason = classify_addresses(packet, &addresses);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	reason = classify_vlan(run, packet);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	reason = security_check(run, packet, addresses.source);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	reason = l2_learn(run, addresses.source | packet->network);
	if (unlikely(reason != STAGE_NEXT))
		return reason;
	return l2_output(run, addresses.destination | packet->network, index);
}

static void count_drops(struct counters *counters, const uint32_t drops[DROP_REASON_COUNT])
{
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (drops[reason])
			counter_add(&counters->drops[reason], drops[reason]);
}

void forward_batch(const struct topology *topology, struct fdb *fdb, struct packet_batch *batch,
	struct forward_output *output, struct counters *counters)
{
	const struct topology_port *ingress = batch->port < topology->port_count
						      ? &topology->ports[batch->port]
						      : NULL;
	struct stage_run run = {
		.topology = topology,
		.ingress = ingress,
		.fdb = fdb,
		.batch = batch,
		.output = output,
		.learned_key = KEY_NONE,
		.unicast_key = KEY_NONE,
		.unicast_port = FDB_PORT_NONE,
		.flood_network = NETWORK_NONE,
	};
	uint64_t bytes = 0;
	bool dropped = false;

	for (unsigned i = 0; i < batch->count; i++) {
		struct packet *packet = &batch->packets[i];
		enum drop_reason reason = DROP_NO_DESTINATION;

		bytes += packet->length;
		if (likely(ingress && ingress->mode != TOPOLOGY_ABSENT))
			reason = forward_packet(&run, packet, i);
		if (unlikely(reason != STAGE_NEXT)) {
			run.drops[reason]++;
			dropped = true;
		}
	}
	l2_flood_flush(&run);

	counter_add(&counters->packets, batch->count);
	counter_add(&counters->bytes, bytes);
	if (unlikely(dropped))
		count_drops(counters, run.drops);
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
