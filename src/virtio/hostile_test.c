/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings as a hostile driver lays them, one fault at a time, and what the device side makes of each;
 * hostile devices against the driver side; and a driver that changes descriptors while they are
 * read.
 */
#include "virtio/split_driver.h"

#define SIZE              8
#define LAYOUT_DESCRIPTOR struct vring_desc
#define D(i, address, length, flags)                                                               \
	{                                                                                          \
		address, length, flags, (i) + 1                                                    \
	}
#define T(i, address, length, flags) D(i, address, length, flags)
#define FINE(count, sum, spans)      .pieces = count, .length = sum

#include "virtio/test_hostile.h"

static struct split_device device;
static uint8_t *ring, *tables;

/* Faults of this layout. Descriptors: address, length, flags, next. */
/* clang-format off */
static const struct hostile_case cases[] = {
	/* what is right, so that the rest is wrong for its own reason */
	{"last head", .ring[7] = {B, 1, 0, 0}, .head = 7, .pieces = 1, .length = 1},
	{"a whole ring of buffers", DIRECT({B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3}, {B, 1, N, 4},
		{B, 1, N, 5}, {B, 1, N, 6}, {B, 1, N, 7}, {B, 1, 0, 0}), .pieces = 8, .length = 8},
	{"backwards", .ring = {{B, 1, 0, 0}, {B, 1, N, 0}, {B, 1, N, 1}}, .head = 2, .pieces = 3,
		.length = 3},
	{"next is ignored without NEXT", DIRECT({B, 5, 0, 0xffff}), .pieces = 1, .length = 5},
	{"unknown flags are ignored", DIRECT({B, 5, 0xff00, 0}), .pieces = 1, .length = 5},

	/* heads and next */
	{"head is the size", DIRECT({B, 1, 0, 0}), .head = SIZE, .pieces = BAD},
	{"head is 0xffff", DIRECT({B, 1, 0, 0}), .head = 0xffff, .pieces = BAD},
	{"head is 0x8000", DIRECT({B, 1, 0, 0}), .head = 0x8000, .pieces = BAD},
	{"next is the size", DIRECT({B, 1, N, SIZE}), .pieces = BAD},
	{"next is 0xffff", DIRECT({B, 1, N, 0xffff}), .pieces = BAD},
	{"second next is out of bounds", DIRECT({B, 1, N, 1}, {B, 1, N, SIZE}), .pieces = BAD},
	{"loop of one", DIRECT({B, 1, N, 0}), .pieces = BAD},
	{"loop of two", DIRECT({B, 1, N, 1}, {B, 1, N, 0}), .pieces = BAD},
	{"loop behind a tail", DIRECT({B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 1}), .pieces = BAD},
	{"loop of a whole ring", DIRECT({B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3}, {B, 1, N, 4},
		{B, 1, N, 5}, {B, 1, N, 6}, {B, 1, N, 7}, {B, 1, N, 0}), .pieces = BAD},
	{"writable loop", DIRECT({B, 1, N | W, 0}), .writable = true, .pieces = BAD},

	/* indirect tables */
	{"table of three", TABLE(3), .table = {{B, 1, N, 2}, {B, 4, 0, 0}, {B, 2, N, 1}},
		.pieces = 3, .length = 7},
	{"table with unused entries", TABLE(8), .table = {{B, 1, 0, 0}}, .pieces = 1, .length = 1},
	{"table as long as the queue", TABLE(8), .table = {{B, 1, N, 1}, {B, 1, N, 2}, {B, 1, N, 3},
		{B, 1, N, 4}, {B, 1, N, 5}, {B, 1, N, 6}, {B, 1, N, 7}, {B, 1, 0, 0}}, .pieces = 8,
		.length = 8},
	{"table longer than the queue", TABLE(9), .table = {{B, 1, 0, 0}}, .pieces = BAD},
	{"next is the table's size", TABLE(2), .table = {{B, 1, N, 2}, {B, 1, 0, 0}, {B, 1, 0, 0}},
		.pieces = BAD},
	{"next is within the ring, not the table", TABLE(2), .table = {{B, 1, N, 5}, {B, 1, 0, 0},
		{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}}, .pieces = BAD},
	{"loop in the table", TABLE(2), .table = {{B, 1, N, 1}, {B, 1, N, 0}}, .pieces = BAD},
	{"loop of one in the table", TABLE(1), .table = {{B, 1, N, 0}}, .pieces = BAD},
};
/* clang-format on */

static struct vring_avail *available(void)
{
	return (struct vring_avail *)(ring + 0x100);
}

static struct vring_used *used(void)
{
	return (struct vring_used *)(ring + 0x200);
}

