/* SPDX-License-Identifier: BSD-3-Clause */
/* The difference: its words, its effects, and that carrying it out on the old model, in order and
 * without looking at the new one as a whole, gives the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/yaml/config.h"

static void parse(const char *text, struct model *model)
{
	struct config_errors errors;

	if (config_parse("f.yaml", text, strlen(text), model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
}

#define BASE                                                                                       \
	"networks: { blue: { vlan: 10 }, green: { vlan: 20 } }\n"                                  \
	"ports:\n"                                                                                 \
	"  a: { type: vhost-user, network: blue }\n"

#define ROUTED(networks, keys)                                                                     \
	"networks: { blue: { vlan: 10, subnet: 10.1.0.0/24 }, green: { vlan: 20, subnet: "         \
	"10.2.0.0/24 } }\n"                                                                        \
	"routers: { r: { gateway: kernel, networks: [" networks "]" keys " } }\n"
#define UNROUTED                                                                                   \
	"networks: { blue: { vlan: 10, subnet: 10.1.0.0/24 }, green: { vlan: 20, subnet: "         \
	"10.2.0.0/24 } }\n"

static const struct {
	const char *old, *new;
	const char *text; /* actions, one a line */
	enum diff_effect effect;
} cases[] = {
	{BASE, BASE, "", DIFF_LIVE},
	{BASE, BASE "# a comment\n", "", DIFF_LIVE},
	{BASE, "networks: { blue: { vlan: 10 }, green: {} }\n",
		"- port a: network blue, server /run/virtswitch/a.sock\n"
		"~ network green: vlan: 20 -> none\n",
		DIFF_LIVE},
	{"", BASE,
		"+ network blue: vlan 10\n+ network green: vlan 20\n"
		"+ port a: network blue, server /run/virtswitch/a.sock\n",
		DIFF_LIVE},
	{BASE, "switch: { socket-dir: /x }\n" BASE,
		"~ switch.socket-dir: /run/virtswitch -> /x\n"
		"~ port a: socket: /run/virtswitch/a.sock -> /x/a.sock "
		"(reopened: its VM reconnects)\n",
		DIFF_REOPEN},
	{BASE, "switch: { workers: 2, fdb: { ageing: 5 } }\n" BASE,
		"~ switch.workers: auto -> 2 (needs a restart of vswd)\n"
		"~ switch.fdb.ageing: 300 -> 5\n",
		DIFF_RESTART},
	{BASE, "switch: { guest-memory: any, memory-limit-gib: 9 }\n" BASE,
		"~ switch.guest-memory: shmem -> any\n~ switch.memory-limit-gib: auto -> 9\n",
		DIFF_LIVE},
	{"networks: { b: {} }\nports: { a: { type: vhost-user, network: b } }",
		"networks: { b: {} }\nports: { a: { type: vhost-user, network: b, "
		"memory-limit-gib: 3 } }",
		"~ port a: memory-limit-gib: auto -> 3\n", DIFF_LIVE},
	{"networks: { b: {}, g: {} }\nports: { a: { type: vhost-user, network: b } }",
		"networks: { b: {}, g: {} }\nports: { a: { type: vhost-user, network: g, mac: "
		"52:54:00:00:00:01 } }",
		"~ port a: network: b -> g, mac: any -> 52:54:00:00:00:01\n", DIFF_LIVE},
	{"networks: { b: {} }\nports: { a: { type: vhost-user, network: b } }",
		"networks: { b: { stp: drop, 802.1x: pass, loops: log } }\n"
		"ports: { a: { type: vhost-user, network: b, flood-limit: 9 } }",
		"~ network b: stp: pass -> drop, 802.1x: drop -> pass, loops: hold -> log\n"
		"~ port a: flood-limit: none -> 9\n",
		DIFF_LIVE},
	{"networks: { b: {} }\nports: { a: { type: vhost-user, network: b } }",
		"networks: { b: {} }\nports: { a: { type: vhost-user, network: b, trusted: true, "
		"ip: "
		"['fd00::/64', 10.0.0.9, 10.0.0.8/31] } }",
		"~ port a: ip: any -> [10.0.0.8/31, 10.0.0.9, fd00::/64], trusted: false -> true\n",
		DIFF_LIVE},
	{"networks: { b: { vlan: 1 }, g: { vlan: 2 } }\n"
	 "ports: { a: { type: vhost-user, trunk: [b] } }",
		"networks: { b: { vlan: 1 }, g: { vlan: 2 } }\n"
		"ports: { a: { type: vhost-user, trunk: [g, b], native: b, queues: 2, qinq: true, "
		"mtu: "
		"1500 } }",
		"~ port a: trunk: [b] -> [b, g], native: none -> b, qinq: false -> true, queues: 1 "
		"-> 2, "
		"mtu: none -> 1500 (reopened: its VM reconnects)\n",
		DIFF_REOPEN},
	{BASE, "switch: { socket-group: daemon, socket-mode: '0600' }\n" BASE,
		"~ switch.socket-group: none -> daemon\n~ switch.socket-mode: 0660 -> 0600\n"
		"~ port a: group: none -> daemon, socket-mode: 0660 -> 0600\n",
		DIFF_LIVE},
	{BASE, "switch: { control-ro: daemon }\n" BASE,
		"~ switch.control-ro: none -> daemon (needs a restart of vswd)\n", DIFF_RESTART},
	/* The ports of a router come and go with it, which its own action tells of. */
	{UNROUTED, ROUTED("blue", ""),
		"+ router r: networks [blue]\n"
		"+ port r/blue: network blue, interface v-blue in netns vsw-r\n",
		DIFF_LIVE},
	{ROUTED("blue", ""), UNROUTED,
		"- router r: networks [blue]\n"
		"- port r/blue: network blue, interface v-blue in netns vsw-r\n",
		DIFF_LIVE},
	{ROUTED("blue", ""), ROUTED("blue", ", uplink: nat, nat6: false"),
		"~ router r: uplink: none -> nat, nat6: true -> false\n", DIFF_LIVE},
	{ROUTED("blue", ""), ROUTED("green", ""),
		"- port r/blue: network blue, interface v-blue in netns vsw-r\n"
		"~ router r: networks: [blue] -> [green]\n"
		"+ port r/green: network green, interface v-green in netns vsw-r\n",
		DIFF_LIVE},
	{ROUTED("blue", ""), ROUTED("blue", ", netns: host"),
		"~ router r: netns: its own -> host\n"
		"~ port r/blue: netns: vsw-r -> none (reopened: its interface is made anew)\n",
		DIFF_REOPEN},
	{ROUTED("blue", ", uplink: nat, forward: { tcp/80: '10.1.0.9:80' }"),
		ROUTED("blue",
			", uplink: nat, forward: { udp/53: '10.1.0.9:53', tcp/80: '10.1.0.9:81' }"),
		"~ router r: forward: [tcp/80=10.1.0.9:80] -> [tcp/80=10.1.0.9:81, "
		"udp/53=10.1.0.9:53]\n",
		DIFF_LIVE},
};

