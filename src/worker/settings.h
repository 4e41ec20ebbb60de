/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many workers there are, and how they wait for work. Set when a pool is made (worker.h),
 * constant then.
 */
#ifndef VSW_WORKER_SETTINGS_H
#define VSW_WORKER_SETTINGS_H

#include <stdint.h>

/* More threads than this help nobody on one node. */
#define WORKER_MAX 64

enum worker_poll {
	WORKER_POLL_ADAPTIVE, /* poll under load, sleep when idle */
	WORKER_POLL_BUSY,     /* never sleep */
};

struct worker_settings {
	unsigned count; /* threads, 1 to WORKER_MAX */
	enum worker_poll poll;
	uint32_t idle_us; /* adaptive: how long an empty queue is polled before it is armed */
};

#endif
