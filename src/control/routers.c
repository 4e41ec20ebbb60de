/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/routers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/gateways.h"
#include "control/router_note.h"
#include "control/router_rules.h"
#include "control/rpc/show_value.h"
#include "control/table_job.h"
#include "host/host.h"
#include "host/program.h"
#include "host/router.h"

/* Networks that are routed, not translated. */
struct ways {
	struct link_address to[16];
	unsigned count;
};

/* A router that runs, or one that leaves and has tables yet. */
struct router {
	struct router *next;
	struct routers *owner;
	char name[MODEL_NAME_SIZE];
	char netns[MODEL_PATH_SIZE]; /* "": ours */
	bool own;                    /* the namespace is its own */
	bool fresh;                  /* made by the change that is under way */
	bool leaving;
	bool returns;                /* it was leaving when the change under way wanted it again */
	bool linked;                 /* there is a pair of interfaces, ours */
	bool link_fresh;             /* that the change under way made */
	bool dropping;               /* told() must not free it */
	struct host_veth veth;       /* where linked */
	struct ways routed, ways;    /* what our namespace sends to it: now, and as wanted */
	struct value_names networks; /* whose interfaces wait for the table */
	char said[sizeof(((struct error *)0)->text)]; /* the last problem that was logged */
	struct table_job inside, outside;
};

struct routers {
	struct event_base *base;
	struct router *first;
	char folder[HOST_PATH_SIZE]; /* of the records; "": not yet known */
};

struct routers *routers_new(struct event_base *base)
{
	struct routers *routers = calloc(1, sizeof(*routers));

	if (routers)
		routers->base = base;
	return routers;
}

static struct router *find(const struct routers *routers, const char *name, const char *netns)
{
	for (struct router *router = routers->first; router; router = router->next)
		if (strcmp(router->name, name) == 0 && strcmp(router->netns, netns) == 0)
			return router;
	return NULL;
}

/* Frees one that has nothing any more. */
static void drop(struct router *router)
{
	struct router **link = &router->owner->first;

	while (*link != router)
		link = &(*link)->next;
	*link = router->next;
	table_job_fini(&router->inside);
	table_job_fini(&router->outside);
	free(router->networks.of);
	free(router);
}

static bool settled(const struct router *router)
{
	return table_job_settled(&router->inside) && table_job_settled(&router->outside);
}

static bool holds(const struct ways *ways, const struct link_address *to)
{
	for (unsigned i = 0; i < ways->count; i++)
		if (memcmp(&ways->to[i], to, sizeof(*to)) == 0)
			return true;
	return false;
}

static int write_note(const struct router *router, struct error *error)
{
	struct router_note note = {.own = router->own, .linked = router->linked};

	strcpy(note.netns, router->netns);
	return router_note_write(router->owner->folder, router->name, &note, error);
}

/* From here on packets may go out: nothing was open before its rules were in force. */
static void open_ways(struct router *router)
{
	struct host_route route = {.via = router->veth.there[1]};
	struct error error;

	for (unsigned i = 0; i < router->networks.count; i++) {
		char name[MODEL_IFNAME_SIZE];

		gateways_interface(router->networks.of[i], name);
		if (host_link_up(router->netns, name, &error) < 0)
			log_warning("router %s: %s", router->name, error.text);
	}
	if (!router->linked)
		return;
	if (host_veth_open(&router->veth, &error) < 0)
		log_warning("router %s: %s", router->name, error.text);
	strcpy(route.interface, router->veth.name);
	for (unsigned i = 0; i < router->routed.count; i++) {
		route.to = router->routed.to[i];
		if (!holds(&router->ways, &route.to))
			host_route_remove(&route);
	}
	for (unsigned i = 0; i < router->ways.count; i++) {
		route.to = router->ways.to[i];
		if (host_route_add(&route, &error) < 0)
			log_warning("router %s: %s", router->name, error.text);
	}
	router->routed = router->ways;
}

