/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "control/judge.h"
#include "control/loops.h"
#include "control/socket_access.h"
#include "packet/packet.h"

/* Changes that are logged one by one; of more only the number is. */
#define LOGGED_CHANGES_MAX 20

/* A change under way. Arrays named by_old / by_new have the order of the ports in the old / new
 * model. */
struct transition {
	struct runtime *runtime;
	struct diff diff;
	struct runtime_state next;
	const char *source;
	enum apply_how how;
	struct error *error;
	bool *leaves;        /* by_old: removed, or replaced by a port that is opened anew */
	bool *retopologised; /* by_old: stays, in other networks or with another MAC address */
	bool *opens;         /* by_new */
	bool torn_down;      /* the leaving ports are destroyed already */
	bool made_folder;
};

static int fail_memory(struct transition *t)
{
	return error_set(t->error, -ENOMEM, "out of memory");
}

/* "FILE:LINE: ports.vm1.socket: ..." in front of why the port could not be opened. */
static void locate_error(struct transition *t, const struct model_port *port)
{
	if (port->line)
		error_prefix(t->error, "%s:%u: ports.%s.socket", t->source, port->line, port->name);
	else
		error_prefix(t->error, "%s: ports.%s.socket", t->source, port->name);
}

static int refuse_restart(struct transition *t)
{
	for (unsigned i = 0; i < t->diff.count; i++) {
		const struct diff_action *action = &t->diff.actions[i];

		if (action->effect == DIFF_RESTART)
			return error_set(t->error, -ENOTSUP, "%s: %s", t->source,
				action->text + strlen("~ "));
	}
	return 0;
}