static void test_words(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024] = "";
		struct model old, new;
		struct diff diff;

		parse(cases[i].old, &old);
		parse(cases[i].new, &new);
		assert_int_equal(diff_new(&diff, &old, &new), 0);
		for (unsigned k = 0; k < diff.count; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n",
				diff.actions[k].text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(diff.effect, cases[i].effect);
		diff_fini(&diff);
		model_fini(&old);
		model_fini(&new);
	}
}

/* A random consistent configuration over few names, so that many of them meet in two of them. */
static void random_model(struct model *model)
{
	char *text = malloc(65536);
	char *at = text;
	bool networks[6];
	unsigned shift = (unsigned)rand() % 3;

	at += sprintf(at, "switch: { fdb: { ageing: %d }, workers: %d }\nnetworks:\n",
		rand() % 2 + 1, rand() % 2 + 1);
	for (unsigned i = 0; i < 6; i++) {
		networks[i] = i == 0 || rand() % 2;
		if (networks[i])
			at += sprintf(at, "  n%u: { vlan: %u, subnet: 10.%u.0.0/24 }\n", i,
				100 + (i + shift) % 6, i);
	}
	at += sprintf(at, "routers:\n");
	for (unsigned i = 0; i < 3; i++) {
		/* Each of them in one router at most. */
		unsigned first = 2 * i, second = first + 1;

		if (networks[first] && networks[second] && rand() % 2)
			at += sprintf(at, "  r%u: { gateway: kernel, networks: [n%u, n%u] }\n",
				(i + shift) % 3, first, second);
		else if (networks[first] && rand() % 2)
			at += sprintf(at,
				"  r%u: { gateway: kernel, networks: [n%u], uplink: nat }\n",
				(i + shift) % 3, first);
	}
	at += sprintf(at, "ports:\n");
	for (unsigned i = 0; i < 8; i++) {
		unsigned network = (unsigned)rand() % 6;

		if (rand() % 3 == 0)
			continue;
		network = networks[network] ? network : 0;
		at += sprintf(at, "  p%u: { type: vhost-user, queues: %d, ", i, rand() % 2 + 1);
		if (rand() % 2)
			at += sprintf(at, "mac: 52:54:00:00:00:%02x, ", i + 16 * (rand() % 2));
		if (rand() % 2)
			at += sprintf(at, "network: n%u }\n", network);
		else if (network)
			at += sprintf(at, "trunk: [n0, n%u] }\n", network);
		else
			at += sprintf(at, "trunk: [n0], native: n0 }\n");
	}
	parse(text, model);
	free(text);
}

