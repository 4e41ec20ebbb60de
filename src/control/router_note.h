/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record of a router that runs, in SOCKET-DIR/.routers: what a successor of this process must
 * know to take it over, or to remove it. Written before what it tells of is made. One a name.
 *
 * Control thread.
 */
#ifndef VSW_CONTROL_ROUTER_NOTE_H
#define VSW_CONTROL_ROUTER_NOTE_H

#include "control/model.h"

struct router_note {
	char netns[MODEL_PATH_SIZE]; /* "": vswd's */
	bool own;                    /* the namespace was made for it */
	bool linked;                 /* and the pair of interfaces was */
};

/* 0, or -errno and the reason; -EINVAL: it was never finished, so nothing was made. */
int router_note_read(
	const char *folder, const char *name, struct router_note *note, struct error *error);
int router_note_write(
	const char *folder, const char *name, const struct router_note *note, struct error *error);
void router_note_remove(const char *folder, const char *name);

#endif
