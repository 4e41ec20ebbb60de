/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned object_count(const struct model *model, enum diff_object object)
{
	return object == DIFF_NETWORK  ? model->network_count
	       : object == DIFF_ROUTER ? model->router_count
				       : model->port_count;
}

static const void *object_at(const struct model *model, enum diff_object object, unsigned i)
{
	if (object == DIFF_NETWORK)
		return &model->networks[i];
	if (object == DIFF_ROUTER)
		return &model->routers[i];
	return &model->ports[i];
}

static const void *find_object(const struct model *model, enum diff_object object, const char *name)
{
	if (object == DIFF_NETWORK)
		return model_find_network(model, name);
	if (object == DIFF_ROUTER)
		return model_find_router(model, name);
	return model_find_port(model, name);
}

static struct diff_action *add_action(struct diff *diff, enum diff_verb verb,
	enum diff_object object, enum diff_effect effect, const char *name)
{
	struct diff_action *grown = diff->actions;

	if (!(diff->count & (diff->count - 1)))
		grown = reallocarray(
			grown, diff->count ? 2 * (size_t)diff->count : 1, sizeof(*grown));
	if (!grown)
		return NULL;
	diff->actions = grown;
	diff->effect = MAX(diff->effect, effect);
	grown += diff->count++;
	*grown = (struct diff_action){
		.verb = verb, .object = object, .effect = effect, .name = name};
	return grown;
}

static void print_effect(FILE *out, const struct diff_action *action)
{
	const struct model_port *port = diff_new_port(action);
	const char *meaning = port ? model_kinds[port->type]->reopened : NULL;

	if (action->effect == DIFF_RESTART)
		fputs(" (needs a restart of vswd)", out);
	else if (action->effect == DIFF_CUT)
		fprintf(out, " (cut off: %s)", action->why);
	else if (action->effect == DIFF_REOPEN)
		fprintf(out, " (reopened%s%s)", meaning ? ": " : "", meaning ? meaning : "");
	if (action->undoes)
		fputs(" (undoes what was done by hand)", out);
}

/* Where the values of a row are: of a port, in its settings or in the port itself. */
static const void *part_of(enum diff_object object, const struct schema_key *key, const void *whole)
{
	const struct model_port *port = whole;
	const struct schema *common = &model_port_schema;
	bool of_kind = object == DIFF_PORT &&
		       (key < common->keys || key >= common->keys + common->count);

	return of_kind ? port->settings : whole;
}

static void print_change(FILE *out, const struct diff_action *action)
{
	static const char *const objects[] = {"switch.", "network ", "port ", "router "};

	fprintf(out, "~ %s", objects[action->object]);
	if (action->object != DIFF_SETTING)
		fprintf(out, "%s: ", action->name);
	for (unsigned i = 0; i < action->key_count; i++) {
		const struct schema_key *key = action->keys[i];

		fprintf(out, "%s%s: ", i ? ", " : "", key->name);
		schema_print(out, key, part_of(action->object, key, action->old));
		fputs(" -> ", out);
		schema_print(out, key, part_of(action->object, key, action->new));
	}
}

/* "network blue, server /run/x.sock" */
static void print_port(FILE *out, const struct model_port *port)
{
	const struct schema_key *membership = schema_find(
		&model_port_schema, port->trunk.count ? "trunk" : "network");

	fprintf(out, "%s ", membership->name);
	schema_print(out, membership, port);
	fputs(", ", out);
	model_kinds[port->type]->describe(port, out);
}

/* The whole thing, for one that comes or goes. */
static void print_whole(FILE *out, const struct diff_action *action)
{
	static const char *const objects[] = {
		[DIFF_NETWORK] = "network", [DIFF_PORT] = "port", [DIFF_ROUTER] = "router"};
	const void *whole = action->verb == DIFF_ADD ? action->new : action->old;
	const struct model_network *network = whole;

	fprintf(out, "%c %s %s", action->verb == DIFF_ADD ? '+' : '-', objects[action->object],
		action->name);
	if (action->object == DIFF_PORT) {
		fputs(": ", out);
		print_port(out, whole);
	} else if (action->object == DIFF_ROUTER) {
		fputs(": networks ", out);
		schema_print(out, schema_find(&model_router_schema, "networks"), whole);
	} else if (network->vlan) {
		fprintf(out, ": vlan %u", network->vlan);
	}
}

/* (Re)makes the action's text. 0 or -ENOMEM. */
static int describe(struct diff_action *action)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return -ENOMEM;
	if (action->verb == DIFF_CHANGE)
		print_change(out, action);
	else
		print_whole(out, action);
	print_effect(out, action);
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	free(action->text);
	action->text = text;
	return 0;
}

/* What differs between two objects that both have these rows, appended to keys[]. */
static unsigned compare_rows(const struct schema *schema, const void *old, const void *new,
	const struct schema_key **keys, unsigned count)
{
	for (unsigned i = 0; i < schema->count; i++)
		if (!schema_equal(&schema->keys[i], old, new))
			keys[count++] = &schema->keys[i];
	return count;
}

