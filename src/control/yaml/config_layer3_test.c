/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of networks, and routers: each fault with its line, what follows, the round trip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/tap_keys.h"
#include "control/yaml/config.h"

/* The router stands in line 8. */
#define NETWORKS                                                                                   \
	"networks:\n"                                                                              \
	"  blue: { subnet: 10.1.0.0/24, subnet6: 'fd01::/64' }\n"                                  \
	"  green: { subnet: 10.2.0.0/24 }\n"                                                       \
	"  inner: { subnet: 10.1.0.128/25 }\n"                                                     \
	"  none: { subnet: 10.3.0.0/24, gateway: none }\n"                                         \
	"  plain: {}\n"
#define ROUTER(keys) NETWORKS "routers:\n  r: { " keys " }\n"
#define KERNEL(keys) ROUTER("gateway: kernel, " keys)
#define SECOND(keys) "  s: { gateway: kernel, " keys " }\n"
#define PORTS(router)                                                                              \
	router "ports:\n  vm: { type: vhost-user, network: blue, ip: 10.1.0.9 }\n"                 \
	       "  other: { type: vhost-user, network: green, ip: 10.2.0.9 }\n"                     \
	       "  bare: { type: vhost-user, network: blue }\n"

static const struct {
	const char *text;
	const char *fault; /* the only one, without the file's name */
} bad[] = {
	{"networks: { blue: { subnet: 10.0.0.0 } }",
		"1: networks.blue.subnet: '10.0.0.0' needs a prefix length from 8 to 30"},
	{"networks: { blue: { subnet: 10.0.0.0/31 } }",
		"1: networks.blue.subnet: '10.0.0.0/31' needs a prefix length from 8 to 30"},
	{"networks: { blue: { subnet: 10.0.0.1/24 } }",
		"1: networks.blue.subnet: '10.0.0.1/24' has bits set behind its prefix: an address "
		"and its network are two things"},
	{"networks: { blue: { subnet: 'fd00::/64' } }",
		"1: networks.blue.subnet: 'fd00::/64' is not IPv4"},
	{"networks: { blue: { subnet: 127.0.0.0/8 } }",
		"1: networks.blue.subnet: '127.0.0.0/8' is not for hosts in a network (RFC 6890)"},
	{"networks: { blue: { subnet6: 'fe80::/64' } }",
		"1: networks.blue.subnet6: 'fe80::/64' is not for hosts in a network (RFC 6890)"},
	{"networks: { blue: { subnet6: 10.0.0.0/24 } }",
		"1: networks.blue.subnet6: '10.0.0.0/24' is not IPv6"},
	{"networks:\n  blue:\n    gateway: 10.0.0.1\n",
		"3: networks.blue.gateway: a gateway needs 'subnet'"},
	{"networks:\n  blue:\n    subnet: 10.0.0.0/24\n    gateway: 10.0.1.1\n",
		"4: networks.blue.gateway: the gateway lies outside of 'subnet'"},
	{"networks: { blue: { subnet: 10.0.0.0/24, gateway: 10.0.0.255 } }",
		"1: networks.blue.gateway: this is no host's address in 'subnet'"},
	{"networks: { blue: { subnet: 10.0.0.0/24, gateway: 10.0.0.0/25 } }",
		"1: networks.blue.gateway: '10.0.0.0/25' is a network, not one address"},
	{"networks: { blue: { subnet6: 'fd00::/64', gateway6: 'fd00::' } }",
		"1: networks.blue.gateway6: this is no host's address in 'subnet6'"},
	{"networks: { blue: { mtu: 1279 } }", "1: networks.blue.mtu: 1279 is not between 1280 and "
					      "65521"},
	{"networks: { blue: { domain: -lab } }",
		"1: networks.blue.domain: '-lab' is not a DNS domain such as lab.example"},
	{"networks: { blue: { domain: lab. } }",
		"1: networks.blue.domain: 'lab.' is not a DNS domain such as lab.example"},
	{ROUTER("networks: [blue]"),
		"8: routers.r: needs 'gateway: kernel': layer 3 inside the switch does not exist "
		"yet: say 'gateway: kernel'"},
	{ROUTER("networks: [blue], gateway: switch"),
		"8: routers.r.gateway: layer 3 inside the switch does not exist yet: say 'gateway: "
		"kernel'"},
	{ROUTER("networks: [blue], gateway: me"),
		"8: routers.r.gateway: 'me' is not known here: must be 'switch' or 'kernel'"},
	{ROUTER("gateway: kernel"), "8: routers.r: needs 'networks', a list such as [blue]"},
	{KERNEL("networks: [bleu]"), "8: routers.r.networks: unknown network 'bleu': did you mean "
				     "'blue'?"},
	{KERNEL("networks: [blue, blue]"), "8: routers.r.networks: network 'blue' is listed twice"},
	{KERNEL("networks: [plain]"), "8: routers.r.networks: a router needs 'subnet' or "
				      "'subnet6', as has not network 'plain'"},
	{KERNEL("networks: [none]"), "8: routers.r.networks: a router needs its 'gateway', but "
				     "this is 'none' in network 'none'"},
	{KERNEL("networks: [blue, inner]"),
		"8: routers.r.networks: of network 'inner': 'subnet' overlaps with that of network "
		"'blue'"},
	{KERNEL("networks: [blue]") SECOND("networks: [blue]"),
		"9: routers.s.networks: of network 'blue': network is in another router, which is "
		"'r'"},
	{KERNEL("networks: [blue], netns: host") SECOND("networks: [inner], netns: host"),
		"9: routers.s.networks: of network 'inner': 'subnet' overlaps with that of network "
		"'blue'"},
	{KERNEL("networks: [blue], netns: a/b"),
		"8: routers.r.netns: 'a/b' is not 'host', the name of a network namespace, or a "
		"path that begins with '/'"},
	{KERNEL("networks: [blue], uplink: world"),
		"8: routers.r.uplink: 'world' is not known here: must be 'none' or 'nat'"},
	{PORTS(KERNEL("networks: [blue], forward: { tcp/80: 'vm:80' }")),
		"8: routers.r.forward: forwarding needs 'uplink: nat'"},
	{PORTS(KERNEL("networks: [blue], uplink: nat, forward: { tcp/80: 'vn:80' }")),
		"8: routers.r.forward: no port or address is called 'vn'"},
	{PORTS(KERNEL("networks: [blue], uplink: nat, forward: { tcp/80: 'other:80' }")),
		"8: routers.r.forward: in no network of this router is port 'other'"},
	{PORTS(KERNEL("networks: [blue], uplink: nat, forward: { tcp/80: 'bare:80' }")),
		"8: routers.r.forward: a forwarding needs an address of the VM in 'ip' of its "
		"port, "
		"as has not 'bare'"},
	{KERNEL("networks: [blue], uplink: nat, forward: { tcp/80: '10.2.0.9:80' }"),
		"8: routers.r.forward: no network of this router has the address '10.2.0.9'"},
	{KERNEL("networks: [blue], uplink: nat, forward: { sctp/80: '10.1.0.9:80' }"),
		"8: routers.r.forward.sctp/80: 'sctp/80=10.1.0.9:80' is no forwarding of a port "
		"such as tcp/8080=vm1:80"},
	{KERNEL("networks: [blue], uplink: nat, forward: { tcp/0: '10.1.0.9:80' }"),
		"8: routers.r.forward.tcp/0: 'tcp/0=10.1.0.9:80' names a port that is none: 1 to "
		"65535"},
	{KERNEL("networks: [blue], uplink: nat, forward: { tcp/80: 10.1.0.9 }"),
		"8: routers.r.forward.tcp/80: 'tcp/80=10.1.0.9' is no forwarding of a port such as "
		"tcp/8080=vm1:80"},
	{KERNEL("networks: [blue], uplink: nat, forward: { tcp/80: '10.1.0.9:80' }") SECOND(
		 "networks: [green], uplink: nat, forward: { tcp/80: '10.2.0.9:80' }"),
		"9: routers.s.forward: a port of this host is forwarded by two routers, the other "
		"one is 'r'"},
	{KERNEL("networks: [blue], netns: lab") "ports:\n  t: { type: tap, network: green, ifname: "
						"v-blue, netns: lab }\n",
		"8: routers: r: interface v-blue is used already by port 't', in the same network "
		"namespace"},
	{KERNEL("networks: [blue], netns: lab") "ports:\n  t: { type: tap, network: green, "
						"address: "
						"10.1.0.1/24, netns: lab }\n",
		"8: routers: r: address 10.1.0.1 is used already by port 't', in the same network "
		"namespace"},
};