static void device_begin(uint64_t features, uint16_t next)
{
	require(split_device_init(
			&device, &memory, ring, available(), used(), SIZE, features, next) == 0);
}

static int set_up(void **state)
{
	ring = memory_begin();
	tables = ring + (TABLES - RING);
	return 0;
}

static void check_case(const struct hostile_case *c, bool walk)
{
	const uint64_t features = c->direct_only ? 0 : FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	struct iovec pieces[PIECES] = {{0}};
	unsigned room = c->pieces_max ? c->pieces_max : PIECES;
	uint32_t length = 0;
	uint8_t *simple;
	uint16_t head;
	int count;

	memcpy(ring, c->ring, SIZE * sizeof(c->ring[0]));
	poke_table(c);
	available()->ring[0] = c->head;
	available()->idx = 1;
	device_begin(features, 0);
	require(split_device_available(&device) == 1);
	simple = walk ? NULL : split_device_take_simple(&device, c->writable, &head, &length);
	if (simple) {
		pieces[0] = (struct iovec){simple, length};
		count = 1;
	} else {
		head = split_device_take(&device);
		count = split_device_buffers(&device, head, c->writable, pieces, room, &length);
	}
	check_pieces(c, count, device.broken, pieces, length);
}

static void chains_are_judged(void **state)
{
	require(ARRAY_SIZE(cases) + ARRAY_SIZE(shared_cases) >= 90);
	for (unsigned walk = 0; walk < 2; walk++) {
		for (unsigned i = 0; i < ARRAY_SIZE(shared_cases); i++)
			check_case(&shared_cases[i], walk);
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
			check_case(&cases[i], walk);
	}
}

static void available_index_may_not_jump(void **state)
{
	static const struct {
		uint16_t next, index;
		int available; /* -1: broken */
	} jumps[] = {
		{0, 0, 0},
		{0, 1, 1},
		{0, SIZE, SIZE},
		{0, SIZE + 1, -1},
		{0, 0x7fff, -1},
		{0, 0x8000, -1},
		{0, 0xffff, -1},
		{1, 0, -1},
		{5, 4, -1},
		{0xffff, 0, 1},
		{0xffff, SIZE - 1, SIZE},
		{0xffff, SIZE, -1},
		{0xffff, 0xffff, 0},
		{0xfffc, 4, SIZE},
		{0xfffc, 5, -1},
		{0x8000, 0x7fff, -1},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(jumps); i++)
		for (unsigned armed = 0; armed < 2; armed++) {
			available()->idx = jumps[i].index;
			device_begin(0, jumps[i].next);
			if (armed)
				require(split_device_arm(&device) == (jumps[i].available > 0));
			require((int)split_device_available(&device) == MAX(jumps[i].available, 0));
			require(device.broken == (jumps[i].available < 0));
			/* Broken for good: a driver that takes the index back is not heard. */
			available()->idx = jumps[i].next + 1;
			if (device.broken)
				require(!split_device_available(&device));
		}
}

