/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field of a thing: it has changed where its text has. */
struct field {
	const char *name;
	void (*format)(FILE *out, const void *thing);
	enum diff_effect effect;
};

#define SETTING_FIELD(name, ...)                                                                   \
	static void format_##name(FILE *out, const void *thing)                                    \
	{                                                                                          \
		const struct model_settings *s = thing;                                            \
		fprintf(out, __VA_ARGS__);                                                         \
	}
#define PORT_FIELD(name, ...)                                                                      \
	static void format_port_##name(FILE *out, const void *thing)                               \
	{                                                                                          \
		const struct model_port *p = thing;                                                \
		fprintf(out, __VA_ARGS__);                                                         \
	}

static const char *or_none(const char *name)
{
	return *name ? name : "none";
}

SETTING_FIELD(socket_dir, "%s", s->socket_dir)
SETTING_FIELD(control_group, "%s", or_none(s->control_group))
SETTING_FIELD(control_ro, "%s", or_none(s->control_ro))
SETTING_FIELD(socket_group, "%s", or_none(s->socket_group))
SETTING_FIELD(socket_mode, "%04o", s->socket_mode)
SETTING_FIELD(poll, "%s", model_poll_names[s->poll])
SETTING_FIELD(idle_us, "%u", s->idle_us)
SETTING_FIELD(fdb_size, "%u", s->fdb_size)
SETTING_FIELD(fdb_ageing, "%u", s->fdb_ageing)

SETTING_FIELD(guest_memory, "%s", model_guest_memory_names[s->guest_memory])

/* A number of which 0 is "auto". */
static void format_or_auto(FILE *out, unsigned number)
{
	if (number)
		fprintf(out, "%u", number);
	else
		fprintf(out, "auto");
}

static void format_workers(FILE *out, const void *thing)
{
	format_or_auto(out, ((const struct model_settings *)thing)->workers);
}

static void format_memory_limit(FILE *out, const void *thing)
{
	format_or_auto(out, ((const struct model_settings *)thing)->memory_limit_gib);
}

static const struct field setting_fields[] = {
	/* Ports whose path follows from it change too, and say so themselves. */
	{"socket-dir", format_socket_dir, DIFF_LIVE},
	{"control-group", format_control_group, DIFF_RESTART},
	{"control-ro", format_control_ro, DIFF_RESTART},
	/* As socket-dir: ports that follow say so. */
	{"socket-group", format_socket_group, DIFF_LIVE},
	{"socket-mode", format_socket_mode, DIFF_LIVE},
	{"workers", format_workers, DIFF_RESTART},
	{"poll", format_poll, DIFF_RESTART},
	{"idle-us", format_idle_us, DIFF_RESTART},
	{"fdb.size", format_fdb_size, DIFF_RESTART},
	{"fdb.ageing", format_fdb_ageing, DIFF_LIVE},
	/* Both for what is mapped from then on. */
	{"guest-memory", format_guest_memory, DIFF_LIVE},
	{"memory-limit-gib", format_memory_limit, DIFF_LIVE},
};

static void format_vlan(FILE *out, const void *thing)
{
	const struct model_network *network = thing;

	if (network->vlan)
		fprintf(out, "%u", network->vlan);
	else
		fprintf(out, "none");
}

#define PASS_FIELD(field)                                                                          \
	static void format_##field(FILE *out, const void *thing)                                   \
	{                                                                                          \
		fputs(model_pass_names[((const struct model_network *)thing)->field], out);        \
	}

PASS_FIELD(stp)
PASS_FIELD(lldp)
PASS_FIELD(lacp)
PASS_FIELD(dot1x)

static void format_loops(FILE *out, const void *thing)
{
	fputs(model_loops_names[((const struct model_network *)thing)->loops], out);
}

static const struct field network_fields[] = {
	{"vlan", format_vlan, DIFF_LIVE},
	{"stp", format_stp, DIFF_LIVE},
	{"lldp", format_lldp, DIFF_LIVE},
	{"lacp", format_lacp, DIFF_LIVE},
	{"802.1x", format_dot1x, DIFF_LIVE},
	{"loops", format_loops, DIFF_LIVE},
};

