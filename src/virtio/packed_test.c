/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both sides of a packed ring, driven by every sequence of operations up to a length, on rings of 1
 * to 4 entries, against the model of test_walk.h; and what only this layout has.
 */
#include "virtio/packed_device.h"

/* The driver's private records are part of the world that is saved and restored. */
#include "virtio/packed_driver.c"

#define PACKED            true
#define LAYOUT(name)      packed_##name
#define LAYOUT_DESCRIPTOR struct vring_packed_desc

#include "virtio/test_walk.h"

/* Where a ring begins of which everything before `slot` was used in this lap, and the rest in the
 * one before. */
static uint32_t packed_base(uint16_t slot, bool wrap)
{
	uint32_t half = slot | (uint32_t)wrap << 15;

	return half | half << 16;
}

static void walk_place(unsigned size, uint32_t base)
{
	struct vring_packed_desc *descriptors = (struct vring_packed_desc *)now.memory;
	uint16_t slot = base & 0x7fff;
	bool wrap = base >> 15 & 1;

	now.driver.added = packed_place_available(slot, wrap);
	now.driver.used = packed_place_used(slot, wrap);
	for (unsigned i = 0; i < size; i++)
		descriptors[i].flags = packed_place_used((uint16_t)i, wrap == (i < slot)).flags;
}

/* Half of the base says the same where nothing is in flight. */
static uint32_t walk_other_base(uint32_t base)
{
	require((uint16_t)base == base >> 16);
	return base & 0xffff;
}

static const uint64_t feature_sets[] = {
	FEATURE(VIRTIO_RING_F_INDIRECT_DESC),
	FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX),
	FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_F_IN_ORDER),
	FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX) |
		FEATURE(VIRTIO_F_IN_ORDER),
};

static void every_short_sequence_agrees_with_the_model(void **state)
{
	static const struct {
		unsigned size, depth;
	} rings[] = {{1, 10}, {2, 8}, {3, 8}, {4, 8}};

	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++)
		for (unsigned r = 0; r < ARRAY_SIZE(rings); r++)
			for (unsigned start = 0; start < 2; start++) {
				/* The last slot of one lap, the first one of another. */
				uint16_t slot = start ? 0 : (uint16_t)(rings[r].size - 1);

				world_begin(
					rings[r].size, feature_sets[f], packed_base(slot, start));
				sequences_agree_with_the_model(OPERATIONS, rings[r].depth);
			}
}

/* Many laps, with arming rare and common. */
static void a_long_walk_agrees_with_the_model(void **state)
{
	const unsigned rarities[] = {1, 100, 10000};
	uint64_t seed = 30;

	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++)
		for (unsigned r = 0; r < ARRAY_SIZE(rarities); r++)
			for (unsigned size = 1; size <= SIZE_MAX_TESTED; size++) {
				world_begin(size, feature_sets[f], packed_base(0, true));
				walk(2000000, rarities[r], &seed);
				require(now.returned > 10000 >> SHALLOWER);
			}
}

static void silence_of_any_length_loses_no_wake_up(void **state)
{
	for (unsigned size = 1; size <= SIZE_MAX_TESTED; size++)
		for (unsigned burst = 1; burst <= size; burst++)
			for (unsigned silence = 0; silence <= 5 * size; silence++) {
				world_begin(size, FEATURE(VIRTIO_RING_F_EVENT_IDX),
					packed_base(0, true));
				no_wake_up_is_lost(silence, burst);
			}
}

/* With the event index, too. */
static void disarmed_sides_are_left_alone(void **state)
{
	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++) {
		world_begin(3, feature_sets[f], packed_base(0, true));
		nobody_is_disturbed();
	}
}

/* A side that armed for a place hears of the burst with that place, and of none before. */
static void events_are_passed_once(void **state)
{
	unsigned heard = 0;

	world_begin(4, FEATURE(VIRTIO_RING_F_EVENT_IDX), packed_base(0, true));
	for (unsigned i = 0; i < 100; i++) {
		/* Armed 3 chains ahead of where the ring is, each time the last event passed. */
		if (i % 4 == 1) {
			struct packed_place ahead = now.driver.used;

			packed_place_advance(&ahead, 3, 4);
			ring_store(*now.driver.driver_event, packed_event_on(true, ahead));
		}
		require(driver_add(1, false) && driver_publish() && device_take_give());
		if (device_ring_publish(&now.device, PACKED)) {
			heard++;
			require(i % 4 == 0);
		}
		now.given_published = now.given;
		require(driver_take());
	}
	require(heard == 24);
}

