/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding stages: a batch of frames in, a set of frames for each output port out. No system
 * call, no allocation, no log, no lock but the FDB's short one when an address is new.
 *
 *   forward_classify(): VLAN -> network, port security
 *   forward_decide():   learn, look up -> outputs
 *
 * Each stage is a header of its own (classify.h, security.h, l2.h). None of them needs more than
 * Ethernet, tag and ARP, which they read themselves: packet_parse() is for who needs more, a port
 * that spreads flows over queues for one. Forwarding keeps parsed offsets right, before and after.
 *
 * Any thread that is registered with RCU may call, each with a batch and an output of its own.
 */
#ifndef VSW_FORWARD_FORWARD_H
#define VSW_FORWARD_FORWARD_H

#include <stdint.h>

#include "forward/topology.h"
#include "packet/counters.h"
#include "packet/packet.h"
#include "tables/fdb.h"

/* For each port touched by a batch, which of the batch's packets leave there (bit i = packet i). */
struct forward_output {
	unsigned count;                      /* ports in touched[] */
	uint16_t touched[TOPOLOGY_PORT_MAX]; /* in the order in which they were first chosen */
	uint64_t mask[TOPOLOGY_PORT_MAX]; /* by port index; zero for every port not in touched[] */
};

/* What the first half of forwarding has found out for the second: keys of the FDB. */
struct forward_keys {
	uint64_t passed; /* packets that were not dropped */
	/* Of these, the ones whose keys differ from those of the one before: a burst belongs to few
	 * flows, and each run of equal keys is decided at once. Only these have keys here. */
	uint64_t first;
	uint64_t
		stacked; /* packets that begin with a tag of their own: for ports with `qinq` only */
	struct forward_key_pair {
		uint64_t destination;
		uint64_t source;
	} of[PACKET_BATCH];
};

/*
 * First half: reads the addresses, finds each packet's network, and checks port security. Strips the
 * 802.1Q tag (the packet's network stands for it from then on), and has the FDB's cache lines on
 * their way when it returns. Counts the ingress side in *counters, whose only writer is the caller:
 * packets and bytes as they came in (dropped ones and tags included), and drops. Where batch->port is
 * not in the topology, all is dropped as DROP_NO_DESTINATION.
 */
void forward_classify(const struct topology *topology, const struct fdb *fdb,
	struct packet_batch *batch, struct forward_keys *keys, struct counters *counters);

/* Second half: learns, looks up, and decides where each packet goes. *output is empty on entry (all
 * zero, or emptied by forward_output_clear()). Counts drops as above. */
void forward_decide(const struct topology *topology, struct fdb *fdb,
	const struct packet_batch *batch, const struct forward_keys *keys,
	struct forward_output *output, struct counters *counters);

/* Both. */
static inline void forward_batch(const struct topology *topology, struct fdb *fdb,
	struct packet_batch *batch, struct forward_output *output, struct counters *counters)
{
	struct forward_keys keys;

	forward_classify(topology, fdb, batch, &keys, counters);
	forward_decide(topology, fdb, batch, &keys, output, counters);
}

/* Makes *output empty again in time proportional to the ports touched. */
void forward_output_clear(struct forward_output *output);

/*
 * Pushes the 802.1Q tag onto those packets of `mask` that leave `port` tagged, and returns which;
 * after the port's send, forward_tag_pop() takes them off again for the next output.
 */
uint64_t forward_tag_push(
	const struct topology *topology, uint16_t port, struct packet_batch *batch, uint64_t mask);
void forward_tag_pop(struct packet_batch *batch, uint64_t mask);

#endif
