/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/transition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/addresses.h"
#include "control/resources.h"
#include "forward/topology.h"

static void mark(struct transition *t, const struct diff *diff, const struct model *old,
	const struct model *new)
{
	for (unsigned i = 0; i < diff->count; i++) {
		const struct diff_action *action = &diff->actions[i];
		const struct model_port *before = diff_old_port(action);
		const struct model_port *after = diff_new_port(action);
		bool replaced = action->verb != DIFF_CHANGE || action->effect >= DIFF_REOPEN;

		if (before && replaced)
			t->leaves[before - old->ports] = true;
		else if (before)
			t->outdated[before - old->ports] = addresses_outdated(before, after);
		if (after && replaced)
			t->opens[after - new->ports] = true;
	}
}

/* Where there are not indices enough for the old and the new ports together, all leave before any
 * opens. */
static void make_room(struct transition *t, const struct model *old, const struct model *new)
{
	unsigned opening = 0;

	for (unsigned i = 0; i < new->port_count; i++)
		opening += t->opens[i];
	if (old->port_count + opening <= TOPOLOGY_PORT_MAX)
		return;
	memcpy(t->yields, t->leaves, old->port_count * sizeof(*t->yields));
	memcpy(t->waits, t->opens, new->port_count * sizeof(*t->waits));
}

int transition_new(struct transition *t, const struct diff *diff, const struct model *old,
	const struct model *new)
{
	*t = (struct transition){
		.leaves = calloc(old->port_count + 1, sizeof(*t->leaves)),
		.yields = calloc(old->port_count + 1, sizeof(*t->yields)),
		.outdated = calloc(old->port_count + 1, sizeof(*t->outdated)),
		.opens = calloc(new->port_count + 1, sizeof(*t->opens)),
		.waits = calloc(new->port_count + 1, sizeof(*t->waits)),
	};
	if (!t->leaves || !t->yields || !t->outdated || !t->opens || !t->waits)
		goto fail;
	mark(t, diff, old, new);
	if (resources_handover(old, t->leaves, new, t->opens, t->yields, t->waits) < 0)
		goto fail;
	make_room(t, old, new);
	return 0;

fail:
	transition_fini(t);
	return -ENOMEM;
}

void transition_fini(struct transition *t)
{
	free(t->leaves);
	free(t->yields);
	free(t->outdated);
	free(t->opens);
	free(t->waits);
	*t = (struct transition){0};
}

bool transition_waits(const struct transition *t, const struct model *new)
{
	for (unsigned i = 0; i < new->port_count; i++)
		if (t->waits[i])
			return true;
	return false;
}
