/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the next frame will be put: told right for both layouts, on every lap and in any region;
 * nothing told of chains that are not plain ones; nothing changed by asking, also beside a thread
 * that sends.
 */
#include "virtio/test_ring.h"

#include <pthread.h>

#include "virtio/packed_driver.h"
#include "virtio/split_driver.h"
#include "virtio_net/device.h"
#include "virtio_net/header.h"

#define SIZE    8
#define LONG    1024   /* a longer ring */
#define RING    0xc000 /* bytes, all parts of a ring */
#define DRIVER  0x4000 /* where its parts begin */
#define DEVICE  0x8000
#define FIRST   UINT64_C(0x100000)
#define SECOND  UINT64_C(0x400000) /* a region of its own */
#define BUFFER  256                /* bytes */
#define BUFFERS 64                 /* in each region */
#define FRAME   60
#define LAPS    5

static struct guest_memory memory;
static struct split_driver split;
static struct packed_driver packed;
static struct net_device_queue queue;
static struct packet_batch *batch;
static struct counters counters;
static uint8_t *ring, *regions[2];
static bool is_packed;

static int set_up(void **state)
{
	regions[0] = test_region(&memory, FIRST, BUFFERS * BUFFER);
	regions[1] = test_region(&memory, SECOND, BUFFERS * BUFFER);
	ring = aligned_alloc(4096, RING);
	batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	require(ring && batch);
	batch->count = 1;
	batch->pieces_used = 0;
	batch->packets[0] = (struct packet){
		.head = packet_buffer(batch, 0),
		.tail = batch->pieces,
		.length = FRAME,
		.head_length = FRAME,
		.network = NETWORK_NONE,
	};
	memset(batch->packets[0].head, 0x02, FRAME);
	return 0;
}

static int tear_down(void **state)
{
	free(batch);
	free(ring);
	test_regions_free(&memory);
	return 0;
}

static void begin(bool packed_layout, unsigned size)
{
	const uint64_t features = FEATURE(VIRTIO_F_VERSION_1) |
				  (packed_layout ? FEATURE(VIRTIO_F_RING_PACKED) : 0);
	struct device_ring_sizes sizes = device_ring_sizes(size, features);
	uint8_t *driver_area = ring + DRIVER, *device_area = ring + DEVICE;

	require(sizes.descriptors <= DRIVER && sizes.driver_area <= DEVICE - DRIVER &&
		sizes.device_area <= RING - DEVICE);
	is_packed = packed_layout;
	memset(ring, 0, RING);
	if (packed_layout)
		require(packed_driver_init(
				&packed, ring, driver_area, device_area, size, features) == 0);
	else
		require(split_driver_init(&split, ring, driver_area, device_area, size, features) ==
			0);
	require(net_device_init(&queue, &memory,
			&(struct device_ring_parts){ring, driver_area, device_area}, size, features,
			packed_layout ? PACKED_BASE_FRESH : 0, 0) == 0);
}

static void end(void)
{
	if (is_packed)
		packed_driver_fini(&packed);
	else
		split_driver_fini(&split);
}

/* Offers the device a chain of buffers to write into. */
static void offer(const struct driver_buffer *buffers, unsigned count)
{
	require((is_packed ? packed_driver_add(&packed, buffers, 0, count, NULL, 0)
			   : split_driver_add(&split, buffers, 0, count, NULL, 0)) == 0);
	if (is_packed)
		packed_driver_publish(&packed);
	else
		split_driver_publish(&split);
}

static void send_one(void)
{
	uint64_t before = counters.packets, token;
	uint32_t written;

	net_device_send(&queue, batch, 1, &counters);
	require(counters.packets == before + 1);
	require(is_packed ? packed_driver_take(&packed, &token, &written)
			  : split_driver_take(&split, &token, &written));
}

/* The n-th buffer of all that were ever offered: now in one region, now in the other. */
static struct driver_buffer buffer_at(unsigned n, const uint8_t **host)
{
	unsigned place = n * 7 % BUFFERS * BUFFER, region = n / 3 % 2;

