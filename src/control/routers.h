/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running routers: what the model's routers need beside their ports (gateways.h), which are
 * ports like any other. In the phases of apply.h:
 *
 *   prepare  namespaces, forwarding, pairs of interfaces, before any port is opened; may fail
 *   undo     those that prepare made go again
 *   commit   routers that are gone take theirs along; nft(8) is told what has changed
 *
 *   a table: wanted -> told (nft runs) -> in force
 *                          `-> failed, with a problem that `router show` has -> tried again
 *
 * nft runs as a child that is watched, never waited for, but at the end of vswd: there two seconds
 * a table at most. What is made is noted in SOCKET-DIR/.routers first, so that a successor of a
 * process that was killed takes over what its configuration has, and removes the rest.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_ROUTERS_H
#define VSW_CONTROL_ROUTERS_H

#include <jansson.h>

#include "control/model.h"
#include "control/port_kinds.h"

struct routers;

/* NULL where memory is short. */
struct routers *routers_new(struct event_base *base);
/* All of them go, with everything that was made for them. NULL is allowed. */
void routers_free(struct routers *routers);

/* 0, or -errno with *name and *fault filled: the router, its key, line and what is wrong. */
int routers_prepare(struct routers *routers, const struct model *model, const char **name,
	struct port_fault *fault);
void routers_undo(struct routers *routers);
void routers_commit(struct routers *routers, const struct model *model);

/* [{"name", "state", ...}, ...] */
json_t *routers_show(const struct routers *routers, const struct model *model);

#endif
