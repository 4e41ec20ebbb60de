/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/interface.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "host/netns.h"

void port_interface_init(struct port_interface *interface, struct event_base *base,
	const struct port *port, const struct port_interface_ops *ops, void *owner)
{
	*interface = (struct port_interface){
		.ops = ops,
		.owner = owner,
		.base = base,
		.port = port,
		.watch = -1,
	};
}

static void tell(struct port_interface *interface)
{
	const char *words = interface->problem.text;

	interface->untold = !log_limit_allows(&interface->log_limit);
	if (interface->untold)
		return;
	if (*words)
		log_warning("port %s: %s", interface->port->name, words);
	else
		log_info("port %s: interface %s is up", interface->port->name, interface->name);
}

void port_interface_problem(struct port_interface *interface, const char *words)
{
	if (strcmp(interface->problem.text, words) == 0)
		return;
	error_set(&interface->problem, 0, "%s", words);
	interface->problem_since = clock_now_ns();
	tell(interface);
}

unsigned port_interface_problem_age(const struct port_interface *interface)
{
	return (unsigned)((clock_now_ns() - interface->problem_since) / NS_PER_SECOND);
}

static void unwatch(struct port_interface *interface)
{
	if (interface->changed)
		event_free(interface->changed);
	interface->changed = NULL;
	fd_close(&interface->watch);
}

static void on_change(void *owner, const struct link_change *change)
{
	struct port_interface *interface = owner;

	interface->concerned |= change->missed ||
				interface->ops->concerns(interface->owner, &change->link);
}

/* Where the watch is of no use any more there is another one at once, or look_event() tries for it,
 * and looks meanwhile. */
static void watch_event(evutil_socket_t fd, short what, void *argument)
{
	struct port_interface *interface = argument;
	int status;

	interface->concerned = false;
	status = link_watch_read(fd, on_change, interface);
	if (status < 0) {
		unwatch(interface);
		if (log_limit_allows(&interface->log_limit))
			log_warning("port %s: news of its interface are lost: %s",
				interface->port->name, strerror(-status));
	}
	if (interface->concerned || status < 0)
		interface->ops->review(interface->owner);
}

int port_interface_watch(struct port_interface *interface, struct error *error)
{
	int status = link_watch_open(interface->netns, &interface->space, error);

	interface->watch = status;
	if (status < 0) {
		interface->watch = -1;
		return status;
	}
	interface->changed = event_new(
		interface->base, interface->watch, EV_READ | EV_PERSIST, watch_event, interface);
	if (!interface->changed || event_add(interface->changed, NULL) < 0) {
		unwatch(interface);
		return error_set(error, -ENOMEM, "out of memory");
	}
	interface->unwatched.text[0] = '\0';
	return 0;
}

static void leave(struct port_interface *interface)
{
	interface->ops->leave(interface->owner);
	unwatch(interface);
	interface->space = 0;
}

/* Whether that is so because of the name; anything else, as want of memory, says nothing. */
static bool is_gone(int status)
{
	return status == -ENOENT || status == -ENOTDIR || status == -ELOOP;
}

bool port_interface_follow(struct port_interface *interface)
{
	uint64_t now = interface->space;
	struct error error;
	int status = netns_find(interface->netns, &now, &error);

	if (interface->space && (status < 0 ? is_gone(status) : now != interface->space)) {
		leave(interface);
		if (status == 0)
			interface->ops->away(
				interface->owner, "its network namespace is another one now");
	}
	if (status == 0 && interface->watch < 0)
		status = port_interface_watch(interface, &error);
	if (status < 0 && !interface->space)
		interface->ops->away(interface->owner, error.text);
	else if (status < 0)
		error_set(&interface->unwatched, 0, "its interface is not watched: %.900s",
			error.text);
	return interface->space;
}

static void look_event(evutil_socket_t fd, short what, void *argument)
{
	struct port_interface *interface = argument;
	uint64_t now = interface->space;
	struct error error;

	if (interface->untold)
		tell(interface);
	/* The usual case costs one system call. */
	if (interface->watch >= 0 && !interface->unsure &&
		netns_find(interface->netns, &now, &error) == 0 && now == interface->space)
		return;
	interface->ops->review(interface->owner);
}

int port_interface_start(struct port_interface *interface)
{
	const struct timeval period = {.tv_sec = 1};

	interface->look = event_new(interface->base, -1, EV_PERSIST, look_event, interface);
	return interface->look && event_add(interface->look, &period) == 0 ? 0 : -ENOMEM;
}

void port_interface_stop(struct port_interface *interface)
{
	unwatch(interface);
	if (interface->look)
		event_free(interface->look);
	interface->look = NULL;
}
