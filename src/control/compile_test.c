/* SPDX-License-Identifier: BSD-3-Clause */
/* What forwarding is told of a configuration, with indices that are in no order: read back by the
 * questions that forwarding asks. Nothing runs here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "control/compile.h"
#include "control/yaml/config.h"
#include "forward/security_rules.h"
#include "packet/packet.h"

#define NETWORKS "networks: { blue: { vlan: 10 }, green: { vlan: 20 }, plain: {} }\n"
/* Indices of blue, green and plain. */
enum { BLUE = 7, GREEN = 0, PLAIN = 3 };
static const uint16_t networks[] = {BLUE, GREEN, PLAIN};

static struct model model;
static struct snapshot *snapshot;

static struct topology *compile(const char *text, const uint16_t *ports,
	const struct compile_hold *holds, unsigned hold_count)
{
	struct compile_input input = {.model = &model,
		.ports = ports,
		.networks = networks,
		.holds = holds,
		.hold_count = hold_count};
	struct config_errors errors;

	if (config_parse("f.yaml", text, strlen(text), &model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
	snapshot = compile_snapshot(&input);
	assert_non_null(snapshot);
	return &snapshot->topology;
}

static void done(void)
{
	snapshot_free(snapshot);
	model_fini(&model);
}

static void test_nothing(void **state)
{
	struct topology *topology = compile("", NULL, NULL, 0);

	assert_true(topology_has_local(topology));
	for (unsigned i = 0; i < TOPOLOGY_PORT_LOCAL; i++)
		assert_int_equal(topology->ports[i].mode, TOPOLOGY_ABSENT);
	assert_int_equal(topology->network_count, 0);
	done();
}

/* Port a is 5, b 2, t 9; c is not open. */
static void test_membership(void **state)
{
	static const uint16_t ports[] = {5, 2, COMPILE_NO_PORT, 9};
	struct topology *topology = compile(NETWORKS
		"ports:\n"
		"  a: { type: vhost-user, network: blue }\n"
		"  b: { type: vhost-user, network: plain, flood-limit: 77, qinq: true }\n"
		"  c: { type: vhost-user, network: blue }\n"
		"  t: { type: vhost-user, trunk: [blue, green], native: plain }\n",
		ports, NULL, 0);

	assert_int_equal(topology->network_count, 8);
	assert_int_equal(topology->networks[BLUE].vlan, 10);
	assert_int_equal(topology->networks[GREEN].vlan, 20);
	assert_int_equal(topology->networks[PLAIN].vlan, 0);
	assert_true(topology_carries(topology, 5, BLUE));
	assert_false(topology_carries(topology, 5, GREEN));
	assert_false(topology_carries(topology, 5, PLAIN));
	assert_true(topology_carries(topology, 2, PLAIN));
	assert_true(topology_carries(topology, 9, BLUE));
	assert_true(topology_carries(topology, 9, GREEN));
	assert_true(topology_carries(topology, 9, PLAIN));
	assert_int_equal(topology->ports[9].network, PLAIN);
	assert_int_equal(topology->ports[9].vlan_network[20], GREEN);
	assert_int_equal(topology->ports[9].vlan_network[30], NETWORK_NONE);
	/* c is left out, not flooded to. */
	assert_int_equal(topology->networks[BLUE].member_count, 2);
	assert_int_equal(topology->ports[0].mode, TOPOLOGY_ABSENT);
	assert_int_equal(topology->ports[2].flood_limit, 77);
	assert_true(topology->ports[2].qinq);
	assert_int_equal(topology->ports[5].flood_limit, 0);
	assert_false(topology->ports[5].qinq);
	done();
}

static void test_link_local_groups(void **state)
{
	struct topology *topology = compile(
		"networks: { blue: { stp: drop, lldp: drop, lacp: drop, 802.1x: drop }, "
		"green: { stp: pass, lldp: pass, lacp: pass, 802.1x: pass }, plain: { stp: drop, "
		"lldp: pass, lacp: drop, 802.1x: drop } }",
		NULL, NULL, 0);

	assert_int_equal(topology->networks[BLUE].link_local, 0);
	assert_int_equal(topology->networks[GREEN].link_local, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 14);
	assert_int_equal(topology->networks[PLAIN].link_local, 1 << 14);
	done();
}

static void test_security(void **state)
{
	static const uint16_t ports[] = {0, 1, 2};
	const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1};
	const uint8_t inside[16] = {0xfd, [15] = 9}, outside[16] = {0xfd, [1] = 1};
	struct topology *topology = compile(NETWORKS
		"ports:\n"
		"  a: { type: vhost-user, network: blue }\n"
		"  b: { type: vhost-user, network: blue, mac: '52:54:00:00:00:01' }\n"
		"  c: { type: vhost-user, network: blue, ip: [10.0.0.0/8, 'fd00::/16'], "
		"trusted: true }\n",
		ports, NULL, 0);
	const struct security_rules *b = topology->ports[1].security;
	const struct security_rules *c = topology->ports[2].security;

	assert_null(topology->ports[0].security);
	assert_true(b->has_mac && !b->has_addresses && !b->trusted);
	assert_memory_equal(b->mac, mac, sizeof(mac));
	assert_true(!c->has_mac && c->has_addresses && c->trusted);
	assert_true(security_lists_ipv4(c, 0x0a010203));
	assert_false(security_lists_ipv4(c, 0x0b010203));
	assert_true(security_lists_ipv6(c, inside));
	assert_false(security_lists_ipv6(c, outside));
	done();
}

/* Only in networks that want it, and only for ports that are there. */
static void test_holds(void **state)
{
	static const uint16_t ports[] = {4, COMPILE_NO_PORT, 6};
	static const struct compile_hold holds[] = {
		{4, BLUE}, {6, GREEN}, {1, BLUE}, {500, BLUE}, {4, 300}, {COMPILE_NO_PORT, BLUE}};
	struct topology *topology = compile(
		"networks: { blue: { vlan: 10 }, green: { vlan: 20, loops: log }, plain: {} }\n"
		"ports:\n"
		"  a: { type: vhost-user, trunk: [blue, green] }\n"
		"  b: { type: vhost-user, network: blue }\n"
		"  c: { type: vhost-user, trunk: [blue, green] }\n",
		ports, holds, ARRAY_SIZE(holds));

	assert_true(topology_holds(topology, 4, BLUE));
	assert_false(topology_holds(topology, 4, GREEN));
	assert_false(topology_holds(topology, 6, GREEN));
	assert_false(topology_holds(topology, 6, BLUE));
	assert_int_equal(topology->networks[BLUE].member_count, 1);
	assert_int_equal(topology->networks[GREEN].member_count, 2);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_membership),
		cmocka_unit_test(test_link_local_groups),
		cmocka_unit_test(test_security),
		cmocka_unit_test(test_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
