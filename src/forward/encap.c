/* SPDX-License-Identifier: BSD-3-Clause */
#include "forward/encap.h"

#include "packet/fate.h"
#include "packet/vlan.h"

/* Those that got a tag; *refused: those for which there was no room. */
static uint64_t push_tags(const struct topology *topology, const struct topology_port *egress,
	struct packet_batch *batch, uint64_t mask, uint64_t *refused)
{
	uint64_t tagged = 0;
	unsigned i;

	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &batch->packets[i];
		uint16_t tci = packet->vlan_pcp | topology->networks[packet->network].vlan;

		if (packet->network == egress->network)
			continue;
		if (likely(packet_vlan_push(packet, tci)))
			tagged |= UINT64_C(1) << i;
		else
			*refused |= UINT64_C(1) << i;
	}
	return tagged;
}

uint64_t forward_encap_push(const struct topology *topology, uint16_t port,
	struct packet_batch *batch, uint64_t *mask, struct counters *counters)
{
	const struct topology_port *egress = &topology->ports[port];
	uint64_t edited = 0, refused = 0;

	switch (egress->mode) {
	case TOPOLOGY_ABSENT:
	case TOPOLOGY_LOCAL:
	case TOPOLOGY_ACCESS:
		return 0;
	case TOPOLOGY_TRUNK:
		edited = push_tags(topology, egress, batch, *mask, &refused);
		break;
	}
	if (unlikely(refused)) {
		packet_drop(batch, refused, DROP_NO_HEADROOM, counters);
		*mask &= ~refused;
	}
	return edited;
}

void forward_decap_pull(
	const struct topology *topology, uint16_t port, struct packet_batch *batch, uint64_t edited)
{
	unsigned i;

	switch (topology->ports[port].mode) {
	case TOPOLOGY_ABSENT:
	case TOPOLOGY_LOCAL:
	case TOPOLOGY_ACCESS:
		return;
	case TOPOLOGY_TRUNK:
		/* What has just been put on is there. */
		PACKET_MASK_FOR_EACH (i, edited)
			packet_vlan_pop(&batch->packets[i]);
		break;
	}
}
