/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/apply_private.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "control/addresses.h"
#include "control/port_kinds.h"

int apply_fail_memory(struct change *c)
{
	return error_set(c->error, -ENOMEM, "out of memory");
}

/* "FILE:LINE" in front of the error. What was made by hand has lines of other files, if any. */
static void prefix_place(struct change *c, unsigned number)
{
	char line[16] = "";

	if (!c->source)
		return;
	if (number)
		snprintf(line, sizeof(line), ":%u", number);
	error_prefix(c->error, "%s%s", c->source, line);
}

/* "FILE:LINE: ports.vm1.socket: ...", or "switch.socket-dir" where it is no port's. */
static int fail_at(
	struct change *c, int code, const struct model_port *port, const struct port_fault *fault)
{
	unsigned number = port ? model_port_line(port, fault->key) : fault->line;

	*c->error = fault->error;
	error_prefix(c->error, "%s%s.%s", port ? "ports." : "switch", port ? port->name : "",
		fault->key);
	prefix_place(c, number);
	return code;
}

int apply_prepare(struct change *c)
{
	const struct port_kind *kind;

	for (unsigned k = 0; (kind = port_kind_at(k)); k++) {
		struct port_fault fault = {0};
		int rc = kind->prepare ? kind->prepare(&c->next.model, &fault) : 0;

		if (rc < 0)
			return fail_at(c, rc, NULL, &fault);
		c->prepared |= (unsigned)rc << k;
	}
	return 0;
}

int apply_prepare_routers(struct change *c)
{
	struct port_fault fault = {0};
	const char *name;
	int rc = routers_prepare(c->runtime->routers, &c->next.model, &name, &fault);

	if (rc == 0)
		return 0;
	*c->error = fault.error;
	error_prefix(c->error, "routers.%s.%s", name, fault.key);
	prefix_place(c, fault.line);
	return rc;
}

void apply_unprepare(struct change *c)
{
	const struct port_kind *kind;

	for (unsigned k = 0; (kind = port_kind_at(k)); k++)
		if (c->prepared & 1U << k && kind->unprepare)
			kind->unprepare(&c->next.model);
}

int apply_change(struct change *c)
{
	const struct runtime_state *old = &c->runtime->state;

	for (unsigned i = 0; i < c->next.model.port_count; i++) {
		const struct model_port *new = &c->next.model.ports[i];
		const struct port_kind *kind = port_kind_of(new);
		struct port_fault fault = {.key = kind->key};
		int rc;

		if (c->transition.opens[i] || !kind->change)
			continue;
		c->changed = i + 1;
		rc = kind->change(c->next.ports[i].port, model_find_port(&old->model, new->name),
			new, &fault);
		if (rc < 0)
			return fail_at(c, rc, new, &fault);
		c->mended += rc > 0;
	}
	return 0;
}

void apply_change_back(struct change *c)
{
	const struct runtime_state *old = &c->runtime->state;

	for (unsigned i = 0; i < c->changed; i++) {
		const struct model_port *new = &c->next.model.ports[i];
		const struct model_port *was = model_find_port(&old->model, new->name);
		const struct port_kind *kind = port_kind_of(new);
		struct port *port = c->next.ports[i].port;
		struct port_fault fault = {.key = kind->key};

		if (c->transition.opens[i] || !kind->change)
			continue;
		if (kind->undo)
			kind->undo(port, was);
		else if (kind->change(port, new, was, &fault) < 0)
			log_warning("port %s: %s", new->name, fault.error.text);
	}
}

int apply_open(struct change *c, bool waiting)
{
	for (unsigned i = 0; i < c->next.model.port_count; i++) {
		const struct model_port *model = &c->next.model.ports[i];
		struct runtime_port *entry = &c->next.ports[i];
		struct port_fault fault;
		int index;

		if (!c->transition.opens[i] || c->transition.waits[i] != waiting)
			continue;
		index = runtime_take_port_index(c->runtime);
		if (index < 0)
			return error_set(c->error, -ENOSPC, "too many ports");
		entry->index = (uint16_t)index;
		entry->opened = ++c->runtime->ports_opened;
		entry->port = runtime_open_port(
			c->runtime, &c->next.model.settings, model, entry->index, false, &fault);
		if (!entry->port)
			return fail_at(c, -EINVAL, model, &fault);
	}
	return 0;
}

void apply_close_opened(struct change *c)
{
	for (unsigned i = 0; i < c->next.model.port_count; i++) {
		const struct port_kind *kind = port_kind_of(&c->next.model.ports[i]);
		struct port *port = c->next.ports[i].port;

		if (!c->transition.opens[i] || !port)
			continue;
		if (kind->undo)
			kind->undo(port, NULL);
		port->class->destroy(port);
	}
}

void apply_close(struct change *c, const bool *which)
{
	struct runtime_state *old = &c->runtime->state;

	for (unsigned i = 0; i < old->model.port_count; i++) {
		if (!which[i] || !old->ports[i].port)
			continue;
		old->ports[i].port->class->destroy(old->ports[i].port);
		old->ports[i].port = NULL;
		fdb_flush(c->runtime->fdb, old->ports[i].index, NETWORK_NONE);
	}
}

int apply_tear_down(struct change *c)
{
	struct runtime_state *old = &c->runtime->state;
	const bool *yields = c->transition.yields;

	if (runtime_publish(c->runtime, old, yields) < 0)
		return apply_fail_memory(c);
	apply_close(c, yields);
	for (unsigned i = 0; i < old->model.port_count; i++)
		if (yields[i])
			runtime_release_port_index(c->runtime, old->ports[i].index);
	c->torn_down = true;
	return 0;
}

void apply_restore(struct change *c)
{
	struct runtime_state *old = &c->runtime->state;

	for (unsigned i = old->model.port_count; i-- > 0;) {
		struct port_fault fault;

		if (old->ports[i].port)
			continue;
		old->ports[i].port = runtime_open_port(c->runtime, &old->model.settings,
			&old->model.ports[i], old->ports[i].index, true, &fault);
		if (old->ports[i].port)
			continue;
		log_error("port %s cannot be opened again: %s", old->model.ports[i].name,
			fault.error.text);
		addresses_unbind(c->runtime->fdb, old, i);
		runtime_state_remove_port(old, i);
	}
	if (runtime_publish(c->runtime, old, NULL) < 0)
		log_error("out of memory: the reopened ports are out of service until the next "
			  "change");
}
