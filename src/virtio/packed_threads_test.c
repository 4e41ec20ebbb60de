/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver and device of a packed ring as two threads, as they are in life: no chain is lost, doubled
 * or seen before its content, and a side that sleeps is woken. A wake-up that is lost ends in a
 * time-out.
 */
#include "virtio/test_ring.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include "virtio/packed_device.h"
#include "virtio/packed_driver.h"

#define SIZE     7 /* small, so that both sides wait often; no power of two */
#define CHAINS   100000
#define BASE     UINT64_C(0x1000)
#define SLOT     16 /* bytes of a chain's buffer: two halves */
#define PATIENCE 20 /* seconds until a wake-up counts as lost */

/* A check that may fail outside the thread that cmocka could jump back to. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static struct guest_memory memory;
static struct packed_driver driver;
static struct packed_device device;
static uint8_t *buffers;
static sem_t kicks, signals;

static void wait_for(sem_t *wake_ups)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += PATIENCE;
	must(sem_timedwait(wake_ups, &deadline) == 0);
}

/* Device side: writes into each chain the complement of what it found in the first half. */
static void *serve(void *argument)
{
	unsigned served = 0;

	while (served < CHAINS) {
		unsigned burst = 0;

		while (burst < 4 && packed_device_available(&device)) {
			struct iovec pieces[2];
			struct ring_chain chain;
			uint32_t length;
			uint64_t content;
			int count = packed_device_take(
				&device, &chain, true, pieces, ARRAY_SIZE(pieces), &length);

			must(count >= 1 && length == SLOT);
			memcpy(&content, pieces[0].iov_base, sizeof(content));
			content = ~content;
			memcpy((uint8_t *)pieces[0].iov_base + SLOT / 2, &content, sizeof(content));
			packed_device_give(&device, chain, SLOT);
			burst++;
		}
		if (packed_device_publish(&device))
			sem_post(&signals);
		served += burst;
		if (burst || served == CHAINS)
			continue;
		while (!packed_device_arm(&device))
			wait_for(&kicks);
		packed_device_disarm(&device);
	}
	return NULL;
}

/* Driver side: a free buffer each, filled with the chain's number. */
static void drive(void)
{
	unsigned added = 0, returned = 0;
	uint8_t free_buffers[SIZE], free_count;

	for (free_count = 0; free_count < SIZE; free_count++)
		free_buffers[free_count] = free_count;
	while (returned < CHAINS) {
		unsigned before = returned;
		uint32_t written;
		uint64_t token;

		while (added < CHAINS && free_count && added - returned < 1 + added % SIZE) {
			unsigned at = free_buffers[--free_count];
			struct driver_buffer parts[2] = {
				{BASE + at * SLOT, SLOT}, {BASE + at * SLOT + 12, 4}};
			uint64_t content = added;

			/* Of some the last bytes are a descriptor of their own. */
			parts[0].length -= added % 3 ? 0 : 4;
			memcpy(buffers + at * SLOT, &content, sizeof(content));
			if (packed_driver_add(&driver, parts, 0, added % 3 ? 1 : 2, NULL,
				    (uint64_t)at << 32 | added) < 0) {
				free_buffers[free_count++] = (uint8_t)at;
				break;
			}
			added++;
		}
		if (packed_driver_publish(&driver))
			sem_post(&kicks);
		while (packed_driver_take(&driver, &token, &written)) {
			uint64_t content;

			memcpy(&content, buffers + (token >> 32) * SLOT + SLOT / 2,
				sizeof(content));
			require((uint32_t)token == returned && written == SLOT);
			require(content == ~(uint64_t)returned);
			free_buffers[free_count++] = (uint8_t)(token >> 32);
			returned++;
		}
		if (returned != before)
			continue;
		while (!packed_driver_arm(&driver) && added != returned)
			wait_for(&signals);
		packed_driver_disarm(&driver);
	}
}

static void run(uint64_t features)
{
	struct vring_packed_desc *ring = aligned_alloc(64, 128);
	uint32_t events[2];
	pthread_t thread;

	require(ring);
	buffers = test_region(&memory, BASE, 4096);
	sem_init(&kicks, 0, 0);
	sem_init(&signals, 0, 0);
	require(packed_driver_init(&driver, ring, &events[0], &events[1], SIZE, features) == 0);
	require(packed_device_init(&device, &memory, ring, &events[0], &events[1], SIZE, features,
			PACKED_BASE_FRESH) == 0);
	require(pthread_create(&thread, NULL, serve, NULL) == 0);
	drive();
	require(pthread_join(thread, NULL) == 0);
	require(!driver.broken && !device.broken && driver.free_count == SIZE);
	packed_driver_fini(&driver);
	sem_destroy(&signals);
	sem_destroy(&kicks);
	test_regions_free(&memory);
	free(ring);
}

static void two_threads_agree(void **state)
{
	run(0);
	run(FEATURE(VIRTIO_F_IN_ORDER));
}

static void two_threads_agree_with_the_event_index(void **state)
{
	run(FEATURE(VIRTIO_RING_F_EVENT_IDX));
	run(FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_F_IN_ORDER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_agree),
		cmocka_unit_test(two_threads_agree_with_the_event_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
