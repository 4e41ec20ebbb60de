/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One port as JSON, and the questions about ports that other parts of show need. Private to show.c.
 * Control thread only.
 */
#ifndef VSW_CONTROL_RPC_SHOW_PORT_H
#define VSW_CONTROL_RPC_SHOW_PORT_H

#include <jansson.h>

#include "control/runtime.h"

/* The port at this position of the running model; a new reference. */
json_t *show_port(struct runtime *runtime, unsigned position);

#endif
