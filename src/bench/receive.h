/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving half of the generator: judges frames where they lie. What becomes of them is told
 * in bench/traffic.h. One thread.
 */
#ifndef VSW_BENCH_RECEIVE_H
#define VSW_BENCH_RECEIVE_H

#include "bench/lane.h"

/* Receives all that has come to the lane. Returns the number of frames. */
unsigned bench_lane_receive(struct bench_traffic *traffic, struct bench_lane *lane);

#endif
