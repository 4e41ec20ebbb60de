/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/receive.h"

#include <string.h>

#include "base/clock.h"
#include "bench/frame.h"
#include "virtio_net/header.h"

/* More pieces than any frame has in buffers that a device gets here. */
#define PIECES_MAX 64

/* The place of one frame's buffers in what was taken from a receiveq. */
struct arrival {
	uint16_t ids[BENCH_BURST + PIECES_MAX];
	uint32_t lengths[BENCH_BURST + PIECES_MAX];
	unsigned count;
};

/* Gives the device empty receive buffers. */
static void refill(struct bench_lane *lane, unsigned queue, const uint16_t *ids, uint32_t *lengths,
	unsigned count)
{
	struct bench_ring *ring = &lane->port->rings[2 * queue];

	for (unsigned i = 0; i < count; i++)
		lengths[i] = ring->slot_size;
	bench_ring_put(ring, ids, lengths, count);
	bench_lane_publish(lane, ring, lane->port->kick_fds[2 * queue]);
}

/* A frame that is not simply the next one of its stream. */
static NO_INLINE void judge_sequence(struct bench_lane *lane, uint32_t *expected, uint32_t sequence)
{
	int32_t ahead = (int32_t)(sequence - *expected);

	if (ahead >= 0) {
		lane->counters.missing += ahead;
		lane->accounted += (uint32_t)ahead + 1;
		*expected = sequence + 1;
	} else {
		lane->counters.late++;
		lane->counters.missing--;
	}
}

static NO_INLINE void judge_stranger(struct bench_lane *lane, const uint8_t *frame, uint32_t length,
	bool tag_fits, uint32_t stream)
{
	bool from_partner = stream >> BENCH_STREAM_FLOW_BITS == lane->partner->port->number;

	if (tag_fits ? !from_partner : bench_frame_is_foreign(frame, length))
		lane->counters.foreign++;
	else
		lane->counters.corrupted++;
}

/* Joins the pieces of a frame, header removed. */
static const uint8_t *gather(struct bench_traffic *traffic, const struct bench_lane *lane,
	const struct bench_ring *ring, const struct arrival *arrival, unsigned first,
	unsigned pieces)
{
	uint32_t header = lane->port->header_size, at = 0;

	for (unsigned i = first; i < first + pieces; i++) {
		uint32_t skip = i == first ? header : 0;

		memcpy(traffic->scratch + at, bench_ring_slot(ring, arrival->ids[i]) + skip,
			arrival->lengths[i] - skip);
		at += arrival->lengths[i] - skip;
	}
	return traffic->scratch;
}

/* The whole of a frame from the partner, whose stamp is right. */
static bool verify(const struct bench_traffic *traffic, const struct bench_lane *lane,
	const uint8_t *slot, const uint8_t *frame, uint32_t length, uint32_t stream)
{
	static const uint8_t no_offloads[NET_HEADER_LEGACY_SIZE];
	uint64_t mask = traffic->options->macs;
	bool tso = traffic->options->tso;

	return (tso || memcmp(slot, no_offloads, sizeof(no_offloads)) == 0) &&
	       mac_to_u64(frame) - lane->port->mac < mask &&
	       mac_to_u64(frame + ETHERNET_SOURCE) - lane->partner->port->mac < mask &&
	       bench_frame_verify(frame, length, stream, tso);
}

/* What the options ask for beyond the stamp. */
static bool inspect(const struct bench_traffic *traffic, const struct bench_lane *lane,
	const uint8_t *slot, const uint8_t *frame, uint32_t length, uint32_t stream)
{
	if (traffic->options->tso && !bench_segment_check_header(slot))
		return false;
	return !traffic->options->verify || verify(traffic, lane, slot, frame, length, stream);
}

/* What a burst adds to the counters, kept in registers meanwhile. */
struct tally {
	uint64_t received, bytes, accounted;
};

ALWAYS_INLINE void judge(struct bench_traffic *traffic, struct bench_lane *lane,
	struct tally *tally, const uint8_t *slot, const uint8_t *frame, uint32_t length,
	uint64_t now)
{
	uint32_t sequence, stream, flow;
	bool fits = bench_frame_check(slot + lane->port->stamp_at, length, &sequence, &stream);

	flow = stream - bench_stream(lane->partner->port->number, 0);
	if (unlikely(!fits || flow >= traffic->options->flows)) {
		judge_stranger(lane, frame, length, fits, stream);
		return;
	}
	if (traffic->inspects && !inspect(traffic, lane, slot, frame, length, stream)) {
		lane->counters.corrupted++;
		return;
	}
	tally->received++;
	tally->bytes += length;
	if (likely(sequence == lane->expected[flow])) {
		lane->expected[flow] = sequence + 1;
		tally->accounted++;
	} else {
		judge_sequence(lane, &lane->expected[flow], sequence);
	}
	if (traffic->scheduled)
		bench_histogram_add(&traffic->latency, now - bench_traffic_due(traffic, sequence));
}