/* Each problem once, not each attempt. */
static void tell(struct router *router, const char *problem)
{
	if (problem && strcmp(router->said, problem) != 0)
		log_warning("router %s: %s: tried again", router->name, problem);
	if (problem || settled(router))
		snprintf(router->said, sizeof(router->said), "%s", problem ? problem : "");
}

static void told(void *owner, const char *problem)
{
	struct router *router = owner;

	tell(router, problem);
	/* A namespace that is gone took its table along. */
	if (problem && router->leaving && *router->netns && !host_netns_exists(router->netns))
		table_job_abandon(&router->inside);
	if (!settled(router) || router->dropping)
		return;
	/* One that leaves is gone when its last table is. */
	if (router->leaving)
		drop(router);
	else
		open_ways(router);
}

static struct router *add(struct routers *routers, const char *name, const char *netns, bool own)
{
	struct router *router = calloc(1, sizeof(*router));

	if (!router)
		return NULL;
	router->owner = routers;
	router->own = own;
	snprintf(router->name, sizeof(router->name), "%s", name);
	snprintf(router->netns, sizeof(router->netns), "%s", netns);
	table_job_init(&router->inside, routers->base, router->netns, told, router);
	table_job_init(&router->outside, routers->base, "", told, router);
	router->next = routers->first;
	routers->first = router;
	return router;
}

/* One that a predecessor of this process had; what it did not get to make is not there. */
static void inherit(void *owner, const char *name)
{
	struct routers *routers = owner;
	struct router *router;
	struct router_note note;
	struct error error;
	int status = router_note_read(routers->folder, name, &note, &error);

	if (status == -EINVAL)
		router_note_remove(routers->folder, name);
	if (status < 0) {
		log_warning("%s", error.text);
		return;
	}
	router = add(routers, name, note.netns, note.own);
	if (!router)
		return;
	router->linked = note.linked;
	router->inside.exists = router->outside.exists = true;
	gateways_interface(name, router->veth.name);
	router->veth.name[0] = 'u';
	log_info("router %s: a vswd that has ended without stopping had it", name);
}

static void begin(struct routers *routers, const struct model *model)
{
	if (*routers->folder)
		return;
	snprintf(routers->folder, sizeof(routers->folder), "%s/.routers",
		model->settings.socket_dir);
	host_record_each(routers->folder, inherit, routers);
}

static struct link_address link_address_of(const struct value_address *from)
{
	struct link_address to = {.ipv6 = from->ipv6, .length = (uint8_t)from->length};

	memcpy(to.bytes, from->bytes, sizeof(to.bytes));
	return to;
}

static bool has_ipv6(const struct model *model, const struct model_router *words)
{
	for (unsigned i = 0; i < words->networks.count; i++)
		if (model_find_network(model, words->networks.of[i])->subnet6.length)
			return true;
	return false;
}

/* It comes up when the tables are in force. Noted before it is made. */
static int make_link(struct router *router, const struct model *model,
	const struct model_router *words, struct error *error)
{
	struct host_veth *veth = &router->veth;
	bool known = router->linked, ipv6 = has_ipv6(model, words);
	struct router_link link;
	int status;

	router_link_of(model, words, &link);
	*veth = (struct host_veth){.peer = ROUTER_LINK_PEER, .known = known};
	snprintf(veth->name, sizeof(veth->name), "%s", link.name);
	snprintf(veth->netns, sizeof(veth->netns), "%s", router->netns);
	for (unsigned i = 0; i < (ipv6 ? 2 : 1); i++) {
		veth->here[i] = link_address_of(&link.here[i]);
		veth->there[i] = link_address_of(&link.there[i]);
	}
	router->linked = true;
	status = write_note(router, error);
	if (status < 0) {
		router->linked = known;
		return status;
	}
	status = host_veth_make(veth, error);
	/* Not ours, so not to be taken away either. */
	if (status == -EEXIST)
		router->linked = known;
	router->link_fresh |= router->linked && !known;
	return status;
}

static int make_namespace(struct router *router, bool known, struct error *error)
{
	if (host_netns_exists(router->netns))
		return known ? 0
			     : error_set(error, -EEXIST,
				       "network namespace %s is there, and not ours: remove it, or "
				       "name it in 'netns'",
				       router->netns);
	return host_netns_make(router->netns, error);
}

