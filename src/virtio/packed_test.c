/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both sides of a packed ring, driven by every sequence of operations up to a length, on rings of 1
 * to 4 entries, against a model that knows only the order of things: chains are numbered as they
 * are added, the device takes them in that order, and the driver gets them back as the device gave
 * them. A side that was told "nothing pending" when it armed must be notified of the next publish.
 * The device may be replaced, at its base, whenever it holds nothing.
 */
#include "virtio/test_ring.h"

#include "virtio/packed_device.h"

/* The driver's private records are part of the world that is saved and restored. */
#include "virtio/packed_driver.c"

#define SIZE_MAX_TESTED 4
#define BASE            UINT64_C(0x10000)
#define EVENTS_AT       64  /* the driver's, then the device's */
#define TABLES_AT       128 /* one of 4 entries a chain in flight */
#define BUFFERS_AT      (TABLES_AT + CHAINS * 64)
#define CHAINS          8 /* records of chains, by number modulo: more than can be in flight */
#define BUFFER_SIZE     8
#define MEMORY_SIZE     (BUFFERS_AT + CHAINS * 4 * BUFFER_SIZE)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHALLOWER 2
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHALLOWER 2
#endif
#endif
#ifndef SHALLOWER
#define SHALLOWER 0
#endif

struct model_chain {
	uint8_t buffers;
	uint8_t slots;
};

/* Everything that an operation may change, so that copying it saves and restores the world. */
static struct world {
	uint8_t memory[MEMORY_SIZE] __attribute__((aligned(64)));
	struct packed_driver driver;
	struct packed_driver_chain chains[SIZE_MAX_TESTED];
	struct packed_device device;

	/* The model: rising numbers of chains. */
	uint32_t added, published, taken;
	struct model_chain kinds[CHAINS];
	uint32_t given, given_published, returned; /* into order[] */
	uint32_t order[CHAINS];                    /* chain numbers as the device gave them */
	struct ring_chain held_chains[2];          /* held by the device, oldest first */
	uint32_t held_numbers[2];
	unsigned held;
	bool device_sleeps, driver_sleeps; /* armed, told "nothing", not notified since */
} now;

static struct guest_memory memory;
static uint64_t features;

static void device_begin(unsigned size, uint32_t base)
{
	require(packed_device_init(&now.device, &memory, now.memory, now.memory + EVENTS_AT,
			now.memory + EVENTS_AT + 4, size, features, base) == 0);
}

/* A ring of which everything before `slot` was used in this lap, and the rest in the one before. */
static void world_begin(unsigned size, uint64_t with_features, uint16_t slot, bool wrap)
{
	struct vring_packed_desc *descriptors = (struct vring_packed_desc *)now.memory;
	uint32_t base = slot | (uint32_t)wrap << 15;

	memset(&now, 0, sizeof(now));
	memset(&memory, 0, sizeof(memory));
	features = with_features;
	memory.count = 1;
	memory.regions[0] = (struct guest_region){.guest_address = BASE,
		.size = MEMORY_SIZE,
		.user_address = BASE,
		.host = now.memory};
	require(packed_driver_init(&now.driver, now.memory, now.memory + EVENTS_AT,
			now.memory + EVENTS_AT + 4, size, features) == 0);
	memcpy(now.chains, now.driver.chains, size * sizeof(now.chains[0]));
	free(now.driver.chains);
	now.driver.chains = now.chains;
	now.driver.added = packed_place_available(slot, wrap);
	now.driver.used = packed_place_used(slot, wrap);
	for (unsigned i = 0; i < size; i++)
		descriptors[i].flags = packed_place_used((uint16_t)i, wrap == (i < slot)).flags;
	device_begin(size, base | base << 16);
}

/* What the buffers of a chain are follows from its number. Readable ones in a row make batches. */
static bool chain_writable(uint32_t number)
{
	return number % 4 == 3;
}

static uint32_t chain_written(uint32_t number)
{
	return chain_writable(number) ? number * 3 + 1 : 0;
}

static struct driver_buffer chain_buffer(uint32_t number, unsigned i)
{
	return (struct driver_buffer){
		.address = BASE + BUFFERS_AT + ((number % CHAINS) * 4 + i) * BUFFER_SIZE,
		.length = 1 + (number + i) % BUFFER_SIZE,
	};
}

static bool driver_add(unsigned buffers, bool indirect)
{
	uint32_t number = now.added;
	uint64_t table_at = TABLES_AT + (number % CHAINS) * 64;
	const struct packed_driver_table table = {
		(struct vring_packed_desc *)(now.memory + table_at), BASE + table_at, 4};
	struct driver_buffer list[4];
	unsigned free_before = now.driver.free_count;
	unsigned needed = indirect ? 1 : buffers;
	int result;

	if (indirect && buffers > now.driver.size)
		return false;
	for (unsigned i = 0; i < buffers; i++)
		list[i] = chain_buffer(number, i);
	result = packed_driver_add(&now.driver, list, chain_writable(number) ? 0 : buffers,
		chain_writable(number) ? buffers : 0, indirect ? &table : NULL, number);
	require((result == 0) == (needed <= free_before));
	if (result < 0)
		return false;
	require(now.driver.free_count == free_before - needed);
	now.kinds[number % CHAINS] = (struct model_chain){(uint8_t)buffers, (uint8_t)needed};
	now.added++;
	return true;
}

