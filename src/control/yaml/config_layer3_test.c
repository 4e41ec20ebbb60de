/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses of networks: every fault with its exact line, what follows, and the round trip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/yaml/config.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_gateways),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