/* One action for these keys, if there are any. */
static int add_change(struct diff *diff, enum diff_object object, const char *name, const void *old,
	const void *new, const struct schema_key **keys, unsigned count)
{
	enum diff_effect effect = DIFF_LIVE;
	struct diff_action *action;

	if (!count)
		return 0;
	for (unsigned i = 0; i < count; i++)
		effect = MAX(effect, keys[i]->effect);
	action = add_action(diff, DIFF_CHANGE, object, effect, name);
	if (!action)
		return -ENOMEM;
	action->old = old;
	action->new = new;
	action->keys = calloc(count, sizeof(*keys));
	if (!action->keys)
		return -ENOMEM;
	memcpy(action->keys, keys, count * sizeof(*keys));
	action->key_count = count;
	return describe(action);
}

static int compare_settings(struct diff *diff, const struct model *old, const struct model *new)
{
	const struct schema *schema = &model_switch_schema;

	for (unsigned i = 0; i < schema->count; i++) {
		const struct schema_key *key = &schema->keys[i];
		int rc = 0;

		if (!schema_equal(key, &old->settings, &new->settings))
			rc = add_change(diff, DIFF_SETTING, key->name, &old->settings,
				&new->settings, &key, 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What is in `from` and not in `other`. */
static int compare_sets(struct diff *diff, enum diff_verb verb, enum diff_object object,
	const struct model *from, const struct model *other)
{
	for (unsigned i = 0; i < object_count(from, object); i++) {
		const void *whole = object_at(from, object, i);
		const char *name = whole; /* that is how both begin */
		struct diff_action *action;

		if (find_object(other, object, name))
			continue;
		action = add_action(diff, verb, object, DIFF_LIVE, name);
		if (!action)
			return -ENOMEM;
		*(verb == DIFF_ADD ? &action->new : &action->old) = whole;
		if (describe(action) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A port of another type has nothing to compare but what all ports have. */
static unsigned compare_ports(const struct model_port *old, const struct model_port *new,
	const struct schema_key **keys, unsigned count)
{
	count = compare_rows(&model_port_schema, old, new, keys, count);
	if (old->type == new->type)
		count = compare_rows(
			model_port_kind_schema(old), old->settings, new->settings, keys, count);
	return count;
}

static int compare_common(struct diff *diff, enum diff_object object, const struct model *old,
	const struct model *new)
{
	for (unsigned i = 0; i < object_count(old, object); i++) {
		const struct schema_key *keys[MODEL_PORT_KEY_MAX];
		const void *a = object_at(old, object, i);
		const void *b = find_object(new, object, a);
		unsigned count = 0;

		if (b)
			count = object == DIFF_PORT ? compare_ports(a, b, keys, 0)
						    : compare_rows(object == DIFF_ROUTER
									   ? &model_router_schema
									   : &model_network_schema,
							      a, b, keys, 0);
		if (add_change(diff, object, a, a, b, keys, count) < 0)
			return -ENOMEM;
	}
	return 0;
}

int diff_new(struct diff *diff, const struct model *old, const struct model *new)
{
	*diff = (struct diff){0};
	if (compare_settings(diff, old, new) < 0 ||
		compare_sets(diff, DIFF_REMOVE, DIFF_ROUTER, old, new) < 0 ||
		compare_sets(diff, DIFF_REMOVE, DIFF_PORT, old, new) < 0 ||
		compare_sets(diff, DIFF_REMOVE, DIFF_NETWORK, old, new) < 0 ||
		compare_common(diff, DIFF_NETWORK, old, new) < 0 ||
		compare_sets(diff, DIFF_ADD, DIFF_NETWORK, new, old) < 0 ||
		compare_common(diff, DIFF_ROUTER, old, new) < 0 ||
		compare_sets(diff, DIFF_ADD, DIFF_ROUTER, new, old) < 0 ||
		compare_common(diff, DIFF_PORT, old, new) < 0 ||
		compare_sets(diff, DIFF_ADD, DIFF_PORT, new, old) < 0) {
		diff_fini(diff);
		return -ENOMEM;
	}
	return 0;
}

void diff_fini(struct diff *diff)
{
	for (unsigned i = 0; i < diff->count; i++) {
		free(diff->actions[i].keys);
		free(diff->actions[i].text);
		free(diff->actions[i].why);
	}
	free(diff->actions);
	*diff = (struct diff){0};
}

bool diff_changes(const struct diff_action *action, const char *key)
{
	for (unsigned i = 0; i < action->key_count; i++)
		if (strcmp(action->keys[i]->name, key) == 0)
			return true;
	return false;
}

int diff_cut(struct diff *diff, unsigned index, const char *why)
{
	struct diff_action *action = &diff->actions[index];
	char *copy = strdup(why);

	if (!copy)
		return -ENOMEM;
	free(action->why);
	action->why = copy;
	action->effect = DIFF_CUT;
	diff->effect = MAX(diff->effect, DIFF_CUT);
	return describe(action);
}

int diff_undoes(struct diff *diff, unsigned index)
{
	diff->actions[index].undoes = true;
	return describe(&diff->actions[index]);
}
