/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCP of networks: every fault with its exact line, and what the keys become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/dhcp_keys.h"
#include "control/dhcp_settings.h"
#include "control/yaml/config.h"
#include "forward/topology.h"

#define LAN(keys) "networks: { blue: { subnet: 10.0.0.0/24, dhcp: " keys " } }"

static const struct {
	const char *text;
	const char *fault; /* the only one, without the file's name */
} bad[] = {
	{"networks:\n  blue:\n    dhcp: true\n", "3: networks.blue.dhcp: DHCP needs 'subnet'"},
	{"networks:\n  blue:\n    subnet: 10.0.0.0/24\n    dhcp:\n      range: [10.0.0.5]\n",
		"5: networks.blue.dhcp.range: a range is its first and its last address: "
		"[10.0.0.100, 10.0.0.199]"},
	{LAN("{ range: [10.0.1.5, 10.0.1.6] }"),
		"1: networks.blue.dhcp.range: '10.0.1.5' lies outside of the network's 'subnet'"},
	{LAN("{ range: [10.0.0.5, 10.0.0.255] }"), "1: networks.blue.dhcp.range: '10.0.0.255' is "
						   "no host's address in the network's 'subnet'"},
	{LAN("{ range: [10.0.0.9, 10.0.0.5] }"),
		"1: networks.blue.dhcp.range: the last address is before the first"},
	{"networks: { blue: { subnet: 10.0.0.0/8, dhcp: { range: [10.0.0.1, 10.16.0.1] } } }",
		"1: networks.blue.dhcp.range: more than 1,048,576 addresses are too many"},
	{LAN("{ range: [10.0.0.5, 10.0.0.5x] }"), "1: networks.blue.dhcp.range: '10.0.0.5x' is not "
						  "an IPv4 address such as 10.0.0.1"},
	{LAN("{ server: 10.0.1.1 }"), "1: networks.blue.dhcp.server: the server's address lies "
				      "outside of the network's 'subnet'"},
	{LAN("{ lease-time: 59 }"),
		"1: networks.blue.dhcp.lease-time: 59 is not between 60 and 1000000000"},
	{LAN("{ dns: [] }"),
		"1: networks.blue.dhcp.dns: the list is empty: name at least one value"},
	{LAN("{ dns: [10.0.0.1, 10.0.0.1] }"),
		"1: networks.blue.dhcp.dns: '10.0.0.1' is listed twice"},
	{LAN("{ routes: { 10.1.0.1/16: 10.0.0.1 } }"),
		"1: networks.blue.dhcp.routes.10.1.0.1/16: '10.1.0.1/16=10.0.0.1' is not a route "
		"of IPv4: a prefix such as 10.1.0.0/16, not all of them, and its router's "
		"address"},
	{LAN("{ options: { 3: 10.0.0.1 } }"),
		"1: networks.blue.dhcp.options.3: '3=10.0.0.1' is an option that has a key of its "
		"own, or that the server fills in"},
	{LAN("{ options: { 43: \"0x123\" } }"),
		"1: networks.blue.dhcp.options.43: '43=0x123' is not an option: a number from 1 to "
		"254, and 0x and hexadecimal digits, addresses, u8:, u16: or u32: and a number, or "
		"a text"},
	{LAN("{ options: { 43: u8:256 } }"),
		"1: networks.blue.dhcp.options.43: '43=u8:256' is not an option: a number from 1 "
		"to 254, and 0x and hexadecimal digits, addresses, u8:, u16: or u32: and a number, "
		"or a text"},
	{LAN("{ rnage: [10.0.0.5, 10.0.0.9] }"),
		"1: networks.blue.dhcp.rnage: unknown key: did you mean 'range'?"},
	{"networks: { blue: { ra: true } }",
		"1: networks.blue.ra: router advertisements need 'subnet6'"},
	{"networks: { blue: { subnet6: 'fd00::/56', ra: true } }",
		"1: networks.blue.ra: guests make addresses for themselves only where 'subnet6' "
		"has 64 bits: say 'slaac: false'"},
	{"networks: { blue: { subnet6: 'fd00::/64', ra: { dns: 10.0.0.1 } } }",
		"1: networks.blue.ra.dns: '10.0.0.1' is not an IPv6 address such as fd00::1"},
	{"networks: { blue: { subnet6: 'fd00::/64', ra: { routes: 'fd00::1/64' } } }",
		"1: networks.blue.ra.routes: 'fd00::1/64' is not a prefix of IPv6 such as "
		"fd00:1::/32"},
	{LAN("maybe"), "1: networks.blue.dhcp: 'maybe' is not known here: must be 'false' or "
		       "'true'"},
};

