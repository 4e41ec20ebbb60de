/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/fate.h"

void frames_drop(unsigned count, enum drop_reason reason, struct counters *counters)
{
	counter_add(&counters->drops[reason], count);
}

void packet_drop(const struct packet_batch *batch, uint64_t mask, enum drop_reason reason,
	struct counters *counters)
{
	frames_drop((unsigned)__builtin_popcountll(mask), reason, counters);
}

void packet_drop_frames(const struct packet_batch *batch, unsigned i, unsigned count,
	enum drop_reason reason, struct counters *counters)
{
	frames_drop(count, reason, counters);
}
