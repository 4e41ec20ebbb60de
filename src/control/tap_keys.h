/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only a TAP port is configured by: which interface it is, where, and how that is set. Passive
 * data; any thread.
 */
#ifndef VSW_CONTROL_TAP_KEYS_H
#define VSW_CONTROL_TAP_KEYS_H

#include "control/interface_keys.h"
#include "control/model.h"

struct model_tap {
	char ifname[MODEL_IFNAME_SIZE];
	char netns[MODEL_PATH_SIZE]; /* name or path; "": the daemon's */
	unsigned queues;
	unsigned mtu;     /* bytes; 0: as the kernel, or whoever made the interface, has it */
	unsigned up;      /* 1: the interface is brought up */
	unsigned persist; /* 1: it stays when the port goes */
	struct value_addresses address;
	unsigned vhost; /* enum model_tap_vhost */
};

/* Whether the kernel's vhost-net carries the frames. */
enum model_tap_vhost { MODEL_VHOST_AUTO, MODEL_VHOST_ON, MODEL_VHOST_OFF };

extern const struct model_kind tap_kind;

/* The settings of a port of this kind. */
static inline const struct model_tap *model_tap(const struct model_port *port)
{
	return port->settings;
}

#endif
