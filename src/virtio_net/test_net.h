/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of virtio-net queues: one queue over a split ring, its driver, and guest memory
 * that has a border in the midst of its buffers. begin() and end() enclose each case.
 */
#ifndef VSW_VIRTIO_NET_TEST_NET_H
#define VSW_VIRTIO_NET_TEST_NET_H

#include "virtio/split_driver.h"
#include "virtio/test_ring.h"
#include "virtio_net/device.h"
#include "virtio_net/header.h"

#define SIZE    256
#define RINGS   UINT64_C(0x100000)
#define LEFT    UINT64_C(0x200000) /* two neighbours, so that buffers may straddle them */
#define RIGHT   UINT64_C(0x400000)
#define TABLES  UINT64_C(0x700000) /* SIZE tables of SIZE entries */
#define LONGEST PACKET_LENGTH_MAX

static struct guest_memory memory;
static struct split_driver driver;
static struct net_device_queue queue;
static struct packet_batch *batch;
static struct counters counters;
static uint8_t *rings, *tables;
static uint64_t seed;

/* Every combination of the four features that change the data path. */
static inline uint64_t feature_set(unsigned i)
{
	return (i & 1 ? FEATURE(VIRTIO_F_VERSION_1) : 0) |
	       (i & 2 ? FEATURE(VIRTIO_NET_F_MRG_RXBUF) : 0) |
	       (i & 4 ? FEATURE(VIRTIO_RING_F_EVENT_IDX) : 0) |
	       (i & 8 ? FEATURE(VIRTIO_RING_F_INDIRECT_DESC) : 0);
}
#define FEATURE_SETS 16

static inline int set_up(void **state)
{
	rings = test_region(&memory, RINGS, 0x10000);
	test_region(&memory, LEFT, RIGHT - LEFT);
	test_region(&memory, RIGHT, 0x200000);
	tables = test_region(&memory, TABLES, SIZE * SIZE * 16);
	batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	require(batch);
	return 0;
}

static inline int tear_down(void **state)
{
	free(batch);
	test_regions_free(&memory);
	return 0;
}

static inline void begin(uint64_t features, uint16_t mtu)
{
	void *available = rings + split_descriptors_size(SIZE), *used = rings + 0x8000;

	memset(&counters, 0, sizeof(counters));
	seed = 23 + features;
	require(split_driver_init(&driver, rings, available, used, SIZE, features) == 0);
	require(net_device_init(&queue, &memory,
			&(struct device_ring_parts){rings, available, used}, SIZE, features, 0,
			mtu) == 0);
}

static inline void end(void)
{
	split_driver_fini(&driver);
}

static inline uint64_t drops(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		sum += counters.drops[i];
	return sum;
}

static inline void access_guest(uint64_t address, uint8_t *bytes, uint32_t length, bool write)
{
	unsigned hint = 0;

	while (length) {
		uint32_t step = length;
		uint8_t *host = guest_memory_translate(&memory, address, &step, &hint);

		require(host);
		memcpy(write ? host : bytes, write ? bytes : host, step);
		bytes += step;
		address += step;
		length -= step;
	}
}

static inline void random_bytes(uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(test_random(&seed) >> 32);
}

/* Splits `total` bytes, which lie together at `address`, into 1 to `room` buffers. */
static inline unsigned split(
	uint64_t address, uint32_t total, unsigned room, struct driver_buffer *buffers)
{
	unsigned count = 0;

	while (total) {
		uint32_t step = total;

		if (count + 1 < room)
			switch (test_below(&seed, 4)) {
			case 0:
				step = 1;
				break;
			case 1:
				step = 1 + (uint32_t)test_below(&seed, MIN(total, 20));
				break;
			case 2:
				step = 1 + (uint32_t)test_below(&seed, total);
				break;
			default:
				break;
			}
		buffers[count++] = (struct driver_buffer){address, step};
		address += step;
		total -= step;
	}
	return count;
}

static inline int add(const struct driver_buffer *buffers, unsigned count, bool writable,
	bool indirect, uint64_t token)
{
	const struct split_driver_table table = {
		.entries = (struct vring_desc *)(tables + token % SIZE * SIZE * 16),
		.address = TABLES + token % SIZE * SIZE * 16,
		.count = SIZE,
	};

	return split_driver_add(&driver, buffers, writable ? 0 : count, writable ? count : 0,
		indirect ? &table : NULL, token);
}

static inline void receive(void)
{
	batch->count = 0;
	batch->pieces_used = 0;
	batch->frames_max = PACKET_BATCH;
	net_device_receive(&queue, batch, &counters);
}

static inline void expect_packet(const struct packet *packet, const uint8_t *frame, uint32_t length)
{
	uint32_t at = packet->head_length;

	require(packet->length == length && packet->head_length == MIN(length, PACKET_HEAD_SIZE));
	require(memcmp(packet->head, frame, packet->head_length) == 0);
	for (unsigned i = 0; i < packet->tail_count; i++) {
		require(at + packet->tail[i].iov_len <= length);
		require(memcmp(packet->tail[i].iov_base, frame + at, packet->tail[i].iov_len) == 0);
		at += (uint32_t)packet->tail[i].iov_len;
	}
	require(at == length);
}

static inline uint32_t random_length(void)
{
	switch (test_below(&seed, 3)) {
	case 0:
		return 14 + (uint32_t)test_below(&seed, 100);
	case 1:
		return 200 + (uint32_t)test_below(&seed, 120); /* around the size of a head */
	default:
		return 14 + (uint32_t)test_below(&seed, LONGEST - 13);
	}
}

#endif
