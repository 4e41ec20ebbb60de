/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arithmetic of packed rings: places and laps, and windows of events, against counting step by
 * step.
 */
#include "virtio/test_ring.h"

#include "virtio/packed_ring.h"

static void places_agree_with_counting(void **state)
{
	for (unsigned size = 1; size <= 6; size++)
		for (unsigned at = 0; at < 2 * size; at++)
			for (unsigned count = 0; count <= size; count++) {
				struct packed_place place = packed_place_available(
					(uint16_t)(at % size), at < size);
				const struct packed_place begin = place;
				unsigned to = (at + count) % (2 * size);

				packed_place_advance(&place, count, size);
				require(place.slot == to % size);
				require(place.flags == (to < size ? PACKED_AVAIL : PACKED_USED));
				require(packed_place_encode(place) ==
					(to % size | (to < size ? 0x8000 : 0)));
				packed_place_retreat(&place, count, size);
				require(place.slot == begin.slot && place.flags == begin.flags);
			}
}

static void used_places_flip_both_flags(void **state)
{
	struct packed_place place = packed_place_used(2, true);

	require(place.flags == PACKED_STATE && packed_place_encode(place) == 0x8002);
	packed_place_advance(&place, 3, 3);
	require(place.slot == 2 && !place.flags && packed_place_encode(place) == 2);
	packed_place_advance(&place, 1, 3);
	require(place.slot == 0 && place.flags == PACKED_STATE);
}

static void a_descriptor_is_read_as_it_lies(void **state)
{
	struct vring_packed_desc descriptor = {
		.addr = 0x1122334455667788, .len = 0x99aabbcc, .id = 0xddee, .flags = 0xff01};
	struct packed_descriptor copy = packed_read(&descriptor);

	require(copy.address == 0x1122334455667788 && copy.length == 0x99aabbcc);
	require(copy.id == 0xddee && copy.flags == 0xff01);
	require(*packed_second_word(&descriptor) == packed_word(0x99aabbcc, 0xddee, 0xff01));
}

/* The dumb way to see whether an event was passed: go there step by step. */
static bool event_among(uint16_t off_wrap, struct packed_place after, unsigned count, unsigned size)
{
	while (count--) {
		packed_place_retreat(&after, 1, size);
		if (packed_place_encode(after) == off_wrap)
			return true;
	}
	return false;
}

static void event_windows_agree_with_counting(void **state)
{
	for (unsigned size = 1; size <= 6; size++)
		for (unsigned at = 0; at < 2 * size; at++)
			for (unsigned count = 1; count <= size; count++)
				for (unsigned off = 0; off < 2 * size; off++) {
					struct packed_place after = packed_place_used(
						(uint16_t)(at % size), at >= size);
					uint16_t off_wrap = (uint16_t)(off % size |
								       (off >= size ? 0x8000 : 0));
					uint32_t event = packed_event(
						off_wrap, VRING_PACKED_EVENT_FLAG_DESC);

					require(packed_event_wanted(
							event, true, false, after, count, size) ==
						event_among(off_wrap, after, count, size));
				}
}

static void event_windows_hold_in_the_largest_ring(void **state)
{
	uint64_t seed = 31;

	for (unsigned i = 0; i < 3000; i++) {
		unsigned size = RING_SIZE_MAX - (unsigned)test_below(&seed, 2);
		/* Most often near an end of the ring, where laps change. */
		unsigned near = i % 3 ? 3 : size;
		uint16_t slot = (uint16_t)test_below(&seed, near);
		uint16_t off = (uint16_t)test_below(&seed, near);
		unsigned count = 1 + (unsigned)test_below(&seed, near);
		struct packed_place after;
		uint16_t off_wrap;

		if (test_below(&seed, 2))
			slot = (uint16_t)(size - 1 - slot);
		if (test_below(&seed, 2))
			off = (uint16_t)(size - 1 - off);
		if (test_below(&seed, 2))
			count = size + 1 - count;
		after = packed_place_available(slot, test_below(&seed, 2));
		off_wrap = (uint16_t)(off | (test_below(&seed, 2) ? 0x8000 : 0));
		require(packed_event_wanted(packed_event(off_wrap, VRING_PACKED_EVENT_FLAG_DESC),
				true, false, after, count,
				size) == event_among(off_wrap, after, count, size));
	}
}

static void event_flags_are_obeyed(void **state)
{
	const struct packed_place after = packed_place_used(2, true);
	/* Slot 1 of this lap, which a burst of one slot has passed, and slot 2, which it has
	 * not. */
	const uint16_t passed = 0x8001, ahead = 0x8002;

	require(packed_event_wanted(packed_event(ahead, 0), true, false, after, 1, 4));
	require(!packed_event_wanted(packed_event(passed, 1), true, false, after, 1, 4));
	require(!packed_event_wanted(packed_event(passed, 1), true, true, after, 1, 4));
	require(packed_event_wanted(packed_event(passed, 2), true, false, after, 1, 4));
	require(!packed_event_wanted(packed_event(ahead, 2), true, false, after, 1, 4));
	require(packed_event_wanted(packed_event(ahead, 2), true, true, after, 1, 4));
	/* DESC without the event index, and what is reserved. */
	require(packed_event_wanted(packed_event(ahead, 2), false, false, after, 1, 4));
	require(packed_event_wanted(packed_event(ahead, 3), true, false, after, 1, 4));
	require(packed_event_wanted(packed_event(ahead, 0xffff), true, false, after, 1, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_agree_with_counting),
		cmocka_unit_test(used_places_flip_both_flags),
		cmocka_unit_test(a_descriptor_is_read_as_it_lies),
		cmocka_unit_test(event_windows_agree_with_counting),
		cmocka_unit_test(event_windows_hold_in_the_largest_ring),
		cmocka_unit_test(event_flags_are_obeyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
