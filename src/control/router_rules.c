/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/router_rules.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "control/derived_mac.h"
#include "control/gateways.h"

/* Links have /30s of the upper half of 169.254.0.0/16, which nobody routes; the one with
 * 169.254.169.254, where clouds answer, stays free. */
#define LINKS         8192U
#define LINK_RESERVED ((0xa9fe & 0x7fff) >> 2)

/* The table being written. */
struct rules {
	json_t *list;
	char table[16 + MODEL_NAME_SIZE];
};

static void add_object(struct rules *rules, const char *verb, const char *kind, json_t *object)
{
	json_array_append_new(rules->list, json_pack("{s:{s:o}}", verb, kind, object));
}

static json_t *table_object(const struct rules *rules)
{
	return json_pack("{s:s, s:s}", "family", "inet", "name", rules->table);
}

/* Without it and then, where it is wanted, anew: one transaction. */
static void begin(struct rules *rules, const char *router, bool wanted)
{
	rules->list = json_array();
	snprintf(rules->table, sizeof(rules->table), "virtswitch-%s", router);
	add_object(rules, "add", "table", table_object(rules));
	add_object(rules, "delete", "table", table_object(rules));
	if (wanted)
		add_object(rules, "add", "table", table_object(rules));
}

static char *finish(struct rules *rules)
{
	json_t *whole = json_pack("{s:o}", "nftables", rules->list);
	char *text = json_dumps(whole, JSON_COMPACT);

	json_decref(whole);
	return text;
}

static void add_chain(
	struct rules *rules, const char *name, const char *type, const char *hook, int priority)
{
	add_object(rules, "add", "chain",
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s}", "family", "inet", "table",
			rules->table, "name", name, "type", type, "hook", hook, "prio", priority,
			"policy", "accept"));
}

/* expressions: taken over. */
static void add_rule(struct rules *rules, const char *chain, json_t *expressions)
{
	add_object(rules, "add", "rule",
		json_pack("{s:s, s:s, s:s, s:o}", "family", "inet", "table", rules->table, "chain",
			chain, "expr", expressions));
}

static json_t *match(const char *op, json_t *left, json_t *right)
{
	return json_pack("{s:{s:s, s:o, s:o}}", "match", "op", op, "left", left, "right", right);
}

static json_t *meta(const char *op, const char *key, json_t *right)
{
	return match(op, json_pack("{s:{s:s}}", "meta", "key", key), right);
}

static json_t *field(const char *op, const char *protocol, const char *name, json_t *right)
{
	return match(op,
		json_pack("{s:{s:s, s:s}}", "payload", "protocol", protocol, "field", name), right);
}

static json_t *connection(const char *key, json_t *right)
{
	return match("in", json_pack("{s:{s:s}}", "ct", "key", key), right);
}

static json_t *verdict(const char *name)
{
	return json_pack("{s:n}", name);
}

static json_t *address_text(const struct value_address *address)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(address->ipv6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
	return json_string(text);
}

/* Whatever host bits the address has. */
static json_t *prefix_object(const struct value_address *address)
{
	struct value_address prefix = *address;

	for (unsigned bit = prefix.length; bit < (prefix.ipv6 ? 128 : 32); bit++)
		prefix.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return json_pack("{s:{s:o, s:i}}", "prefix", "addr", address_text(&prefix), "len",
		(int)prefix.length);
}

/* {"set": [the router's interfaces]} */
static json_t *interfaces_of(const struct model_router *router)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < router->networks.count; i++) {
		char name[MODEL_IFNAME_SIZE];

		gateways_interface(router->networks.of[i], name);
		json_array_append_new(names, json_string(name));
	}
	return json_pack("{s:o}", "set", names);
}

/* The interface, whatever its name ends with. */
static json_t *interface_like(const char *op, const char *key, const char *start)
{
	return meta(op, key, json_string(start));
}

/* What one side of the table's interfaces is: all that rules of the filter have to know. */
struct side {
	json_t *interfaces;    /* a set, or one name */
	json_t *sources[2];    /* prefixes, IPv4 and IPv6, from which packets may come */
	bool among_each_other; /* there are several */
};

/* The first matches of a rule: packets that come in by the interfaces, or leave by them. */
static json_t *by(const struct side *side, const char *key)
{
	return json_pack("[o]", meta("==", key, json_deep_copy(side->interfaces)));
}

static json_t *with(json_t *list, json_t *expression)
{
	json_array_append_new(list, expression);
	return list;
}

