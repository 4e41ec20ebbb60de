/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A router with `gateway: kernel` has an interface in each of its networks: a port like any other,
 * of type tap, called ROUTER/NETWORK, that follows from the router and the network and stands in no
 * file. It is trusted, has the gateway's addresses, and a MAC address of its own that follows from
 * both names, so that it is the same after a restart and on every host.
 *
 * Pure; any thread.
 */
#ifndef VSW_CONTROL_GATEWAYS_H
#define VSW_CONTROL_GATEWAYS_H

#include "control/tap_keys.h"

/* Characters of the name of a namespace that a router has for itself. */
#define GATEWAYS_NETNS_PREFIX "vsw-"

/* The port's name; false where both names together are too long for one. */
bool gateways_port_name(const char *router, const char *network, char name[MODEL_NAME_SIZE]);

/* The name of the interface: "v-NETWORK", cut where that is too long. */
void gateways_interface(const char *network, char name[MODEL_IFNAME_SIZE]);

/* The namespace as netns_enter() takes it: "" is vswd's own. */
void gateways_netns(const struct model_router *router, char netns[MODEL_PATH_SIZE]);

/* The address to which a forwarding leads: its own, or that of the VM's `ip` in a network of the
 * router. NULL, or what is wrong with it. */
const char *gateways_resolve(const struct model *model, const struct model_router *router,
	const struct value_forward *forward, struct value_address *address);

/* Appends the ports of the router to the model's, not in order. 0 or -ENOMEM. */
int gateways_add(struct model *model, const struct model_router *router);

#endif
