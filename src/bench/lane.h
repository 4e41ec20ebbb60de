/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator's state: a lane for each port, which owns what it sends from and remembers what it
 * received, and the traffic of all of them. Made and freed by traffic.c; one thread.
 */
#ifndef VSW_BENCH_LANE_H
#define VSW_BENCH_LANE_H

#include "base/fd.h"
#include "bench/histogram.h"
#include "bench/port.h"

struct bench_counters {
	uint64_t sent, sent_bytes;
	uint64_t received, received_bytes;
	uint64_t late, corrupted, foreign;
	uint64_t kicks;
	int64_t missing;
};

/* Frames of one transmitq. */
struct bench_sender {
	struct bench_ring *ring;
	int kick_fd;
	uint16_t *free_ids; /* [ring->size], a ring of buffers that are ours */
	uint32_t *lengths;  /* [ring->size], of the frames in the buffers */
	unsigned free_first, free_count;
	uint32_t flow; /* the next one: of those whose number is the queue's, modulo queues */
};

/* One port and what it sends and receives. */
struct bench_lane {
	struct bench_port *port;
	struct bench_lane *partner; /* NULL: it only listens */
	bool sends;
	struct bench_sender *senders; /* [sender_count], of the port's queue pairs */
	unsigned sender_count;        /* stays when the port loses its queues */
	uint32_t *next;               /* [flows] sequence numbers to send */
	uint32_t *expected;           /* [flows] of the partner */
	uint64_t accounted;           /* frames from the partner that came, or whose gap was seen */
	uint64_t stalled; /* since when the window is full, clock_cycles(); 0: it is not */
	struct bench_counters counters;
};

struct bench_traffic {
	const struct bench_options *options;
	unsigned count;
	struct bench_lane *lanes; /* [count] */
	uint8_t *scratch;         /* a frame in one piece, for verification */
	bool inspects;            /* more of a frame than its stamp */
	uint64_t window;          /* frames under way from a lane; UINT64_MAX: any number */
	unsigned probe;           /* frames sent beyond the window, from each queue */
	uint64_t stall_cycles;    /* a window full for so long is probed */
	/* With a schedule, frame n of a lane is due at start + n * interval, in clock_cycles(). */
	bool scheduled;
	uint64_t start;
	double interval;
	struct bench_histogram latency; /* since the frame was due, clock_cycles() */
};

/* When frame number `sequence` of a lane is due, with a schedule. */
static inline uint64_t bench_traffic_due(const struct bench_traffic *traffic, uint32_t sequence)
{
	return traffic->start + (uint64_t)(sequence * traffic->interval);
}

/* Publishes what was put into one of the lane's rings, and kicks where the device wants that. */
static inline void bench_lane_publish(struct bench_lane *lane, struct bench_ring *ring, int kick_fd)
{
	if (bench_ring_publish(ring)) {
		fd_signal(kick_fd);
		lane->counters.kicks++;
	}
}

#endif