static bool driver_publish(void)
{
	bool something = now.added != now.published;
	bool kick = packed_driver_publish(&now.driver);

	require(something || !kick);
	require(!something || !now.device_sleeps || kick);
	if (kick)
		now.device_sleeps = false;
	now.published = now.added;
	return something;
}

static bool driver_take(void)
{
	uint64_t token;
	uint32_t written, number;

	if (!packed_driver_take(&now.driver, &token, &written)) {
		require(now.returned == now.given_published);
		return false;
	}
	require(now.returned < now.given_published);
	number = now.order[now.returned++ % CHAINS];
	require(token == number && written == chain_written(number));
	return true;
}

static bool driver_arm(void)
{
	bool pending = packed_driver_arm(&now.driver);

	require(pending == (now.returned != now.given_published));
	now.driver_sleeps = !pending;
	return true;
}

/* Takes the next chain and compares its buffers with what was added. */
static bool device_take(struct ring_chain *chain)
{
	uint32_t number = now.taken;
	struct model_chain kind = now.kinds[number % CHAINS];
	uint32_t length, sum = 0;
	struct iovec pieces[5];

	require(packed_device_available(&now.device) == (now.taken != now.published));
	if (now.taken == now.published)
		return false;
	require(packed_device_take(&now.device, chain, chain_writable(number), pieces, 5,
			&length) == kind.buffers);
	require(chain->count == kind.slots);
	for (unsigned i = 0; i < kind.buffers; i++) {
		struct driver_buffer buffer = chain_buffer(number, i);

		require((uint8_t *)pieces[i].iov_base == now.memory + (buffer.address - BASE));
		require(pieces[i].iov_len == buffer.length);
		sum += buffer.length;
	}
	require(length == sum);
	now.taken++;
	return true;
}

static void device_give(struct ring_chain chain, uint32_t number)
{
	packed_device_give(&now.device, chain, chain_written(number));
	now.order[now.given++ % CHAINS] = number;
}

/* In order only where nothing older is held. */
static bool device_take_give(void)
{
	uint32_t number = now.taken;
	struct ring_chain chain;

	if ((now.device.in_order && now.held) || !device_take(&chain))
		return false;
	device_give(chain, number);
	return true;
}

static bool device_hold(void)
{
	if (now.held == 2)
		return false;
	now.held_numbers[now.held] = now.taken;
	if (!device_take(&now.held_chains[now.held]))
		return false;
	now.held++;
	return true;
}

/* Returns what is held: newest first unless order was promised. */
static bool device_give_held(void)
{
	unsigned held = now.held;

	for (unsigned i = 0; i < held; i++) {
		unsigned k = now.device.in_order ? i : held - 1 - i;

		device_give(now.held_chains[k], now.held_numbers[k]);
	}
	now.held = 0;
	return held;
}

static bool device_publish(void)
{
	bool something = now.given != now.given_published;
	bool signal = packed_device_publish(&now.device);

	require(something || !signal);
	require(!something || !now.driver_sleeps || signal);
	if (signal)
		now.driver_sleeps = false;
	now.given_published = now.given;
	return something;
}

static bool device_arm(void)
{
	bool pending = packed_device_arm(&now.device);

	require(pending == (now.taken != now.published));
	now.device_sleeps = !pending;
	return true;
}

/* Puts held chains back, if they were the last ones taken. */
static bool device_untake(unsigned count)
{
	unsigned slots = 0;

	if (now.held < count || now.held_numbers[now.held - 1] + 1 != now.taken ||
		now.held_numbers[now.held - count] + count != now.taken)
		return false;
	for (unsigned i = 0; i < count; i++)
		slots += now.held_chains[--now.held].count;
	packed_device_untake(&now.device, slots);
	now.taken -= count;
	return true;
}

/* Another device goes on where this one was; from half of the base every other time. */
static bool device_replace(void)
{
	uint32_t base = packed_device_base(&now.device);

	if (now.held || now.given != now.given_published)
		return false;
	require((uint16_t)base == base >> 16);
	device_begin(now.device.size, now.given & 1 ? base & 0xffff : base);
	require(packed_device_base(&now.device) == base);
	now.device_sleeps = false;
	return true;
}

#define OPERATIONS 15

static bool is_arming(unsigned operation)
{
	return operation == 6 || operation == 11;
}

