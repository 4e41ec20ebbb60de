/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only a packet port is configured by: which interface it is, and whether the host keeps it as
 * well. Passive data; any thread.
 */
#ifndef VSW_CONTROL_PACKET_KEYS_H
#define VSW_CONTROL_PACKET_KEYS_H

#include "control/interface_keys.h"
#include "control/model.h"

struct model_packet {
	char ifname[MODEL_IFNAME_SIZE];
	char netns[MODEL_PATH_SIZE]; /* name or path; "": the daemon's */
	unsigned up;                 /* 1: the interface is brought up */
	unsigned shared;             /* 1: the host's stack uses it, too */
};

extern const struct model_kind packet_kind;

/* The settings of a port of this kind. */
static inline const struct model_packet *model_packet(const struct model_port *port)
{
	return port->settings;
}

#endif
