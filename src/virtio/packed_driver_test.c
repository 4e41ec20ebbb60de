/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed rings as a hostile device returns them, and what the driver side makes of that.
 */
#include "virtio/test_ring.h"

#include "virtio/packed_driver.h"

#define SIZE 6 /* of the ring in all cases: no power of two */

static struct vring_packed_desc ring[SIZE];
static uint32_t driver_event, device_event;

/* Used descriptors of a hostile device, and how many chains the driver believes in. */
static void driver_does_not_believe_the_device(void **state)
{
	static const struct {
		const char *name;
		unsigned in_flight; /* chains of two descriptors: ids 0, 1, 2 */
		uint16_t ids[3];    /* of used descriptors at slots 0, 2, 4 */
		unsigned used;
		bool in_order;
		unsigned taken;
		bool broken;
	} devices[] = {
		{"in order", 3, {0, 1, 2}, 3, false, 3, false},
		{"out of order", 3, {2, 0, 1}, 3, false, 3, false},
		{"nothing", 3, {0}, 0, false, 0, false},
		{"id is the size", 3, {SIZE}, 1, false, 0, true},
		{"id is huge", 3, {0xffff}, 1, false, 0, true},
		{"id was never in flight", 3, {3}, 1, false, 0, true},
		{"twice", 3, {0, 0}, 2, false, 1, true},
		{"twice, another between", 3, {0, 2, 0}, 3, false, 2, true},
		{"more than were in flight", 1, {0, 1}, 2, false, 1, true},
		{"nothing was in flight", 0, {0}, 1, false, 0, true},
		{"in order, one by one", 3, {0, 1, 2}, 3, true, 3, false},
		{"a batch", 3, {2}, 1, true, 3, false},
		{"a batch and one", 3, {1, 2}, 2, true, 2, false},
		{"a batch that ends nowhere", 3, {3}, 1, true, 0, true},
		{"a batch that ends outside", 3, {SIZE}, 1, true, 0, true},
		{"a batch when nothing was in flight", 0, {0}, 1, true, 0, true},
	};
	const struct driver_buffer buffers[2] = {{0x3000, 1}, {0x4000, 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		struct packed_driver driver;
		unsigned taken = 0;
		uint32_t written;
		uint64_t token;

		require(packed_driver_init(&driver, ring, &driver_event, &device_event, SIZE,
				devices[i].in_order ? FEATURE(VIRTIO_F_IN_ORDER) : 0) == 0);
		for (unsigned k = 0; k < devices[i].in_flight; k++)
			require(packed_driver_add(&driver, buffers, 2, 0, NULL, k) == 0);
		packed_driver_publish(&driver);
		for (unsigned k = 0; k < devices[i].used; k++) {
			ring[2 * k].id = devices[i].ids[k];
			ring[2 * k].flags = PACKED_STATE;
		}
		while (packed_driver_take(&driver, &token, &written)) {
			require(token == (devices[i].in_order ? taken : devices[i].ids[taken]));
			taken++;
		}
		if (taken != devices[i].taken || driver.broken != devices[i].broken)
			fail_msg("%s: took %u", devices[i].name, taken);
		require(driver.free_count == SIZE - 2 * (devices[i].in_flight - taken));
		require(!packed_driver_take(&driver, &token, &written));
		packed_driver_fini(&driver);
	}
}

/* A device that returns any ids, flags and lengths: the driver's own records stay whole. */
static void driver_survives_any_device(void **state)
{
	uint64_t seed = 33;

	for (unsigned round = 0; round < 20000; round++) {
		const struct driver_buffer buffers[2] = {{0x3000, 1}, {0x4000, 1}};
		struct packed_driver driver;
		unsigned in_flight = 0;
		uint32_t written;
		uint64_t token;

		require(packed_driver_init(&driver, ring, &driver_event, &device_event, SIZE,
				test_random(&seed) & FEATURE(VIRTIO_F_IN_ORDER)) == 0);
		for (unsigned i = 0; i < 60 && !driver.broken; i++) {
			unsigned slot = (unsigned)test_below(&seed, SIZE);

			if (packed_driver_add(&driver, buffers, 1 + (unsigned)test_below(&seed, 2),
				    0, NULL, round) == 0)
				in_flight++;
			packed_driver_publish(&driver);
			ring[slot].id = (uint16_t)test_below(&seed, SIZE);
			ring[slot].flags = test_below(&seed, 2) ? PACKED_STATE : 0;
			while (packed_driver_take(&driver, &token, &written)) {
				require(token == round && in_flight);
				in_flight--;
			}
			require(in_flight <= (unsigned)SIZE - driver.free_count);
			require(driver.free_count <= SIZE);
		}
		packed_driver_fini(&driver);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(driver_does_not_believe_the_device),
		cmocka_unit_test(driver_survives_any_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
