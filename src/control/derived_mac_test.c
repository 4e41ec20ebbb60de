/* SPDX-License-Identifier: BSD-3-Clause */
/* Derived addresses: one for each port, also where names collide, and as stable as the rule
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "control/derived_mac.h"
#include "forward/topology.h"

#define HOST "host"

static struct model_port *add(struct model *model, const char *name)
{
	struct model_port *port = model_add_port(model);

	assert_non_null(port);
	snprintf(port->name, sizeof(port->name), "%s", name);
	return port;
}

static void derive(
	struct model *model, uint32_t (*hash)(const char *, const char *), uint8_t (*macs)[6])
{
	model_sort_ports(model);
	assert_int_equal(derived_macs(model, HOST, hash, macs), 0);
	for (unsigned i = 0; i < model->port_count; i++) {
		assert_int_equal(macs[i][0] & 1, 0);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(macs[i], macs[k], sizeof(macs[i]));
	}
}

struct named {
	uint32_t hash;
	unsigned number;
};

static int compare_hashes(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Two names "pN" with the same hash, of the first 400,000: 18 pairs are to be expected. */
static void find_pair(char first[16], char second[16])
{
	enum { COUNT = 400000 };
	struct named *all = calloc(COUNT, sizeof(*all));
	char name[16];

	assert_non_null(all);
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		all[i] = (struct named){derived_mac_hash(HOST, name), i};
	}
	qsort(all, COUNT, sizeof(*all), compare_hashes);
	for (unsigned i = 1; i < COUNT; i++) {
		if (all[i].hash != all[i - 1].hash)
			continue;
		snprintf(first, 16, "p%u", all[i - 1].number);
		snprintf(second, 16, "p%u", all[i].number);
		free(all);
		return;
	}
	fail_msg("no pair");
}

static void test_names_that_collide(void **state)
{
	char first[16] = "", second[16] = "";
	uint8_t alone[1][6], both[2][6];
	struct model model;

	find_pair(first, second);
	for (unsigned i = 0; i < 2; i++) {
		model_init(&model);
		add(&model, i ? first : second);
		derive(&model, derived_mac_hash, alone);
		add(&model, i ? second : first);
		derive(&model, derived_mac_hash, both);
		/* Alone either has the address; together the earlier name, whoever came first. */
		assert_memory_equal(both[0], alone[0], 6);
		model_fini(&model);
	}
}

static uint32_t always_the_last(const char *host, const char *port)
{
	return UINT32_MAX;
}

static void test_all_collide(void **state)
{
	static uint8_t macs[TOPOLOGY_PORT_MAX][6];
	struct model model;
	char name[16];

	model_init(&model);
	for (unsigned i = 0; i < TOPOLOGY_PORT_MAX; i++) {
		snprintf(name, sizeof(name), "p%04u", i);
		add(&model, name);
	}
	derive(&model, always_the_last, macs);
	assert_memory_equal(macs[0], "\x52\x54\xff\xff\xff\xff", 6);
	assert_memory_equal(macs[1], "\x52\x54\x00\x00\x00\x00", 6);
	model_fini(&model);
}

/* An address that the configuration gives to another port is never derived. */
static void test_configured_goes_first(void **state)
{
	uint8_t alone[1][6], macs[2][6];
	struct model_port *port;
	struct model model;

	model_init(&model);
	add(&model, "a");
	derive(&model, derived_mac_hash, alone);
	port = add(&model, "z");
	port->mac.set = true;
	memcpy(port->mac.bytes, alone[0], 6);
	derive(&model, derived_mac_hash, macs);
	assert_memory_equal(macs[1], alone[0], 6);
	model_fini(&model);
}

/* Other ports come and go: no address changes. The same with another host's name: all do. */
static void test_stable(void **state)
{
	uint8_t before[3][6], after[103][6], elsewhere[103][6];
	static const char *const names[] = {"a50", "vm1", "vm2"};
	struct model model;
	char name[16];

	model_init(&model);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		add(&model, names[i]);
	derive(&model, derived_mac_hash, before);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		add(&model, name);
	}
	derive(&model, derived_mac_hash, after);
	assert_memory_equal(after[0], before[0], 6);
	assert_memory_equal(after[101], before[1], 6);
	assert_memory_equal(after[102], before[2], 6);
	assert_int_equal(derived_macs(&model, "other", derived_mac_hash, elsewhere), 0);
	for (unsigned i = 0; i < model.port_count; i++)
		assert_memory_not_equal(after[i], elsewhere[i], 6);
	model_fini(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_that_collide),
		cmocka_unit_test(test_all_collide),
		cmocka_unit_test(test_configured_goes_first),
		cmocka_unit_test(test_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
