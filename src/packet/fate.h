/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a packet ended. Whoever loses a frame says so here, and nowhere else is a drop counted:
 * forwarding and workers at the port where it came in, a kind of port at its own, in whichever of
 * its counters the caller may write (packet/counters.h).
 *
 * packet_drop*() are called while batch->packets[] still are the packets that it names, on the
 * thread that owns the batch. So they are the place where the fate of single packets can be
 * observed, whatever the reason.
 *
 * Out of line: a frame that arrives never comes here.
 */
#ifndef VSW_PACKET_FATE_H
#define VSW_PACKET_FATE_H

#include "packet/counters.h"
#include "packet/packet.h"

/* The packets of `mask` go no further (towards one output, where there are several): each counts as
 * one. */
void packet_drop(const struct packet_batch *batch, uint64_t mask, enum drop_reason reason,
	struct counters *counters);

/* So do `count` of the frames that packet `i` was to become on its way to one receiver
 * (egress.h). */
void packet_drop_frames(const struct packet_batch *batch, unsigned i, unsigned count,
	enum drop_reason reason, struct counters *counters);

/* So do frames that are no packets of a batch, as a chain of buffers that holds none. */
void frames_drop(unsigned count, enum drop_reason reason, struct counters *counters);

#endif
