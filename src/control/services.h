/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The services of the running switch: what the local port (port/local.h) brings from networks that
 * have some is answered by service/, with the model for what is configured and the leases for what
 * was given away. Here is what is around that: which network and port a frame is of, the journal
 * that makes leases outlive the process, time, and what is told of it.
 *
 * A change of the configuration goes by the phases of apply.h: all that can fail is prepared, and
 * then committed or discarded. Leases are kept by the names of networks
 * (service_networks.h).
 *
 * A frame of a batch is answered when all that the batch has changed is written. Where the journal
 * cannot be written nothing of it is: the clients ask again. Control thread only.
 */
#ifndef VSW_CONTROL_SERVICES_H
#define VSW_CONTROL_SERVICES_H

#include "base/error.h"
#include "control/runtime.h"
#include "service/lease_record.h"

struct services_change;

/* What the next state's networks need. The first time the runtime gets its services, too, which go
 * with it. NULL with *error filled. */
struct services_change *services_prepare(
	struct runtime *runtime, const struct runtime_state *next, struct error *error);
/* When the runtime has taken that state over. Frees the change. */
void services_commit(struct services *services, struct services_change *change);
/* NULL is allowed. */
void services_discard(struct services_change *change);

/* A lease as it is shown. `owner` is the caller's. Static addresses, which take no lease, are not
 * among them. */
void services_each_lease(const struct services *services,
	void (*each)(void *owner, const struct lease_record *record), void *owner);

/* Calls back when leases have changed, some time after, at most four times a second. One. */
void services_watch_leases(struct services *services, void (*changed)(void *owner), void *owner);

/* Ends the lease of the address of a network, whoever has it. 0, -ENOENT, or -EIO where the
 * journal cannot be written. */
int services_end_lease(struct services *services, const char *network, const char *address);

/* Of a network: addresses of the pool, and how many are used. False where it has none. */
struct services_pool {
	uint64_t size;
	unsigned bound, offered, declined;
	uint64_t refused; /* requests that came to nothing because none was left */
	uint64_t limited; /* or because the port had as many as it may */
};
bool services_pool(
	const struct services *services, const char *network, struct services_pool *pool);

#endif
