/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The difference of two models as a list of actions that lead from the old one to the new one. A
 * pure function: apply.h carries it out, `vsw config diff` prints it, tests check that carrying it
 * out on a copy of the old model gives the new one.
 *
 * Order: settings; routers removed; ports removed; networks removed, changed, added; routers
 * changed, added; ports changed, added. Within each, by name. So a network is never removed while a
 * port of the list still uses it.
 *
 * The actions borrow names and elements of both models, which must outlive the diff. Any thread.
 */
#ifndef VSW_CONTROL_DIFF_H
#define VSW_CONTROL_DIFF_H

#include "control/model.h"

enum diff_verb { DIFF_ADD, DIFF_REMOVE, DIFF_CHANGE };
enum diff_object { DIFF_SETTING, DIFF_NETWORK, DIFF_PORT, DIFF_ROUTER };

struct diff_action {
	enum diff_verb verb;
	enum diff_object object;
	enum diff_effect effect;
	const char *name; /* of the network, port or router; of a setting its key */
	/* The object in either model (struct model_network, model_port, model_settings); NULL: it
	 * is not there. */
	const void *old, *new;
	const struct schema_key **keys; /* DIFF_CHANGE: what differs; owned by the diff */
	unsigned key_count;
	char *text;  /* "~ port vm1: network: blue -> green"; owned by the diff */
	bool undoes; /* what was done by hand; by_hand.h */
	char *why;   /* DIFF_CUT: what would be taken from whom; owned by the diff */
};

struct diff {
	struct diff_action *actions;
	unsigned count;
	enum diff_effect effect; /* the greatest of all */
};

/* Fills *diff, to be freed with diff_fini(). 0 or -ENOMEM (then it is empty). */
int diff_new(struct diff *diff, const struct model *old, const struct model *new);
void diff_fini(struct diff *diff);

/* True where carrying out the action changes this key of its object. */
bool diff_changes(const struct diff_action *action, const char *key);

/* The port that the action is about, as it was and as it will be; NULL: there is none. */
static inline const struct model_port *diff_old_port(const struct diff_action *action)
{
	return action->object == DIFF_PORT ? action->old : NULL;
}

static inline const struct model_port *diff_new_port(const struct diff_action *action)
{
	return action->object == DIFF_PORT ? action->new : NULL;
}

/* Says of an action that it undoes what was done by hand. 0 or -ENOMEM. */
int diff_undoes(struct diff *diff, unsigned index);

/* Makes an action DIFF_CUT, and its text say why. 0 or -ENOMEM. */
int diff_cut(struct diff *diff, unsigned index, const char *why);

#endif
