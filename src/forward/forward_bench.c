/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What forwarding costs a frame, without any port: batches of 64 frames, made anew each time
 * outside of the measurement. Prints cycles (of the time stamp counter) a frame for several kinds
 * of traffic.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "forward/forward.h"
#include "packet/test_frames.h"

#define PORTS   32
#define ROUNDS  20000
/* Batches before the measurement: the table's lines come into the caches. */
#define WARM_UP 1000

struct bench_case {
	const char *name;
	unsigned flows; /* distinct pairs of addresses */
	bool tagged;    /* from a trunk */
};

static const struct bench_case cases[] = {
	{"one flow", 1, false},
	{"one flow, tagged", 1, true},
	{"64 flows", 64, false},
	{"16,384 flows", 16384, false},
	{"100,000 flows", 100000, false},
};

static struct packet_batch batch;
static struct forward_output output;

static void fill(const struct bench_case *bench, struct test_frame *frame, unsigned first)
{
	batch_begin(&batch, bench->tagged ? 1 : 0);
	for (unsigned i = 0; i < PACKET_BATCH; i++) {
		struct packet *packet = batch_add(&batch, frame->bytes, frame->length);
		unsigned flow = (first + i) % bench->flows;

		store_be32(packet->head + 2, flow);
		store_be32(packet->head + 8, flow);
	}
}

static void learn_flows(struct fdb *fdb, const struct bench_case *bench)
{
	for (unsigned flow = 0; flow < bench->flows; flow++) {
		fdb_learn_key(fdb, (UINT64_C(0x525400000000) + flow) << 16,
			(uint16_t)(2 + flow % (PORTS - 2)), 1);
		fdb_learn_key(fdb, (UINT64_C(0x525500000000) + flow) << 16, bench->tagged, 1);
	}
}

static double run(const struct snapshot *snapshot, const struct bench_case *bench)
{
	struct fdb *fdb = fdb_new(2 * 100000, 300, PORTS, 1);
	const struct forward_context context = {.snapshot = snapshot, .fdb = fdb, .now = 1};
	struct counters counters = {0};
	struct test_frame frame;
	uint64_t cycles = 0;

	learn_flows(fdb, bench);
	frame_begin(&frame, UINT64_C(0x525400000000), UINT64_C(0x525500000000));
	if (bench->tagged)
		frame_tag(&frame, 10);
	frame_type(&frame, ETH_P_IP);
	frame_append(&frame, NULL, 46);
	for (unsigned round = 0; round < WARM_UP + ROUNDS; round++) {
		uint64_t start;

		fill(bench, &frame, round * PACKET_BATCH);
		start = clock_cycles();
		forward_batch(&context, &batch, &output, &counters);
		forward_output_clear(&output);
		if (round >= WARM_UP)
			cycles += clock_cycles() - start;
	}
	if (counters.drops[DROP_NO_DESTINATION])
		abort();
	fdb_free(fdb);
	return (double)cycles / ((double)ROUNDS * PACKET_BATCH);
}

int main(void)
{
	struct snapshot *snapshot = snapshot_new(PORTS, 1);
	struct topology *topology = &snapshot->topology;
	const uint16_t networks[] = {0};

	topology_network_set(topology, 0, 10);
	for (uint16_t port = 0; port < PORTS; port++)
		if (port != 1)
			topology_access_set(topology, port, 0);
	topology_trunk_set(topology, 1, NETWORK_NONE, networks, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		printf("%-20s %6.1f cycles a frame\n", cases[i].name, run(snapshot, &cases[i]));
	snapshot_free(snapshot);
	return 0;
}
