/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of workers: a pool of them that serves memory ports of one network, and numbered
 * frames from one port's address to another's. begin() and end() enclose each case.
 */
#ifndef VSW_WORKER_TEST_POOL_H
#define VSW_WORKER_TEST_POOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/common.h"
#include "port/memory.h"
#include "worker/worker.h"

#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, #condition);                     \
	} while (0)

#define PORTS    3
#define FRAME    400 /* bytes: head and tail */
#define PATIENCE (20 * NS_PER_SECOND)
#define SWAPS    10000

static struct fdb *fdb;
static struct worker_pool *pool;
static struct port *ports[PORTS];

static inline struct snapshot *one_network(unsigned port_count)
{
	struct snapshot *snapshot = snapshot_new(port_count, 1);

	require(snapshot);
	topology_network_set(&snapshot->topology, 0, 0);
	for (unsigned i = 0; i < port_count; i++)
		require(topology_access_set(&snapshot->topology, (uint16_t)i, 0) == 0);
	return snapshot;
}

static inline struct port *port_begin(uint16_t index, bool timed)
{
	const struct memory_port_options options = {
		.queues = 2, .depth = 1024, .frame_size = 2048, .timed = timed};
	struct port *port = memory_port_new(
		worker_pool_notifier(pool), "test", index, &options, NULL);

	require(port);
	return port;
}

static inline void publish(unsigned count)
{
	require(worker_pool_publish(pool, one_network(PORTS), ports, count) == 0);
}

static inline void begin(unsigned workers, unsigned timed_port)
{
	const struct worker_settings settings = {
		.count = workers, .poll = WORKER_POLL_ADAPTIVE, .idle_us = 20};

	fdb = fdb_new(1024, 300, TOPOLOGY_INDEX_MAX, 1);
	pool = worker_pool_new(&settings, fdb, NULL);
	require(fdb && pool);
	for (uint16_t i = 0; i < PORTS; i++)
		ports[i] = port_begin(i, i == timed_port);
	publish(PORTS);
}

static inline void end(void)
{
	require(worker_pool_publish(pool, one_network(0), NULL, 0) == 0);
	for (unsigned i = 0; i < PORTS; i++)
		ports[i]->class->destroy(ports[i]);
	worker_pool_free(pool);
	fdb_free(fdb);
}

/* From one port's address to another's (PORTS: broadcast). */
static inline void fill_addresses(uint8_t *frame, unsigned from, unsigned to)
{
	memset(frame, to == PORTS ? 0xff : 0x02, 6);
	if (to != PORTS)
		frame[5] = (uint8_t)(to + 1);
	memset(frame + 6, 0x02, 6);
	frame[11] = (uint8_t)(from + 1);
}

/* A frame with such addresses, numbered. */
static inline void fill_frame(uint8_t *frame, unsigned from, unsigned to, uint32_t number)
{
	memset(frame, (uint8_t)number, FRAME);
	fill_addresses(frame, from, to);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, &number, sizeof(number));
}

static inline void push(unsigned from, unsigned to, uint32_t number)
{
	uint64_t begin_ns = clock_now_ns();
	uint8_t frame[FRAME];

	fill_frame(frame, from, to, number);
	while (!memory_port_push(ports[from], 0, frame, FRAME)) {
		require(clock_now_ns() - begin_ns < PATIENCE);
		usleep(10);
	}
}

/* Waits for the next frame of a port and compares it. */
static inline void expect(unsigned at, unsigned from, unsigned to, uint32_t number)
{
	uint64_t begin_ns = clock_now_ns();
	uint8_t frame[2048], expected[FRAME];
	int length;

	fill_frame(expected, from, to, number);
	while ((length = memory_port_pop(ports[at], frame, sizeof(frame))) == 0) {
		require(clock_now_ns() - begin_ns < PATIENCE);
		usleep(10);
	}
	require(length == FRAME && memcmp(frame, expected, FRAME) == 0);
}

static inline void expect_nothing(unsigned at)
{
	uint8_t frame[2048];

	require(memory_port_pop(ports[at], frame, sizeof(frame)) == 0);
}

/* Every port announces itself, so that all are learned. */
static inline void introduce(void)
{
	for (unsigned from = 0; from < PORTS; from++) {
		push(from, PORTS, 1000 + from);
		for (unsigned at = 0; at < PORTS; at++)
			if (at != from)
				expect(at, from, PORTS, 1000 + from);
	}
}

/* Waits until the workers have counted exactly so many. */
static inline void wait_for_frames(uint64_t expected)
{
	uint64_t begin_ns = clock_now_ns(), frames;
	struct worker_stats stats;

	do {
		frames = 0;
		for (unsigned i = 0; i < worker_pool_count(pool); i++) {
			worker_pool_stats(pool, i, &stats);
			frames += stats.frames;
		}
		require(frames <= expected && clock_now_ns() - begin_ns < PATIENCE);
	} while (frames != expected);
}

#endif
