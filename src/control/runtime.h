/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running switch: what was made of the model. Owns the FDB, the workers and the ports, and
 * gives out the indices by which forwarding knows ports and networks. apply.h changes it, show.h
 * reads it.
 *
 * An index belongs to its port or network as long as that exists; it is given out again only after
 * the FDB has forgotten everything learned under it.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_RUNTIME_H
#define VSW_CONTROL_RUNTIME_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/loop_hold.h"
#include "control/model.h"
#include "control/port_kinds.h"
#include "control/routers.h"
#include "control/yaml/saved.h"
#include "forward/topology.h"
#include "port/port.h"
#include "tables/fdb.h"
#include "worker/worker.h"

/* Twice the networks of a switch: while one configuration replaces another, both need indices. */
#define RUNTIME_NETWORK_MAX (2 * TOPOLOGY_NETWORK_MAX)

struct services;

struct runtime_port {
	struct port *port; /* NULL only while a change is under way */
	uint16_t index;
	uint64_t opened; /* rises from port to port, in the order in which they were opened */
};

/* A model and what stands for its elements; the arrays have the order of the model's. */
struct runtime_state {
	struct model model;
	struct runtime_port *ports;
	uint16_t *networks; /* indices */
};

struct runtime {
	struct event_base *base;
	struct fdb *fdb;
	struct worker_pool *pool;
	struct port *local; /* how services' frames leave (port/local.h); NULL at start and end */
	struct services *services; /* services.h; NULL until the first configuration */
	void (*free_services)(struct services *services); /* set with them */
	struct event *expiry;
	struct loops loops;
	struct routers *routers;
	uint64_t ports_opened;
	unsigned mended; /* ports at which the last change put something right */
	struct runtime_state state;
	struct model filed; /* what the last file said; by_hand.h */
	bool has_filed;
	char *config_file; /* the one that a reload reads, absolute; owned. NULL: unknown */
	char config_digest[SAVED_DIGEST_SIZE]; /* of its text, as it was read or saved last */
	char *config_applied; /* another one that was applied since; owned. NULL: none */
	uint64_t started;     /* ns, monotonic */
	bool port_used[TOPOLOGY_PORT_MAX];
	bool network_used[RUNTIME_NETWORK_MAX];
};

/* Starts the workers with these settings; no network, no port yet. NULL with *error filled. */
struct runtime *runtime_new(
	struct event_base *base, const struct model_settings *settings, struct error *error);

/* Closes every port and stops the workers. NULL is allowed. */
void runtime_free(struct runtime *runtime);

/* Opens the port that the model asks for under this index; restored: port_kinds.h. NULL with *fault
 * filled. */
struct port *runtime_open_port(struct runtime *runtime, const struct model_settings *settings,
	const struct model_port *model, uint16_t index, bool restored, struct port_fault *fault);

/* Makes the workers use this state; entries without a port are left out, and those for which
 * `without` (by position; NULL: none) is true. After it returns no worker can see what was there
 * before. 0 or -ENOMEM (nothing has changed then). */
int runtime_publish(
	struct runtime *runtime, const struct runtime_state *state, const bool *without);

/* Takes over *next, which has been published, and leaves it empty; its settings hold from now
 * on. */
void runtime_adopt(struct runtime *runtime, struct runtime_state *next);

/* Gives out the lowest free index; -1 where there is none. They are free again when the next state
 * without them has been taken over: runtime_mark_indices(). */
int runtime_take_port_index(struct runtime *runtime);
int runtime_take_network_index(struct runtime *runtime);
/* Or earlier, where nothing uses the index any more. */
void runtime_release_port_index(struct runtime *runtime, uint16_t index);
/* Makes exactly the indices of the current state used. */
void runtime_mark_indices(struct runtime *runtime);

/* Frees the arrays and the model, not the ports. */
void runtime_state_fini(struct runtime_state *state);

/* Takes out a port that is closed, closing the gap. */
void runtime_state_remove_port(struct runtime_state *state, unsigned position);

/* Room for the parts of state->model; 0 or -ENOMEM. */
int runtime_state_allocate(struct runtime_state *state);

/* Position of a name in the state's model, -1 where there is none. */
int runtime_find_port(const struct runtime_state *state, const char *name);
int runtime_find_network(const struct runtime_state *state, const char *name);

/* Seconds of the monotonic clock, as the FDB counts them. */
uint32_t runtime_now(void);

/* How many threads "workers: auto" is on this machine: one per two cores, at least one. */
unsigned runtime_auto_workers(void);

#endif