/* False where the operation changed nothing, so that what follows was looked at already. */
static bool operate(unsigned operation)
{
	switch (operation) {
	case 0:
	case 1:
	case 2:
		return driver_add(operation + 1, false);
	case 3:
		return driver_add(2, true);
	case 4:
		return driver_publish();
	case 5:
		return driver_take();
	case 6:
		return driver_arm();
	case 7:
		return device_take_give();
	case 8:
		return device_hold();
	case 9:
		return device_give_held();
	case 10:
		return device_publish();
	case 11:
		return device_arm();
	case 12:
		return device_untake(1);
	case 13:
		return device_untake(2);
	default:
		return device_replace();
	}
}

static uint64_t sequences;

static void enumerate(unsigned depth, unsigned last)
{
	struct world before = now;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		/* Arming, or replacing, twice in a row is doing it once. */
		if (i == last && (is_arming(i) || i == OPERATIONS - 1))
			continue;
		if (operate(i)) {
			require(!now.device.broken && !now.driver.broken);
			sequences++;
			if (depth > 1)
				enumerate(depth - 1, i);
		}
		now = before;
	}
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

				world_begin(rings[r].size, feature_sets[f], slot, start);
				sequences = 0;
				enumerate(rings[r].depth - SHALLOWER, OPERATIONS);
				require(sequences > 1000);
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
				world_begin(size, feature_sets[f], 0, true);
				for (unsigned i = 0; i < 2000000 >> SHALLOWER; i++) {
					unsigned operation = (unsigned)test_below(
						&seed, OPERATIONS);

					if (is_arming(operation) && test_below(&seed, rarities[r]))
						continue;
					operate(operation);
					require(!now.device.broken && !now.driver.broken);
				}
				require(now.returned > 10000 >> SHALLOWER);
			}
}

/* Chains go round without anybody armed; then one side arms and the other moves on by a burst. */
static void silence_of_any_length_loses_no_wake_up(void **state)
{
	for (unsigned size = 1; size <= SIZE_MAX_TESTED; size++)
		for (unsigned burst = 1; burst <= size; burst++)
			for (unsigned silence = 0; silence <= 5 * size; silence++) {
				world_begin(size, FEATURE(VIRTIO_RING_F_EVENT_IDX), 0, true);
				for (unsigned i = 0; i < silence; i++)
					require(driver_add(1, false) && driver_publish() &&
						device_take_give() && device_publish() &&
						driver_take());
				require(driver_arm() && now.driver_sleeps);
				require(device_arm() && now.device_sleeps);
				for (unsigned i = 0; i < burst; i++)
					require(driver_add(1, false));
				driver_publish();
				for (unsigned i = 0; i < burst; i++)
					device_take_give();
				device_publish();
				require(!now.driver_sleeps && !now.device_sleeps);
			}
}

/* A side that does not want notifications gets none, with the event index too. */
static void disarmed_sides_are_left_alone(void **state)
{
	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++) {
		world_begin(3, feature_sets[f], 0, true);
		for (unsigned i = 0; i < 10; i++) {
			packed_driver_disarm(&now.driver);
			packed_device_disarm(&now.device);
			driver_add(1, false);
			require(!packed_driver_publish(&now.driver));
			now.published = now.added;
			device_take_give();
			require(!packed_device_publish(&now.device));
			now.given_published = now.given;
			driver_take();
			driver_arm();
			device_arm();
			driver_add(1, false);
			driver_publish();
			device_take_give();
			device_publish();
			driver_take();
			require(!now.device_sleeps && !now.driver_sleeps);
		}
	}
}

/* A side that armed for a place hears of the burst with that place, and of none before. */
static void events_are_passed_once(void **state)
{
	unsigned heard = 0;

	world_begin(4, FEATURE(VIRTIO_RING_F_EVENT_IDX), 0, true);
	for (unsigned i = 0; i < 100; i++) {
		/* Armed 3 chains ahead of where the ring is, each time the last event passed. */
		if (i % 4 == 1) {
			struct packed_place ahead = now.driver.used;

			packed_place_advance(&ahead, 3, 4);
			ring_store(*now.driver.driver_event, packed_event_on(true, ahead));
		}
		require(driver_add(1, false) && driver_publish() && device_take_give());
		if (packed_device_publish(&now.device)) {
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

		world_begin(4, in_order ? FEATURE(VIRTIO_F_IN_ORDER) : 0, 3, false);
		for (unsigned i = 0; i < 4; i++) {
			struct driver_buffer buffer = chain_buffer(i, 0);

			require(packed_driver_add(&now.driver, &buffer, 1, 0, NULL, i) == 0);
		}
		packed_driver_publish(&now.driver);
		for (unsigned i = 0; i < 4; i++) {
			struct ring_chain chain;
			struct iovec piece;
			uint32_t length;

			require(packed_device_take(
					&now.device, &chain, false, &piece, 1, &length) == 1);
			packed_device_give(&now.device, chain, 0);
		}
		packed_device_publish(&now.device);
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

	world_begin(1, 0, 0, true); /* for its memory */
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