PORT_FIELD(type, "%s", model_port_type_names[p->type])
PORT_FIELD(network, "%s", or_none(p->network))
PORT_FIELD(native, "%s", or_none(p->native))
PORT_FIELD(mode, "%s", model_socket_mode_names[p->mode])
PORT_FIELD(socket, "%s", p->socket)
PORT_FIELD(owner, "%s", or_none(p->owner))
PORT_FIELD(group, "%s", or_none(p->group))
PORT_FIELD(queues, "%u", p->queues)
PORT_FIELD(trusted, "%s", model_flag_names[p->trusted])
PORT_FIELD(qinq, "%s", model_flag_names[p->qinq])

static void format_port_socket_mode(FILE *out, const void *thing)
{
	const struct model_port *port = thing;

	if (port->mode == MODEL_SERVER)
		fprintf(out, "%04o", port->socket_mode);
	else
		fprintf(out, "none");
}

static void format_port_trunk(FILE *out, const void *thing)
{
	const struct model_port *port = thing;

	fputc('[', out);
	for (unsigned i = 0; i < port->trunk_count; i++)
		fprintf(out, "%s%s", i ? ", " : "", port->trunk[i]);
	fputc(']', out);
}

static void format_port_mtu(FILE *out, const void *thing)
{
	const struct model_port *port = thing;

	if (port->mtu)
		fprintf(out, "%u", port->mtu);
	else
		fprintf(out, "none");
}

static void format_port_memory_limit(FILE *out, const void *thing)
{
	format_or_auto(out, ((const struct model_port *)thing)->memory_limit_gib);
}

static void format_port_mac(FILE *out, const void *thing)
{
	const struct model_port *port = thing;
	char text[MODEL_MAC_TEXT_SIZE] = "any";

	if (port->has_mac)
		model_mac_format(port->mac, text);
	fputs(text, out);
}

static void format_port_ip(FILE *out, const void *thing)
{
	const struct model_port *port = thing;

	if (!port->address_count)
		fputs("any", out);
	for (unsigned i = 0; i < port->address_count; i++) {
		char text[MODEL_ADDRESS_TEXT_SIZE];

		model_address_format(&port->addresses[i], text);
		fprintf(out, "%s%s", i ? ", " : "[", text);
	}
	if (port->address_count)
		fputc(']', out);
}

static void format_port_flood_limit(FILE *out, const void *thing)
{
	const struct model_port *port = thing;

	if (port->flood_limit)
		fprintf(out, "%u", port->flood_limit);
	else
		fputs("none", out);
}

static const struct field port_fields[] = {
	{"type", format_port_type, DIFF_REOPEN},
	{"network", format_port_network, DIFF_LIVE},
	{"trunk", format_port_trunk, DIFF_LIVE},
	{"native", format_port_native, DIFF_LIVE},
	{"mac", format_port_mac, DIFF_LIVE},
	{"ip", format_port_ip, DIFF_LIVE},
	{"trusted", format_port_trusted, DIFF_LIVE},
	{"qinq", format_port_qinq, DIFF_LIVE},
	{"flood-limit", format_port_flood_limit, DIFF_LIVE},
	{"mode", format_port_mode, DIFF_REOPEN},
	{"socket", format_port_socket, DIFF_REOPEN},
	{"owner", format_port_owner, DIFF_LIVE},
	{"group", format_port_group, DIFF_LIVE},
	{"socket-mode", format_port_socket_mode, DIFF_LIVE},
	{"queues", format_port_queues, DIFF_REOPEN},
	{"mtu", format_port_mtu, DIFF_REOPEN},
	{"memory-limit-gib", format_port_memory_limit, DIFF_LIVE},
};