static void remove_network(struct model *model, const char *name)
{
	const struct model_network *found = model_find_network(model, name);
	unsigned at;

	assert_non_null(found);
	at = (unsigned)(found - model->networks);
	memmove(&model->networks[at], &model->networks[at + 1],
		(model->network_count - at - 1) * sizeof(*model->networks));
	model->network_count--;
}

static void carry_out_router(struct model *model, const struct diff_action *action)
{
	struct model_router *router;

	if (action->verb != DIFF_ADD) {
		router = (struct model_router *)model_find_router(model, action->name);
		assert_non_null(router);
		schema_fini(&model_router_schema, router);
		*router = model->routers[--model->router_count];
		model_sort_routers(model);
	}
	if (action->verb != DIFF_REMOVE) {
		assert_null(model_find_router(model, action->name));
		router = model_add_router(model);
		*router = *(const struct model_router *)action->new;
		/* Its networks are there by then. */
		for (unsigned i = 0; i < router->networks.count; i++)
			assert_non_null(model_find_network(model, router->networks.of[i]));
		assert_int_equal(schema_copy(&model_router_schema, router, action->new), 0);
		model_sort_routers(model);
	}
}

static void carry_out(struct model *model, const struct diff_action *action)
{
	unsigned position = 0;

	if (action->object == DIFF_NETWORK && action->verb == DIFF_REMOVE) {
		remove_network(model, action->name);
	} else if (action->object == DIFF_NETWORK) {
		struct model_network *network =
			action->verb == DIFF_ADD
				? model_add_network(model)
				: (struct model_network *)model_find_network(model, action->name);

		assert_non_null(network);
		*network = *(const struct model_network *)action->new;
		model_sort_networks(model);
	} else if (action->object == DIFF_ROUTER) {
		carry_out_router(model, action);
	} else if (action->object == DIFF_PORT) {
		if (action->verb != DIFF_ADD) {
			position = (unsigned)(model_find_port(model, action->name) - model->ports);
			model_remove_port(model, position);
		}
		if (action->verb != DIFF_REMOVE) {
			assert_null(model_find_port(model, action->name));
			model_port_copy(model_add_port(model), action->new);
			model_sort_ports(model);
		}
	}
}

static void test_carrying_it_out(void **state)
{
	srand(1);
	for (unsigned round = 0; round < 2000; round++) {
		struct model old, new, model;
		struct diff diff, left;

		random_model(&old);
		random_model(&new);
		assert_int_equal(model_copy(&model, &old), 0);
		assert_int_equal(diff_new(&diff, &old, &new), 0);
		for (unsigned i = 0; i < diff.count; i++)
			carry_out(&model, &diff.actions[i]);
		model.settings = new.settings;
		assert_int_equal(diff_new(&left, &model, &new), 0);
		assert_int_equal(left.count, 0);
		diff_fini(&diff);
		diff_fini(&left);
		model_fini(&old);
		model_fini(&new);
		model_fini(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_carrying_it_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
