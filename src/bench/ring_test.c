/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator's rings with IN_ORDER, against a device of a few lines that uses buffers in batches
 * of any size and tells of the last one only ("In-Order Use of Descriptors"). Split and packed
 * rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/ring.h"
#include "virtio/split_device.h"

#define SLOT_SIZE 64
#define RING_MAX  64
#define ADDRESS   UINT64_C(0x40000000)

struct world {
	struct bench_ring ring;
	bool packed;
	unsigned size;
	unsigned put;       /* buffers ever put, and so the next one's entry */
	unsigned published; /* of these the device may use so many */
	unsigned used;      /* and has used */
	unsigned taken;
	/* What the driver has to see of each used buffer that it has not taken. */
	uint32_t written[RING_MAX];
	uint64_t random;
	struct vring_desc descriptors[RING_MAX];
	uint64_t available[RING_MAX], used_ring[2 * RING_MAX];
	uint8_t slots[RING_MAX * SLOT_SIZE];
};

static unsigned pick(struct world *world, unsigned most)
{
	world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(world->random >> 33) % (most + 1);
}

static struct world *open_world(bool packed, unsigned size, uint64_t features, uint64_t seed)
{
	struct world *world = test_calloc(1, sizeof(*world));
	const struct bench_ring_config config = {
		.descriptors = world->descriptors,
		.available = world->available,
		.used = world->used_ring,
		.size = size,
		.slots = world->slots,
		.slots_address = ADDRESS,
		.slot_size = SLOT_SIZE,
		.writable = seed & 1,
		.features = features | (packed ? UINT64_C(1) << VIRTIO_F_RING_PACKED : 0),
	};

	world->packed = packed;
	world->size = size;
	world->random = seed;
	assert_int_equal(bench_ring_init(&world->ring, &config), 0);
	return world;
}

static struct world *open_in_order(bool packed, unsigned size, uint64_t seed)
{
	return open_world(packed, size, UINT64_C(1) << VIRTIO_F_IN_ORDER, seed);
}

static void close_world(struct world *world)
{
	bench_ring_fini(&world->ring);
	test_free(world);
}

static void put(struct world *world, unsigned count)
{
	uint16_t ids[RING_MAX];
	uint32_t lengths[RING_MAX];

	for (unsigned i = 0; i < count; i++) {
		ids[i] = (uint16_t)((world->put + i) % world->size);
		lengths[i] = SLOT_SIZE;
	}
	bench_ring_put(&world->ring, ids, lengths, count);
	world->put += count;
}

static void publish(struct world *world)
{
	bench_ring_publish(&world->ring);
	world->published = world->put;
}

/* The device's word on `count` buffers from the oldest one on: the id of the last, its length. */
static void use_as(struct world *world, unsigned count, uint32_t id, uint32_t length)
{
	unsigned entry = world->used % world->size;
	bool wrap = world->used / world->size % 2 == 0;

	if (world->packed) {
		struct vring_packed_desc *descriptor = (void *)&world->descriptors[entry];

		descriptor->id = (uint16_t)id;
		descriptor->len = length;
		descriptor->flags = wrap ? 1u << VRING_PACKED_DESC_F_AVAIL |
						    1u << VRING_PACKED_DESC_F_USED
					 : 0;
	} else {
		struct vring_used *used = (void *)world->used_ring;

		used->ring[entry] = (struct vring_used_elem){.id = id, .len = length};
		used->idx = (uint16_t)(world->used + count);
	}
	for (unsigned i = 0; i < count; i++)
		world->written[(world->used + i) % world->size] = i + 1 < count ? SLOT_SIZE
										: length;
	world->used += count;
}

static void use(struct world *world, unsigned count)
{
	use_as(world, count, (world->used + count - 1) % world->size, pick(world, SLOT_SIZE));
}

/* Takes as many as there are, at most `max`, and compares. */
static void take(struct world *world, unsigned max)
{
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];
	unsigned expected = MIN(world->used - world->taken, max);

	assert_int_equal(bench_ring_take(&world->ring, ids, lengths, max), expected);
	for (unsigned i = 0; i < expected; i++) {
		assert_int_equal(ids[i], world->taken % world->size);
		assert_int_equal(lengths[i], world->written[ids[i]]);
		world->taken++;
	}
	assert_false(world->ring.broken);
	assert_int_equal(world->ring.outstanding, world->put - world->taken);
}

