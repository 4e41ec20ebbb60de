/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator against a switch of a few lines that does wrong on demand: every fault must be
 * seen, counted once, and taken for nothing else. Split and packed rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bench/frame.h"
#include "bench/traffic.h"
#include "virtio/device_ring.h"
#include "virtio_net/header.h"

#define FRAME_ROOM (NET_HEADER_SIZE + BENCH_FRAME_MAX)

/* One frame inside the switch. */
struct held {
	uint32_t length; /* header included */
	uint8_t bytes[FRAME_ROOM];
};

enum fault {
	FAULT_NONE,
	FAULT_DROP,        /* every 10th frame is lost */
	FAULT_SWAP,        /* every 10th comes after the next one */
	FAULT_TWICE,       /* every 10th comes twice */
	FAULT_STAMP,       /* a bit of every 10th's stamp */
	FAULT_PAYLOAD,     /* the last bit of every 10th */
	FAULT_LENGTH,      /* every 10th loses a byte */
	FAULT_MISROUTE,    /* every 10th goes back to its sender */
	FAULT_UNSEGMENTED, /* every 10th's virtio header no longer asks for cutting */
	FAULT_CUT,         /* every 10th comes in two frames */
};

struct bed {
	struct bench_options options;
	struct bench_port *ports[2];
	struct guest_memory *memory[2];
	struct device_ring queues[2][2]; /* of each port: receiveq, transmitq */
	struct bench_traffic *traffic;
	uint32_t stamp; /* from a buffer's beginning */
	enum fault fault;
	unsigned frames; /* seen by the switch */
	unsigned since;  /* the last that it treated badly */
	unsigned faults; /* and treated badly: never the last one of a visit */
	struct held *now, *kept;
};

static void on_changed(void *owner)
{
}

static const struct bench_port_ops port_ops = {.changed = on_changed};

static void open_port(struct bed *bed, unsigned index)
{
	struct bench_port *port;
	struct vhost_region region;
	struct error error;
	int fd;

	port = bench_port_open(NULL, &bed->options, index, &port_ops, bed, &error);
	assert_non_null(port);
	assert_int_equal(bench_port_set_up(port, &error), 0);
	assert_true(port->running);
	driver_device_region(&port->link.device, &region, &fd);
	bed->memory[index] = guest_memory_new();
	assert_int_equal(guest_memory_add(bed->memory[index], region.guest_address, region.size,
				 region.user_address, 0, fd, &error),
		0);
	for (unsigned i = 0; i < 2; i++) {
		const struct vhost_frontend_ring *ring = &port->link.frontend.rings[i];
		struct device_ring_sizes sizes = device_ring_sizes(ring->size, port->features);
		const struct guest_memory *memory = bed->memory[index];
		const struct device_ring_parts parts = {
			guest_memory_from_user(memory, ring->descriptor, sizes.descriptors),
			guest_memory_from_user(memory, ring->available, sizes.driver_area),
			guest_memory_from_user(memory, ring->used, sizes.device_area),
		};

		assert_int_equal(device_ring_init(&bed->queues[index][i], memory, &parts,
					 ring->size, port->features, ring->base),
			0);
	}
	bed->ports[index] = port;
}

static struct bed *open_bed(const struct bench_options *options)
{
	struct bed *bed = test_calloc(1, sizeof(*bed));

	bed->options = *options;
	bed->options.port_count = 2;
	bed->options.active = 2;
	bed->options.queues = 1;
	bed->options.event_index = true;
	bed->options.duration = 1;
	if (!bed->options.flows)
		bed->options.flows = 1;
	if (!bed->options.macs)
		bed->options.macs = 1;
	bed->now = test_calloc(1, sizeof(*bed->now));
	bed->kept = test_calloc(1, sizeof(*bed->kept));
	open_port(bed, 0);
	open_port(bed, 1);
	bed->stamp = NET_HEADER_SIZE + bench_frame_stamp_at(options->tso);
	bed->traffic = bench_traffic_new(&bed->options, bed->ports, 2, 1e9);
	assert_non_null(bed->traffic);
	assert_true(bench_traffic_build(bed->traffic));
	return bed;
}

static void close_bed(struct bed *bed)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_false(device_ring_broken(&bed->queues[i][0]));
		assert_false(device_ring_broken(&bed->queues[i][1]));
	}
	bench_traffic_free(bed->traffic);
	for (unsigned i = 0; i < 2; i++) {
		guest_memory_free(bed->memory[i]);
		bench_port_close(bed->ports[i]);
	}
	test_free(bed->now);
	test_free(bed->kept);
	test_free(bed);
}

