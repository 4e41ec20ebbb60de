/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frame looks like where it leaves. Inside the switch it has neither tag nor tunnel: its
 * network stands for them. Before a port's send, forward_encap() puts in front of each packet what
 * that port has there, and forward_decap() takes it off again for the next output:
 *
 *   access   nothing
 *   trunk    the 802.1Q tag of the packet's network, with the priority that it came with; nothing
 *            where that is the native network
 *
 * Another way of leaving is another mode of the topology and another case in both functions.
 * Headers are pushed into the private head (packet_push()), the same bytes are pulled again.
 *
 * The thread that owns the batch. No lock, no allocation.
 */
#ifndef VSW_FORWARD_ENCAP_H
#define VSW_FORWARD_ENCAP_H

#include "forward/context.h"
#include "packet/counters.h"

/* The two below for ports that are no access ports. */
uint64_t forward_encap_push(const struct topology *topology, uint16_t port,
	struct packet_batch *batch, uint64_t *mask, struct counters *counters);
void forward_decap_pull(const struct topology *topology, uint16_t port, struct packet_batch *batch,
	uint64_t edited);

/*
 * Edits those packets of *mask that do not leave `port` as they are, and returns which. A packet
 * whose headers do not fit its headroom is taken from *mask, and counted in *counters as
 * DROP_NO_HEADROOM.
 */
static inline uint64_t forward_encap(const struct forward_context *context, uint16_t port,
	struct packet_batch *batch, uint64_t *mask, struct counters *counters)
{
	const struct topology *topology = &context->snapshot->topology;

	if (likely(topology->ports[port].mode == TOPOLOGY_ACCESS))
		return 0;
	return forward_encap_push(topology, port, batch, mask, counters);
}

/* Undoes it for the packets that were edited: all is as it was before. */
static inline void forward_decap(const struct forward_context *context, uint16_t port,
	struct packet_batch *batch, uint64_t edited)
{
	if (edited)
		forward_decap_pull(&context->snapshot->topology, port, batch, edited);
}

#endif