/* The device must find buffer i in entry i. */
static void check_available(const struct world *world)
{
	const struct vring_avail *available = (const void *)world->available;

	for (unsigned i = world->used; i < world->published; i++) {
		unsigned id = i % world->size;

		assert_int_equal(world->descriptors[id].addr, ADDRESS + id * SLOT_SIZE);
		if (world->packed)
			assert_int_equal(
				((const struct vring_packed_desc *)&world->descriptors[id])->id,
				id);
		else
			assert_int_equal(available->ring[id], id);
	}
}

static void batches_come_back_whole(void **state)
{
	for (unsigned seed = 0; seed < 400; seed++) {
		struct world *world = open_in_order(seed & 2, 1u << (1 + seed % 6), seed);

		for (unsigned i = 0; i < 2000; i++) {
			put(world, pick(world, world->size - (world->put - world->taken)));
			if (pick(world, 3))
				publish(world);
			check_available(world);
			while (world->used < world->published && pick(world, 2))
				use(world, 1 + pick(world, world->published - world->used - 1));
			take(world, pick(world, BENCH_BURST));
		}
		assert_true(world->taken > 500);
		close_world(world);
	}
}

/* A whole ring as one batch, again and again, taken piece by piece. */
static void a_batch_may_be_the_ring(void **state)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		struct world *world = open_in_order(packed, 64, packed);

		for (unsigned i = 0; i < 3000; i++) {
			put(world, 64);
			publish(world);
			take(world, BENCH_BURST);
			use(world, 64);
			take(world, 1);
			take(world, 40);
			take(world, BENCH_BURST);
			take(world, BENCH_BURST);
			assert_int_equal(world->taken, world->put);
		}
		close_world(world);
	}
}

/* Without the feature the same words of the device mean something else. */
static void without_the_feature_there_are_no_batches(void **state)
{
	struct world *world = open_world(true, 64, 0, 0);
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];

	put(world, 8);
	publish(world);
	use(world, 8);
	assert_int_equal(bench_ring_take(&world->ring, ids, lengths, BENCH_BURST), 1);
	assert_int_equal(ids[0], 7);
	close_world(world);
}

static void lies_are_found_out(void **state)
{
	static const struct {
		unsigned put, count;
		uint32_t id;
	} lies[] = {
		{8, 1, 64},     /* no such buffer */
		{8, 1, 0xffff}, /* likewise */
		{8, 4, 8},      /* one that the device does not have */
		{8, 1, 63},     /* one of the round before */
		{0, 1, 0},      /* none is there */
		{8, 9, 8},      /* more than there are */
		{64, 1, UINT16_MAX & ~63u},
	};
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(lies); i++) {
		bool packed = i % 2;
		struct world *world = open_in_order(packed, 64, i);

		put(world, lies[i / 2].put);
		publish(world);
		use_as(world, lies[i / 2].count, lies[i / 2].id, 10);
		assert_int_equal(bench_ring_take(&world->ring, ids, lengths, BENCH_BURST), 0);
		/* Where the driver expects nothing, it does not look at a packed ring at all. */
		assert_int_equal(world->ring.broken, !packed || lies[i / 2].put);
		assert_int_equal(bench_ring_take(&world->ring, ids, lengths, BENCH_BURST), 0);
		close_world(world);
	}
}

/* A batch that is longer than what the used index tells of. */
static void a_batch_beyond_the_index_is_a_lie(void **state)
{
	struct world *world = open_in_order(false, 64, 0);
	uint16_t ids[BENCH_BURST];
	uint32_t lengths[BENCH_BURST];

	put(world, 8);
	publish(world);
	use_as(world, 3, 5, 10);
	assert_int_equal(bench_ring_take(&world->ring, ids, lengths, BENCH_BURST), 0);
	assert_true(world->ring.broken);
	close_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_come_back_whole),
		cmocka_unit_test(a_batch_may_be_the_ring),
		cmocka_unit_test(without_the_feature_there_are_no_batches),
		cmocka_unit_test(lies_are_found_out),
		cmocka_unit_test(a_batch_beyond_the_index_is_a_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