/* Without IN_ORDER a chain costs the device a used descriptor; with it, a burst. */
static void in_order_batches_share_a_descriptor(void **state)
{
	struct vring_packed_desc *descriptors = (struct vring_packed_desc *)now.memory;

	for (unsigned in_order = 0; in_order < 2; in_order++) {
		unsigned used = 0;
		uint64_t token;
		uint32_t written;

		world_begin(4, in_order ? FEATURE(VIRTIO_F_IN_ORDER) : 0, packed_base(3, false));
		for (unsigned i = 0; i < 4; i++) {
			struct driver_buffer buffer = chain_buffer(i, 0);

			require(packed_driver_add(&now.driver, &buffer, 1, 0, NULL, i) == 0);
		}
		packed_driver_publish(&now.driver);
		for (unsigned i = 0; i < 4; i++) {
			struct ring_chain chain;
			struct iovec piece;
			uint32_t length;

			require(device_ring_take(&now.device, PACKED, &chain, false, &piece, 1,
					&length) == 1);
			device_ring_give(&now.device, PACKED, chain, 0);
		}
		device_ring_publish(&now.device, PACKED);
		for (unsigned i = 0; i < 4; i++)
			used += !!(descriptors[i].flags & PACKED_AVAIL) ==
				!!(descriptors[i].flags & PACKED_USED);
		require(used == (in_order ? 1 : 4));
		for (unsigned i = 0; i < 4; i++)
			require(packed_driver_take(&now.driver, &token, &written) && token == i &&
				!written);
		require(!packed_driver_take(&now.driver, &token, &written));
		require(now.driver.free_count == 4);
	}
}

/* One chain as long as the ring, from the middle of the ring, twice. */
static void the_largest_ring_holds_the_longest_chain(void **state)
{
	enum { SIZE = RING_SIZE_MAX };
	struct vring_packed_desc *ring = aligned_alloc(64, SIZE * sizeof(*ring));
	struct driver_buffer *buffers = calloc(SIZE, sizeof(*buffers));
	struct iovec *pieces = calloc(SIZE, sizeof(*pieces));
	uint32_t events[2], length, written;
	struct packed_driver driver;
	struct packed_device device;
	struct ring_chain chain;
	uint64_t token;

	world_begin(1, 0, packed_base(0, true)); /* for its memory */
	require(ring && buffers && pieces);
	require(packed_driver_init(&driver, ring, &events[0], &events[1], SIZE, 0) == 0);
	require(packed_device_init(&device, &memory, ring, &events[0], &events[1], SIZE, 0,
			PACKED_BASE_FRESH) == 0);
	for (unsigned i = 0; i < SIZE; i++)
		buffers[i] = (struct driver_buffer){BASE + i % 64, 1};
	for (unsigned round = 0; round < 3; round++) {
		unsigned count = round ? SIZE : SIZE / 2;

		require(packed_driver_add(&driver, buffers, count, 0, NULL, round) == 0);
		require(packed_driver_add(&driver, buffers, 1, 0, NULL, 9) ==
			(round ? -ENOSPC : 0));
		packed_driver_publish(&driver);
		for (unsigned k = 0; k < 2 - !!round; k++) {
			require(packed_device_available(&device));
			require(packed_device_take(&device, &chain, false, pieces, SIZE, &length) ==
				(k ? 1 : (int)count));
			require(length == (k ? 1 : count) && chain.count == (k ? 1 : count));
			packed_device_give(&device, chain, 0);
		}
		require(!packed_device_available(&device));
		packed_device_publish(&device);
		require(packed_driver_take(&driver, &token, &written) && token == round);
		require(round || (packed_driver_take(&driver, &token, &written) && token == 9));
		require(!packed_driver_take(&driver, &token, &written));
		require(driver.free_count == SIZE);
	}
	packed_driver_fini(&driver);
	free(pieces);
	free(buffers);
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_sequence_agrees_with_the_model),
		cmocka_unit_test(a_long_walk_agrees_with_the_model),
		cmocka_unit_test(silence_of_any_length_loses_no_wake_up),
		cmocka_unit_test(disarmed_sides_are_left_alone),
		cmocka_unit_test(events_are_passed_once),
		cmocka_unit_test(in_order_batches_share_a_descriptor),
		cmocka_unit_test(the_largest_ring_holds_the_longest_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
