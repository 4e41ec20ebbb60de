/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports that are held because of a loop, and what is remembered of it: the part of the runtime
 * that loops.h keeps. Control thread only. */
#ifndef VSW_CONTROL_LOOP_HOLD_H
#define VSW_CONTROL_LOOP_HOLD_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* Holds and memories of them at a time; more loops than that are logged, not held. */
#define LOOPS_MAX 64

struct loop_hold {
	uint64_t opened; /* of the port (runtime_port.opened); 0: a free entry */
	uint16_t port;   /* indices: of the one that is held ... */
	uint16_t older;  /* ... and of the port at the other end, as they were then */
	uint16_t network;
	uint64_t until;   /* ns: held till then, or free since */
	uint64_t settled; /* ns: nothing that went round is under way any more */
	uint64_t length;  /* ns, of the last hold */
	bool held;        /* free, and remembered for a while, otherwise */
	char other[64];   /* the port at the other end, as it was called then */
	char address[18];
};

struct loops {
	struct event *timer;
	uint64_t noticed; /* times a port was held */
	unsigned held;
	struct loop_hold of[LOOPS_MAX];
};

#endif
