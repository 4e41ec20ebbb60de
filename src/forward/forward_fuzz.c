/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any frames from any port of a small fixed topology. Checks that no frame leaves by a
 * port outside its network or by the one where it came in, that every frame is forwarded or counted
 * as dropped exactly once, and that heads stay inside their buffers through tags on and off.
 *
 * Input: (port, length / 2, frame bytes) repeated; one batch of up to PACKET_BATCH frames a port
 * change.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "forward/encap.h"
#include "forward/forward.h"
#include "forward/security_rules.h"
#include "packet/parse.h"
#include "packet/test_frames.h"
#include "packet/vlan.h"

#define PORTS    8
#define NETWORKS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct packet_batch batch;
static struct forward_output output;
static struct topology *topology;
static struct forward_context context;

/* Heads in memory of exactly their size (and headroom): a read past one is seen. */
static uint8_t *heads[PACKET_BATCH];
static size_t head_sizes[PACKET_BATCH];

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void build_topology(void)
{
	const uint16_t both[] = {0, 1};
	const struct security_rules rules = {.has_mac = true, .mac = {0x52, 0x54, 0, 0, 0, 1}};

	struct snapshot *snapshot = snapshot_new(PORTS, NETWORKS);

	require(snapshot);
	context.snapshot = snapshot;
	topology = &snapshot->topology;
	topology_network_set(topology, 0, 10);
	topology_network_set(topology, 1, 20);
	topology_network_set(topology, 2, 0);
	topology_access_set(topology, 0, 0);
	topology_access_set(topology, 1, 1);
	topology_access_set(topology, 2, 0);
	topology_secure(topology, 2, &rules);
	topology_trunk_set(topology, 3, 0, both, 2);
	topology_trunk_set(topology, 4, NETWORK_NONE, both, 2);
	topology_trunk_set(topology, 5, 2, both, 1);
	topology_trunk_set(topology, 6, 0, both, 2);
	topology_allow_qinq(topology, 6);
	topology_access_set(topology, 7, 1);
	topology_allow_qinq(topology, 7);
}

static void add_frame(const uint8_t *bytes, size_t length)
{
	unsigned i = batch.count;
	/* The tail is never read, so it may point at what the input holds after the frame. */
	struct packet *packet = batch_add(&batch, (uint8_t *)(uintptr_t)bytes, length);

	head_sizes[i] = PACKET_HEADROOM + packet->head_length;
	heads[i] = malloc(head_sizes[i]);
	require(heads[i]);
	packet->head = memcpy(heads[i] + PACKET_HEADROOM, bytes, packet->head_length);
}

static void check_head(unsigned i)
{
	const struct packet *packet = &batch.packets[i];

	require(packet->head >= heads[i]);
	require(packet->head + packet->head_length == heads[i] + head_sizes[i]);
	require(packet->length >= packet->head_length);
	if (packet->l4_offset)
		require(packet->l4_offset <= packet->head_length);
}

/* Only where the port carries stacks does a tag follow the network's own, or the lack of one. */
static void check_tags(uint16_t port, unsigned i, bool tagged)
{
	const struct topology_port *egress = &topology->ports[port];
	uint16_t type = load_be16(batch.packets[i].head + (tagged ? VLAN_TYPE : ETHERNET_TYPE));

	require((tagged || egress->mode == TOPOLOGY_ACCESS ? egress->qinq : false) ||
		!vlan_type_is_tag(type));
}

static void run_batch(void)
{
	struct counters counters = {0};
	uint64_t forwarded = 0, drops = 0;

	forward_batch(&context, &batch, &output, &counters);
	for (unsigned t = 0; t < output.count; t++) {
		uint16_t port = output.touched[t];
		uint64_t mask = output.mask[port], all = mask, tagged;
		unsigned i;

		require(port < PORTS && port != batch.port);
		tagged = forward_encap(&context, port, &batch, &mask, &counters);
		/* There is room for every tag. */
		require(mask == all && (tagged & ~mask) == 0);
		PACKET_MASK_FOR_EACH (i, mask) {
			require(topology_carries(topology, port, batch.packets[i].network));
			require((tagged >> i & 1) ==
				(topology->ports[port].mode == TOPOLOGY_TRUNK &&
					batch.packets[i].network != topology->ports[port].network));
			check_tags(port, i, tagged >> i & 1);
			check_head(i);
		}
		forward_decap(&context, port, &batch, tagged);
		PACKET_MASK_FOR_EACH (i, mask)
			check_head(i);
		forwarded |= mask;
	}
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		drops += counters.drops[reason];
	require((uint64_t)__builtin_popcountll(forwarded) + drops == batch.count);
	require(counters.packets == batch.count);
	forward_output_clear(&output);
	for (unsigned i = 0; i < batch.count; i++)
		free(heads[i]);
	batch.count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor cursor = cursor_new(data, size);

	if (!topology) {
		build_topology();
		context.fdb = fdb_new(8, 300, PORTS, 5);
		require(context.fdb);
	}
	fdb_flush(context.fdb, FDB_PORT_NONE, NETWORK_NONE);
	context.now = 0;
	batch_begin(&batch, 0);
	while (cursor_left(&cursor)) {
		uint16_t port = cursor_u8(&cursor) % (PORTS + 1);
		/* Up to 508 bytes: some frames are longer than the head. */
		size_t length = cursor_u8(&cursor) * 2u;
		const uint8_t *bytes;

		length = MIN(length, cursor_left(&cursor));
		bytes = cursor_take(&cursor, length);
		if (!bytes)
			break;
		if (port != batch.port || batch.count == PACKET_BATCH) {
			run_batch();
			context.now++;
			batch_begin(&batch, port);
		}
		add_frame(bytes, length);
		if (length & 2)
			packet_parse(&batch.packets[batch.count - 1]);
	}
	run_batch();
	return 0;
}