/* Writes a frame into as many receive buffers as it takes; false where they are too few. */
static bool deliver(struct bed *bed, unsigned port, struct held *frame)
{
	struct device_ring *ring = &bed->queues[port][0];
	bool packed = ring->packed;
	struct ring_chain chains[64];
	uint32_t written[64], at = 0;
	struct iovec pieces[64];
	uint8_t *first = NULL;
	uint16_t count = 0;

	while (at < frame->length) {
		uint32_t room;

		if (!device_ring_available(ring, packed)) {
			device_ring_untake(ring, packed, count);
			return false;
		}
		assert_int_equal(device_ring_take(ring, packed, &chains[count], true,
					 &pieces[count], 1, &room),
			1);
		if (!first)
			first = pieces[0].iov_base;
		written[count] = MIN(room, frame->length - at);
		memcpy(pieces[count].iov_base, frame->bytes + at, written[count]);
		at += written[count++];
	}
	assert_non_null(first);
	memcpy(first + offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers), &count,
		sizeof(count));
	for (unsigned i = 0; i < count; i++)
		device_ring_give(ring, packed, chains[i], written[i]);
	return true;
}

static void forward(struct bed *bed, unsigned from, bool faulty)
{
	struct held *frame = bed->now;
	unsigned to = from ^ 1;

	if (faulty && bed->fault == FAULT_DROP)
		return;
	if (faulty && bed->fault == FAULT_SWAP) {
		bed->now = bed->kept;
		bed->kept = frame;
		return;
	}
	if (faulty && bed->fault == FAULT_STAMP)
		frame->bytes[bed->stamp] ^= 1;
	if (faulty && bed->fault == FAULT_PAYLOAD)
		frame->bytes[frame->length - 1] ^= 1;
	if (faulty && bed->fault == FAULT_LENGTH)
		frame->length--;
	if (faulty && bed->fault == FAULT_MISROUTE)
		to = from;
	if (faulty && bed->fault == FAULT_UNSEGMENTED)
		memset(frame->bytes, 0, NET_HEADER_LEGACY_SIZE);
	if (faulty && bed->fault == FAULT_CUT) {
		uint32_t length = frame->length;

		frame->length = NET_HEADER_SIZE + BENCH_SEGMENT_STAMP + BENCH_SEGMENT_GSO_SIZE;
		assert_true(deliver(bed, to, frame));
		frame->length = length - BENCH_SEGMENT_GSO_SIZE;
		memmove(frame->bytes + bed->stamp,
			frame->bytes + bed->stamp + BENCH_SEGMENT_GSO_SIZE,
			frame->length - bed->stamp);
	}
	assert_true(deliver(bed, to, frame));
	if (faulty && bed->fault == FAULT_TWICE)
		assert_true(deliver(bed, to, frame));
	if (bed->kept->length) {
		assert_true(deliver(bed, to, bed->kept));
		bed->kept->length = 0;
	}
}

/* The switch: forwards everything that one port has sent. */
static void pump(struct bed *bed, unsigned from)
{
	struct device_ring *ring = &bed->queues[from][1];
	bool packed = ring->packed;

	while (device_ring_available(ring, packed)) {
		struct ring_chain chain;
		struct iovec piece;
		uint32_t length;
		bool faulty;

		assert_int_equal(
			device_ring_take(ring, packed, &chain, false, &piece, 1, &length), 1);
		memcpy(bed->now->bytes, piece.iov_base, length);
		bed->now->length = length;
		device_ring_give(ring, packed, chain, 0);
		bed->frames++;
		faulty = ++bed->since >= 10 && device_ring_available(ring, packed);
		if (faulty)
			bed->since = 0;
		bed->faults += faulty;
		forward(bed, from, faulty);
	}
	device_ring_publish(ring, packed);
	device_ring_publish(&bed->queues[0][0], packed);
	device_ring_publish(&bed->queues[1][0], packed);
}

struct sums {
	uint64_t sent, received, late, corrupted, foreign;
	int64_t missing;
};

/* Runs for `steps`, then lets everything arrive. */
static struct sums run(struct bed *bed, enum fault fault, unsigned steps)
{
	struct sums sums = {0};

