/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed rings as a hostile driver lays them, one fault at a time, and what the device side makes
 * of each; and a driver that changes descriptors while they are read.
 */
#include <errno.h>

#include "virtio/packed_device.h"
#include "virtio/packed_driver.h"

#define SIZE              6 /* no power of two */
#define LAYOUT_DESCRIPTOR struct vring_packed_desc
/* Every chain has the same id; what follows follows without being named. */
#define ID                4
#define D(i, address, length, flags)                                                               \
	{                                                                                          \
		address, length, ID, flags                                                         \
	}
#define T(i, address, length, flags) D(i, address, length, flags)
#define FINE(count, sum, spans)      .pieces = count, .length = sum, .id = ID, .slots = spans

#include "virtio/test_hostile.h"

static struct packed_device device;
static struct vring_packed_desc *ring;
static uint32_t *driver_event, *device_event;

#define GOOD(p, l, i, s) .pieces = p, .length = l, .id = i, .slots = s
/* Faults of this layout. Descriptors: address, length, id, flags. */
/* clang-format off */
static const struct hostile_case cases[] = {
	/* what is right, so that the rest is wrong for its own reason */
	{"three writable buffers", DIRECT({B, 1, 0, N | W}, {C, 2, 0, N | W}, {B, 3, 5, W}),
		.writable = true, GOOD(3, 6, 5, 3)},
	{"a whole ring of buffers", DIRECT({B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N},
		{B, 1, 0, N}, {B, 1, 3, 0}), GOOD(6, 6, 3, 6)},
	{"the id is the last one's", DIRECT({B, 1, 1, N}, {B, 1, 2, N}, {B, 1, 3, 0}), GOOD(3, 3, 3,
		3)},
	{"an id above the size comes back", DIRECT({B, 1, SIZE, 0}), GOOD(1, 1, SIZE, 1)},
	{"the highest id comes back", DIRECT({B, 1, 1, N}, {B, 1, 0xffff, 0}), GOOD(2, 2, 0xffff,
		2)},
	{"unknown flags are ignored", DIRECT({B, 5, 4, 0x7f78}), GOOD(1, 5, 4, 1)},

	/* chains without end */
	{"NEXT all around", DIRECT({B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N},
		{B, 1, 0, N}, {B, 1, 0, N}), .pieces = BAD},
	{"NEXT all around, writable", DIRECT({B, 1, 0, N | W}, {B, 1, 0, N | W}, {B, 1, 0, N | W},
		{B, 1, 0, N | W}, {B, 1, 0, N | W}, {B, 1, 0, N | W}), .writable = true,
		.pieces = BAD},
	{"NEXT into nothing", DIRECT({B, 1, 0, N}), .pieces = BAD},

	/* indirect tables */
	{"table of three", TABLE(3), .table = {{B, 1, 0, 0}, {C, 2, 0, 0}, {B, 4, 0, 0}}, GOOD(3, 7,
		4, 1)},
	{"NEXT and ids in a table mean nothing", TABLE(2), .table = {{B, 1, 9, 0}, {B, 2, 77, N}},
		GOOD(2, 3, 4, 1)},
	{"state flags in a table mean nothing", TABLE(2), .table = {{B, 1, 0, 0x8080},
		{B, 2, 0, 0x80}}, GOOD(2, 3, 4, 1)},
	{"table as long as the queue", TABLE(6), .table = {{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0},
		{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}}, GOOD(6, 6, 4, 1)},
	{"table longer than the queue", TABLE(7), .table = {{B, 1, 0, 0}, {B, 1, 0, 0},
		{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}},
		.pieces = BAD},
	{"an entry that was not filled", TABLE(2), .table = {{B, 1, 0, 0}}, .pieces = BAD},
};
/* clang-format on */

static int begin(uint64_t features, uint32_t base)
{
	return packed_device_init(
		&device, &memory, ring, driver_event, device_event, SIZE, features, base);
}

static int set_up(void **state)
{
	uint8_t *bytes = memory_begin();

	ring = (struct vring_packed_desc *)bytes;
	driver_event = (uint32_t *)(bytes + 0x100);
	device_event = (uint32_t *)(bytes + 0x104);
	return 0;
}

