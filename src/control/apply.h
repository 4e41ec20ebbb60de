/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the running switch equal to a model, as a transaction: either all of it holds afterwards,
 * or nothing has changed and the error says why.
 *
 *   plan:      compare, judge, refuse what needs a restart
 *   carry out: change ports that stay, open new ones, publish
 *   commit:    take old ports down          or undo
 *
 * Ports that did not change are not touched: their rings, indices and counters stay, and no frame
 * on them is lost. A port that claims what a port that goes still holds (resources.h) is opened
 * only after that one is down; if that fails, the old one is opened again, and its VMM reconnects.
 *
 * Knows no kind of port: port_kinds.h.
 *
 * Control thread only.
 */
#ifndef VSW_CONTROL_APPLY_H
#define VSW_CONTROL_APPLY_H

#include "base/error.h"
#include "control/diff.h"
#include "control/runtime.h"

enum apply_how {
	APPLY_SAFELY, /* not where it cuts off who uses a port, or leaves no port: judge.h */
	APPLY_FORCED,
	APPLY_BY_HAND,        /* safely; but what is to go was named, not left out of a file */
	APPLY_BY_HAND_FORCED, /* each as above */
};

/*
 * source: the name of the file that the model came from, for errors that belong to a line of it;
 * NULL: of none, it was made by hand.
 * The number of changes, 0 for none: *model is the running one now and empty here. -ENOTSUP where a
 * restart is needed, -EBUSY where it must be forced, else the reason for which a port could not be
 * opened, or -ENOMEM: *error is filled, *model untouched.
 */
int runtime_apply(struct runtime *runtime, struct model *model, const char *source,
	enum apply_how how, struct error *error);

#endif
