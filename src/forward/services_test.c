/* SPDX-License-Identifier: BSD-3-Clause */
/* What a network with services diverts and refuses, and that others are left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/forward.h"
#include "packet/test_frames.h"

/* 0 and 1 are in network 0, which is served; 2 and 3 in network 1, which is not; 4 is a trusted
 * port, and 5 a trunk, of network 0. */
#define PORTS   6
#define LOCAL   TOPOLOGY_PORT_LOCAL
#define SERVER  0x0a000001u
#define CLIENT  UINT64_C(0x525400000001)
#define GATEWAY UINT64_C(0x5254000000fe)
#define VLAN    7

static struct packet_batch batch;
static struct forward_output output;
static struct counters counters;
static struct fdb *fdb;
static struct snapshot *snapshot;
static struct forward_context context;
static struct test_frame frame;

static int set_up(void **state)
{
	static const uint16_t networks[] = {0};
	struct topology *topology;

	fdb = fdb_new(64, 300, TOPOLOGY_INDEX_MAX, 1);
	snapshot = snapshot_new(TOPOLOGY_INDEX_MAX, 2);
	assert_non_null(fdb);
	assert_non_null(snapshot);
	topology = &snapshot->topology;
	topology_local_set(topology);
	topology_network_set(topology, 0, VLAN);
	topology_network_set(topology, 1, 0);
	for (uint16_t port = 0; port < PORTS - 1; port++)
		assert_int_equal(topology_access_set(topology, port, port == 2 || port == 3), 0);
	assert_int_equal(topology_trunk_set(topology, 5, NETWORK_NONE, networks, 1), 0);
	topology_trust(topology, 4);
	topology_serve(topology, 0,
		TOPOLOGY_DHCP | TOPOLOGY_ARP | TOPOLOGY_ROUTER | TOPOLOGY_DHCPV6, SERVER);
	context = (struct forward_context){.snapshot = snapshot, .fdb = fdb, .now = 100};
	memset(&counters, 0, sizeof(counters));
	return 0;
}

static int tear_down(void **state)
{
	forward_output_clear(&output);
	snapshot_free(snapshot);
	fdb_free(fdb);
	return 0;
}

/* The outputs of the frame, which comes in alone. */
static void forward_from(uint16_t port)
{
	batch_begin(&batch, port);
	batch_add(&batch, frame.bytes, frame.length);
	forward_output_clear(&output);
	forward_batch(&context, &batch, &output, &counters);
}

/* True where it goes to the local port, and nowhere else. */
static bool is_diverted(void)
{
	return output.count == 1 && output.mask[LOCAL] == 1;
}

static bool is_flooded(void)
{
	return output.count > 1 && !output.mask[LOCAL];
}

static uint8_t *ipv4_udp(uint64_t destination, uint32_t to, uint16_t source_port, uint16_t port)
{
	uint8_t *ip;

	frame_begin(&frame, destination, CLIENT);
	frame_type(&frame, ETH_P_IP);
	ip = frame_append(&frame, NULL, 300);
	ip[0] = 0x45;
	store_be16(ip + IPV4_TOTAL_LENGTH, 300);
	ip[IPV4_PROTOCOL] = IPPROTO_UDP;
	store_be32(ip + IPV4_DESTINATION, to);
	store_be16(ip + IPV4_HEADER, source_port);
	store_be16(ip + IPV4_HEADER + 2, port);
	return ip;
}