/* Lays the case's chain into the ring, its head at `slot` in the lap of `wrap`. */
static void lay(const struct hostile_case *c, uint16_t slot, bool wrap)
{
	struct packed_place place = packed_place_available(slot, wrap);

	for (unsigned i = 0; i < SIZE; i++) {
		struct vring_packed_desc descriptor = c->ring[i];

		descriptor.flags = (uint16_t)((descriptor.flags & ~PACKED_STATE) | place.flags);
		ring[place.slot] = descriptor;
		packed_place_advance(&place, 1, SIZE);
	}
	poke_table(c);
}

static void check_case(const struct hostile_case *c, uint16_t slot, bool wrap, bool walk)
{
	const uint64_t features = c->direct_only ? 0 : FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	uint32_t base = slot | (uint32_t)wrap << 15;
	struct ring_chain chain = {99, 99};
	struct iovec pieces[PIECES] = {{0}};
	unsigned room = c->pieces_max ? c->pieces_max : PIECES;
	uint32_t length = 0;
	uint8_t *simple;
	int count;

	lay(c, slot, wrap);
	require(begin(features, base | base << 16) == 0);
	require(packed_device_available(&device) == 1);
	simple = walk ? NULL : packed_device_take_simple(&device, c->writable, &chain, &length);
	if (simple) {
		pieces[0] = (struct iovec){simple, length};
		count = 1;
	} else {
		count = packed_device_take(&device, &chain, c->writable, pieces, room, &length);
	}
	check_pieces(c, count, device.broken, pieces, length);
	if (chain.id != c->id || chain.count != c->slots)
		fail_msg("%s: id %u, %u slots", c->name, chain.id, chain.count);
	if (count == BAD) {
		require(!packed_device_available(&device) && packed_device_failed(&device));
		require((packed_device_base(&device) & 0xffff) == base);
		return;
	}
	packed_device_untake(&device, chain.count);
	require((packed_device_base(&device) & 0xffff) == base);
}

static void check_everywhere(const struct hostile_case *c)
{
	for (uint16_t slot = 0; slot < SIZE; slot++)
		for (unsigned wrap = 0; wrap < 2; wrap++)
			for (unsigned walk = 0; walk < 2; walk++)
				check_case(c, slot, wrap, walk);
}