/* Everything that one router needs before its ports are opened. */
static int prepare(struct routers *routers, const struct model *model,
	const struct model_router *words, struct port_fault *fault)
{
	bool own = !*words->netns, known;
	char netns[MODEL_PATH_SIZE];
	struct router *router;
	int status = 0;

	gateways_netns(words, netns);
	router = find(routers, words->name, netns);
	known = router && !router->leaving;
	if (words->uplink == MODEL_UPLINK_NAT) {
		fault->key = "uplink";
		status = host_program_find("nft", &fault->error);
	}
	if (status < 0)
		return status;
	fault->key = own ? "networks" : "netns";
	if (!router) {
		router = add(routers, words->name, netns, own);
		if (!router)
			return error_set(&fault->error, -ENOMEM, "out of memory");
		router->fresh = true;
	}
	router->returns |= router->leaving;
	status = write_note(router, &fault->error);
	if (status == 0 && own)
		status = make_namespace(router, known, &fault->error);
	/* Not ours, so not to be taken away either. */
	if (status == -EEXIST)
		router->own = false;
	if (status == 0)
		status = host_forwarding_enable(netns, own, has_ipv6(model, words), &fault->error);
	if (status < 0 || words->uplink != MODEL_UPLINK_NAT || !own)
		return status;
	fault->key = "uplink";
	status = make_link(router, model, words, &fault->error);
	return status < 0
		       ? status
		       : host_forwarding_enable("", false, has_ipv6(model, words), &fault->error);
}

int routers_prepare(struct routers *routers, const struct model *model, const char **name,
	struct port_fault *fault)
{
	if (!routers->first && !model->router_count && *routers->folder)
		return 0;
	begin(routers, model);
	for (unsigned i = 0; i < model->router_count; i++) {
		const struct model_router *words = &model->routers[i];
		int status = prepare(routers, model, words, fault);

		if (status == 0)
			continue;
		*name = words->name;
		for (unsigned k = 0; k < model_router_schema.count; k++)
			if (strcmp(model_router_schema.keys[k].name, fault->key) == 0)
				fault->line = words->lines[k];
		if (!fault->line)
			fault->line = words->line;
		return status;
	}
	return 0;
}

static void remove_link(struct router *router)
{
	if (router->linked)
		host_veth_remove(router->veth.name);
	router->linked = router->link_fresh = false;
	router->routed.count = router->ways.count = 0;
}

/* Everything but the tables. */
static void dismantle(struct router *router)
{
	remove_link(router);
	if (router->own)
		host_netns_remove(router->netns);
	router_note_remove(router->owner->folder, router->name);
}

/* One record a name: where a router moves, its other life took its own along. */
static void write_notes(const struct routers *routers)
{
	for (struct router *router = routers->first; router; router = router->next) {
		struct error error;

		if (!router->leaving && write_note(router, &error) < 0)
			log_warning("router %s: %s", router->name, error.text);
	}
}

void routers_undo(struct routers *routers)
{
	struct router *next;

	for (struct router *router = routers->first; router; router = next) {
		next = router->next;
		if (router->fresh || router->returns)
			dismantle(router);
		else if (router->link_fresh)
			remove_link(router);
		router->returns = false;
		if (router->fresh)
			drop(router);
	}
	write_notes(routers);
}

/* Those networks whose IPv6 is routed shall be known in our namespace. */
static void want_ways(
	struct router *router, const struct model *model, const struct model_router *words)
{
	struct ways *ways = &router->ways;

	ways->count = 0;
	for (unsigned i = 0; i < words->networks.count && router->linked && !words->nat6; i++) {
		const struct model_network *network = model_find_network(
			model, words->networks.of[i]);

		if (network->subnet6.length && ways->count < ARRAY_SIZE(ways->to))
			ways->to[ways->count++] = link_address_of(&network->subnet6);
	}
}

/* One that stays, or is new. */
static void set_tables(
	struct router *router, const struct model *model, const struct model_router *words)
{
	bool nat = words->uplink == MODEL_UPLINK_NAT;
	char *none = router_rules_none(router->name);
	struct router_link link;