static void test_bad(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct config_errors errors;
		struct model model;
		int rc = config_parse("f", bad[i].text, strlen(bad[i].text), &model, &errors);

		if (rc != -EINVAL || errors.count != 1)
			fail_msg("%u faults: %s: %s", errors.count,
				errors.count > 1 ? errors.lines[1] : "", bad[i].text);
		assert_string_equal(errors.lines[0] + strlen("f:"), bad[i].fault);
		config_errors_fini(&errors);
	}
}

static void parse(const char *text, struct model *model)
{
	struct config_errors errors;

	if (config_parse("f", text, strlen(text), model, &errors) < 0)
		fail_msg("%s\n%s", errors.lines[0], text);
	config_errors_fini(&errors);
}

static void check_address(const struct value_address *address, const char *wanted)
{
	char text[VALUE_ADDRESS_TEXT_SIZE] = "";

	if (address->length)
		value_address_format(address, VALUE_PREFIX, text);
	assert_string_equal(text, wanted);
}

/* A gateway is the first address of its subnet, another one, or nobody. */
static void test_gateways(void **state)
{
	static const char text[] =
		"networks:\n"
		"  a: { subnet: 10.1.2.0/24, subnet6: 'fd00:1::/64' }\n"
		"  b: { subnet: 10.1.2.128/25, gateway: 10.1.2.254, gateway6: 'fd00::fe', "
		"subnet6: 'fd00::/64' }\n"
		"  c: { subnet: 10.1.2.0/24, gateway: none, subnet6: 'fd00:1::/64', gateway6: none "
		"}\n"
		"  d: {}\n";
	const struct model_network *networks;
	struct model model;

	parse(text, &model);
	networks = model.networks;
	check_address(&networks[0].subnet, "10.1.2.0/24");
	check_address(&networks[0].gateway, "10.1.2.1");
	check_address(&networks[0].gateway6, "fd00:1::1");
	check_address(&networks[1].gateway, "10.1.2.254");
	check_address(&networks[1].gateway6, "fd00::fe");
	check_address(&networks[2].subnet, "10.1.2.0/24");
	check_address(&networks[2].gateway, "");
	check_address(&networks[2].gateway6, "");
	check_address(&networks[3].subnet, "");
	check_address(&networks[3].gateway, "");
	model_fini(&model);
}