static void add_tally(struct bench_lane *lane, const struct tally *tally)
{
	lane->counters.received += tally->received;
	lane->counters.received_bytes += tally->bytes;
	lane->accounted += tally->accounted;
}

/* A frame that lies in several buffers: takes those that the burst's end cut off, and judges it.
 * Returns the number of buffers; 0 where the device is at fault. */
static NO_INLINE unsigned judge_pieces(struct bench_traffic *traffic, struct bench_lane *lane,
	struct bench_ring *ring, struct arrival *arrival, unsigned first, unsigned pieces,
	uint64_t now)
{
	struct tally tally = {0};
	unsigned lacking = first + pieces > arrival->count ? first + pieces - arrival->count : 0;
	const uint8_t *slot = bench_ring_slot(ring, arrival->ids[first]);
	uint32_t length = 0;

	if (!pieces || pieces > PIECES_MAX ||
		bench_ring_take(ring, &arrival->ids[arrival->count],
			&arrival->lengths[arrival->count], lacking) != lacking) {
		ring->broken = true;
		return 0;
	}
	arrival->count += lacking;
	for (unsigned i = first; i < first + pieces; i++) {
		if (arrival->lengths[i] > ring->slot_size) {
			ring->broken = true;
			return 0;
		}
		length += arrival->lengths[i];
	}
	length -= MIN(length, lane->port->header_size);
	if (length > BENCH_FRAME_MAX ||
		arrival->lengths[first] < lane->port->stamp_at + BENCH_STAMP_SEED)
		lane->counters.corrupted++;
	else if (traffic->options->verify)
		judge(traffic, lane, &tally, slot,
			gather(traffic, lane, ring, arrival, first, pieces), length, now);
	else
		judge(traffic, lane, &tally, slot, slot + lane->port->header_size, length, now);
	add_tally(lane, &tally);
	return pieces;
}

ALWAYS_INLINE uint16_t buffer_count(const struct bench_lane *lane, const uint8_t *slot)
{
	uint16_t count;

	if (!lane->port->mergeable)
		return 1;
	memcpy(&count, slot + offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers),
		sizeof(count));
	return count;
}

static unsigned receive(struct bench_traffic *traffic, struct bench_lane *lane, unsigned queue)
{
	struct bench_ring *ring = &lane->port->rings[2 * queue];
	uint32_t header = lane->port->header_size;
	struct tally tally = {0};
	struct arrival arrival;
	unsigned frames = 0, pieces;
	uint64_t now;

	arrival.count = bench_ring_take(ring, arrival.ids, arrival.lengths, BENCH_BURST);
	if (!arrival.count)
		return 0;
	now = traffic->scheduled ? clock_cycles() : 0;
	for (unsigned i = 0; i < arrival.count; i += pieces, frames++) {
		const uint8_t *slot = bench_ring_slot(ring, arrival.ids[i]);
		uint32_t length = arrival.lengths[i];

		pieces = buffer_count(lane, slot);
		if (likely(pieces == 1 && length > header && length <= ring->slot_size)) {
			judge(traffic, lane, &tally, slot, slot + header, length - header, now);
		} else {
			pieces = judge_pieces(traffic, lane, ring, &arrival, i, pieces, now);
			if (!pieces)
				break;
		}
	}
	add_tally(lane, &tally);
	refill(lane, queue, arrival.ids, arrival.lengths, arrival.count);
	return frames;
}

/* Throws away what comes to a port that only listens. */
static unsigned discard(struct bench_lane *lane, unsigned queue)
{
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];
	unsigned count = bench_ring_take(&lane->port->rings[2 * queue], ids, lengths, BENCH_BURST);

	if (!count)
		return 0;
	lane->counters.foreign += count;
	refill(lane, queue, ids, lengths, count);
	return count;
}

unsigned bench_lane_receive(struct bench_traffic *traffic, struct bench_lane *lane)
{
	unsigned frames = 0;

	for (unsigned queue = 0; queue < lane->port->queue_pairs; queue++) {
		unsigned bursts = lane->port->rings[2 * queue].size / BENCH_BURST + 1u, moved;

		do {
			moved = lane->partner ? receive(traffic, lane, queue)
					      : discard(lane, queue);
			frames += moved;
		} while (moved == BENCH_BURST && --bursts);
	}
	return frames;
}