static void chains_are_judged(void **state)
{
	require(ARRAY_SIZE(cases) + ARRAY_SIZE(shared_cases) >= 81);
	for (unsigned i = 0; i < ARRAY_SIZE(shared_cases); i++)
		check_everywhere(&shared_cases[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		check_everywhere(&cases[i]);
}

/* Only the one of four states that is "available in this lap" yields a chain. */
static void only_this_lap_is_available(void **state)
{
	static const uint16_t states[] = {0, PACKED_AVAIL, PACKED_USED, PACKED_STATE};

	memset(ring, 0, SIZE * sizeof(*ring));
	for (unsigned wrap = 0; wrap < 2; wrap++)
		for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
			bool expected = states[i] == (wrap ? PACKED_AVAIL : PACKED_USED);
			struct ring_chain chain;
			struct iovec piece;
			uint32_t length;

			ring[2] = (struct vring_packed_desc){B, 1, 0, states[i]};
			require(begin(0, 2 | wrap << 15) == 0);
			require(packed_device_available(&device) == expected);
			require(packed_device_arm(&device) == expected);
			/* A descriptor that was withdrawn after we looked. */
			require(packed_device_take(&device, &chain, false, &piece, 1, &length) ==
				(expected ? 1 : BAD));
			require(device.broken != expected);
		}
}

static void sizes_bases_and_places_are_checked(void **state)
{
	static const struct {
		unsigned size;
		uint32_t base;
		int64_t encoded; /* the base that the device reports; -1: refused */
	} begins[] = {
		{0, 0, -1},
		{RING_SIZE_MAX + 1, 0, -1},
		{65536, 0, -1},
		{65537, 0, -1},
		{UINT32_MAX, 0, -1},
		{1, PACKED_BASE_FRESH, PACKED_BASE_FRESH},
		{1, 0x8000, PACKED_BASE_FRESH},
		{1, 0, 0},
		{1, 1, -1},
		{1, 0x8001, -1},
		{1, 0x80008001, -1},
		{6, 0x00018006, -1},
		{1, 0x80018000, -1},
		{1, 0x00018000, -1},
		{6, 5, 0x00050005},
		{6, 6, -1},
		{6, 0x8005, 0x80058005},
		{6, 0x8006, -1},
		{6, 0x00058002, 0x00058002},
		{6, 0x80050002, 0x80050002},
		{6, 0x00068002, -1},
		{6, 0x80000003, -1}, /* nine slots taken and not given */
		{6, 0x00050005, 0x00050005},
		{6, 0x80050005, 0x80050005}, /* six */
		{6, 0x00050002, -1},         /* given before it was taken */
		{6, 0x80058002, -1},
		{6, 0x7fff0000, -1},
		{6, 0xffff0000, -1},
		{6, 0xffff, -1},
		{RING_SIZE_MAX, 0x7fff, 0x7fff7fff},
		{RING_SIZE_MAX, 0xffff, 0xffffffff},
		{RING_SIZE_MAX, 0xffff7fff, 0xffff7fff},
	};
	uint8_t *at = (uint8_t *)ring;
	struct packed_driver driver;

	for (unsigned i = 0; i < ARRAY_SIZE(begins); i++) {
		int result = packed_device_init(&device, &memory, ring, driver_event, device_event,
			begins[i].size, 0, begins[i].base);

		if (result != (begins[i].encoded < 0 ? -EINVAL : 0) ||
			(!result && packed_device_base(&device) != begins[i].encoded))
			fail_msg("size %u, base %x: %d", begins[i].size, begins[i].base, result);
	}
	for (unsigned offset = 1; offset < 16; offset++) {
		int event = offset % 4 ? -EINVAL : 0;

		require(packed_device_init(&device, &memory, at + offset, driver_event,
				device_event, 4, 0, 0) == -EINVAL);
		require(packed_device_init(&device, &memory, ring, (uint8_t *)driver_event + offset,
				device_event, 4, 0, 0) == event);
		require(packed_device_init(&device, &memory, ring, driver_event,
				(uint8_t *)device_event + offset, 4, 0, 0) == event);
		require(packed_driver_init(
				&driver, at + offset, driver_event, device_event, 4, 0) == -EINVAL);
	}
	require(packed_driver_init(&driver, ring, driver_event, device_event, 0, 0) == -EINVAL);
	require(packed_driver_init(&driver, ring, driver_event, device_event, RING_SIZE_MAX + 1,
			0) == -EINVAL);
	require(packed_descriptors_size(3) == 48 && packed_event_size() == 4);
}

/* Makes every slot an available chain of `count` buffers in the lap in which the device takes it
 * next. */
static void offer_everything(unsigned count)
{
	struct packed_place place = device.taken;

	for (unsigned i = 0; i < SIZE; i++) {
		ring[place.slot] = (struct vring_packed_desc){B, 1, (uint16_t)i,
			(uint16_t)(place.flags | W | (i % count + 1 < count ? N : 0))};
		packed_place_advance(&place, 1, SIZE);
	}
}

/* Chains that are made available again while they are in our hands, taken until none is left to
 * take: what is put back is less than a lap, and what was not taken breaks the ring. */
static void a_driver_that_goes_round_is_stopped(void **state)
{
	for (unsigned count = 1; count <= SIZE; count++)
		for (unsigned given = 0; given <= SIZE; given++)
			for (uint16_t slot = 0; slot < SIZE; slot++) {
				struct ring_chain chain;
				struct iovec pieces[SIZE];
				unsigned slots = 0, gave = 0, room;
				uint32_t length;

				require(begin(0, slot | (uint32_t)slot << 16) == 0);
				for (;;) {
					offer_everything(count);
					require(packed_device_available(&device));
					if (packed_device_take(&device, &chain, true, pieces, SIZE,
						    &length) < 0)
						break;
					require(chain.count == count);
					if (gave + count <= given) {
						packed_device_give(&device, chain, 1);
						gave += count;
					} else {
						slots += count;
					}
					require(slots + gave <= SIZE);
				}
				room = SIZE - slots - gave;
				require(device.broken && room < count);
				require(packed_device_outstanding(&device) == slots);
				packed_device_untake(&device, slots);
				require(!packed_device_outstanding(&device));
				require(device.taken.slot < SIZE);
				packed_device_publish(&device);
			}
}

/* A caller's mistake does not leave the ring's bounds either. */
static void no_more_is_put_back_than_was_taken(void **state)
{
	for (unsigned slots = 1; slots < 3 * SIZE; slots++) {
		require(begin(0, 0x00008000 | 3 | (3u | 0x8000) << 16) == 0);
		packed_device_untake(&device, slots);
		require(device.broken && device.taken.slot == 3);
	}
}

/* Whatever the driver's event structure says, a publish ends and answers. */
static void any_event_structure_is_survived(void **state)
{
	uint64_t seed = 32;

	for (unsigned i = 0; i < 100000; i++) {
		struct ring_chain chain = {0, (uint16_t)(1 + test_below(&seed, SIZE))};
		uint32_t base = (uint32_t)test_below(&seed, SIZE);

		*driver_event = (uint32_t)test_random(&seed) & (i & 1 ? 0x0003ffff : 0xffffffff);
		require(begin(FEATURE(VIRTIO_RING_F_EVENT_IDX), base) == 0);
		packed_device_give(&device, chain, 1);
		device.signalled_valid = true;
		if (packed_device_publish(&device))
			require(*driver_event >> 16 != VRING_PACKED_EVENT_FLAG_DISABLE);
		require(!packed_device_publish(&device));
	}
	*driver_event = 0;
}

static bool stop_flipping;

/* A driver that changes its mind all the time: values that matter, in fields that matter. */
static void *flip(void *argument)
{
	static const uint64_t addresses[] = {
		B, B - 1, C_END - 1, C_END, 0, TABLES, LAST, UINT64_MAX, C - 7};
	static const uint32_t lengths[] = {0, 1, 16, 32, 96, 4096, 8192, 0xfffffff0, 0xffffffff};
	struct vring_packed_desc *tables = ring + (TABLES - RING) / sizeof(*ring);
	struct vring_packed_desc *entries[2] = {ring, tables};
	uint64_t seed = 34;

	while (!__atomic_load_n(&stop_flipping, __ATOMIC_RELAXED)) {
		struct vring_packed_desc *entry =
			&entries[test_below(&seed, 2)][test_below(&seed, SIZE)];
		uint16_t flags = (uint16_t)(test_below(&seed, 4) ? test_below(&seed, 2)
								 : test_below(&seed, 8));

		ring_store(entry->addr, addresses[test_below(&seed, ARRAY_SIZE(addresses))]);
		ring_store(entry->len, lengths[test_below(&seed, ARRAY_SIZE(lengths))]);
		ring_store(entry->id, (uint16_t)test_below(&seed, SIZE));
		/* Nearly always available: in this lap or the other. */
		ring_store(entry->flags,
			(uint16_t)(flags | (test_below(&seed, 2) ? PACKED_AVAIL : PACKED_USED)));
	}
	return NULL;
}

/* Takes a chain if there is one and looks whether what comes of it is in order. */
static void take_flipping(bool writable, unsigned *good, unsigned *bad)
{
	struct iovec pieces[12] = {{0}};
	struct ring_chain chain;
	uint32_t length = 0;
	uint64_t sum = 0;
	int count;

	if (!packed_device_available(&device))
		return;
	count = packed_device_take(&device, &chain, writable, pieces, 8, &length);
	for (int k = 0; k < count; k++) {
		require(k < 8 && test_memory_holds(&memory, &pieces[k]));
		sum += pieces[k].iov_len;
	}
	require(!pieces[8].iov_base);
	require(count == BAD ? device.broken : sum == length && chain.count <= SIZE);
	*(count == BAD ? bad : good) += 1;
}

static void descriptors_that_change_lead_nowhere_else(void **state)
{
	struct timespec start, end;
	unsigned good = 0, bad = 0;
	pthread_t thread;

	memset(ring, 0, 0x100);
	stop_flipping = false;
	require(pthread_create(&thread, NULL, flip, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (unsigned i = 0; i < 10000; i++) {
			/* Nothing here: go on at any place, in any lap. */
			if (i == 0 || !packed_device_available(&device))
				require(begin(FEATURE(VIRTIO_RING_F_INDIRECT_DESC),
						i % SIZE | (i & 8 ? 0x8000 : 0)) == 0);
			/* Nothing is given: that would take the ring away from the flipper. */
			take_flipping(i & 1, &good, &bad);
		}
		clock_gettime(CLOCK_MONOTONIC, &end);
		/* On a busy machine the flipper may come late. */
	} while (end.tv_sec - start.tv_sec < 2 ||
		 ((good <= 1000 || bad <= 1000) && end.tv_sec - start.tv_sec < 30));
	__atomic_store_n(&stop_flipping, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	require(good > 1000 && bad > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_judged),
		cmocka_unit_test(only_this_lap_is_available),
		cmocka_unit_test(sizes_bases_and_places_are_checked),
		cmocka_unit_test(a_driver_that_goes_round_is_stopped),
		cmocka_unit_test(no_more_is_put_back_than_was_taken),
		cmocka_unit_test(any_event_structure_is_survived),
		cmocka_unit_test(descriptors_that_change_lead_nowhere_else),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
