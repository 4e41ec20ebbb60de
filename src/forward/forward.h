/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding stages: a batch of frames in, a set of frames for each output port out. No system
 * call, no allocation, no log, no lock but the FDB's short one when an address is new.
 *
 *   forward_classify(): VLAN -> network, port security
 *   forward_decide():   learn, look up -> outputs
 *
 * and then, for each output, forward_encap() before the port's send and forward_decap() after it
 * (encap.h).
 *
 * Each stage is a header of its own (classify.h, security.h, l2.h); stage.h says what a stage may
 * do, and where another one goes. None of those here needs more than Ethernet, tag and ARP, which
 * they read themselves: packet_parse() is for who needs more, a port that spreads flows over queues
 * for one. Forwarding keeps parsed offsets right, before and after.
 *
 * Any thread that is registered with RCU may call, each with a context, a batch and an output of
 * its own.
 */
#ifndef VSW_FORWARD_FORWARD_H
#define VSW_FORWARD_FORWARD_H

#include "forward/context.h"
#include "packet/counters.h"

/*
 * First half: reads the addresses, finds each packet's network, and checks port security. Strips
 * the 802.1Q tag (the packet's network stands for it from then on), and has the FDB's cache lines
 * on their way when it returns. Counts the ingress side in *counters, whose only writer is the
 * caller: packets and bytes as they came in (dropped ones and tags included), and drops. Where
 * batch->port is not in the topology, all is dropped as DROP_NO_DESTINATION.
 */
void forward_classify(const struct forward_context *context, struct packet_batch *batch,
	struct forward_keys *keys, struct counters *counters);

/* Second half: learns, looks up, and decides where each packet goes; may edit packets. *output is
 * empty on entry (all zero, or emptied by forward_output_clear()). Counts drops as above. */
void forward_decide(const struct forward_context *context, struct packet_batch *batch,
	const struct forward_keys *keys, struct forward_output *output, struct counters *counters);

/* Both. */
static inline void forward_batch(const struct forward_context *context, struct packet_batch *batch,
	struct forward_output *output, struct counters *counters)
{
	struct forward_keys keys;

	forward_classify(context, batch, &keys, counters);
	forward_decide(context, batch, &keys, output, counters);
}

#endif