	*host = regions[region] + place;
	return (struct driver_buffer){(region ? SECOND : FIRST) + place, BUFFER};
}

static void the_next_place_is_told(void **state)
{
	for (unsigned layout = 0; layout < 2; layout++) {
		const uint8_t *expected;
		struct driver_buffer buffer;
		uint8_t before[RING];
		unsigned offered = 0;

		begin(layout, SIZE);
		for (; offered < SIZE - 1; offered++) {
			buffer = buffer_at(offered, &expected);
			offer(&buffer, 1);
		}
		for (unsigned sent = 0; sent < LAPS * SIZE; sent++, offered++) {
			buffer_at(sent, &expected);
			memcpy(before, ring, RING);
			require(net_outlook_fetch(&queue.outlook) == expected);
			require(memcmp(before, ring, RING) == 0);
			memset((uint8_t *)(uintptr_t)expected, 0, BUFFER);
			send_one();
			require(expected[NET_HEADER_SIZE] == 0x02);
			buffer = buffer_at(offered, &expected);
			offer(&buffer, 1);
		}
		end();
	}
}

static void nothing_is_told_of_other_chains(void **state)
{
	static const struct {
		struct driver_buffer buffers[2];
		unsigned count;
	} chains[] = {
		{{{FIRST, 100}, {FIRST + 200, 100}}, 2},            /* two buffers */
		{{{0x8000, 100}}, 1},                               /* nowhere */
		{{{SECOND - 10, 100}}, 1},                          /* begins nowhere */
		{{{FIRST + BUFFERS * BUFFER - 10, 100}}, 1},        /* ends outside */
		{{{UINT64_MAX - 10, 100}}, 1},                      /* wraps around */
		{{{SECOND + BUFFERS * BUFFER - 1, UINT32_MAX}}, 1}, /* longer than memory */
	};

	for (unsigned layout = 0; layout < 2; layout++)
		for (unsigned i = 0; i < ARRAY_SIZE(chains); i++) {
			begin(layout, SIZE);
			offer(chains[i].buffers, chains[i].count);
			require(!net_outlook_fetch(&queue.outlook));
			require(!device_ring_broken(&queue.ring));
			end();
		}
	/* Ring memory that was never written, and heads that no ring has. */
	begin(false, SIZE);
	require(!net_outlook_fetch(&queue.outlook));
	memset(ring + DRIVER, 0xff, DEVICE - DRIVER);
	require(!net_outlook_fetch(&queue.outlook));
	memset(ring + DEVICE, 0xff, RING - DEVICE);
	require(!net_outlook_fetch(&queue.outlook));
	end();
}

static bool is_buffer(const uint8_t *told)
{
	for (unsigned i = 0; i < 2; i++)
		if ((uintptr_t)told - (uintptr_t)regions[i] < BUFFERS * BUFFER)
			return ((uintptr_t)told - (uintptr_t)regions[i]) % BUFFER == 0;
	return !told;
}

static bool stop;

/* Whatever it is told, however old, was offered. NULL where something else was told. */
static void *look_ahead(void *argument)
{
	bool good = true;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		good = good && is_buffer(net_outlook_fetch(&queue.outlook));
	return good ? argument : NULL;
}

/* All buffers are offered before, because a guest's writes are ordered with nobody's looks
 * ahead. */
static void another_thread_may_ask(void **state)
{
	for (unsigned layout = 0; layout < 2; layout++) {
		pthread_t thread;
		void *good;

		begin(layout, LONG);
		for (unsigned i = 0; i < LONG; i++) {
			const uint8_t *host;
			struct driver_buffer buffer = buffer_at(i, &host);

			offer(&buffer, 1);
		}
		stop = false;
		require(pthread_create(&thread, NULL, look_ahead, batch) == 0);
		for (unsigned i = 0; i < LONG; i++)
			send_one();
		__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
		require(pthread_join(thread, &good) == 0 && good);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_place_is_told),
		cmocka_unit_test(nothing_is_told_of_other_chains),
		cmocka_unit_test(another_thread_may_ask),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