static void test_bad(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct config_errors errors;
		struct model model;
		int rc = config_parse("f", bad[i].text, strlen(bad[i].text), &model, &errors);

		if (rc != -EINVAL || errors.count != 1)
			fail_msg("%u faults: %s: %s", errors.count,
				errors.count ? errors.lines[0] : "", bad[i].text);
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

static void test_switched(void **state)
{
	static const struct {
		const char *text;
		bool enabled;
	} files[] = {
		{LAN("true"), true},
		{LAN("false"), false},
		{LAN("{}"), true},
		{LAN("{ dns: 10.0.0.1 }"), true},
		{LAN("{ range: [10.0.0.5, 10.0.0.5] }"), true},
		{LAN("{ enabled: false, dns: 10.0.0.1 }"), false},
		{"networks: { blue: { subnet: 10.0.0.0/24 } }", false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		struct model model;

		parse(files[i].text, &model);
		assert_int_equal(model.networks[0].dhcp.enabled, files[i].enabled);
		model_fini(&model);
	}
}

static const struct dhcp_data *option(const struct dhcp_settings *settings, uint8_t code)
{
	for (unsigned i = 0; i < settings->option_count; i++)
		if (settings->options[i].code == code)
			return &settings->options[i];
	return NULL;
}

static void check_option(
	const struct dhcp_settings *settings, uint8_t code, const char *bytes, size_t length)
{
	const struct dhcp_data *data = option(settings, code);

	assert_non_null(data);
	assert_int_equal(data->length, length);
	assert_memory_equal(data->bytes, bytes, length);
}

static void test_settings(void **state)
{
	static const char text[] =
		"networks:\n  blue:\n    subnet: 10.0.0.0/24\n    domain: lab.example\n"
		"    mtu: 1400\n    dhcp:\n      range: [10.0.0.10, 10.0.0.19]\n"
		"      lease-time: infinite\n      dns: [10.0.0.3, 10.0.0.2]\n"
		"      search: [a.example, b]\n      routes: { 10.9.0.0/16: 10.0.0.9 }\n"
		"      options: { 43: \"0x01ff\", 150: 10.0.0.5 10.0.0.6, 60: x }\n"
		"ports:\n  a: { type: vhost-user, network: blue, ip: [10.0.0.12, 10.0.9.1] }\n"
		"  b: { type: vhost-user, network: blue, ip: [10.0.0.12, 10.0.0.15, \"fd00::9\"] "
		"}\n"
		"  c: { type: vhost-user, network: blue, ip: 10.0.0.0/28 }\n"
		"  d: { type: vhost-user, network: blue, ip: 10.0.0.0/24, trusted: true }\n";
	struct dhcp_settings settings;
	struct model model;
	struct dhcp_port port;
	uint32_t addresses[4], address;

	parse(text, &model);
	assert_int_equal(dhcp_settings_make(&model, &model.networks[0], &settings), 0);
	assert_int_equal(settings.server, 0x0a000001);
	assert_true(settings.lease_seconds == UINT32_MAX);
	assert_int_equal(lease_pool_size(&settings.pool), 8);
	assert_false(lease_pool_has(&settings.pool, 0x0a00000c));
	assert_int_equal(settings.pool.limit, 2);
	assert_int_equal(settings.options[0].code, 1);
	check_option(&settings, 3, "\x0a\0\0\1", 4);
	check_option(&settings, 6, "\x0a\0\0\3\x0a\0\0\2", 8);
	check_option(&settings, 15, "blue.lab.example", 16);
	check_option(&settings, 26, "\x05\x78", 2);
	check_option(&settings, 119, "\1a\7example\0\1b\0", 14);
	check_option(&settings, 121, "\x10\x0a\x09\x0a\0\0\x09\0\x0a\0\0\1", 12);
	check_option(&settings, 43, "\1\xff", 2);
	check_option(&settings, 150, "\x0a\0\0\5\x0a\0\0\6", 8);
	check_option(&settings, 60, "x", 1);
	dhcp_port_make(&model.ports[0], &model.networks[0], &settings, addresses, &port);
	assert_int_equal(port.address_count, 1);
	assert_int_equal(addresses[0], 0x0a00000c);
	dhcp_port_make(&model.ports[1], &model.networks[0], &settings, addresses, &port);
	assert_true(port.bound && port.address_count == 2);
	dhcp_port_make(&model.ports[2], &model.networks[0], &settings, addresses, &port);
	assert_true(port.bound && !port.address_count && !port.unlimited);
	dhcp_port_make(&model.ports[3], &model.networks[0], &settings, addresses, &port);
	assert_true(!port.bound && port.unlimited);
	assert_string_equal(port.host, "d");
	dhcp_settings_fini(&settings);
	assert_int_equal(network_services(&model.networks[0], &address), TOPOLOGY_DHCP);
	model_fini(&model);
	parse("networks: { blue: { subnet: 10.0.0.0/8, gateway: none, dhcp: true } }", &model);
	assert_int_equal(
		network_services(&model.networks[0], &address), TOPOLOGY_DHCP | TOPOLOGY_ARP);
	assert_int_equal(address, 0x0a000001);
	assert_int_equal(dhcp_settings_make(&model, &model.networks[0], &settings), 0);
	assert_null(option(&settings, 3));
	assert_int_equal(lease_pool_size(&settings.pool), DHCP_RANGE_MAX - 1);
	dhcp_settings_fini(&settings);
	model_fini(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_switched),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
