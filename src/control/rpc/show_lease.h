/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases over the control socket. As show.h says. */
#ifndef VSW_CONTROL_RPC_SHOW_LEASE_H
#define VSW_CONTROL_RPC_SHOW_LEASE_H

#include <jansson.h>

#include "control/rpc/failure.h"
#include "control/runtime.h"

/* [{"address", "network", "port", "state", "seconds", "mac", "host", "client"}, ...]: leases, by
 * networks and addresses, and the ports' own addresses in networks that have DHCP. */
json_t *show_leases(struct runtime *runtime, const json_t *params, struct show_failure *failure);

/* {"network", "address"}: ends that lease. */
json_t *delete_lease(struct runtime *runtime, const json_t *params, struct show_failure *failure);

/* Adds to the members of a network's DHCP how much of its pool is used. dhcp: JSON null where it
 * has none. */
void show_add_pool(json_t *dhcp, struct runtime *runtime, const char *network);

#endif
