/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both sides of a split ring, driven by every sequence of operations up to a length, on rings of 1,
 * 2 and 4 entries, against the model of test_walk.h.
 */
#include "virtio/split_device.h"

/* The driver's private records are part of the world that is saved and restored. */
#include "virtio/split_driver.c"

#define PACKED            false
#define LAYOUT(name)      split_##name
#define LAYOUT_DESCRIPTOR struct vring_desc

#include "virtio/test_walk.h"

static void walk_place(unsigned size, uint32_t base)
{
	uint16_t start = (uint16_t)base;

	now.driver.next_added = now.driver.published = now.driver.next_used = start;
	now.driver.available->idx = now.driver.used->idx = start;
}

static uint32_t walk_other_base(uint32_t base)
{
	return base;
}

static const uint64_t feature_sets[] = {
	FEATURE(VIRTIO_RING_F_INDIRECT_DESC),
	FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX),
};

/* The deeper ones without those operations that the last ones are: two chains that are put back at
 * once, and another device. */
static void every_short_sequence_agrees_with_the_model(void **state)
{
	static const struct {
		unsigned size, depth, operations;
	} rings[] = {{1, 12, 13}, {2, 10, 13}, {4, 9, 13}, {1, 9, OPERATIONS}, {2, 8, OPERATIONS},
		{4, 8, OPERATIONS}};

	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++)
		for (unsigned r = 0; r < ARRAY_SIZE(rings); r++) {
			world_begin(rings[r].size, feature_sets[f], 0xfffe);
			sequences_agree_with_the_model(rings[r].operations, rings[r].depth);
		}
}

/* Long enough for the indices to wrap several times, with arming rare and common. */
static void a_long_walk_agrees_with_the_model(void **state)
{
	const unsigned rarities[] = {1, 100, 100000};
	uint64_t seed = 20;

	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++)
		for (unsigned r = 0; r < ARRAY_SIZE(rarities); r++) {
			world_begin(4, feature_sets[f], 65000);
			walk(10000000, rarities[r], &seed);
			require(now.returned > (SHALLOWER ? 65536u : 4 * 65536u));
		}
}

static void silence_of_any_length_loses_no_wake_up(void **state)
{
	for (unsigned burst = 1; burst <= 4; burst++)
		for (unsigned silence = 65536 - 6; silence <= 65536 + 2; silence++) {
			world_begin(4, FEATURE(VIRTIO_RING_F_EVENT_IDX), 0);
			no_wake_up_is_lost(silence, burst);
		}
}

/* Without the event index. */
static void disarmed_sides_are_left_alone(void **state)
{
	world_begin(4, 0, 0);
	nobody_is_disturbed();
}

static void sizes_and_places_are_checked(void **state)
{
	static const unsigned wrong[] = {0, 3, 5, 6, 100, 32767, 32769, 65536, 1u << 31};
	struct split_driver driver;
	struct split_device device;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		require(split_device_init(&device, &memory, now.memory, now.memory, now.memory,
				wrong[i], 0, 0) < 0);
		require(split_driver_init(
				&driver, now.memory, now.memory, now.memory, wrong[i], 0) < 0);
	}
	require(split_device_init(
			&device, &memory, now.memory + 8, now.memory, now.memory, 4, 0, 0) < 0);
	require(split_device_init(
			&device, &memory, now.memory, now.memory + 1, now.memory, 4, 0, 0) < 0);
	require(split_device_init(
			&device, &memory, now.memory, now.memory, now.memory + 2, 4, 0, 0) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_sequence_agrees_with_the_model),
		cmocka_unit_test(a_long_walk_agrees_with_the_model),
		cmocka_unit_test(silence_of_any_length_loses_no_wake_up),
		cmocka_unit_test(disarmed_sides_are_left_alone),
		cmocka_unit_test(sizes_and_places_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
