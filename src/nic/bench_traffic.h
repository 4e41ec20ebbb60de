/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator proper: frames out of and into the rings of running ports, counted and checked.
 *
 * Ports 0 and 1, 2 and 3, ... send to each other (the first `active` of them), from buffers that hold
 * whole frames already; only stamp, and where asked for flow and addresses, are written anew. What
 * arrives is judged where it lies. A frame is
 *
 *   received   from the port's partner, whole, in its stream's order or later
 *   late       of these: after one that was sent after it
 *   corrupted  its stamp, its length or (verifying) any other byte is not what was sent; of a TCP
 *              segment that was to cross in one piece: it comes in pieces, or its virtio header says
 *              something else
 *   foreign    somebody else's, or flooded here on its way to another port
 *
 * Missing frames are gaps in the sequences that no late frame has filled.
 *
 * With a window, a lane has so many frames under way at most: by default as many as fit into the
 * receiver's ring, so that a switch that loses none has no reason to. Without it the generator sends
 * what the transmit ring takes, and receivers may be overrun. Lost frames show as a gap only when a
 * later one arrives; so when nothing moves, some are sent beyond the window: as many as the room that
 * the window leaves takes.
 *
 *   new -> announce -> build -> step, step, ... -> free
 *
 * A device that breaks the rules of a ring makes it `broken`, and it moves nothing more. One thread; no system call but a
 * kick where the device asks for one.
 */
#ifndef VSW_NIC_BENCH_TRAFFIC_H
#define VSW_NIC_BENCH_TRAFFIC_H

#include "nic/bench_histogram.h"
#include "nic/bench_port.h"

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

/* For running ports, which must outlive it and keep running. NULL where memory is short.
 * cycles_per_second: of clock_cycles(). */
struct bench_traffic *bench_traffic_new(const struct bench_options *options,
	struct bench_port **ports, unsigned count, double cycles_per_second);
void bench_traffic_free(struct bench_traffic *traffic);

/* Sends up to a burst of announcements of a lane's addresses from number `first`; returns how many. */
unsigned bench_lane_announce(const struct bench_traffic *traffic, struct bench_lane *lane,
	uint64_t first, uint64_t count);

/* Writes the frames into the transmit buffers; false while the device still has some of those. */
bool bench_traffic_build(struct bench_traffic *traffic);

/* From now on frames are due at `rate` a second from all lanes; cycles_per_second: as above. */
void bench_traffic_schedule(struct bench_traffic *traffic, uint64_t rate, double cycles_per_second);

/* Receives all that has come to the lane; sends at most `limit` frames from each of its queues.
 * Returns the number of frames moved. */
unsigned bench_lane_receive(struct bench_traffic *traffic, struct bench_lane *lane);
unsigned bench_lane_send(
	const struct bench_traffic *traffic, struct bench_lane *lane, unsigned limit);

/* Publishes what was put into one of the lane's rings, and kicks where the device wants that. */
void bench_lane_publish(struct bench_lane *lane, struct bench_ring *ring, int kick_fd);

/* When frame number `sequence` of a lane is due, with a schedule. */
static inline uint64_t bench_traffic_due(const struct bench_traffic *traffic, uint32_t sequence)
{
	return traffic->start + (uint64_t)(sequence * traffic->interval);
}

/* Receives, and sends what is due where `sending`, on all active lanes. Frames moved. */
unsigned bench_traffic_step(struct bench_traffic *traffic, bool sending);

/* True where a device has broken the rules of a ring. */
bool bench_traffic_failed(const struct bench_traffic *traffic);

/* Frames sent that have not arrived, as of now. */
int64_t bench_traffic_missing(const struct bench_traffic *traffic);

#endif