	router_link_of(model, words, &link);
	if (!nat)
		remove_link(router);
	want_ways(router, model, words);
	free(router->networks.of);
	router->networks = (struct value_names){0};
	for (unsigned i = 0; i < words->networks.count && !router->own; i++)
		if (value_names_add(&router->networks, words->networks.of[i]) < 0)
			log_error("out of memory: interfaces of router %s stay down", router->name);
	table_job_want(
		&router->inside, nat ? router_rules_inside(model, words, router->own) : NULL, none);
	table_job_want(&router->outside,
		nat && router->own ? router_rules_outside(model, words, &link) : NULL, none);
	free(none);
	/* Else it is told when. */
	if (settled(router))
		open_ways(router);
}

/* One that is in no model any more. */
static void leave(struct router *router)
{
	char *none = router_rules_none(router->name);

	router->leaving = router->dropping = true;
	dismantle(router);
	/* The tables of its own namespace went with that. */
	if (router->own)
		table_job_abandon(&router->inside);
	else
		table_job_want(&router->inside, none ? strdup(none) : NULL, none);
	table_job_want(&router->outside, router->own && none ? strdup(none) : NULL, none);
	free(none);
	router->dropping = false;
	if (settled(router))
		drop(router);
}

void routers_commit(struct routers *routers, const struct model *model)
{
	struct router *next;

	for (struct router *router = routers->first; router; router = next) {
		const struct model_router *words = model_find_router(model, router->name);
		char netns[MODEL_PATH_SIZE] = "";

		next = router->next;
		router->fresh = router->returns = router->link_fresh = false;
		if (words)
			gateways_netns(words, netns);
		if (words && strcmp(netns, router->netns) == 0) {
			router->leaving = false;
			set_tables(router, model, words);
		} else if (!router->leaving) {
			leave(router);
		}
	}
	write_notes(routers);
}

void routers_free(struct routers *routers)
{
	if (!routers)
		return;
	while (routers->first) {
		struct router *router = routers->first;
		char *none = router_rules_none(router->name);

		if (none && !router->own)
			table_job_finish(&router->inside, none);
		if (none && router->own)
			table_job_finish(&router->outside, none);
		free(none);
		if (!router->leaving)
			dismantle(router);
		drop(router);
	}
	free(routers);
}

static json_t *addresses_of(const struct model *model, const struct model_router *words)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < words->networks.count; i++) {
		char name[MODEL_NAME_SIZE];
		const struct model_port *port;
		const struct model_tap *tap;

		gateways_port_name(words->name, words->networks.of[i], name);
		port = model_find_port(model, name);
		tap = port ? model_tap(port) : NULL;
		for (unsigned k = 0; tap && k < tap->address.count; k++) {
			char text[VALUE_ADDRESS_TEXT_SIZE];

			value_address_format(&tap->address.of[k], VALUE_INTERFACE, text);
			json_array_append_new(list, json_string(text));
		}
	}
	return list;
}

json_t *routers_show(const struct routers *routers, const struct model *model)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < model->router_count; i++) {
		const struct model_router *words = &model->routers[i];
		json_t *object = json_pack("{s:s}", "name", words->name);
		char netns[MODEL_PATH_SIZE];
		const struct router *router;
		const char *problem = NULL;
		bool done = true;

		gateways_netns(words, netns);
		router = find(routers, words->name, netns);
		if (router) {
			problem = table_job_problem(&router->inside);
			problem = problem ? problem : table_job_problem(&router->outside);
			done = settled(router);
		}
		show_add_values(object, &model_router_schema, words);
		json_object_set_new(object, "state",
			json_string(problem ? "failed"
				    : done  ? "up"
					    : "starting"));
		json_object_set_new(
			object, "problem", problem ? json_string(problem) : json_null());
		json_object_set_new(
			object, "netns", json_string(*netns ? netns : MODEL_NETNS_HOST));
		json_object_set_new(object, "addresses", addresses_of(model, words));
		json_array_append_new(array, object);
	}
	return array;
}
