/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kinds of ports, as the control thread knows them: one row each, found by the word that stands
 * for `type` in the configuration. Nobody else in this folder knows of any kind. What a kind's keys
 * are, and what they claim, is the passive half, which the command line tool shares; this is the
 * half that acts.
 *
 *   closed --open--> open --change--> open, as the model says now
 *          --port's own destroy()--> closed --forget-->
 *
 * A kind says no by filling a fault and returning a negative errno, and has changed nothing then.
 * What it says in the log is about what nobody asked for in this change, and is limited where a
 * peer could cause it.
 *
 * Control thread only, and none of it waits for a peer.
 */
#ifndef VSW_CONTROL_PORT_KINDS_H
#define VSW_CONTROL_PORT_KINDS_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/model.h"
#include "port/port.h"

/* What a port is made with. All of it outlives the port, but the settings: those are of this
 * call. */
struct port_place {
	struct event_base *base;
	const struct port_notifier *notifier;
	const struct model_settings *settings;
	uint16_t index; /* in the topology */
	/* The far end has announced itself: tell the network that `mac` is here. */
	void (*announce)(void *owner, struct port *port, const uint8_t mac[6]);
	void *announce_owner;
	/* It was open before a change that has failed. What it had may be gone meanwhile: a kind
	 * that can be without its far end opens without it then, and says so as its problem. */
	bool restored;
};

/* Why not, and which key of the configuration is to blame: "FILE:LINE: ports.NAME.KEY: TEXT". */
struct port_fault {
	const char *key; /* set to the row's before the call */
	unsigned line;   /* of one that is no port's: where the file has it; 0: unknown */
	struct error error;
};

/* What every port has to say, whatever its kind. */
struct port_status {
	bool connected;    /* somebody is at the far end */
	const char *state; /* a word: "down", "running" */
	/* what is or was wrong last, until it is over; NULL: nothing. The port's. */
	const char *problem;
	unsigned problem_age; /* seconds since then */
};

/* Functions that may be NULL say so: nothing happens then, or 0. */
struct port_kind {
	const char *type; /* as in the configuration */
	/* Where the port's far end is: what faults are about mostly, and the member of show() for
	 * it, unless show() sets "endpoint" itself. "socket" */
	const char *key;
	/* A VMM attaches its VM here: `vsw port args` has words for it, and an address for the
	 * VM. */
	bool for_vms;

	/* Before anything of a change is done, where the new model has such ports: what they all
	 * need. 1 where something was made, 0, or -errno with *fault filled, its key one of
	 * switch's. May be NULL. */
	int (*prepare)(const struct model *model, struct port_fault *fault);
	/* The change has failed: what prepare() made goes. May be NULL. */
	void (*unprepare)(const struct model *model);

	struct port *(*open)(const struct port_place *place, const struct model_port *model,
		struct port_fault *fault);
	/*
	 * Makes an open port what `new` says where that takes no reopening; it was what `old` says.
	 * Called for every port that stays, at every change and reload, also where both say the
	 * same: what was taken away by hand is put back, and 1 returned. Fails only where what
	 * differs cannot be had; everything else is logged. May be NULL.
	 */
	int (*change)(struct port *port, const struct model_port *old, const struct model_port *new,
		struct port_fault *fault);
	/* The change as a whole has failed, after this port was changed or opened: what that did to
	 * the host is taken back. was: what it shall be again; NULL: it was opened, and is
	 * destroyed next. May be NULL: change() is called the other way round, or nothing. */
	void (*undo)(struct port *port, const struct model_port *was);
	/* These settings hold now; NULL: none any more, the switch ends. May be NULL. */
	void (*configure)(const struct model_settings *settings);

	/*
	 * What is at the far end was promised things that cannot be taken back. 0 where the port
	 * that `new` asks for (of any kind) could go on serving it in this one's place, or where
	 * nobody is there; else -EBUSY and the words for it. old: what the port is; new: NULL where
	 * it goes and none comes. May be NULL.
	 */
	int (*keeps_promise)(const struct port *port, const struct model_port *old,
		const struct model_port *new, struct error *error);
	/* This port stands where another kept a promise that it cannot keep: its problem. May be
	 * NULL. */
	void (*break_promise)(struct port *port, const char *words);

	/* The port is in no configuration any more: what was kept for its next life goes. May be
	 * NULL. */
	void (*forget)(const struct model_settings *settings, const char *name);

	void (*status)(const struct port *port, struct port_status *status);
	/* Adds what only this kind has to say to the object that `vsw -j port show` prints. */
	void (*show)(const struct port *port, const struct model_port *model, json_t *object);
};

/* The row of a port; never NULL for a model that config.h has accepted. */
const struct port_kind *port_kind_of(const struct model_port *model);

/* The row at this position, 0 and up; NULL behind the last. */
const struct port_kind *port_kind_at(unsigned position);

extern const struct port_kind port_kind_vhost_user;
extern const struct port_kind port_kind_tap;
extern const struct port_kind port_kind_packet;

#endif