static void add_answers(struct rules *rules, const struct side *side, const char *key)
{
	add_rule(rules, "forward",
		with(with(by(side, key),
			     connection("state", json_pack("[s, s]", "established", "related"))),
			verdict("accept")));
	add_rule(rules, "forward",
		with(with(by(side, key), connection("status", json_string("dnat"))),
			verdict("accept")));
}

/* Nobody takes another's address, and leaves with it. */
static void add_sources(struct rules *rules, const struct side *side)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		json_t *list = with(by(side, "iifname"),
			meta("==", "nfproto", json_string(ipv6 ? "ipv6" : "ipv4")));

		if (json_array_size(side->sources[ipv6]))
			with(list, field("!=", ipv6 ? "ip6" : "ip", "saddr",
					   json_pack("{s:O}", "set", side->sources[ipv6])));
		add_rule(rules, "forward", with(list, verdict("drop")));
	}
}

/* What leaves the interfaces comes from one of them, is an answer, or forwarded on purpose; or it
 * is IPv6 that is routed, and not another router's. What comes from them goes to no other router
 * but by its forwardings. Takes the side's values over. */
static void add_filter(struct rules *rules, const struct model_router *router, struct side *side)
{
	json_t *list;

	add_chain(rules, "forward", "filter", "forward", 0);
	add_sources(rules, side);
	add_answers(rules, side, "oifname");
	add_answers(rules, side, "iifname");
	list = with(by(side, "iifname"), interface_like("==", "oifname", "v-*"));
	if (side->among_each_other)
		with(list, meta("!=", "oifname", json_deep_copy(side->interfaces)));
	add_rule(rules, "forward", with(list, verdict("drop")));
	list = by(side, "oifname");
	if (side->among_each_other)
		with(list, meta("!=", "iifname", json_deep_copy(side->interfaces)));
	if (!router->nat6) {
		json_t *routed = json_deep_copy(list);

		with(routed, meta("==", "nfproto", json_string("ipv6")));
		with(routed, interface_like("!=", "iifname", "v-*"));
		with(routed, interface_like("!=", "iifname", "u-*"));
		add_rule(rules, "forward", with(routed, verdict("accept")));
	}
	add_rule(rules, "forward", with(list, verdict("drop")));
	json_decref(side->interfaces);
	json_decref(side->sources[0]);
	json_decref(side->sources[1]);
}

/* To an address of this namespace, but not its loopback where the packet is its own. */
static json_t *to_here(bool ipv6, bool own_packet)
{
	json_t *list = json_array();
	struct value_address loopback = {.ipv6 = ipv6, .length = ipv6 ? 128 : 8};

	loopback.bytes[ipv6 ? 15 : 0] = ipv6 ? 1 : 127;
	json_array_append_new(list, meta("==", "nfproto", json_string(ipv6 ? "ipv6" : "ipv4")));
	json_array_append_new(list,
		match("==",
			json_pack("{s:{s:s, s:[s]}}", "fib", "result", "type", "flags", "daddr"),
			json_string("local")));
	if (own_packet)
		json_array_append_new(
			list, field("!=", ipv6 ? "ip6" : "ip", "daddr", prefix_object(&loopback)));
	return list;
}

/* target: NULL for the VM's own address and port; else the next namespace's, IPv4 and IPv6, with
 * the port as it is. */
static void add_forwards(struct rules *rules, const struct model *model,
	const struct model_router *router, const char *chain, const struct value_address target[2])
{
	bool own_packet = strcmp(chain, "output") == 0;

	add_chain(rules, chain, "nat", chain, -100);
	for (unsigned i = 0; i < router->forward.count; i++) {
		const struct value_forward *forward = &router->forward.of[i];
		struct value_address address;
		json_t *list;

		if (gateways_resolve(model, router, forward, &address))
			continue;
		list = to_here(address.ipv6, own_packet);
		json_array_append_new(list, field("==", forward->udp ? "udp" : "tcp", "dport",
						    json_integer(forward->port)));
		json_array_append_new(list,
			json_pack("{s:{s:s, s:o, s:i}}", "dnat", "family",
				address.ipv6 ? "ip6" : "ip", "addr",
				address_text(target ? &target[address.ipv6] : &address), "port",
				(int)(target ? forward->port : forward->target_port)));
		add_rule(rules, chain, list);
	}
}

/* As the address of where it leaves, and never from a port that only root of this host may use:
 * there are servers that trust these. Takes the matches over. */
static void masquerade(struct rules *rules, json_t *list)
{
	json_t *ports = json_deep_copy(list);

	with(ports, meta("==", "l4proto", json_pack("{s:[s, s]}", "set", "tcp", "udp")));
	with(ports, json_pack("{s:{s:{s:[i, i]}}}", "masquerade", "port", "range", 1024, 65535));
	add_rule(rules, "postrouting", ports);
	add_rule(rules, "postrouting", with(list, verdict("masquerade")));
}