static uint8_t *ipv6(uint64_t destination, uint8_t next, const char *last)
{
	uint8_t *ip;

	frame_begin(&frame, destination, CLIENT);
	frame_type(&frame, ETH_P_IPV6);
	ip = frame_append(&frame, NULL, 100);
	ip[0] = 0x60;
	store_be16(ip + IPV6_PAYLOAD_LENGTH, 8);
	ip[IPV6_NEXT_HEADER] = next;
	memcpy(ip + IPV6_SOURCE, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	memcpy(ip + IPV6_DESTINATION, "\xff\x02\0\0\0\0\0\0\0\0\0\0", 12);
	memcpy(ip + IPV6_DESTINATION + 12, last, 4);
	return ip;
}

static void test_dhcp_clients(void **state)
{
	uint8_t *ip;

	ipv4_udp(MAC_BROADCAST, UINT32_MAX, 68, 67);
	forward_from(0);
	assert_true(is_diverted());
	forward_from(2);
	assert_true(is_flooded() || output.mask[3] == 1);
	/* Who asks is known, so that the answer goes there. */
	assert_int_equal(fdb_lookup_key(fdb, CLIENT << 16, 100), 0);
	/* When it renews: the gateway's MAC address leads to a port. */
	assert_int_equal(fdb_learn_key(fdb, GATEWAY << 16, 1, 100), FDB_ADDED);
	ipv4_udp(GATEWAY, SERVER, 68, 67);
	forward_from(0);
	assert_true(is_diverted());
	ipv4_udp(GATEWAY, SERVER + 1, 68, 67);
	forward_from(0);
	assert_true(output.count == 1 && output.mask[1] == 1);
	ipv4_udp(MAC_BROADCAST, UINT32_MAX, 68, 69);
	forward_from(0);
	assert_true(is_flooded());
	ip = ipv4_udp(MAC_BROADCAST, UINT32_MAX, 68, 67);
	store_be16(ip + IPV4_FRAGMENT, IPV4_MORE_FRAGMENTS);
	forward_from(0);
	assert_true(is_flooded());
}

static void test_a_trunk(void **state)
{
	struct test_frame untagged;

	ipv4_udp(MAC_BROADCAST, UINT32_MAX, 68, 67);
	untagged = frame;
	frame_begin(&frame, MAC_BROADCAST, CLIENT);
	frame_tag(&frame, VLAN);
	frame_append(&frame, untagged.bytes + ETHERNET_TYPE, untagged.length - ETHERNET_TYPE);
	forward_from(5);
	assert_true(is_diverted());
	assert_int_equal(batch.packets[0].network, 0);
}

static void test_arp(void **state)
{
	frame_begin(&frame, MAC_BROADCAST, CLIENT);
	frame_type(&frame, ETH_P_ARP);
	frame_arp(&frame, 1, CLIENT, 0x0a000005, SERVER);
	forward_from(0);
	assert_true(is_diverted());
	frame_begin(&frame, MAC_BROADCAST, CLIENT);
	frame_type(&frame, ETH_P_ARP);
	frame_arp(&frame, 1, CLIENT, 0x0a000005, SERVER + 1);
	forward_from(0);
	assert_true(is_flooded());
	topology_serve(&snapshot->topology, 0, TOPOLOGY_DHCP, SERVER);
	frame_begin(&frame, MAC_BROADCAST, CLIENT);
	frame_type(&frame, ETH_P_ARP);
	frame_arp(&frame, 1, CLIENT, 0x0a000005, SERVER);
	forward_from(0);
	assert_true(is_flooded());
}

static void test_ipv6(void **state)
{
	uint8_t *ip;

	ip = ipv6(UINT64_C(0x333300000002), IPPROTO_ICMPV6, "\0\0\0\2");
	ip[IPV6_HEADER] = 133;
	forward_from(0);
	assert_true(is_diverted());
	ip = ipv6(UINT64_C(0x333300010002), IPPROTO_UDP, "\0\1\0\2");
	store_be16(ip + IPV6_HEADER, 546);
	store_be16(ip + IPV6_HEADER + 2, 547);
	forward_from(0);
	assert_true(is_diverted());
	/* Another group, and another question. */
	ip = ipv6(UINT64_C(0x333300000001), IPPROTO_UDP, "\0\0\0\1");
	store_be16(ip + IPV6_HEADER, 546);
	store_be16(ip + IPV6_HEADER + 2, 547);
	forward_from(0);
	assert_true(is_flooded());
	ip = ipv6(UINT64_C(0x333300000001), IPPROTO_ICMPV6, "\0\0\0\1");
	ip[IPV6_HEADER] = 128;
	forward_from(0);
	assert_true(is_flooded());
	topology_serve(&snapshot->topology, 0, TOPOLOGY_DHCP, SERVER);
	ip = ipv6(UINT64_C(0x333300000002), IPPROTO_ICMPV6, "\0\0\0\2");
	ip[IPV6_HEADER] = 133;
	forward_from(0);
	assert_true(is_flooded());
}

static void test_servers_that_nobody_trusts(void **state)
{
	uint8_t *ip;

	ipv4_udp(MAC_BROADCAST, UINT32_MAX, 67, 68);
	forward_from(0);
	assert_int_equal(output.count, 0);
	assert_int_equal(counters.drops[DROP_UNTRUSTED_SERVER], 1);
	/* Nothing was learned of it. */
	assert_int_equal(fdb_count(fdb), 0);
	forward_from(4);
	assert_true(is_flooded());
	forward_from(2);
	assert_int_equal(output.mask[3], 1);
	ip = ipv6(UINT64_C(0x333300000001), IPPROTO_ICMPV6, "\0\0\0\1");
	ip[IPV6_HEADER] = 134;
	forward_from(0);
	assert_int_equal(output.count, 0);
	assert_int_equal(counters.drops[DROP_UNTRUSTED_SERVER], 2);
	/* Hidden behind what the head does not hold. */
	ip = ipv6(UINT64_C(0x333300000001), IPPROTO_HOPOPTS, "\0\0\0\1");
	ip[IPV6_HEADER] = IPPROTO_ICMPV6;
	ip[IPV6_HEADER + 1] = 200;
	forward_from(0);
	assert_int_equal(output.count, 0);
	assert_int_equal(counters.drops[DROP_UNVERIFIABLE], 1);
}

/* A run is taken apart: each packet goes its own way. */
static void test_a_mixed_run(void **state)
{
	batch_begin(&batch, 0);
	for (unsigned i = 0; i < 6; i++) {
		ipv4_udp(MAC_BROADCAST, UINT32_MAX, 68, i % 3 == 0 ? 67 : i % 3 == 1 ? 68 : 69);
		batch_add(&batch, frame.bytes, frame.length);
	}
	forward_batch(&context, &batch, &output, &counters);
	assert_int_equal(output.mask[LOCAL], 0x09);
	assert_int_equal(output.mask[1], 0x24);
	assert_int_equal(output.mask[4], 0x24);
	assert_int_equal(counters.drops[DROP_UNTRUSTED_SERVER], 2);
}

#define SERVICES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVICES_TEST(test_dhcp_clients),
		SERVICES_TEST(test_a_trunk),
		SERVICES_TEST(test_arp),
		SERVICES_TEST(test_ipv6),
		SERVICES_TEST(test_servers_that_nobody_trusts),
		SERVICES_TEST(test_a_mixed_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
