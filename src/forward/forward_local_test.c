/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from and for the local port, and nothing of them where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/forward.h"
#include "forward/stage.h"
#include "packet/test_frames.h"

#define PORTS   3 /* 0 and 1 in network 0, 2 in network 1 */
#define STATION UINT64_C(0x525400000001)
#define SERVICE UINT64_C(0x5254000000fe)

static struct packet_batch batch;
static struct forward_output output;
static struct counters counters;
static struct fdb *fdb;
static struct snapshot *snapshot;
static struct forward_context context;
static struct test_frame frame;

static void build(unsigned port_count)
{
	snapshot = snapshot_new(port_count, 3);
	assert_non_null(snapshot);
	topology_network_set(&snapshot->topology, 0, 0);
	topology_network_set(&snapshot->topology, 1, 0);
	for (uint16_t port = 0; port < PORTS; port++)
		assert_int_equal(topology_access_set(&snapshot->topology, port, port / 2), 0);
	context = (struct forward_context){.snapshot = snapshot, .fdb = fdb, .now = 100};
	memset(&counters, 0, sizeof(counters));
	batch_begin(&batch, TOPOLOGY_PORT_LOCAL);
}

static int set_up(void **state)
{
	fdb = fdb_new(64, 300, TOPOLOGY_INDEX_MAX, 1);
	assert_non_null(fdb);
	build(TOPOLOGY_INDEX_MAX);
	topology_local_set(&snapshot->topology);
	return 0;
}

static int tear_down(void **state)
{
	forward_output_clear(&output);
	snapshot_free(snapshot);
	fdb_free(fdb);
	return 0;
}

static void add(uint64_t destination, uint16_t network)
{
	frame_begin(&frame, destination, SERVICE);
	frame_type(&frame, ETH_P_ARP);
	frame_append(&frame, NULL, 46);
	batch_add(&batch, frame.bytes, frame.length)->network = network;
}

static void forward(void)
{
	forward_output_clear(&output);
	forward_batch(&context, &batch, &output, &counters);
}

static void test_into_networks(void **state)
{
	assert_int_equal(fdb_learn_key(fdb, STATION << 16, 1, 100), FDB_ADDED);
	add(MAC_BROADCAST, 0);
	add(MAC_BROADCAST, 1);
	add(STATION, 0);
	add(STATION, 1); /* unknown there */
	forward();
	assert_int_equal(output.mask[0], 1u << 0);
	assert_int_equal(output.mask[1], 1u << 0 | 1u << 2);
	assert_int_equal(output.mask[2], 1u << 1 | 1u << 3);
	assert_int_equal(output.mask[TOPOLOGY_PORT_LOCAL], 0);
	assert_int_equal(counters.packets, 4);
	/* Nobody learns where it is: to others it is unknown. */
	assert_int_equal(fdb_count(fdb), 1);
}

static void test_what_is_no_frame_for_a_network(void **state)
{
	add(MAC_BROADCAST, 2);            /* not present */
	add(MAC_BROADCAST, 3);            /* no such index */
	add(MAC_BROADCAST, NETWORK_NONE); /* none said */
	frame_begin(&frame, MAC_BROADCAST, SERVICE);
	frame_tag(&frame, 7);
	frame_type(&frame, ETH_P_ARP);
	frame_append(&frame, NULL, 46);
	batch_add(&batch, frame.bytes, frame.length)->network = 0;
	batch_add(&batch, frame.bytes, ETHERNET_HEADER - 1)->network = 0;
	frame_begin(&frame, MAC_BROADCAST, 0);
	frame_type(&frame, ETH_P_ARP);
	batch_add(&batch, frame.bytes, frame.length)->network = 0;
	forward();
	assert_int_equal(output.count, 0);
	assert_int_equal(counters.drops[DROP_NO_DESTINATION], 3);
	assert_int_equal(counters.drops[DROP_QINQ_NOT_ALLOWED], 1);
	assert_int_equal(counters.drops[DROP_FRAME_TOO_SHORT], 1);
	assert_int_equal(counters.drops[DROP_BAD_SOURCE], 1);
}

static void frame_to_service(uint16_t port, uint64_t source)
{
	batch_begin(&batch, port);
	frame_begin(&frame, SERVICE, source);
	frame_type(&frame, ETH_P_IP);
	frame_append(&frame, NULL, 46);
	batch_add(&batch, frame.bytes, frame.length);
	forward();
}

/* An address that is bound to it leads there, in its network only, and nobody can take it over. */
static void test_bound_address(void **state)
{
	uint8_t mac[MAC_SIZE];

	mac_from_u64(SERVICE, mac);
	assert_int_equal(fdb_bind(fdb, 0, mac, TOPOLOGY_PORT_LOCAL), 0);
	frame_to_service(0, STATION);
	assert_true(output.count == 1 && output.mask[TOPOLOGY_PORT_LOCAL] == 1);
	frame_to_service(2, STATION);
	assert_int_equal(output.count, 0);
	frame_to_service(1, SERVICE);
	assert_int_equal(output.count, 0);
	assert_int_equal(counters.drops[DROP_SOURCE_BOUND_ELSEWHERE], 1);
	frame_to_service(0, STATION);
	assert_int_equal(output.mask[TOPOLOGY_PORT_LOCAL], 1);
}

/* What a stage diverts goes there and nowhere else; where there is no local port it is dropped. */
static void test_divert(void **state)
{
	struct stage_run run = stage_run_begin(&context, &batch, &output, &counters);

	assert_int_equal(stage_divert(&run, 5), STAGE_DONE);
	assert_int_equal(stage_divert(&run, 8), STAGE_DONE);
	assert_true(output.count == 1 && output.mask[TOPOLOGY_PORT_LOCAL] == 13);
	forward_output_clear(&output);
	snapshot_free(snapshot);
	build(PORTS);
	run = stage_run_begin(&context, &batch, &output, &counters);
	assert_int_equal(stage_divert(&run, 5), DROP_NO_DESTINATION);
	assert_int_equal(output.count, 0);
	/* Nor does anything come from there. */
	add(MAC_BROADCAST, 0);
	forward();
	assert_int_equal(output.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_into_networks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_is_no_frame_for_a_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bound_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_divert, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
