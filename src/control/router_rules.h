/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What nft(8) is told for a router with `uplink: nat`, as text of its JSON form that replaces one
 * table, `inet virtswitch-ROUTER`, as a whole. A router has one such table in the namespace where
 * it routes; where that is one of its own, it has another in vswd's, where the pair of interfaces
 * ends (docs/decisions/router-namespaces.md).
 *
 * Pure; any thread. Texts are to be freed; NULL where memory is short.
 */
#ifndef VSW_CONTROL_ROUTER_RULES_H
#define VSW_CONTROL_ROUTER_RULES_H

#include "control/model.h"

/* The ends of the pair: its name here and in the router's namespace, and its addresses, IPv4 and
 * IPv6, each with the length of the link's network. */
struct router_link {
	char name[16];
	struct value_address here[2], there[2];
};
#define ROUTER_LINK_PEER "uplink"

/* Which link a router has follows from its name and those of the routers before it. */
void router_link_of(
	const struct model *model, const struct model_router *router, struct router_link *link);

/* In the namespace where the router's interfaces are. own: it is the router's alone. */
char *router_rules_inside(const struct model *model, const struct model_router *router, bool own);
/* At the other end of the pair. */
char *router_rules_outside(const struct model *model, const struct model_router *router,
	const struct router_link *link);
/* That there is no such table. */
char *router_rules_none(const char *router);

#endif
