/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What kinds of port that are an interface share: the namespace of its name is watched, and
 * followed where the name comes to lead to another one; and what is wrong with the interface is
 * told.
 *
 *   port_interface_init() -> _start() -> _watch() or _follow() ... -> _stop()
 *
 * News of the namespace say when to look, and no more: review() is called, and looks how things
 * are. Once a second what no watch tells is looked at: whether the namespace is still that of its
 * name.
 *
 * Control thread.
 */
#ifndef VSW_PORT_INTERFACE_H
#define VSW_PORT_INTERFACE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "host/link.h"
#include "port/port.h"

struct port_interface_ops {
	/* Whether that may be our interface, or the name of ours. */
	bool (*concerns)(const void *owner, const struct link *link);
	/* The namespace where we were is not that of our name any more: all that is of it is let go
	 * of, lest it answers for the interface that comes. */
	void (*leave)(void *owner);
	/* There is no interface to be had, for this reason: port_interface_problem() is due. */
	void (*away)(void *owner, const char *words);
	/* Looks how things are, port_interface_follow() first. */
	void (*review)(void *owner);
};

struct port_interface {
	const struct port_interface_ops *ops;
	void *owner;
	struct event_base *base;
	const struct port *port;
	const char *name;  /* of the interface; borrowed, as the next */
	const char *netns; /* netns_enter() */

	uint64_t space;         /* netns_identity() of where we are; 0: nowhere */
	bool unsure;            /* the owner's: its last look failed; there is another one soon */
	struct error unwatched; /* why there is no watch; "": there is one, or no namespace */
	struct error problem;   /* as it is shown; "": none */
	uint64_t problem_since; /* ns */

	int watch; /* of interfaces there; -1: none */
	struct event *changed;
	struct event *look;
	bool concerned; /* while news are read: some may be of our interface */
	bool untold;    /* the log limit held back the last problem, or its end */
	struct log_limit log_limit;
};

void port_interface_init(struct port_interface *interface, struct event_base *base,
	const struct port *port, const struct port_interface_ops *ops, void *owner);

/* From now on there is a look each second. 0 or -ENOMEM. */
int port_interface_start(struct port_interface *interface);
void port_interface_stop(struct port_interface *interface);

/* Watches the namespace of the name, which must be there. 0, or -errno and the reason. */
int port_interface_watch(struct port_interface *interface, struct error *error);

/* Goes where the name of the namespace leads now. False where there is none, which is told by
 * away(). */
bool port_interface_follow(struct port_interface *interface);

/* What is wrong now; "": nothing. A change is a line of the log; of very many within a second some
 * are left out, but never the last one for long. */
void port_interface_problem(struct port_interface *interface, const char *words);

/* Of `problem`. */
unsigned port_interface_problem_age(const struct port_interface *interface);

#endif
