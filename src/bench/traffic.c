/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/traffic.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/frame.h"
#include "bench/receive.h"
#include "virtio_net/header.h"

/* Far longer than a frame takes through any switch that still delivers it. */
#define STALL_MS 100

/* A switch that has not even taken what was sent stands still, or returns buffers late: it has so
 * many times longer. */
#define STALL_PATIENCE 20

/* The IMIX: seven small, four medium and one large, well mixed. */
static const uint16_t imix[] = {64, 594, 64, 64, 594, 64, 1514, 64, 594, 64, 64, 594};

static int sender_init(struct bench_sender *sender, struct bench_port *port, unsigned queue)
{
	unsigned size = port->rings[2 * queue + 1].size;

	*sender = (struct bench_sender){
		.ring = &port->rings[2 * queue + 1],
		.kick_fd = port->kick_fds[2 * queue + 1],
		.free_ids = calloc(size, sizeof(*sender->free_ids)),
		.lengths = calloc(size, sizeof(*sender->lengths)),
		.free_count = size,
		.flow = queue,
	};
	if (!sender->free_ids || !sender->lengths)
		return -1;
	for (unsigned i = 0; i < size; i++) {
		sender->free_ids[i] = (uint16_t)i;
		memset(bench_ring_slot(sender->ring, i), 0, port->header_size);
	}
	return 0;
}

static int lane_init(struct bench_traffic *traffic, unsigned index, struct bench_port *port)
{
	const struct bench_options *options = traffic->options;
	struct bench_lane *lane = &traffic->lanes[index];

	lane->port = port;
	if (index < options->active) {
		lane->partner = &traffic->lanes[index ^ 1];
		lane->sends = index % 2 == 0 || !options->unidirectional ||
			      options->mode == BENCH_PING;
	}
	lane->senders = calloc(port->queue_pairs, sizeof(*lane->senders));
	lane->next = calloc(options->flows, sizeof(*lane->next));
	lane->expected = calloc(options->flows, sizeof(*lane->expected));
	if (!lane->senders || !lane->next || !lane->expected)
		return -1;
	lane->sender_count = port->queue_pairs;
	for (unsigned i = 0; i < lane->sender_count; i++)
		if (sender_init(&lane->senders[i], port, i) < 0)
			return -1;
	return 0;
}

/* Sets the window to what a port's receive ring holds, in frames of the largest size, with room
 * left for a probe. */
static void fit_window(struct bench_traffic *traffic, const struct bench_port *port)
{
	const struct bench_ring *ring = &port->rings[0];
	uint32_t length = port->header_size + bench_frame_max(port->options);
	uint32_t buffers = (length + ring->slot_size - 1) / ring->slot_size;
	uint32_t reserve = MIN(ring->size / 4, BENCH_BURST);

	traffic->window = MAX((ring->size - reserve) / buffers, 1u);
	traffic->probe = MAX(reserve / buffers, 1u);
}

struct bench_traffic *bench_traffic_new(const struct bench_options *options,
	struct bench_port **ports, unsigned count, double cycles_per_second)
{
	struct bench_traffic *traffic = calloc(1, sizeof(*traffic));

	if (!traffic)
		return NULL;
	traffic->options = options;
	traffic->inspects = options->verify || options->tso;
	fit_window(traffic, ports[0]);
	if (options->window)
		traffic->window = options->window;
	traffic->window = MAX(traffic->window, options->queues);
	if (options->overload)
		traffic->window = UINT64_MAX;
	traffic->stall_cycles = (uint64_t)(cycles_per_second * STALL_MS / 1000);
	traffic->scratch = malloc(BENCH_FRAME_MAX);
	traffic->lanes = calloc(count, sizeof(*traffic->lanes));
	traffic->count = traffic->lanes ? count : 0;
	if (!traffic->scratch || !traffic->lanes)
		goto free_traffic;
	for (unsigned i = 0; i < count; i++)
		if (lane_init(traffic, i, ports[i]) < 0)
			goto free_traffic;
	return traffic;

free_traffic:
	bench_traffic_free(traffic);
	return NULL;
}

void bench_traffic_free(struct bench_traffic *traffic)
{
	if (!traffic)
		return;
	for (unsigned i = 0; i < traffic->count; i++) {
		struct bench_lane *lane = &traffic->lanes[i];

		for (unsigned queue = 0; queue < lane->sender_count; queue++) {
			free(lane->senders[queue].free_ids);
			free(lane->senders[queue].lengths);
		}
		free(lane->senders);
		free(lane->next);
		free(lane->expected);
	}
	free(traffic->lanes);
	free(traffic->scratch);
	free(traffic);
}