/* Used rings of a hostile device: ids and the index, and how many chains the driver believes in. */
static void driver_does_not_believe_the_device(void **state)
{
	static const struct {
		const char *name;
		unsigned in_flight; /* chains of two descriptors: heads 0, 2, 4 */
		uint32_t ids[4];
		uint16_t index;
		unsigned taken;
		bool broken;
	} devices[] = {
		{"in order", 3, {0, 2, 4}, 3, 3, false},
		{"out of order", 3, {4, 0, 2}, 3, 3, false},
		{"nothing", 3, {0}, 0, 0, false},
		{"id is the size", 3, {SIZE}, 1, 0, true},
		{"id is huge", 3, {0xffffffff}, 1, 0, true},
		{"id that would be 0 in 16 bits", 3, {0x10000}, 1, 0, true},
		{"id inside a chain", 3, {1}, 1, 0, true},
		{"id that is free", 3, {6}, 1, 0, true},
		{"twice", 3, {0, 0}, 2, 1, true},
		{"twice, another between", 3, {0, 2, 0}, 3, 2, true},
		{"more than were in flight", 1, {0, 2}, 2, 1, true},
		{"index jumps", 1, {0, 0, 0, 0}, 0x8000, 1, true},
		{"nothing was in flight", 0, {0}, 1, 0, true},
		{"index went back", 0, {0}, 0xffff, 0, true},
	};
	const struct driver_buffer buffers[2] = {{B, 1}, {C, 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		struct split_driver driver;
		unsigned taken = 0;
		uint32_t written;
		uint64_t token;

		require(split_driver_init(&driver, ring, available(), used(), SIZE, 0) == 0);
		for (unsigned k = 0; k < devices[i].in_flight; k++)
			require(split_driver_add(&driver, buffers, 2, 0, NULL, k) == 0);
		split_driver_publish(&driver);
		for (unsigned k = 0; k < 4; k++)
			used()->ring[k].id = devices[i].ids[k];
		used()->idx = devices[i].index;
		while (split_driver_take(&driver, &token, &written)) {
			require(token == devices[i].ids[taken] / 2);
			taken++;
		}
		if (taken != devices[i].taken || driver.broken != devices[i].broken)
			fail_msg("%s: took %u", devices[i].name, taken);
		require(driver.free_count == SIZE - 2 * (devices[i].in_flight - taken));
		require(!split_driver_take(&driver, &token, &written));
		split_driver_fini(&driver);
	}
}

/* A driver that moves its index on while chains are in our hands: what is put back is never more
 * than the ring has, and one chain more breaks it. */
static void a_driver_that_goes_round_is_stopped(void **state)
{
	struct iovec pieces[2];
	uint32_t length;
	unsigned taken = 0;

	memset(ring, 0, 0x2000);
	((struct vring_desc *)ring)[0] = (struct vring_desc){B, 1, VRING_DESC_F_WRITE, 0};
	available()->idx = 0;
	device_begin(0, 0);
	for (;; taken++) {
		uint16_t head;

		available()->idx = (uint16_t)(taken + SIZE);
		require(split_device_available(&device));
		head = split_device_take(&device);
		if (split_device_buffers(&device, head, true, pieces, 2, &length) < 0)
			break;
	}
	split_device_untake(&device, 1);
	require(device.broken && taken == SIZE && split_device_outstanding(&device) == SIZE);
	split_device_untake(&device, taken);
	require(!split_device_outstanding(&device));
}

static bool stop_flipping;

/* A driver that changes its mind all the time: values that matter, in fields that matter. */
static void *flip(void *argument)
{
	static const uint64_t addresses[] = {
		B, B - 1, C_END - 1, C_END, 0, TABLES, LAST, UINT64_MAX, C - 7};
	static const uint32_t lengths[] = {0, 1, 16, 32, 128, 4096, 8192, 0xfffffff0, 0xffffffff};
	struct vring_desc *entries[2] = {(struct vring_desc *)ring, (struct vring_desc *)tables};
	uint64_t seed = 21;

	while (!__atomic_load_n(&stop_flipping, __ATOMIC_RELAXED)) {
		struct vring_desc *entry = &entries[test_below(&seed, 2)][test_below(&seed, SIZE)];

		ring_store(entry->addr, addresses[test_below(&seed, ARRAY_SIZE(addresses))]);
		ring_store(entry->len, lengths[test_below(&seed, ARRAY_SIZE(lengths))]);
		ring_store(entry->flags, (uint16_t)(test_below(&seed, 4) ? test_below(&seed, 2)
									 : test_below(&seed, 8)));
		ring_store(entry->next, (uint16_t)test_below(&seed, SIZE + 1));
	}
	return NULL;
}

static void descriptors_that_change_lead_nowhere_else(void **state)
{
	struct timespec begin, end;
	unsigned good = 0, bad = 0;
	pthread_t thread;

	memset(ring, 0, 0x2000);
	stop_flipping = false;
	require(pthread_create(&thread, NULL, flip, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (unsigned i = 0; i < 10000; i++) {
			struct iovec pieces[12] = {{0}};
			uint64_t sum = 0;
			uint32_t length;
			int count;

			if (i == 0 || device.broken)
				device_begin(FEATURE(VIRTIO_RING_F_INDIRECT_DESC), 0);
			count = split_device_buffers(
				&device, (uint16_t)(i % SIZE), i & 1, pieces, 8, &length);
			for (int k = 0; k < count; k++) {
				require(k < 8 && test_memory_holds(&memory, &pieces[k]));
				sum += pieces[k].iov_len;
			}
			require(!pieces[8].iov_base);
			require(count == BAD ? device.broken : sum == length);
			*(count == BAD ? &bad : &good) += 1;
		}
		clock_gettime(CLOCK_MONOTONIC, &end);
	} while (end.tv_sec - begin.tv_sec < 2);
	__atomic_store_n(&stop_flipping, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	require(good > 1000 && bad > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_judged),
		cmocka_unit_test(available_index_may_not_jump),
		cmocka_unit_test(driver_does_not_believe_the_device),
		cmocka_unit_test(a_driver_that_goes_round_is_stopped),
		cmocka_unit_test(descriptors_that_change_lead_nowhere_else),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
