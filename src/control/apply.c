/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/addresses.h"
#include "control/apply_private.h"
#include "control/by_hand.h"
#include "control/judge.h"
#include "control/loops.h"
#include "control/port_kinds.h"
#include "control/services.h"

/* Changes that are logged one by one; of more only the number is. */
#define LOGGED_CHANGES_MAX 20

static int refuse_restart(struct change *c)
{
	for (unsigned i = 0; i < c->diff.count; i++) {
		const struct diff_action *action = &c->diff.actions[i];

		if (action->effect == DIFF_RESTART)
			return error_set(c->error, -ENOTSUP, "%s%s%s", c->source ? c->source : "",
				c->source ? ": " : "", action->text + strlen("~ "));
	}
	return 0;
}

/* What stays keeps its index and port; new networks get an index. */
static int inherit(struct change *c)
{
	const struct runtime_state *old = &c->runtime->state;
	struct runtime_state *next = &c->next;

	for (unsigned i = 0; i < next->model.port_count; i++)
		if (!c->transition.opens[i])
			next->ports[i] =
				old->ports[runtime_find_port(old, next->model.ports[i].name)];
	for (unsigned i = 0; i < next->model.network_count; i++) {
		int known = runtime_find_network(old, next->model.networks[i].name);
		int index = known >= 0 ? old->networks[known]
				       : runtime_take_network_index(c->runtime);

		if (index < 0)
			return error_set(c->error, -ENOSPC, "too many networks");
		next->networks[i] = (uint16_t)index;
	}
	return 0;
}

static bool is_by_hand(enum apply_how how)
{
	return how == APPLY_BY_HAND || how == APPLY_BY_HAND_FORCED;
}

/* First phase: what is to be done, and whether it may. */
static int plan(struct change *c, const struct model *model, enum apply_how how)
{
	const struct model *old = &c->runtime->state.model;
	int rc;

	if (diff_new(&c->diff, old, model) < 0 || judge_diff(&c->diff, c->runtime) < 0 ||
		(!is_by_hand(how) && by_hand_mark(&c->diff, c->runtime) < 0) ||
		transition_new(&c->transition, &c->diff, old, model) < 0 ||
		model_copy(&c->next.model, model) < 0 || runtime_state_allocate(&c->next) < 0)
		return apply_fail_memory(c);
	rc = refuse_restart(c);
	if (rc == 0 && how == APPLY_SAFELY)
		rc = judge_empty(old, model, c->source, c->error);
	if (rc == 0 && (how == APPLY_SAFELY || how == APPLY_BY_HAND))
		rc = judge_refuse(&c->diff, c->source,
			how == APPLY_BY_HAND ? "--force" : "'vsw config apply --force'", c->error);
	return rc < 0 ? rc : inherit(c);
}

/* The leases' journal is the only thing in it that may fail for a reason of the operator's. */
static int prepare_services(struct change *c)
{
	const struct model_settings *settings = &c->next.model.settings;

	c->services = services_prepare(c->runtime, &c->next, c->error);
	if (c->services)
		return 0;
	if (settings->state_dir_line)
		error_prefix(
			c->error, "%s:%u: switch.state-dir", c->source, settings->state_dir_line);
	else
		error_prefix(c->error, "%s: switch.state-dir", c->source);
	return -EINVAL;
}

/* Second phase: all that can fail. */
static int carry_out(struct change *c)
{
	int rc = apply_prepare(c);

	if (rc == 0)
		rc = apply_prepare_routers(c);
	if (rc == 0)
		rc = apply_change(c);
	if (rc == 0)
		rc = apply_open(c, false);
	if (rc == 0 && transition_waits(&c->transition, &c->next.model)) {
		rc = apply_tear_down(c);
		if (rc == 0)
			rc = apply_open(c, true);
	}
	if (rc == 0)
		rc = prepare_services(c);
	if (rc == 0 && runtime_publish(c->runtime, &c->next, NULL) < 0)
		rc = apply_fail_memory(c);
	return rc;
}

/* What an administrator changes is a record: never held back. */
static void log_changes(const struct diff *diff)
{
	if (diff->count > LOGGED_CHANGES_MAX)
		return;
	for (unsigned i = 0; i < diff->count; i++)
		log_info("%s", diff->actions[i].text);
}

static void warn_of_undone(const struct diff *diff)
{
	unsigned count = 0;

	for (unsigned i = 0; i < diff->count; i++)
		count += diff->actions[i].undoes;
	if (count)
		log_warning("changes that were made by hand and are undone by the file: %u ('vsw "
			    "config save' before would have kept them)",
			count);
}

/* What was kept for ports that are no more, or are of another kind now. */
static void forget_ports(const struct change *c)
{
	const struct model *old = &c->runtime->state.model;

	for (unsigned i = 0; i < old->port_count; i++) {
		const struct port_kind *kind = port_kind_of(&old->ports[i]);
		const struct model_port *new = model_find_port(&c->next.model, old->ports[i].name);

		if (kind->forget && (!new || port_kind_of(new) != kind))
			kind->forget(&old->settings, old->ports[i].name);
	}
}

/* Last phase, where all went well: from here on nothing fails. */
static void commit(struct change *c)
{
	struct runtime *runtime = c->runtime;
	struct runtime_state *old = &runtime->state;

	apply_close(c, c->transition.leaves);
	addresses_rebind(runtime->fdb, old, &c->next);
	addresses_flush(runtime->fdb, old, &c->next, c->transition.outdated);
	forget_ports(c);
	log_changes(&c->diff);
	warn_of_undone(&c->diff);
	judge_tell(&c->diff, &c->next);
	runtime_adopt(runtime, &c->next);
	runtime->mended = c->mended;
	routers_commit(runtime->routers, &runtime->state.model);
	services_commit(runtime->services, c->services);
	loops_prune(runtime);
}

/* Last phase, where something failed: as if nothing had been. */
static void undo(struct change *c)
{
	apply_change_back(c);
	apply_close_opened(c);
	if (c->torn_down)
		apply_restore(c);
	routers_undo(c->runtime->routers);
	apply_unprepare(c);
	services_discard(c->services);
	runtime_mark_indices(c->runtime);
}

int runtime_apply(struct runtime *runtime, struct model *model, const char *source,
	enum apply_how how, struct error *error)
{
	struct change c = {.runtime = runtime, .source = source, .error = error};
	int rc = plan(&c, model, how);

	if (rc == 0) {
		rc = carry_out(&c);
		if (rc == 0) {
			commit(&c);
			rc = (int)c.diff.count;
			if (!is_by_hand(how))
				by_hand_settle(runtime);
		} else {
			undo(&c);
		}
	} else {
		runtime_mark_indices(runtime);
	}
	/* The diff borrows from the old model, which commit() frees: only its own text is left. */
	diff_fini(&c.diff);
	transition_fini(&c.transition);
	runtime_state_fini(&c.next);
	if (rc >= 0)
		model_fini(model);
	return rc;
}