	bed->fault = fault;
	for (unsigned i = 0; i < steps + 10; i++) {
		bench_traffic_step(bed->traffic, i < steps);
		pump(bed, 0);
		pump(bed, 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct bench_counters *counters = &bed->traffic->lanes[i].counters;

		sums.sent += counters->sent;
		sums.received += counters->received;
		sums.late += counters->late;
		sums.corrupted += counters->corrupted;
		sums.foreign += counters->foreign;
	}
	sums.missing = bench_traffic_missing(bed->traffic);
	return sums;
}

static void check(const struct bench_options *options, enum fault fault, unsigned steps)
{
	struct bed *bed = open_bed(options);
	struct sums sums = run(bed, fault, steps);
	uint64_t faults = bed->faults;
	bool seen = fault == FAULT_STAMP || fault == FAULT_LENGTH || fault == FAULT_UNSEGMENTED ||
		    fault == FAULT_CUT || (fault == FAULT_PAYLOAD && options->verify);

	assert_true(sums.sent >= 100 && bed->frames == sums.sent && faults >= 5);
	assert_int_equal(sums.corrupted, seen ? (fault == FAULT_CUT ? 2 : 1) * faults : 0);
	assert_int_equal(sums.late, fault == FAULT_TWICE || fault == FAULT_SWAP ? faults : 0);
	assert_int_equal(sums.foreign, fault == FAULT_MISROUTE ? faults : 0);
	assert_int_equal(sums.received,
		sums.sent + (fault == FAULT_TWICE ? faults : 0) -
			(seen || fault == FAULT_DROP || fault == FAULT_MISROUTE ? faults : 0));
	/* A frame that came twice hides one that did not; so does the count. */
	assert_int_equal(sums.missing, (int64_t)sums.sent - (int64_t)sums.received);
	close_bed(bed);
}

static void every_fault_is_seen(void **state)
{
	for (enum fault fault = FAULT_NONE; fault <= FAULT_MISROUTE; fault++) {
		for (unsigned variant = 0; variant < 32; variant++) {
			const struct bench_options options = {
				.size = variant & 1 ? 64 : 0,
				.packed = variant & 2,
				.mergeable = variant & 4,
				.verify = variant & 8,
				.in_order = variant & 16,
				.queue_size = 256,
			};

			check(&options, fault, 60);
		}
	}
}

/* Frames of several buffers, some of which the end of a burst cuts. */
static void large_frames_come_in_pieces(void **state)
{
	for (unsigned variant = 0; variant < 4; variant++) {
		const struct bench_options options = {
			.size = 9000 + variant,
			.packed = variant & 1,
			.mergeable = true,
			.verify = variant & 2,
			.queue_size = 256,
		};

		check(&options, FAULT_NONE, 100);
		check(&options, FAULT_STAMP, 100);
		check(&options, FAULT_DROP, 100);
	}
}

static void segments_stay_whole(void **state)
{
	for (unsigned variant = 0; variant < 8; variant++) {
		struct bench_options options = {
			.size = 65000,
			.tso = true,
			.packed = variant & 1,
			.mergeable = variant & 2,
			.verify = variant & 4,
			.in_order = variant & 1,
			.queue_size = variant & 2 ? 256 : 64,
		};

		for (enum fault fault = FAULT_NONE; fault <= FAULT_CUT; fault++)
			check(&options, fault, 60);
		options.size = BENCH_FRAME_MAX;
		check(&options, FAULT_NONE, 60);
	}
}

/* A receive buffer that is not mergeable has to hold the longest segment (VIRTIO 1.3,
 * 5.1.6.3.1). */
static void segments_have_room(void **state)
{
	const struct bench_options options = {
		.size = BENCH_SEGMENT_MIN, .tso = true, .queue_size = 64};
	struct bed *bed = open_bed(&options);

	assert_true(bed->ports[0]->rings[0].slot_size >= 65562);
	close_bed(bed);
}

/* Each flow is in order by itself, with its own pair of addresses. */
static void flows_and_addresses(void **state)
{
	const struct bench_options options = {
		.size = 64, .flows = 1000, .macs = 300, .queue_size = 64, .verify = true};
	struct bed *bed = open_bed(&options);
	struct sums sums = run(bed, FAULT_NONE, 200);

	assert_true(sums.sent > 5000);
	assert_int_equal(sums.received, sums.sent);
	assert_int_equal(sums.corrupted + sums.late + sums.foreign, 0);
	assert_int_equal(sums.missing, 0);
	for (unsigned flow = 0; flow < 1000; flow++)
		assert_in_range(bed->traffic->lanes[0].next[flow], sums.sent / 2000 - 1,
			sums.sent / 2000 + 1);
	close_bed(bed);
}

/* A device that returns a buffer twice. */
static void a_lying_device_is_found_out(void **state)
{
	const struct bench_options options = {.size = 64, .queue_size = 64};
	struct bed *bed = open_bed(&options);
	struct device_ring *ring = &bed->queues[0][0];
	struct ring_chain chain;
	struct iovec piece;
	uint32_t length;

	assert_false(bench_traffic_failed(bed->traffic));
	assert_true(device_ring_available(ring, false));
	assert_int_equal(device_ring_take(ring, false, &chain, true, &piece, 1, &length), 1);
	device_ring_give(ring, false, chain, 100);
	device_ring_give(ring, false, chain, 100);
	device_ring_publish(ring, false);
	bench_traffic_step(bed->traffic, false);
	assert_true(bench_traffic_failed(bed->traffic));
	close_bed(bed);
}

/* The window bounds what is under way, loss or not, and does not close for ever. */
static void the_window_holds(void **state)
{
	const struct bench_options options = {.size = 64, .queue_size = 256, .window = 100};
	struct bed *bed = open_bed(&options);
	struct sums sums;

	for (unsigned i = 0; i < 10; i++)
		bench_traffic_step(bed->traffic, true);
	assert_int_equal(bed->traffic->lanes[0].counters.sent, 100);
	assert_int_equal(bed->traffic->lanes[1].counters.sent, 100);
	sums = run(bed, FAULT_DROP, 100);
	assert_true(sums.sent > 2000);
	assert_int_equal(sums.missing, bed->faults);
	/* The rest of a window is lost: what comes after is sent once the window was full for
	 * long. */
	bed->traffic->lanes[0].partner->accounted -= 100;
	bed->traffic->stall_cycles = 0;
	assert_true(bench_traffic_step(bed->traffic, true) > 0);
	bed->traffic->lanes[0].partner->accounted += 100;
	close_bed(bed);
}

/* The switch takes what a port has sent, and loses it. */
static void swallow(struct bed *bed, unsigned from)
{
	struct device_ring *ring = &bed->queues[from][1];
	struct ring_chain chain;
	struct iovec piece;
	uint32_t length;

	while (device_ring_available(ring, false)) {
		assert_int_equal(
			device_ring_take(ring, false, &chain, false, &piece, 1, &length), 1);
		device_ring_give(ring, false, chain, 0);
	}
	device_ring_publish(ring, false);
}

/* What is sent beyond the window still fits into the receiver's ring, and is sent only where frames
 * were lost: not where the switch has not come to them. */
static void probes_fit(void **state)
{
	static const uint32_t sizes[] = {64, 9000, 65000};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct bench_options options = {.size = sizes[i],
			.tso = sizes[i] > 9000,
			.mergeable = true,
			.queue_size = 256};
		struct bed *bed = open_bed(&options);
		struct bench_lane *lane = &bed->traffic->lanes[0];
		uint32_t buffers = (NET_HEADER_SIZE + sizes[i] + DRIVER_MERGEABLE_SLOT_SIZE - 1) /
				   DRIVER_MERGEABLE_SLOT_SIZE;
		uint64_t window = bed->traffic->window;

		for (unsigned step = 0; step < 10; step++)
			bench_traffic_step(bed->traffic, true);
		assert_int_equal(lane->counters.sent, window);
		bed->traffic->stall_cycles = UINT64_C(1) << 40;
		lane->stalled = clock_cycles() - (UINT64_C(2) << 40);
		bench_traffic_step(bed->traffic, true);
		assert_int_equal(lane->counters.sent, window);
		swallow(bed, 0);
		/* Buffers are taken back a burst at a time. */
		for (unsigned step = 0; step < 10; step++)
			bench_traffic_step(bed->traffic, true);
		assert_true(lane->counters.sent > window);
		assert_true(lane->counters.sent * buffers <= 256);
		close_bed(bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_is_seen),
		cmocka_unit_test(large_frames_come_in_pieces),
		cmocka_unit_test(segments_stay_whole),
		cmocka_unit_test(segments_have_room),
		cmocka_unit_test(flows_and_addresses),
		cmocka_unit_test(a_lying_device_is_found_out),
		cmocka_unit_test(the_window_holds),
		cmocka_unit_test(probes_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