/* Takes back what the device has sent, at most a burst. */
static void reclaim(struct bench_sender *sender)
{
	unsigned mask = sender->ring->size - 1u;
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];
	unsigned count = bench_ring_take(sender->ring, ids, lengths, BENCH_BURST);

	for (unsigned i = 0; i < count; i++)
		sender->free_ids[(sender->free_first + sender->free_count + i) & mask] = ids[i];
	sender->free_count += count;
}

unsigned bench_lane_announce(const struct bench_traffic *traffic, struct bench_lane *lane,
	uint64_t first, uint64_t count)
{
	struct bench_sender *sender = &lane->senders[0];
	uint32_t length = lane->port->header_size + BENCH_FRAME_MIN;
	unsigned announced;

	reclaim(sender);
	for (announced = 0; announced < BENCH_BURST && announced < count && sender->free_count;
		announced++) {
		uint16_t id = sender->free_ids[sender->free_first];
		uint8_t *slot = bench_ring_slot(sender->ring, id);

		bench_frame_build_announcement(
			slot + lane->port->header_size, lane->port->mac + first + announced);
		bench_ring_put(sender->ring, &id, &length, 1);
		sender->free_first = (sender->free_first + 1) & (sender->ring->size - 1u);
		sender->free_count--;
	}
	bench_lane_publish(lane, sender->ring, sender->kick_fd);
	return announced;
}

static void build_frames(
	const struct bench_traffic *traffic, struct bench_lane *lane, struct bench_sender *sender)
{
	const struct bench_options *options = traffic->options;
	unsigned size = sender->ring->size;

	for (unsigned i = 0; i < size; i++) {
		unsigned id = sender->free_ids[(sender->free_first + i) & (size - 1)];
		struct bench_frame_spec spec = {
			.length = options->size ? (uint32_t)options->size
						: imix[i % ARRAY_SIZE(imix)],
			.segment = options->tso,
			.destination = lane->partner->port->mac,
			.source = lane->port->mac,
			.source_port = (uint16_t)lane->port->number,
			.destination_port = (uint16_t)lane->partner->port->number,
			.seed = id * 37 + lane->port->number * 7919,
		};
		uint8_t *slot = bench_ring_slot(sender->ring, id);
		uint8_t *frame = slot + lane->port->header_size;

		if (options->tso)
			bench_segment_build_header(slot);
		bench_frame_build(frame, &spec);
		bench_frame_set_flow(frame, sender->flow);
		sender->lengths[id] = spec.length;
	}
}

bool bench_traffic_build(struct bench_traffic *traffic)
{
	bool complete = true;

	for (unsigned i = 0; i < traffic->options->active; i++) {
		struct bench_lane *lane = &traffic->lanes[i];

		for (unsigned queue = 0; queue < lane->port->queue_pairs; queue++) {
			struct bench_sender *sender = &lane->senders[queue];

			reclaim(sender);
			complete = complete && sender->free_count == sender->ring->size;
		}
	}
	for (unsigned i = 0; complete && i < traffic->options->active; i++) {
		struct bench_lane *lane = &traffic->lanes[i];

		for (unsigned queue = 0; queue < lane->port->queue_pairs; queue++)
			build_frames(traffic, lane, &lane->senders[queue]);
	}
	return complete;
}

void bench_traffic_schedule(struct bench_traffic *traffic, uint64_t rate, double cycles_per_second)
{
	unsigned lanes = (unsigned)traffic->options->active /
			 (traffic->options->unidirectional + 1u);

	traffic->scheduled = true;
	traffic->interval = cycles_per_second * lanes / (double)rate;
	traffic->start = clock_cycles();
}

ALWAYS_INLINE unsigned send_burst(const struct bench_traffic *traffic, struct bench_lane *lane,
	struct bench_sender *sender, unsigned limit, bool many_flows, bool many_macs)
{
	uint32_t header = lane->port->header_size, stamp_at = lane->port->stamp_at;
	uint32_t step = lane->port->queue_pairs;
	unsigned mask = sender->ring->size - 1u, count;
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];
	uint64_t bytes = 0;

	reclaim(sender);
	count = MIN(limit, sender->free_count);
	for (unsigned i = 0; i < count; i++) {
		uint16_t id = sender->free_ids[(sender->free_first + i) & mask];
		uint8_t *slot = bench_ring_slot(sender->ring, id), *frame = slot + header;
		uint32_t length = sender->lengths[id], flow = sender->flow;

		bench_frame_stamp(slot + stamp_at, lane->next[flow]++,
			bench_stream(lane->port->number, flow), length);
		if (many_flows) {
			bench_frame_set_flow(frame, flow);
			sender->flow = flow + step < traffic->options->flows ? flow + step
									     : flow % step;
		}
		if (many_macs) {
			/* A flow has its pair of addresses: what is in order keeps together. */
			uint32_t macs = (uint32_t)traffic->options->macs;
			uint32_t mac = flow < macs ? flow : flow % macs;

			bench_frame_set_macs(frame, lane->partner->port->mac + macs - 1 - mac,
				lane->port->mac + mac);
		}
		ids[i] = id;
		lengths[i] = length + header;
		bytes += length;
	}
	if (!count)
		return 0;
	sender->free_first = (sender->free_first + count) & mask;
	sender->free_count -= count;
	bench_ring_put(sender->ring, ids, lengths, count);
	bench_lane_publish(lane, sender->ring, sender->kick_fd);
	lane->counters.sent += count;
	lane->counters.sent_bytes += bytes;
	return count;
}

