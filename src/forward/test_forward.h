/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For directed tests of the forwarding stages: one topology, and frames that are sent into it.
 *
 *   port 0, 1  access blue (VLAN 10)        port 5  access blue, secured with MAC_5
 *   port 2     access green (VLAN 20)       port 6  access lone: its network's only port
 *   port 3     trunk blue, green; native blue
 *   port 4     trunk green; no native       port 7  absent; port 8 and up: beyond the topology
 */
#ifndef VSW_FORWARD_TEST_FORWARD_H
#define VSW_FORWARD_TEST_FORWARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/forward.h"
#include "forward/security_rules.h"
#include "packet/test_frames.h"

enum { BLUE, GREEN, LONE, NETWORKS };
enum { PORTS = 8 };

#define VLAN_BLUE  10
#define VLAN_GREEN 20

#define MAC_OF(port) (UINT64_C(0x525400000000) + (port))
#define MAC_5        MAC_OF(5)
#define UNKNOWN      UINT64_C(0x5254000000ff)
#define NO_TAG       0x10000u
#define P(port)      (1u << (port))

static struct packet_batch batch;
static struct forward_output output;
static struct counters counters;
static struct snapshot *snapshot;
static struct topology *topology; /* the snapshot's */
static struct fdb *fdb;
static struct test_frame frame;

static inline int set_up(void **state)
{
	const uint16_t both[] = {BLUE, GREEN};
	struct security_rules rules = {.has_mac = true};
	uint8_t mac[MAC_SIZE];

	memset(&output, 0, sizeof(output));
	memset(&counters, 0, sizeof(counters));
	snapshot = snapshot_new(PORTS, NETWORKS);
	assert_non_null(snapshot);
	topology = &snapshot->topology;
	fdb = fdb_new(64, 300, PORTS, 1);
	topology_network_set(topology, BLUE, VLAN_BLUE);
	topology_network_set(topology, GREEN, VLAN_GREEN);
	topology_network_set(topology, LONE, 0);
	/* Not in order: members are to rise nevertheless. */
	topology_access_set(topology, 5, BLUE);
	topology_access_set(topology, 1, BLUE);
	topology_access_set(topology, 0, BLUE);
	topology_access_set(topology, 2, GREEN);
	topology_access_set(topology, 6, LONE);
	topology_trunk_set(topology, 3, BLUE, both, 2);
	topology_trunk_set(topology, 4, NETWORK_NONE, both + 1, 1);
	mac_from_u64(MAC_5, mac);
	memcpy(rules.mac, mac, sizeof(mac));
	topology_secure(topology, 5, &rules);
	return fdb_bind(fdb, BLUE, mac, 5);
}

static inline int tear_down(void **state)
{
	snapshot_free(snapshot);
	fdb_free(fdb);
	return 0;
}

/* What the batch is forwarded with at that time. */
static inline struct forward_context context_at(uint32_t now)
{
	return (struct forward_context){.snapshot = snapshot, .fdb = fdb, .now = now};
}

static inline void forward_all(uint32_t now)
{
	const struct forward_context context = context_at(now);

	forward_batch(&context, &batch, &output, &counters);
}

/* The bit set of ports that a batch of one leaves by; clears the output. */
static inline unsigned forward_one(uint16_t port, uint8_t *bytes, size_t length)
{
	unsigned ports = 0;

	batch_begin(&batch, port);
	batch_add(&batch, bytes, length);
	forward_all(100);
	for (unsigned i = 0; i < output.count; i++) {
		assert_int_equal(output.mask[output.touched[i]], 1);
		ports |= 1u << output.touched[i];
	}
	forward_output_clear(&output);
	assert_int_equal(output.count, 0);
	return ports;
}

/* A frame with a payload of 50 bytes; tci: NO_TAG or the tag's. */
static inline void build(uint64_t destination, uint64_t source, unsigned tci)
{
	frame_begin(&frame, destination, source);
	if (tci != NO_TAG)
		frame_tag(&frame, (uint16_t)tci);
	frame_type(&frame, 0x88b5);
	for (uint8_t i = 0; i < 50; i++)
		frame_append(&frame, &i, 1);
}

static inline unsigned send_frame(
	uint16_t port, uint64_t destination, uint64_t source, unsigned tci)
{
	build(destination, source, tci);
	return forward_one(port, frame.bytes, frame.length);
}

static inline unsigned drops_total(void)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		total += counters.drops[i];
	return (unsigned)total;
}

/* The frame built last is dropped for this reason alone. */
static inline void assert_drops(uint16_t port, enum drop_reason reason)
{
	uint64_t packets = counters.packets, bytes = counters.bytes, drops = counters.drops[reason];
	unsigned total = drops_total();

	assert_int_equal(forward_one(port, frame.bytes, frame.length), 0);
	if (counters.drops[reason] != drops + 1)
		fail_msg("port %u: not dropped as %s", port, drop_descriptions[reason].name);
	assert_int_equal(drops_total(), total + 1);
	assert_int_equal(counters.packets, packets + 1);
	assert_int_equal(counters.bytes, bytes + frame.length);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
