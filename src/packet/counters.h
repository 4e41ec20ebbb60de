/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frame counters of one direction of one queue. One writer at a time (stated where the struct
 * is embedded), any number of readers on other threads: plain additions, stored atomically so that
 * a reader sees whole numbers. Counters only rise and live as long as the port, over reconnects.
 */
#ifndef VSW_PACKET_COUNTERS_H
#define VSW_PACKET_COUNTERS_H

#include <stdint.h>

#include "base/common.h"
#include "packet/drop.h"
#include "packet/refused.h"

struct counters {
	uint64_t packets;
	uint64_t bytes; /* Ethernet header and payload; no FCS, no virtio-net header */
	uint64_t drops[DROP_REASON_COUNT];
	struct refused refused; /* of frames that came in at a secured port */
} CACHE_ALIGNED;

/* By the writer only. */
static inline void counter_add(uint64_t *counter, uint64_t amount)
{
	__atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

/* By any thread. */
static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
