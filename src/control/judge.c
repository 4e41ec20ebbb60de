/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "port/vhost_user/vhost_user.h"

/* The port that goes, and whose VM would find the new one in its place; NULL: none. */
static const struct model_port *predecessor(
	const struct diff *diff, const struct diff_action *action)
{
	if (action->object != DIFF_PORT || action->verb == DIFF_REMOVE)
		return NULL;
	if (action->verb == DIFF_CHANGE)
		return action->effect == DIFF_REOPEN ? action->old_port : NULL;
	for (unsigned i = 0; i < diff->count; i++) {
		const struct diff_action *other = &diff->actions[i];

		if (other->object == DIFF_PORT && other->verb == DIFF_REMOVE &&
			strcmp(other->old_port->socket, action->new_port->socket) == 0)
			return other->old_port;
	}
	return NULL;
}

int judge_diff(struct diff *diff, const struct runtime *runtime)
{
	for (unsigned i = 0; i < diff->count; i++) {
		const struct model_port *old = predecessor(diff, &diff->actions[i]);
		const struct model_port *new = diff->actions[i].new_port;
		struct vhost_user_options options;
		const struct port *port;
		struct error why;

		port = old ? runtime->state.ports[old - runtime->state.model.ports].port : NULL;
		if (!port)
			continue;
		options = (struct vhost_user_options){
			.mode = new->mode == MODEL_CLIENT ? VHOST_USER_CLIENT : VHOST_USER_SERVER,
			.socket = new->socket,
			.queues = new->queues,
			.mtu = (uint16_t) new->mtu,
		};
		if (vhost_user_keeps_promise(port, &options, &why) < 0 &&
			diff_cut(diff, i, why.text) < 0)
			return -ENOMEM;
	}
	return 0;
}

int judge_refuse(const struct diff *diff, const struct model *old, const struct model *new,
	const char *source, struct error *error)
{
	unsigned count = 0;
	size_t used = 0;

	if (old->port_count && !new->port_count)
		return error_set(error, -EBUSY,
			"%s: it has no ports: all %u ports of the running switch would be removed; "
			"'vsw config apply --force' does it",
			source, old->port_count);
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
	error_prefix(error,
		"%s: %u connected VM%s would be cut off ('vsw config apply --force' does it)",
		source, count, count == 1 ? "" : "s");
	return -EBUSY;
}

void judge_tell(const struct diff *diff, const struct runtime_state *state)
{
	for (unsigned i = 0; i < diff->count; i++) {
		const struct diff_action *action = &diff->actions[i];
		int position = action->effect == DIFF_CUT ? runtime_find_port(state, action->name)
							  : -1;

		if (position >= 0 && state->ports[position].port)
			vhost_user_break_promise(state->ports[position].port, action->why);
	}
}
