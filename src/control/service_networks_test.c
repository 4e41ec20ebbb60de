/* SPDX-License-Identifier: BSD-3-Clause */
/* What networks keep over changes of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/service_networks.h"
#include "control/yaml/config.h"

#define ADDRESS UINT64_C(0x0a000064)

static struct service_networks made(const char *text)
{
	struct service_networks networks = {0};
	struct config_errors errors;
	struct model model;

	assert_int_equal(config_parse("f", text, strlen(text), &model, &errors), 0);
	config_errors_fini(&errors);
	for (unsigned i = 0; i < model.network_count; i++) {
		uint32_t address;

		if (network_services(&model.networks[i], &address))
			assert_int_equal(service_networks_add(&networks, &model, &model.networks[i],
						 (uint16_t)i),
				0);
	}
	model_fini(&model);
	return networks;
}

static void lease_one(struct service_network *network, uint64_t until)
{
	const struct lease lease = {.client = {.owner = "vm1", .length = 1, .id = {1}},
		.address = ADDRESS,
		.until = until,
		.state = LEASE_BOUND};

	assert_true(leases_restore(network->leases, &lease));
}

/* The next configuration takes over. */
static void change(struct service_networks *networks, const char *text)
{
	struct service_networks next = made(text);

	assert_true(service_networks_reserve(&next, networks->count));
	service_networks_succeed(&next, networks);
	*networks = next;
}

#define ON  "networks: { red: { subnet: 10.0.0.0/24, dhcp: true } }"
#define OFF "networks: { red: { subnet: 10.0.0.0/24, dhcp: false } }"
#define NO  "networks: { blue: { subnet: 10.0.0.0/24, dhcp: true } }"

static void leases_are_kept_while_dhcp_is_off(void **state)
{
	static const char *const without[] = {OFF, NO, "{}"};

	for (unsigned i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		struct service_networks networks = made(ON);
		struct service_network *red;

		lease_one(service_networks_find(&networks, "red"), 90);
		change(&networks, without[i]);
		change(&networks, without[i]);
		red = service_networks_find(&networks, "red");
		assert_non_null(red);
		assert_int_equal(red->services, 0);
		change(&networks, ON);
		red = service_networks_find(&networks, "red");
		assert_int_not_equal(red->services, 0);
		assert_non_null(leases_at(red->leases, ADDRESS));
		assert_int_equal(networks.count, 1);
		service_networks_fini(&networks);
	}
}

/* A network that had other services only, and whose leases are read when it gets DHCP. */
static void leases_that_were_just_read_are_kept(void **state)
{
	struct service_networks old = made("networks: { red: { subnet6: 'fd00::/64', ra: true } }");
	struct service_networks next = made(ON);

	lease_one(service_networks_find(&next, "red"), 90);
	assert_true(service_networks_reserve(&next, old.count));
	service_networks_succeed(&next, &old);
	assert_non_null(leases_at(service_networks_find(&next, "red")->leases, ADDRESS));
	service_networks_fini(&next);
}

static void what_rests_goes_when_all_of_it_is_over(void **state)
{
	struct service_networks networks = made(ON);

	lease_one(service_networks_find(&networks, "red"), 90);
	lease_one(service_networks_add_resting(&networks, "green"), 50);
	lease_one(service_networks_add_resting(&networks, "gray"), 60);
	service_networks_expire(&networks, 49);
	assert_int_equal(networks.count, 3);
	service_networks_expire(&networks, 55);
	assert_null(service_networks_find(&networks, "green"));
	assert_non_null(service_networks_find(&networks, "gray"));
	service_networks_expire(&networks, 100);
	assert_int_equal(networks.count, 1);
	change(&networks, "{}");
	assert_int_equal(networks.count, 0);
	service_networks_fini(&networks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leases_are_kept_while_dhcp_is_off),
		cmocka_unit_test(leases_that_were_just_read_are_kept),
		cmocka_unit_test(what_rests_goes_when_all_of_it_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
