/* SPDX-License-Identifier: BSD-3-Clause */
/* What nft is told for each key of a router, and that it understands all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/router_rules.h"
#include "control/yaml/config.h"
#include "host/program.h"

#define ROUTER(keys)                                                                               \
	"networks:\n"                                                                              \
	"  blue: { subnet: 10.1.0.0/24, subnet6: 'fd01::/64' }\n"                                  \
	"  green: { subnet: 10.2.0.0/24 }\n"                                                       \
	"ports:\n"                                                                                 \
	"  vm: { type: vhost-user, network: blue, ip: [10.1.0.9, 'fd01::9'] }\n"                   \
	"routers:\n"                                                                               \
	"  r: { gateway: kernel, networks: [blue, green], uplink: nat" keys " }\n"
#define FORWARDS ", forward: { tcp/8080: 'vm:80', udp/53: '10.2.0.7:5353', tcp/86: '[fd01::9]:87' }"

/* Pieces of the text. */
#define MATCH(left, op, right)                                                                     \
	"{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define META(key)          "{\"meta\":{\"key\":\"" key "\"}}"
#define FIELD(proto, name) "{\"payload\":{\"protocol\":\"" proto "\",\"field\":\"" name "\"}}"
#define CT(key)            "{\"ct\":{\"key\":\"" key "\"}}"
#define PREFIX(addr, len)  "{\"prefix\":{\"addr\":\"" addr "\",\"len\":" len "}}"
#define OURS               "{\"set\":[\"v-blue\",\"v-green\"]}"
#define LINK               "\"u-r\""
#define ADDRESS_TYPE       "{\"fib\":{\"result\":\"type\",\"flags\":[\"daddr\"]}}"
#define LOCAL              MATCH(ADDRESS_TYPE, "==", "\"local\"")
#define FAMILY(family)     MATCH(META("nfproto"), "==", "\"" family "\"")
#define RULE(chain, expressions)                                                                   \
	"{\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"virtswitch-r\",\"chain\":\"" chain    \
	"\",\"expr\":[" expressions "]}}}"
#define VERDICT(name) "{\"" name "\":null}"
#define DNAT(family, addr, port)                                                                   \
	"{\"dnat\":{\"family\":\"" family "\",\"addr\":\"" addr "\",\"port\":" port "}}"
#define TO_HERE(family, protocol, port, target)                                                    \
	FAMILY(family) "," LOCAL "," MATCH(FIELD(protocol, "dport"), "==", port) "," target
#define LEAVES(protocol, prefix, interfaces)                                                       \
	RULE("postrouting", MATCH(FIELD(protocol, "saddr"), "==", prefix) "," MATCH(               \
				    META("oifname"), "!=", interfaces) "," VERDICT("masquerade"))
#define HAIRPIN(protocol, prefix, interfaces)                                                      \
	RULE("postrouting", MATCH(FIELD(protocol, "saddr"), "==", prefix) "," MATCH(               \
				    META("oifname"), "==", interfaces) "," MATCH(CT("status"),     \
				    "in", "\"dnat\"") "," VERDICT("masquerade"))
#define ANSWERS(interfaces)                                                                        \
	RULE("forward", MATCH(META("oifname"), "==", interfaces) "," MATCH(CT("state"), "in",      \
				"[\"established\",\"related\"]") "," VERDICT("accept"))
#define FORWARDED(interfaces)                                                                      \
	RULE("forward", MATCH(META("oifname"), "==", interfaces) "," MATCH(                        \
				CT("status"), "in", "\"dnat\"") "," VERDICT("accept"))
#define FROM_NO_OTHER                                                                              \
	MATCH(META("iifname"), "!=", "\"v-*\"") "," MATCH(META("iifname"), "!=", "\"u-*\"")
#define ROUTED(interfaces, more)                                                                   \
	RULE("forward", MATCH(META("oifname"), "==", interfaces) more                              \
		"," FAMILY("ipv6") "," FROM_NO_OTHER "," VERDICT("accept"))
#define NOT_OURS "," MATCH(META("iifname"), "!=", OURS)
/* The sources that are not dropped; the filter that keeps from other routers' networks. */
#define SOURCES(interfaces, family, protocol, prefixes)                                            \
	RULE("forward", MATCH(META("iifname"), "==", interfaces) "," FAMILY(family) "," MATCH(     \
				FIELD(protocol, "saddr"),                                          \
				"!=", "{\"set\":[" prefixes "]}") "," VERDICT("drop"))
#define TO_NO_OTHER(interfaces, more)                                                              \
	RULE("forward", MATCH(META("iifname"), "==", interfaces) "," MATCH(                        \
				META("oifname"), "==", "\"v-*\"") more "," VERDICT("drop"))
#define HIGH_PORTS                                                                                 \
	MATCH(META("l4proto"), "==", "{\"set\":[\"tcp\",\"udp\"]}")                                \
	",{\"masquerade\":{\"port\":{\"range\":[1024,65535]}}}"
#define LEAVES_HIGH(protocol, prefix, interfaces)                                                  \
	RULE("postrouting", MATCH(FIELD(protocol, "saddr"), "==", prefix) "," MATCH(               \
				    META("oifname"), "!=", interfaces) "," HIGH_PORTS)
#define KEPT_OUT                                                                                   \
	RULE("forward", MATCH(META("oifname"), "==", OURS) "," MATCH(                              \
				META("iifname"), "!=", OURS) "," VERDICT("drop"))

enum where { INSIDE, INSIDE_SHARED, OUTSIDE };

static const struct {
	const char *text;
	enum where where;
	const char *has[14], *has_not[6];
} cases[] = {
	{ROUTER(""), INSIDE,
		{ANSWERS(OURS), FORWARDED(OURS), KEPT_OUT,
			LEAVES("ip", PREFIX("10.1.0.0", "24"), OURS),
			LEAVES("ip", PREFIX("10.2.0.0", "24"), OURS),
			LEAVES("ip6", PREFIX("fd01::", "64"), OURS),
			HAIRPIN("ip", PREFIX("10.1.0.0", "24"), OURS),
			HAIRPIN("ip6", PREFIX("fd01::", "64"), OURS),
			LEAVES_HIGH("ip", PREFIX("10.1.0.0", "24"), OURS),
			SOURCES(OURS, "ipv4", "ip",
				PREFIX("10.1.0.0", "24") "," PREFIX("10.2.0.0", "24")),
			SOURCES(OURS, "ipv6", "ip6", PREFIX("fd01::", "64")),
			TO_NO_OTHER(OURS, "," MATCH(META("oifname"), "!=", OURS))},
		{ROUTED(OURS, NOT_OURS), "dport", "\"hook\":\"output\""}},
	/* The table outside sees the VM's IPv6 as it is, and lets it in as well. */
	{ROUTER(", nat6: false"), INSIDE,
		{ANSWERS(OURS), ROUTED(OURS, NOT_OURS), KEPT_OUT,
			LEAVES("ip", PREFIX("10.1.0.0", "24"), OURS)},
		{LEAVES("ip6", PREFIX("fd01::", "64"), OURS)}},
	{ROUTER(", nat6: false"), OUTSIDE, {ANSWERS(LINK), ROUTED(LINK, ""), TO_NO_OTHER(LINK, "")},
		{NULL}},
	{ROUTER(FORWARDS), INSIDE,
		{RULE("prerouting", TO_HERE("ipv4", "tcp", "8080", DNAT("ip", "10.1.0.9", "80"))),
			RULE("prerouting",
				TO_HERE("ipv4", "udp", "53", DNAT("ip", "10.2.0.7", "5353"))),
			RULE("prerouting",
				TO_HERE("ipv6", "tcp", "86", DNAT("ip6", "fd01::9", "87")))},
		{"\"hook\":\"output\""}},
	/* In a namespace with others in it, what these send to themselves is left alone. */
	{ROUTER(", netns: host" FORWARDS), INSIDE_SHARED,
		{RULE("output", FAMILY("ipv4") "," LOCAL "," MATCH(FIELD("ip", "daddr"), "!=",
					PREFIX("127.0.0.0", "8")) "," MATCH(FIELD("udp", "dport"),
					"==", "53") "," DNAT("ip", "10.2.0.7", "5353")),
			RULE("output",
				FAMILY("ipv6") "," LOCAL "," MATCH(FIELD("ip6", "daddr"),
					"!=", PREFIX("::1", "128")) "," MATCH(FIELD("tcp", "dport"),
					"==", "86") "," DNAT("ip6", "fd01::9", "87"))},
		{NULL}},
	/* Outside a forwarding leads to the other end, with the port as it is. */
	{ROUTER(FORWARDS), OUTSIDE,
		{ANSWERS(LINK), FORWARDED(LINK),
			RULE("forward", MATCH(META("oifname"), "==", LINK) "," VERDICT("drop")),
			"\"port\":8080}", "\"port\":53}", "\"port\":86}", "\"hook\":\"prerouting\"",
			"\"hook\":\"output\""},
		{"10.1.0.9", "10.2.0.7", "fd01::9", "5353", ROUTED(LINK, "")}},
};

static char *text_of(const char *config, enum where where)
{
	struct config_errors errors;
	struct router_link link;
	struct model model;
	char *text;

	if (config_parse("f.yaml", config, strlen(config), &model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
	router_link_of(&model, model.routers, &link);
	text = where == OUTSIDE ? router_rules_outside(&model, model.routers, &link)
				: router_rules_inside(&model, model.routers, where == INSIDE);
	model_fini(&model);
	assert_non_null(text);
	return text;
}

static void test_rules(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = text_of(cases[i].text, cases[i].where);

		for (unsigned k = 0; k < ARRAY_SIZE(cases[i].has) && cases[i].has[k]; k++)
			if (!strstr(text, cases[i].has[k]))
				fail_msg("case %u: no %s in %s", i, cases[i].has[k], text);
		for (unsigned k = 0; k < ARRAY_SIZE(cases[i].has_not) && cases[i].has_not[k]; k++)
			if (strstr(text, cases[i].has_not[k]))
				fail_msg("case %u: %s in %s", i, cases[i].has_not[k], text);
		free(text);
	}
}

/* Nothing is let in before the rule that keeps all out, but by those above it. */
static void test_order(void **state)
{
	char *text = text_of(ROUTER(", nat6: false"), INSIDE);

	assert_true(strstr(text, ANSWERS(OURS)) < strstr(text, KEPT_OUT));
	assert_true(strstr(text, FORWARDED(OURS)) < strstr(text, KEPT_OUT));
	assert_true(strstr(text, ROUTED(OURS, NOT_OURS)) < strstr(text, KEPT_OUT));
	/* And no wrong source by any of those. */
	assert_true(strstr(text, SOURCES(OURS, "ipv6", "ip6", PREFIX("fd01::", "64"))) <
		    strstr(text, ANSWERS(OURS)));
	free(text);
}

static void test_none(void **state)
{
	char *text = router_rules_none("r");

	assert_string_equal(text, "{\"nftables\":["
				  "{\"add\":{\"table\":{\"family\":\"inet\",\"name\":"
				  "\"virtswitch-r\"}}},"
				  "{\"delete\":{\"table\":{\"family\":\"inet\",\"name\":"
				  "\"virtswitch-r\"}}}]}");
	free(text);
}

/* Each router has a link of its own, which none of the later ones moves. */
static void test_links(void **state)
{
	static char text[65536] = "networks:\n";
	struct config_errors errors;
	struct router_link links[200], alone;
	struct model model;

	for (unsigned i = 0; i < ARRAY_SIZE(links); i++)
		sprintf(text + strlen(text), "  n%03u: { subnet: 10.1.0.0/24 }\n", i);
	strcat(text, "routers:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(links); i++)
		sprintf(text + strlen(text), "  r%03u: { gateway: kernel, networks: [n%03u] }\n", i,
			i);
	if (config_parse("f.yaml", text, strlen(text), &model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
	for (unsigned i = 0; i < model.router_count; i++) {
		const uint8_t *bytes = links[i].here[0].bytes;

		router_link_of(&model, &model.routers[i], &links[i]);
		assert_true(bytes[0] == 169 && bytes[1] == 254 && bytes[2] >= 128);
		assert_int_equal(links[i].here[0].length, 30);
		assert_int_equal(bytes[3] & 3, 1);
		assert_int_equal(links[i].there[0].bytes[3], bytes[3] + 1);
		/* Where clouds answer. */
		assert_false(bytes[2] == 169 && bytes[3] >> 2 == 254 >> 2);
		for (unsigned k = 0; k < i; k++) {
			assert_memory_not_equal(bytes, links[k].here[0].bytes, 4);
			assert_memory_not_equal(links[i].here[1].bytes, links[k].here[1].bytes, 16);
			assert_string_not_equal(links[i].name, links[k].name);
		}
	}
	model.router_count = 1;
	router_link_of(&model, model.routers, &alone);
	assert_memory_equal(alone.here[0].bytes, links[0].here[0].bytes, 4);
	model.router_count = ARRAY_SIZE(links);
	model_fini(&model);
}

static void judge(const char *text)
{
	struct host_program program = {
		.words = {"nft", "-j", "-c", "-f", "-", NULL}, .input = text, .size = strlen(text)};
	struct host_running running;
	struct error error;

	if (host_program_start(&program, &running, &error) < 0)
		fail_msg("%s", error.text);
	if (!host_program_wait(&running, 20000))
		host_program_kill(&running);
	if (!host_program_finish(&running, "nft", &error))
		fail_msg("%s for %s", error.text, text);
}

static void test_nft_understands(void **state)
{
	struct error error;
	char *none = router_rules_none("r");

	/* Nothing of it is done, and nowhere but in a namespace of this test's. */
	if (host_program_find("nft", &error) < 0 || unshare(CLONE_NEWNET) < 0) {
		free(none);
		skip();
	}
	judge(none);
	free(none);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = text_of(cases[i].text, cases[i].where);

		judge(text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_nft_understands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