/* A queue without a flow sends nothing. */
static unsigned senders_in_use(const struct bench_traffic *traffic, const struct bench_lane *lane)
{
	return (unsigned)MIN((uint64_t)lane->port->queue_pairs, traffic->options->flows);
}

unsigned bench_lane_send(
	const struct bench_traffic *traffic, struct bench_lane *lane, unsigned limit)
{
	const struct bench_options *options = traffic->options;
	unsigned queues = senders_in_use(traffic, lane);
	bool many_flows = options->flows > queues;
	unsigned frames = 0;

	for (unsigned queue = 0; queue < queues; queue++) {
		struct bench_sender *sender = &lane->senders[queue];

		if (options->macs > 1)
			frames += send_burst(traffic, lane, sender, limit, true, true);
		else if (many_flows)
			frames += send_burst(traffic, lane, sender, limit, true, false);
		else
			frames += send_burst(traffic, lane, sender, limit, false, false);
	}
	return frames;
}

/* True where the switch has taken all that the lane has sent. */
static bool all_taken(struct bench_lane *lane)
{
	for (unsigned queue = 0; queue < lane->sender_count; queue++) {
		struct bench_sender *sender = &lane->senders[queue];

		reclaim(sender);
		if (sender->free_count != sender->ring->size)
			return false;
	}
	return true;
}

/* How many frames the window still admits, from each queue. */
static unsigned window_room(const struct bench_traffic *traffic, struct bench_lane *lane)
{
	uint64_t under_way = lane->counters.sent - lane->partner->accounted;
	uint64_t now;

	if (likely(under_way < traffic->window)) {
		lane->stalled = 0;
		return (unsigned)MIN((traffic->window - under_way) / senders_in_use(traffic, lane),
			(uint64_t)BENCH_BURST);
	}
	now = clock_cycles();
	if (!lane->stalled)
		lane->stalled = now;
	if (now - lane->stalled < traffic->stall_cycles ||
		(now - lane->stalled < STALL_PATIENCE * traffic->stall_cycles && !all_taken(lane)))
		return 0;
	lane->stalled = now;
	return traffic->probe;
}

/* How many frames of the schedule are due by now. */
static unsigned due_now(const struct bench_traffic *traffic, const struct bench_lane *lane)
{
	uint64_t now = clock_cycles();
	unsigned count = 0;

	while (count < BENCH_BURST && bench_traffic_due(traffic, lane->next[0] + count) <= now)
		count++;
	return count;
}

unsigned bench_traffic_step(struct bench_traffic *traffic, bool sending)
{
	unsigned frames = 0, limit = BENCH_BURST;

	for (unsigned i = 0; i < traffic->options->active; i++)
		frames += bench_lane_receive(traffic, &traffic->lanes[i]);
	for (unsigned i = 0; sending && i < traffic->options->active; i++) {
		struct bench_lane *lane = &traffic->lanes[i];

		if (!lane->sends)
			continue;
		if (traffic->scheduled) {
			limit = due_now(traffic, lane);
		} else if (traffic->window != UINT64_MAX) {
			limit = window_room(traffic, lane);
		}
		if (limit)
			frames += bench_lane_send(traffic, lane, limit);
	}
	return frames;
}

bool bench_traffic_failed(const struct bench_traffic *traffic)
{
	for (unsigned i = 0; i < traffic->count; i++) {
		const struct bench_port *port = traffic->lanes[i].port;

		for (unsigned ring = 0; ring < 2 * port->queue_pairs; ring++)
			if (port->rings[ring].broken)
				return true;
	}
	return false;
}

int64_t bench_traffic_missing(const struct bench_traffic *traffic)
{
	int64_t missing = 0;

	for (unsigned i = 0; i < traffic->options->active; i++) {
		const struct bench_lane *lane = &traffic->lanes[i];

		missing += lane->counters.missing;
		for (uint64_t flow = 0; flow < traffic->options->flows; flow++)
			missing += (int32_t)(lane->partner->next[flow] - lane->expected[flow]);
	}
	return missing;
}