/* A field as a string to be freed; NULL where memory is short. */
static char *field_text(const struct field *field, const void *thing)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	field->format(out, thing);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Appends "NAME: OLD -> NEW" to *out where a field differs; raises *effect. 1 where it did, 0 where
 * it is the same, or -ENOMEM. */
static int compare_field(FILE *out, const struct field *field, const void *old, const void *new,
	const char *separator, enum diff_effect *effect)
{
	char *before = field_text(field, old);
	char *after = field_text(field, new);
	int rc = -ENOMEM;

	if (before && after) {
		rc = strcmp(before, after) != 0;
		if (rc) {
			fprintf(out, "%s%s: %s -> %s", separator, field->name, before, after);
			*effect = MAX(*effect, field->effect);
		}
	}
	free(before);
	free(after);
	return rc;
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

static const char *effect_text(enum diff_effect effect)
{
	static const char *const texts[] = {
		[DIFF_LIVE] = "",
		[DIFF_REOPEN] = " (reopened: its VM reconnects)",
		[DIFF_CUT] = "", /* its own words: diff_cut() */
		[DIFF_RESTART] = " (needs a restart of vswd)",
	};

	return texts[effect];
}

/* One action for all fields of `table` in which old and new differ; none where there are none.
 * *made is that action or NULL. */
static int compare_things(struct diff *diff, enum diff_object object, const char *name,
	const struct field *table, unsigned fields, const void *old, const void *new,
	struct diff_action **made)
{
	static const char *const kinds[] = {"switch.", "network ", "port "};
	enum diff_effect effect = DIFF_LIVE;
	unsigned changes = 0;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	int rc = out ? 0 : -ENOMEM;

	*made = NULL;
	if (!out)
		return rc;
	fprintf(out, "~ %s%s%s", kinds[object], name, *name ? ": " : "");
	for (unsigned i = 0; i < fields && rc >= 0; i++) {
		rc = compare_field(out, &table[i], old, new, changes ? ", " : "", &effect);
		changes += rc > 0;
	}
	fputs(effect_text(effect), out);
	if (fclose(out) != 0)
		rc = -ENOMEM;
	if (rc >= 0 && changes) {
		*made = add_action(diff, DIFF_CHANGE, object, effect, name);
		rc = *made ? 0 : -ENOMEM;
	}
	if (*made)
		(*made)->text = text;
	else
		free(text);
	return MIN(rc, 0);
}

static int compare_settings(struct diff *diff, const struct model *old, const struct model *new)
{
	for (unsigned i = 0; i < ARRAY_SIZE(setting_fields); i++) {
		struct diff_action *action;
		int rc = compare_things(diff, DIFF_SETTING, "", &setting_fields[i], 1,
			&old->settings, &new->settings, &action);

		if (rc < 0)
			return rc;
		if (action)
			action->name = setting_fields[i].name;
	}
	return 0;
}

/* The whole thing, for one that comes or goes. */
static int describe_port(struct diff *diff, enum diff_verb verb, const struct model_port *port)
{
	struct diff_action *action = add_action(diff, verb, DIFF_PORT, DIFF_LIVE, port->name);
	bool is_trunk = port->trunk_count > 0;
	char *members;
	int n;

	if (!action)
		return -ENOMEM;
	*(verb == DIFF_ADD ? &action->new_port : &action->old_port) = port;
	members = field_text(&port_fields[is_trunk ? 2 : 1], port);
	n = members ? asprintf(&action->text, "%c port %s: %s %s, %s %s",
			      verb == DIFF_ADD ? '+' : '-', port->name,
			      is_trunk ? "trunk" : "network", members,
			      model_socket_mode_names[port->mode], port->socket)
		    : -1;
	free(members);
	if (n < 0)
		action->text = NULL;
	return n < 0 ? -ENOMEM : 0;
}

static int describe_network(
	struct diff *diff, enum diff_verb verb, const struct model_network *network)
{
	struct diff_action *action = add_action(diff, verb, DIFF_NETWORK, DIFF_LIVE, network->name);
	char vlan[32] = "";
	int n;

	if (!action)
		return -ENOMEM;
	*(verb == DIFF_ADD ? &action->new_network : &action->old_network) = network;
	if (network->vlan)
		snprintf(vlan, sizeof(vlan), ": vlan %u", network->vlan);
	n = asprintf(&action->text, "%c network %s%s", verb == DIFF_ADD ? '+' : '-', network->name,
		vlan);
	if (n < 0)
		action->text = NULL;
	return n < 0 ? -ENOMEM : 0;
}

/* Ports of `from` that `other` has not. */
static int compare_port_sets(
	struct diff *diff, enum diff_verb verb, const struct model *from, const struct model *other)
{
	for (unsigned i = 0; i < from->port_count; i++) {
		int rc = 0;

		if (!model_find_port(other, from->ports[i].name))
			rc = describe_port(diff, verb, &from->ports[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int compare_network_sets(
	struct diff *diff, enum diff_verb verb, const struct model *from, const struct model *other)
{
	for (unsigned i = 0; i < from->network_count; i++) {
		int rc = 0;

		if (!model_find_network(other, from->networks[i].name))
			rc = describe_network(diff, verb, &from->networks[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int compare_networks(struct diff *diff, const struct model *old, const struct model *new)
{
	for (unsigned i = 0; i < old->network_count; i++) {
		const struct model_network *a = &old->networks[i];
		const struct model_network *b = model_find_network(new, a->name);
		struct diff_action *action;
		int rc;

		if (!b)
			continue;
		rc = compare_things(diff, DIFF_NETWORK, a->name, network_fields,
			ARRAY_SIZE(network_fields), a, b, &action);
		if (rc < 0)
			return rc;
		if (action) {
			action->old_network = a;
			action->new_network = b;
		}
	}
	return 0;
}

static int compare_ports(struct diff *diff, const struct model *old, const struct model *new)
{
	for (unsigned i = 0; i < old->port_count; i++) {
		const struct model_port *a = &old->ports[i];
		const struct model_port *b = model_find_port(new, a->name);
		struct diff_action *action;
		int rc;

		if (!b)
			continue;
		rc = compare_things(diff, DIFF_PORT, a->name, port_fields, ARRAY_SIZE(port_fields),
			a, b, &action);
		if (rc < 0)
			return rc;
		if (action) {
			action->old_port = a;
			action->new_port = b;
		}
	}
	return 0;
}

int diff_new(struct diff *diff, const struct model *old, const struct model *new)
{
	*diff = (struct diff){0};
	if (compare_settings(diff, old, new) < 0 ||
		compare_port_sets(diff, DIFF_REMOVE, old, new) < 0 ||
		compare_network_sets(diff, DIFF_REMOVE, old, new) < 0 ||
		compare_networks(diff, old, new) < 0 ||
		compare_network_sets(diff, DIFF_ADD, new, old) < 0 ||
		compare_ports(diff, old, new) < 0 ||
		compare_port_sets(diff, DIFF_ADD, new, old) < 0) {
		diff_fini(diff);
		return -ENOMEM;
	}
	return 0;
}

void diff_fini(struct diff *diff)
{
	for (unsigned i = 0; i < diff->count; i++) {
		free(diff->actions[i].text);
		free(diff->actions[i].why);
	}
	free(diff->actions);
	*diff = (struct diff){0};
}

int diff_cut(struct diff *diff, unsigned index, const char *why)
{
	struct diff_action *action = &diff->actions[index];
	size_t length = strlen(action->text) - strlen(effect_text(action->effect));
	char *copy = strdup(why);
	char *text;

	if (!copy || asprintf(&text, "%.*s (cut off: %s)", (int)length, action->text, why) < 0) {
		free(copy);
		return -ENOMEM;
	}
	free(action->text);
	action->text = text;
	action->why = copy;
	action->effect = DIFF_CUT;
	diff->effect = MAX(diff->effect, DIFF_CUT);
	return 0;
}