static int make_folder(struct transition *t)
{
	const struct model_settings *settings = &t->next.model.settings;

	if (mkdir(settings->socket_dir, 0755) == 0) {
		t->made_folder = true;
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	error_set_errno(t->error, -errno, "cannot create '%s'", settings->socket_dir);
	error_prefix(
		t->error, "%s:%u: switch.socket-dir", t->source, MAX(settings->socket_dir_line, 1));
	return -EINVAL;
}

/* The default folder is made only for ports that have their socket there, again where it was removed. */
static bool folder_needed(const struct transition *t)
{
	const struct model *model = &t->next.model;
	size_t length = strlen(model->settings.socket_dir);

	for (unsigned i = 0; i < model->port_count; i++)
		if (model->ports[i].mode == MODEL_SERVER &&
			strncmp(model->ports[i].socket, model->settings.socket_dir, length) == 0 &&
			model->ports[i].socket[length] == '/')
			return true;
	return false;
}

/* Whether what was learned about a port no longer holds: it is in other networks, or bound otherwise. */
static bool moves(const struct model_port *old, const struct model_port *new)
{
	if (strcmp(old->network, new->network) != 0 || strcmp(old->native, new->native) != 0 ||
		old->trunk_count != new->trunk_count || old->has_mac != new->has_mac ||
		memcmp(old->mac, new->mac, sizeof(old->mac)) != 0)
		return true;
	for (unsigned i = 0; i < old->trunk_count; i++)
		if (strcmp(old->trunk[i], new->trunk[i]) != 0)
			return true;
	return false;
}

/* Marks what the actions mean for each port. */
static void mark_ports(struct transition *t, const struct model *new)
{
	const struct model *old = &t->runtime->state.model;

	for (unsigned i = 0; i < t->diff.count; i++) {
		const struct diff_action *action = &t->diff.actions[i];
		bool replaced = action->verb != DIFF_CHANGE || action->effect >= DIFF_REOPEN;

		if (action->old_port && replaced)
			t->leaves[action->old_port - old->ports] = true;
		else if (action->old_port)
			t->retopologised[action->old_port - old->ports] = moves(
				action->old_port, action->new_port);
		if (action->new_port && replaced)
			t->opens[action->new_port - new->ports] = true;
	}
}

/* What stays keeps its index and port; new networks get an index. */
static int inherit(struct transition *t)
{
	const struct runtime_state *old = &t->runtime->state;
	struct runtime_state *next = &t->next;

	for (unsigned i = 0; i < next->model.port_count; i++)
		if (!t->opens[i])
			next->ports[i] =
				old->ports[runtime_find_port(old, next->model.ports[i].name)];
	for (unsigned i = 0; i < next->model.network_count; i++) {
		int known = runtime_find_network(old, next->model.networks[i].name);
		int index = known >= 0 ? old->networks[known]
				       : runtime_take_network_index(t->runtime);

		if (index < 0)
			return error_set(t->error, -ENOSPC, "too many networks");
		next->networks[i] = (uint16_t)index;
	}
	return 0;
}

/* True where the port's socket is that of a port which is still there and will go. */
static bool must_wait(const struct transition *t, const struct model_port *port)
{
	const struct model *old = &t->runtime->state.model;

	for (unsigned i = 0; i < old->port_count; i++)
		if (t->leaves[i] && strcmp(old->ports[i].socket, port->socket) == 0)
			return true;
	return false;
}

/* Opens the ports that can be opened now. 1 where some must wait until the leaving ones are down,
 * 0 where all are open, or -errno. */
static int open_ports(struct transition *t)
{
	int waiting = 0;

	for (unsigned i = 0; i < t->next.model.port_count; i++) {
		const struct model_port *model = &t->next.model.ports[i];
		struct runtime_port *entry = &t->next.ports[i];
		int index;

		if (!t->opens[i] || entry->port)
			continue;
		index = t->torn_down || !must_wait(t, model) ? runtime_take_port_index(t->runtime)
							     : -1;
		if (index < 0) {
			waiting = 1;
			continue;
		}
		entry->index = (uint16_t)index;
		entry->opened = ++t->runtime->ports_opened;
		entry->port = runtime_open_port(
			t->runtime, &t->next.model.settings, model, entry->index, t->error);
		if (!entry->port) {
			locate_error(t, model);
			return -EINVAL;
		}
	}
	return waiting;
}

/* Whether this change says who may connect to a port that stays. */
static bool access_changes(const struct transition *t, const struct model_port *new)
{
	const struct runtime_state *state = &t->runtime->state;
	int position = runtime_find_port(state, new->name);
	const struct model_port *old = position < 0 ? NULL : &state->model.ports[position];

	return !old || strcmp(old->owner, new->owner) != 0 || strcmp(old->group, new->group) != 0 ||
	       old->socket_mode != new->socket_mode;
}

/*
 * The sockets of the ports that stay: whom they let in, and whether they are there at all. One that was
 * removed by hand comes back with the next change or reload, though the model has not changed. Where the
 * change does not concern the port's socket a failure is said and no more: who may write the folder, or
 * owns the socket, must not be able to keep others from being changed.
 */
static int renew_sockets(struct transition *t)
{
	for (unsigned i = 0; i < t->next.model.port_count; i++) {
		const struct model_port *model = &t->next.model.ports[i];
		struct error error;
		int rc;

		if (t->opens[i] || !t->next.ports[i].port)
			continue;
		rc = socket_access_renew(t->next.ports[i].port, model, &error);
		if (rc < 0 && access_changes(t, model)) {
			*t->error = error;
			locate_error(t, model);
			return rc;
		}
		if (rc < 0)
			log_limited(LOG_LEVEL_WARNING, "port %s: its socket is left as it is: %s",
				model->name, error.text);
		if (rc > 0)
			log_warning("port %s: its socket %s was gone: listening there again",
				model->name, model->socket);
	}
	return 0;
}

/* The change has failed: the old words hold again. What cannot be put back is as good as it gets. */
static void restore_sockets(struct transition *t)
{
	const struct runtime_state *old = &t->runtime->state;
	struct error error;

	for (unsigned i = 0; i < old->model.port_count; i++)
		if (!t->leaves[i] && old->ports[i].port &&
			socket_access_renew(old->ports[i].port, &old->model.ports[i], &error) < 0)
			log_warning("port %s: %s", old->model.ports[i].name, error.text);
}

static void close_opened(struct transition *t)
{
	for (unsigned i = 0; i < t->next.model.port_count; i++) {
		struct runtime_port *entry = &t->next.ports[i];

		if (t->opens[i] && entry->port) {
			entry->port->class->destroy(entry->port);
			entry->port = NULL;
		}
	}
}

/* Destroys the leaving ports, which no worker can see any more. */
static void destroy_leaving(struct transition *t)
{
	struct runtime_state *old = &t->runtime->state;

	for (unsigned i = 0; i < old->model.port_count; i++) {
		if (!t->leaves[i] || !old->ports[i].port)
			continue;
		old->ports[i].port->class->destroy(old->ports[i].port);
		old->ports[i].port = NULL;
		fdb_flush(t->runtime->fdb, old->ports[i].index, NETWORK_NONE);
	}
	t->torn_down = true;
}

/* Takes the leaving ports out of service before what replaces them exists. */
static int tear_down(struct transition *t)
{
	struct runtime_state *old = &t->runtime->state;
	struct runtime_state without = *old;
	int rc;

	without.ports = calloc(old->model.port_count + 1, sizeof(*without.ports));
	if (!without.ports)
		return fail_memory(t);
	for (unsigned i = 0; i < old->model.port_count; i++) {
		without.ports[i] = old->ports[i];
		if (t->leaves[i])
			without.ports[i].port = NULL;
	}
	rc = runtime_publish(t->runtime, &without);
	free(without.ports);
	if (rc < 0)
		return fail_memory(t);
	destroy_leaving(t);
	/* Their indices may be taken now, but not before: the new port may be the last one. */
	for (unsigned i = 0; i < old->model.port_count; i++)
		if (t->leaves[i])
			t->runtime->port_used[old->ports[i].index] = false;
	return 0;
}

/* A port's configured address as a static entry of the FDB. */
struct binding {
	uint8_t mac[6];
	uint16_t network;
	uint16_t port;
};

static bool binding_of(const struct runtime_state *state, unsigned i, struct binding *binding)
{
	const struct model_port *port = &state->model.ports[i];

	if (!port->has_mac || !*port->network)
		return false;
	memcpy(binding->mac, port->mac, sizeof(binding->mac));
	binding->network = state->networks[runtime_find_network(state, port->network)];
	binding->port = state->ports[i].index;
	return true;
}

static bool same_binding(
	const struct runtime_state *state, const char *name, const struct binding *binding)
{
	struct binding other;
	int i = runtime_find_port(state, name);

	return i >= 0 && binding_of(state, (unsigned)i, &other) &&
	       memcmp(&other, binding, sizeof(other)) == 0;
}

/* Puts back what tear_down() took. A port that cannot be opened again leaves the running model, so
 * that the next change opens it. */
static void restore_torn_down(struct transition *t)
{
	struct runtime_state *old = &t->runtime->state;

	for (unsigned i = old->model.port_count; i-- > 0;) {
		struct binding binding;
		struct error error;

		if (old->ports[i].port)
			continue;
		old->ports[i].port = runtime_open_port(t->runtime, &old->model.settings,
			&old->model.ports[i], old->ports[i].index, &error);
		if (old->ports[i].port)
			continue;
		log_error(
			"port %s cannot be opened again: %s", old->model.ports[i].name, error.text);
		if (binding_of(old, i, &binding))
			fdb_unbind(t->runtime->fdb, binding.network, binding.mac, binding.port);
		model_remove_port(&old->model, i);
		memmove(&old->ports[i], &old->ports[i + 1],
			(old->model.port_count - i) * sizeof(*old->ports));
	}
	if (runtime_publish(t->runtime, old) < 0)
		log_error("out of memory: the reopened ports are out of service until the next "
			  "change");
}

/* Static entries that are gone first: their addresses may have moved to another port. */
static void rebind(struct transition *t)
{
	const struct runtime_state *old = &t->runtime->state;
	const struct runtime_state *next = &t->next;
	struct fdb *fdb = t->runtime->fdb;
	struct binding binding;

	for (unsigned i = 0; i < old->model.port_count; i++)
		if (binding_of(old, i, &binding) &&
			!same_binding(next, old->model.ports[i].name, &binding))
			fdb_unbind(fdb, binding.network, binding.mac, binding.port);
	for (unsigned i = 0; i < next->model.port_count; i++) {
		const char *name = next->model.ports[i].name;

		if (!binding_of(next, i, &binding) || same_binding(old, name, &binding))
			continue;
		if (fdb_bind(fdb, binding.network, binding.mac, binding.port) < 0)
			log_warning("port %s: no room in the FDB for its MAC address: it will be "
				    "learned; raise switch.fdb.size",
				name);
	}
}

/* Forgets what was learned where it no longer holds. */
static void flush(struct transition *t)
{
	const struct runtime_state *old = &t->runtime->state;

	for (unsigned i = 0; i < old->model.port_count; i++)
		if (t->leaves[i] || t->retopologised[i])
			fdb_flush(t->runtime->fdb, old->ports[i].index, NETWORK_NONE);
	for (unsigned i = 0; i < old->model.network_count; i++)
		if (runtime_find_network(&t->next, old->model.networks[i].name) < 0)
			fdb_flush(t->runtime->fdb, FDB_PORT_NONE, old->networks[i]);
}

/* What was noted of the rings of ports that are no more is of no use. */
static void forget_places(const struct transition *t)
{
	const struct model *old = &t->runtime->state.model;

	for (unsigned i = 0; i < old->port_count; i++)
		if (t->leaves[i] && runtime_find_port(&t->next, old->ports[i].name) < 0)
			runtime_forget_places(&old->settings, old->ports[i].name);
}

/* The lines of one change belong together, so together they are limited. */
static void log_changes(const struct diff *diff)
{
	static struct log_limit limit;

	if (!log_limit_allows(&limit))
		return;
	for (unsigned i = 0; i < diff->count && diff->count <= LOGGED_CHANGES_MAX; i++)
		log_info("%s", diff->actions[i].text);
}

/* The point of no return: from here on nothing fails. */
static void commit(struct transition *t)
{
	struct runtime *runtime = t->runtime;

	if (!t->torn_down)
		destroy_leaving(t);
	rebind(t);
	flush(t);
	forget_places(t);
	if (t->next.model.settings.fdb_ageing != runtime->state.model.settings.fdb_ageing)
		fdb_set_ageing(runtime->fdb, t->next.model.settings.fdb_ageing);
	log_changes(&t->diff);
	judge_tell(&t->diff, &t->next);
	runtime_state_fini(&runtime->state);
	runtime->state = t->next;
	t->next = (struct runtime_state){0};
	runtime_mark_indices(runtime);
	loops_prune(runtime);
	runtime_schedule_expiry(runtime);
	runtime_set_memory_rules(runtime);
}

/* Opens, publishes, commits; or undoes all of it. */
static int carry_out(struct transition *t)
{
	int rc = folder_needed(t) ? make_folder(t) : 0;

	if (rc == 0)
		rc = renew_sockets(t);
	if (rc == 0)
		rc = open_ports(t);
	if (rc > 0) {
		rc = tear_down(t);
		if (rc == 0)
			rc = open_ports(t);
		if (rc > 0)
			rc = error_set(t->error, -ENOSPC, "too many ports");
	}
	if (rc == 0 && runtime_publish(t->runtime, &t->next) < 0)
		rc = fail_memory(t);
	if (rc == 0) {
		commit(t);
		return 0;
	}
	restore_sockets(t);
	close_opened(t);
	if (t->torn_down)
		restore_torn_down(t);
	if (t->made_folder)
		rmdir(t->next.model.settings.socket_dir);
	runtime_mark_indices(t->runtime);
	return rc;
}

static int prepare(struct transition *t, const struct model *model)
{
	const struct model *old = &t->runtime->state.model;
	int rc;

	if (diff_new(&t->diff, old, model) < 0 || judge_diff(&t->diff, t->runtime) < 0 ||
		model_copy(&t->next.model, model) < 0 || runtime_state_allocate(&t->next) < 0)
		return fail_memory(t);
	t->leaves = calloc(old->port_count + 1, sizeof(*t->leaves));
	t->retopologised = calloc(old->port_count + 1, sizeof(*t->retopologised));
	t->opens = calloc(model->port_count + 1, sizeof(*t->opens));
	if (!t->leaves || !t->retopologised || !t->opens)
		return fail_memory(t);
	rc = refuse_restart(t);
	if (rc == 0 && t->how == APPLY_SAFELY)
		rc = judge_refuse(&t->diff, old, model, t->source, t->error);
	if (rc < 0)
		return rc;
	mark_ports(t, model);
	rc = inherit(t);
	if (rc < 0)
		runtime_mark_indices(t->runtime);
	return rc;
}

int runtime_apply(struct runtime *runtime, struct model *model, const char *source,
	enum apply_how how, struct error *error)
{
	struct transition t = {.runtime = runtime, .source = source, .how = how, .error = error};
	int rc = prepare(&t, model);

	if (rc == 0)
		rc = carry_out(&t);
	/* The diff borrows from the old model, which commit() frees: only its own text is left. */
	diff_fini(&t.diff);
	runtime_state_fini(&t.next);
	free(t.leaves);
	free(t.retopologised);
	free(t.opens);
	if (rc == 0)
		model_fini(model);
	return rc;
}
