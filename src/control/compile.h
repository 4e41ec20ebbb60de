/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the model to what forwarding reads: which port is in which network, with its tags, rules and
 * limits. The model names things, forwarding knows them by the indices that runtime.h gives out.
 *
 * Pure: touches nothing of the running switch. Any thread.
 */
#ifndef VSW_CONTROL_COMPILE_H
#define VSW_CONTROL_COMPILE_H

#include <stdint.h>

#include "control/model.h"
#include "forward/snapshot.h"

/* Stands for the index of a port that is not open: it is left out. */
#define COMPILE_NO_PORT UINT16_MAX

/* A port that is held in a network because of a loop (loops.h); both by index. */
struct compile_hold {
	uint16_t port;
	uint16_t network;
};

struct compile_input {
	const struct model *model;
	const uint16_t *ports;    /* indices, in the order of the model's ports */
	const uint16_t *networks; /* likewise */
	/* Those of ports or networks that the model does not have, or whose `loops` is not `hold`,
	 * say nothing. */
	const struct compile_hold *holds;
	unsigned hold_count;
};

/* The caller's; NULL where memory is short. */
struct snapshot *compile_snapshot(const struct compile_input *input);

#endif