/* What follows is not written in brief, what does not is, and both forms mean the same. */
static void test_round_trip(void **state)
{
	static const char brief[] =
		"switch: {}\nnetworks:\n"
		"  \"a\": { subnet: \"10.1.2.0/24\", subnet6: \"fd00:1::/64\" }\n"
		"  \"b\": { subnet: \"10.1.2.0/24\", gateway: \"10.1.2.2\", mtu: 9000 }\n"
		"  \"c\": { subnet: \"10.1.2.0/24\", gateway: none, domain: \"lab.example\" }\n"
		"  \"d\": {}\n"
		"ports: {}\n";
	struct model model, again;
	struct diff diff;
	char *text;

	parse(brief, &model);
	text = config_format(&model, CONFIG_BRIEF);
	assert_string_equal(text, brief);
	free(text);
	text = config_format(&model, CONFIG_FULL);
	assert_non_null(strstr(text, "gateway6: \"fd00:1::1\""));
	/* Of what cannot have any, nothing is said. */
	assert_null(strstr(text, "gateway6: none"));
	parse(text, &again);
	assert_int_equal(diff_new(&diff, &model, &again), 0);
	assert_int_equal(diff.count, 0);
	diff_fini(&diff);
	free(text);
	model_fini(&again);
	model_fini(&model);
}

/* The interfaces of a router are ports that follow from it, and are in no file. */
static void test_ports(void **state)
{
	static const char text[] = PORTS(KERNEL("networks: [green, blue], uplink: nat, forward: { "
						"udp/7: 'vm:8', tcp/80: '[fd01::9]:81' }"));
	const struct model_port *port;
	struct model model, again;
	struct diff diff;
	char *written;

	parse(text, &model);
	assert_int_equal(model.port_count, 5);
	port = model_find_port(&model, "r/blue");
	assert_string_equal(port->router, "r");
	assert_string_equal(port->network, "blue");
	assert_true(port->mac.set && port->trusted);
	assert_string_equal(model_tap(port)->ifname, "v-blue");
	assert_string_equal(model_tap(port)->netns, "vsw-r");
	assert_int_equal(model_tap(port)->address.count, 2);
	assert_ptr_equal(model_router_of(&model, "green"), &model.routers[0]);
	assert_null(model_router_of(&model, "plain"));
	for (unsigned wording = 0; wording < 2; wording++) {
		written = config_format(&model, wording ? CONFIG_BRIEF : CONFIG_FULL);
		assert_null(strstr(written, "r/blue"));
		assert_non_null(strstr(
			written, "forward: { \"tcp/80\": \"[fd01::9]:81\", \"udp/7\": \"vm:8\" }"));
		parse(written, &again);
		assert_int_equal(diff_new(&diff, &model, &again), 0);
		assert_int_equal(diff.count, 0);
		diff_fini(&diff);
		model_fini(&again);
		free(written);
	}
	model_fini(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_gateways),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
