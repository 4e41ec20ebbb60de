/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exclusive things of the host: a socket's path, an interface's name in a namespace. A port
 * *claims* those that it cannot share with another port, as pairs of a kind and a text; the kind of
 * port says which. Two questions rest on that:
 *
 *   within one model: does anything have two owners?         resources_next_clash()
 *   from one model to the next: who must let go of something
 *   before another can be opened?                            resources_handover()
 *
 * What a port claims depends on its words in the configuration, and on where the paths among them
 * lead: two spellings of one thing are one claim (host/place.h). It changes where the port is
 * opened anew, and where links or namespaces are made anew meanwhile.
 *
 * Any thread. The claims borrow nothing from the model.
 */
#ifndef VSW_CONTROL_RESOURCES_H
#define VSW_CONTROL_RESOURCES_H

#include <stdbool.h>

#include "base/common.h"
#include "control/model.h"

struct claim {
	const char *kind; /* "socket path": as an error says it */
	const char *key;  /* of the port, that asks for it: "socket" */
	char *text;       /* which one: equal where the thing is the same; owned */
	unsigned owner;   /* position of the port in its model */
};

/* Of the ports of one model; sorted, so that equal ones are neighbours: by kind, text and owner. */
struct claims {
	struct claim *of;
	unsigned count;
	unsigned owner;     /* of what is added */
	bool out_of_memory; /* something is missing */
};

/* For the kinds of ports: the port claims this. */
void claims_add(struct claims *claims, const char *kind, const char *key, const char *format, ...)
	PRINTF(4, 5);

/* What the ports of the model claim, of those for which `which` is true; NULL: all. Fills *claims,
 * to be freed with claims_fini(). 0 or -ENOMEM (then it is empty). */
int claims_of(struct claims *claims, const struct model *model, const bool *which);
void claims_fini(struct claims *claims);

/* The first claim at or behind *position to something that the claim in front of it has already,
 * for another port; *position is behind it then. NULL where there is no more. */
const struct claim *resources_next_clash(const struct claims *claims, unsigned *position);

/* The port that has something of what this one claims, by its position; -1 where none has.
 * claims->out_of_memory is set where that cannot be said. */
int resources_holder(struct claims *claims, const struct model_port *port);

/*
 * Ports of the old model that leave and ports of the new one that open, by their positions. A port
 * that claims what a leaving one holds waits; the one that holds it yields: it is to be closed
 * first. Both arrays are false before. 0 or -ENOMEM.
 */
int resources_handover(const struct model *old, const bool *leaves, const struct model *new,
	const bool *opens, bool *yields, bool *waits);

#endif