/* What comes from the prefix leaves with the address of where it leaves; and what was forwarded and
 * goes back to where it came from, so that the answer comes this way, too. interfaces: taken
 * over. */
static void add_masquerade(
	struct rules *rules, const struct value_address *prefix, json_t *interfaces)
{
	const char *protocol = prefix->ipv6 ? "ip6" : "ip";

	if (prefix->length) {
		masquerade(rules,
			json_pack("[o, o]", field("==", protocol, "saddr", prefix_object(prefix)),
				meta("!=", "oifname", json_deep_copy(interfaces))));
		masquerade(rules, json_pack("[o, o, o]",
					  field("==", protocol, "saddr", prefix_object(prefix)),
					  meta("==", "oifname", json_deep_copy(interfaces)),
					  connection("status", json_string("dnat"))));
	}
	json_decref(interfaces);
}

static void add_source(struct side *side, const struct value_address *prefix)
{
	if (prefix->length)
		json_array_append_new(side->sources[prefix->ipv6], prefix_object(prefix));
}

char *router_rules_inside(const struct model *model, const struct model_router *router, bool own)
{
	struct side side = {interfaces_of(router), {json_array(), json_array()}, true};
	struct rules rules;

	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *network = model_find_network(
			model, router->networks.of[i]);

		add_source(&side, &network->subnet);
		add_source(&side, &network->subnet6);
	}
	begin(&rules, router->name, true);
	add_filter(&rules, router, &side);
	add_forwards(&rules, model, router, "prerouting", NULL);
	if (!own)
		add_forwards(&rules, model, router, "output", NULL);
	add_chain(&rules, "postrouting", "nat", "postrouting", 100);
	for (unsigned i = 0; i < router->networks.count; i++) {
		const struct model_network *network = model_find_network(
			model, router->networks.of[i]);

		add_masquerade(&rules, &network->subnet, interfaces_of(router));
		if (router->nat6)
			add_masquerade(&rules, &network->subnet6, interfaces_of(router));
	}
	return finish(&rules);
}

char *router_rules_outside(const struct model *model, const struct model_router *router,
	const struct router_link *link)
{
	struct side side = {json_string(link->name), {json_array(), json_array()}, false};
	struct rules rules;

	add_source(&side, &link->there[0]);
	add_source(&side, &link->there[1]);
	for (unsigned i = 0; i < router->networks.count && !router->nat6; i++)
		add_source(&side, &model_find_network(model, router->networks.of[i])->subnet6);
	begin(&rules, router->name, true);
	add_filter(&rules, router, &side);
	add_forwards(&rules, model, router, "prerouting", link->there);
	add_forwards(&rules, model, router, "output", link->there);
	add_chain(&rules, "postrouting", "nat", "postrouting", 100);
	for (unsigned i = 0; i < 2; i++)
		add_masquerade(&rules, &link->here[i], json_string(link->name));
	return finish(&rules);
}

char *router_rules_none(const char *router)
{
	struct rules rules;

	begin(&rules, router, false);
	return finish(&rules);
}

/* In the order of the names, so that it does not depend on what was there first. */
static unsigned slot_of(const struct model *model, const struct model_router *router)
{
	bool taken[LINKS] = {[LINK_RESERVED] = true};
	unsigned slot = 0;

	for (const struct model_router *each = model->routers; each <= router; each++) {
		slot = derived_mac_hash("", each->name) % LINKS;
		while (taken[slot])
			slot = (slot + 1) % LINKS;
		taken[slot] = true;
	}
	return slot;
}

void router_link_of(
	const struct model *model, const struct model_router *router, struct router_link *link)
{
	unsigned slot = slot_of(model, router), low = 0x8000 | slot << 2;
	const struct value_address ipv4 = {
		.bytes = {169, 254, (uint8_t)(low >> 8), (uint8_t)low}, .length = 30};
	/* Locally assigned (RFC 4193). */
	const struct value_address ipv6 = {.ipv6 = true,
		.bytes = {0xfd, 0x76, 0x73, 0x77, 0x6c, 0x6b, (uint8_t)(slot >> 8), (uint8_t)slot},
		.length = 64};

	*link = (struct router_link){.here = {ipv4, ipv6}, .there = {ipv4, ipv6}};
	link->here[0].bytes[3] |= 1;
	link->there[0].bytes[3] |= 2;
	link->here[1].bytes[15] = 1;
	link->there[1].bytes[15] = 2;
	gateways_interface(router->name, link->name);
	link->name[0] = 'u';
}
