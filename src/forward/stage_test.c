/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Another stage beside the real ones: what a router will do, in small. Frames to its address are
 * decided one by one, by a byte behind the Ethernet header that stands for an IP address, leave for
 * another network, with other addresses, and end there for two reasons. All else is switched as
 * before, with which it shares runs and remembered answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/forward.h"
#include "forward/l2.h"
#include "packet/test_frames.h"

enum { BLUE, GREEN, NETWORKS };
enum { PORTS = 4 }; /* 0, 1: blue; 2, 3: green */

#define ROUTER      UINT64_C(0x5254000000fe)
#define MAC_OF(n)   (UINT64_C(0x525400000000) + (n))
#define HOST        ETHERNET_HEADER /* offset of the byte: the host, all of whom are in green */
#define NOBODY      99u
#define ROUTE_ERROR DROP_UNVERIFIABLE

static struct packet_batch batch;
static struct forward_output output;
static struct counters counters;
static struct fdb *fdb;
static struct snapshot *snapshot;
static unsigned runs;

static int set_up(void **state)
{
	memset(&counters, 0, sizeof(counters));
	fdb = fdb_new(64, 300, PORTS, 1);
	snapshot = snapshot_new(PORTS, NETWORKS);
	assert_true(fdb && snapshot);
	for (uint16_t network = 0; network < NETWORKS; network++)
		topology_network_set(&snapshot->topology, network, 0);
	for (uint16_t port = 0; port < PORTS; port++) {
		assert_int_equal(topology_access_set(&snapshot->topology, port, port / 2), 0);
		fdb_learn_key(fdb, MAC_OF(port) << 16 | port / 2, port, 100);
	}
	batch_begin(&batch, 0);
	return 0;
}

static int tear_down(void **state)
{
	forward_output_clear(&output);
	snapshot_free(snapshot);
	fdb_free(fdb);
	return 0;
}

/* Goes through a run packet by packet; each ends in one of three ways. */
static unsigned route_packets(
	struct stage_run *run, const struct forward_key_pair *keys, uint64_t mask)
{
	unsigned i;

	PACKET_MASK_FOR_EACH (i, mask) {
		struct packet *packet = &run->batch->packets[i];
		uint64_t bit = UINT64_C(1) << i;
		unsigned host = packet->head[HOST];

		if (host == NOBODY) {
			stage_drop(run, ROUTE_ERROR, bit);
			continue;
		}
		packet->network = GREEN;
		mac_from_u64(ROUTER, packet->head + ETHERNET_SOURCE);
		mac_from_u64(MAC_OF(host), packet->head + ETHERNET_DESTINATION);
		assert_int_equal(l2_output(run, MAC_OF(host) << 16 | GREEN, bit), STAGE_DONE);
	}
	return STAGE_DONE;
}

ALWAYS_INLINE unsigned decide(
	struct stage_run *run, const struct forward_key_pair *keys, uint64_t mask)
{
	enum drop_reason reason = l2_learn(run, keys->source);

	runs++;
	if (reason != STAGE_NEXT)
		return reason;
	if (keys->destination >> 16 == ROUTER)
		return route_packets(run, keys, mask);
	return l2_output(run, keys->destination, mask);
}

static void add(uint64_t destination, uint8_t host)
{
	static struct test_frame frames[PACKET_BATCH];
	struct test_frame *frame = &frames[batch.count];

	frame_begin(frame, destination, MAC_OF(0));
	frame_type(frame, 0x88b5);
	frame_append(frame, &host, sizeof(host));
	frame_append(frame, NULL, 50);
	batch_add(&batch, frame->bytes, frame->length);
}

static void forward_routed(void)
{
	const struct forward_context context = {.snapshot = snapshot, .fdb = fdb, .now = 100};
	struct forward_keys keys;
	struct stage_run run = stage_run_begin(&context, &batch, &output, &counters);

	runs = 0;
	batch.flooded = 0;
	forward_classify(&context, &batch, &keys, &counters);
	stage_each_run(&run, &keys, decide);
	l2_flood_flush(&run);
}

static void test_packets_of_one_run(void **state)
{
	add(MAC_OF(1), 0);
	/* One run by its MAC addresses; five ways. */
	add(ROUTER, 2);
	add(ROUTER, 3);
	add(ROUTER, NOBODY);
	add(ROUTER, 2);
	add(ROUTER, 50); /* unknown: flooded in green, not in blue */
	add(MAC_OF(1), 0);
	forward_routed();
	assert_int_equal(runs, 3);
	assert_int_equal(output.mask[0], 0);
	assert_int_equal(output.mask[1], 1u << 0 | 1u << 6);
	assert_int_equal(output.mask[2], 1u << 1 | 1u << 4 | 1u << 5);
	assert_int_equal(output.mask[3], 1u << 2 | 1u << 5);
	assert_int_equal(batch.flooded, 1u << 5);
	assert_int_equal(counters.drops[ROUTE_ERROR], 1);
	for (unsigned i = 1; i < 6; i++)
		if (i != 3)
			assert_int_equal(
				mac_to_u64(batch.packets[i].head + ETHERNET_SOURCE), ROUTER);
	assert_int_equal(mac_to_u64(batch.packets[2].head), MAC_OF(3));
}

/* A verdict about a run is about all of it, and about no other. */
static void test_verdict_of_a_run(void **state)
{
	const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 0, 0, 0};

	assert_int_equal(fdb_bind(fdb, BLUE, mac, 1), 0); /* port 0's */
	add(ROUTER, 2);
	add(ROUTER, 3);
	forward_routed();
	assert_int_equal(counters.drops[DROP_SOURCE_BOUND_ELSEWHERE], 2);
	assert_int_equal(output.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_packets_of_one_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_verdict_of_a_run, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
