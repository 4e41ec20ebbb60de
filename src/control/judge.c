/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/port_kinds.h"
#include "control/resources.h"

/* The port that goes, and whose VM would find the new one in its place, by its position; -1: none.
 * `removed`: what the ports claim that have no successor of their name. */
static int predecessor(
	const struct model *old, struct claims *removed, const struct diff_action *action)
{
	if (action->object != DIFF_PORT || action->verb == DIFF_REMOVE)
		return -1;
	if (action->verb == DIFF_ADD)
		return resources_holder(removed, action->new);
	return action->effect == DIFF_REOPEN ? (int)(diff_old_port(action) - old->ports) : -1;
}

/* What the ports claim that the difference removes. 0 or -ENOMEM. */
static int claims_of_removed(
	struct claims *claims, const struct diff *diff, const struct model *old)
{
	bool *removed = calloc(old->port_count + 1, sizeof(*removed));
	int rc = -ENOMEM;

	*claims = (struct claims){0};
	for (unsigned i = 0; i < diff->count && removed; i++)
		if (diff->actions[i].object == DIFF_PORT && diff->actions[i].verb == DIFF_REMOVE)
			removed[diff_old_port(&diff->actions[i]) - old->ports] = true;
	if (removed)
		rc = claims_of(claims, old, removed);
	free(removed);
	return rc;
}

/* Whether the port at this position keeps its promise to who is connected where `new` follows it;
 * NULL: nothing does. 0 also where it does not, which the action then says; -ENOMEM. */
static int judge_port(struct diff *diff, unsigned action, const struct runtime_state *state,
	int position, const struct model_port *new)
{
	const struct model_port *old = &state->model.ports[position];
	const struct port_kind *kind = port_kind_of(old);
	struct error why;

	/* A router's interface goes with the router, which was named. */
	if (!kind->keeps_promise || *old->router ||
		kind->keeps_promise(state->ports[position].port, old, new, &why) == 0)
		return 0;
	return diff_cut(diff, action, why.text);
}

/* The ports that are removed, and no other takes what they claim: `succeeded`, by position. */
static int judge_removed(
	struct diff *diff, const struct runtime_state *state, const bool *succeeded)
{
	int rc = 0;

	for (unsigned i = 0; i < diff->count && rc == 0; i++) {
		const struct diff_action *action = &diff->actions[i];
		int position;

		if (action->object != DIFF_PORT || action->verb != DIFF_REMOVE)
			continue;
		position = (int)(diff_old_port(action) - state->model.ports);
		if (!succeeded[position])
			rc = judge_port(diff, i, state, position, NULL);
	}
	return rc;
}

int judge_diff(struct diff *diff, const struct runtime *runtime)
{
	const struct runtime_state *state = &runtime->state;
	bool *succeeded = calloc(state->model.port_count + 1, sizeof(*succeeded));
	struct claims removed;
	int rc = claims_of_removed(&removed, diff, &state->model);

	for (unsigned i = 0; i < diff->count && rc == 0; i++) {
		int old = predecessor(&state->model, &removed, &diff->actions[i]);

		if (old >= 0 && succeeded) {
			succeeded[old] = true;
			rc = judge_port(diff, i, state, old, diff->actions[i].new);
		}
		if (removed.out_of_memory || !succeeded)
			rc = -ENOMEM;
	}
	if (rc == 0 && diff->count)
		rc = judge_removed(diff, state, succeeded);
	claims_fini(&removed);
	free(succeeded);
	return rc;
}

int judge_empty(
	const struct model *old, const struct model *new, const char *source, struct error *error)
{
	if (!old->port_count || new->port_count)
		return 0;
	return error_set(error, -EBUSY,
		"%s: it has no ports: all %u ports of the running switch would be removed; "
		"'vsw config apply --force' does it",
		source, old->port_count);
}

int judge_refuse(
	const struct diff *diff, const char *source, const char *force, struct error *error)
{
	unsigned count = 0;
	size_t used = 0;

	if (diff->effect != DIFF_CUT)
		return 0;
	for (unsigned i = 0; i < diff->count; i++) {
		const struct diff_action *action = &diff->actions[i];
		int n;

		if (action->effect != DIFF_CUT)
			continue;
		/* The first ports are enough to understand; `vsw config diff` names all. */
		if (used + 300 < sizeof(error->text)) {
			n = snprintf(error->text + used, sizeof(error->text) - used,
				"%sport %s: %.200s", count ? "; " : "", action->name, action->why);
			used += (size_t)MAX(n, 0);
		}
		count++;
	}
	error_prefix(error, "%u port%s in use would be cut off (%s does it)", count,
		count == 1 ? "" : "s", force);
	if (source)
		error_prefix(error, "%s", source);
	return -EBUSY;
}

void judge_tell(const struct diff *diff, const struct runtime_state *state)
{
	for (unsigned i = 0; i < diff->count; i++) {
		const struct diff_action *action = &diff->actions[i];
		int position = action->effect == DIFF_CUT ? runtime_find_port(state, action->name)
							  : -1;
		const struct port_kind *kind = position < 0
						       ? NULL
						       : port_kind_of(
								 &state->model.ports[position]);

		if (kind && kind->break_promise)
			kind->break_promise(state->ports[position].port, action->why);
	}
}
