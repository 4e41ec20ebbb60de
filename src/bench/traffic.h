/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator proper: frames out of and into the rings of running ports, counted and checked.
 *
 * Ports 0 and 1, 2 and 3, ... send to each other (the first `active` of them), from buffers that
 * hold whole frames already; only stamp, and where asked for flow and addresses, are written anew.
 * What arrives is judged where it lies. A frame is
 *
 *   received   from the port's partner, whole, in its stream's order or later
 *   late       of these: after one that was sent after it
 *   corrupted  its stamp, its length or (verifying) any other byte is not what was sent; of a TCP
 *              segment that was to cross in one piece: it comes in pieces, or its virtio header
 *              says something else
 *   foreign    somebody else's, or flooded here on its way to another port
 *
 * Missing frames are gaps in the sequences that no late frame has filled.
 *
 * With a window, a lane has so many frames under way at most: by default as many as fit into the
 * receiver's ring, so that a switch that loses none has no reason to. Without it the generator
 * sends what the transmit ring takes, and receivers may be overrun. Lost frames show as a gap only
 * when a later one arrives; so when nothing moves, some are sent beyond the window: as many as the
 * room that the window leaves takes.
 *
 *   new -> announce -> build -> step, step, ... -> free
 *
 * A device that breaks the rules of a ring makes it `broken`, and it moves nothing more. One
 * thread; no system call but a kick where the device asks for one.
 */
#ifndef VSW_BENCH_TRAFFIC_H
#define VSW_BENCH_TRAFFIC_H

#include "bench/lane.h"

/* For running ports, which must outlive it and keep running. NULL where memory is short.
 * cycles_per_second: of clock_cycles(). */
struct bench_traffic *bench_traffic_new(const struct bench_options *options,
	struct bench_port **ports, unsigned count, double cycles_per_second);
void bench_traffic_free(struct bench_traffic *traffic);

/* Sends up to a burst of announcements of a lane's addresses from number `first`; returns how
 * many. */
unsigned bench_lane_announce(const struct bench_traffic *traffic, struct bench_lane *lane,
	uint64_t first, uint64_t count);

/* Writes the frames into the transmit buffers; false while the device still has some of those. */
bool bench_traffic_build(struct bench_traffic *traffic);

/* From now on frames are due at `rate` a second from all lanes; cycles_per_second: as above. */
void bench_traffic_schedule(struct bench_traffic *traffic, uint64_t rate, double cycles_per_second);

/* Sends at most `limit` frames from each of the lane's queues. Returns the number of frames. */
unsigned bench_lane_send(
	const struct bench_traffic *traffic, struct bench_lane *lane, unsigned limit);

/* Receives, and sends what is due where `sending`, on all active lanes. Frames moved. */
unsigned bench_traffic_step(struct bench_traffic *traffic, bool sending);

/* True where a device has broken the rules of a ring. */
bool bench_traffic_failed(const struct bench_traffic *traffic);

/* Frames sent that have not arrived, as of now. */
int64_t bench_traffic_missing(const struct bench_traffic *traffic);

#endif
