/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both sides of a split ring, driven by every sequence of operations up to a length, on rings of 1,
 * 2 and 4 entries, against a model that knows only the order of things: chains are numbered as they
 * are added, the device takes them in that order, and the driver gets them back as the device gave
 * them. A side that was told "nothing pending" when it armed must be notified of the next publish.
 */
#include "virtio/test_ring.h"

/* The driver's private records are part of the world that is saved and restored. */
#include "virtio/split_driver.c"

#define SIZE_MAX_TESTED 4
#define BASE            UINT64_C(0x10000)
#define AVAILABLE_AT    64
#define USED_AT         128
#define TABLES_AT       192 /* one of 4 entries a chain in flight */
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
	bool indirect;
};

/* Everything that an operation may change, so that copying it saves and restores the world. */
static struct world {
	uint8_t memory[MEMORY_SIZE] __attribute__((aligned(64)));
	struct split_driver driver;
	struct split_driver_chain chains[SIZE_MAX_TESTED];
	struct split_device device;

	/* The model: rising numbers of chains. */
	uint32_t added, published, taken;
	struct model_chain kinds[CHAINS];
	uint32_t given, given_published, returned; /* into order[] */
	uint32_t order[CHAINS];                    /* chain numbers as the device gave them */
	uint16_t heads[2];                         /* held by the device, oldest first */
	uint32_t held_numbers[2];
	unsigned held;
	bool device_sleeps, driver_sleeps; /* armed, told "nothing", not notified since */
} now;

static struct guest_memory memory;

static void world_begin(unsigned size, uint64_t features, uint16_t start)
{
	memset(&now, 0, sizeof(now));
	memset(&memory, 0, sizeof(memory));
	memory.count = 1;
	memory.regions[0] = (struct guest_region){.guest_address = BASE,
		.size = MEMORY_SIZE,
		.user_address = BASE,
		.host = now.memory};
	require(split_driver_init(&now.driver, now.memory, now.memory + AVAILABLE_AT,
			now.memory + USED_AT, size, features) == 0);
	memcpy(now.chains, now.driver.chains, size * sizeof(now.chains[0]));
	free(now.driver.chains);
	now.driver.chains = now.chains;
	now.driver.next_added = now.driver.published = now.driver.next_used = start;
	now.driver.available->idx = now.driver.used->idx = start;
	require(split_device_init(&now.device, &memory, now.memory, now.memory + AVAILABLE_AT,
			now.memory + USED_AT, size, features, start) == 0);
}

/* What the buffers of a chain are follows from its number. */
static bool chain_writable(uint32_t number)
{
	return number & 1;
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
	const struct split_driver_table table = {
		(struct vring_desc *)(now.memory + table_at), BASE + table_at, 4};
	struct driver_buffer list[4];
	unsigned free_before = now.driver.free_count;
	unsigned needed = indirect ? 1 : buffers;
	int result;

	if (indirect && buffers > now.driver.size)
		return false;
	for (unsigned i = 0; i < buffers; i++)
		list[i] = chain_buffer(number, i);
	result = split_driver_add(&now.driver, list, chain_writable(number) ? 0 : buffers,
		chain_writable(number) ? buffers : 0, indirect ? &table : NULL, number);
	require((result == 0) == (needed <= free_before));
	if (result < 0)
		return false;
	require(now.driver.free_count == free_before - needed);
	now.kinds[number % CHAINS] = (struct model_chain){(uint8_t)buffers, indirect};
	now.added++;
	return true;
}

static bool driver_publish(void)
{
	bool something = now.added != now.published;
	bool kick = split_driver_publish(&now.driver);

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

	if (!split_driver_take(&now.driver, &token, &written)) {
		require(now.returned == now.given_published);
		return false;
	}
	require(now.returned < now.given_published);
	number = now.order[now.returned++ % CHAINS];
	require(token == number && written == number * 3 + 1);
	return true;
}

static bool driver_arm(void)
{
	bool pending = split_driver_arm(&now.driver);

	require(pending == (now.returned != now.given_published));
	now.driver_sleeps = !pending;
	return true;
}

/* Takes the next chain and compares its buffers with what was added. */
static bool device_take(uint16_t *head)
{
	uint32_t number = now.taken;
	struct model_chain kind = now.kinds[number % CHAINS];
	uint32_t length, sum = 0;
	struct iovec pieces[5];

	if (!split_device_available(&now.device)) {
		require(now.taken == now.published);
		return false;
	}
	require(split_device_available(&now.device) <= now.published - now.taken);
	*head = split_device_take(&now.device);
	require(split_device_buffers(&now.device, *head, chain_writable(number), pieces, 5,
			&length) == kind.buffers);
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

static void device_give(uint16_t head, uint32_t number)
{
	split_device_give(&now.device, head, number * 3 + 1);
	now.order[now.given++ % CHAINS] = number;
}

static bool device_take_give(void)
{
	uint32_t number = now.taken;
	uint16_t head;

	if (!device_take(&head))
		return false;
	device_give(head, number);
	return true;
}

static bool device_hold(void)
{
	if (now.held == 2)
		return false;
	now.held_numbers[now.held] = now.taken;
	if (!device_take(&now.heads[now.held]))
		return false;
	now.held++;
	return true;
}

/* Returns what is held, newest first. */
static bool device_give_held(void)
{
	if (!now.held)
		return false;
	while (now.held) {
		now.held--;
		device_give(now.heads[now.held], now.held_numbers[now.held]);
	}
	return true;
}

static bool device_publish(void)
{
	bool something = now.given != now.given_published;
	bool signal = split_device_publish(&now.device);

	require(something || !signal);
	require(!something || !now.driver_sleeps || signal);
	if (signal)
		now.driver_sleeps = false;
	now.given_published = now.given;
	return something;
}

static bool device_arm(void)
{
	bool pending = split_device_arm(&now.device);

	require(pending == (now.taken != now.published));
	now.device_sleeps = !pending;
	return true;
}

/* Puts the newest held chain back, if it was the last one taken. */
static bool device_untake(void)
{
	if (!now.held || now.held_numbers[now.held - 1] + 1 != now.taken)
		return false;
	now.held--;
	split_device_untake(&now.device, 1);
	now.taken--;
	return true;
}

#define OPERATIONS 13

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
	default:
		return device_untake();
	}
}

static uint64_t sequences;

static void enumerate(unsigned depth, unsigned last)
{
	struct world before = now;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		/* Arming twice in a row is arming once. */
		if (i == last && (i == 6 || i == 11))
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
};

static void every_short_sequence_agrees_with_the_model(void **state)
{
	static const struct {
		unsigned size, depth;
	} rings[] = {{1, 12}, {2, 10}, {4, 9}};

	for (unsigned f = 0; f < ARRAY_SIZE(feature_sets); f++)
		for (unsigned r = 0; r < ARRAY_SIZE(rings); r++) {
			world_begin(rings[r].size, feature_sets[f], 0xfffe);
			sequences = 0;
			enumerate(rings[r].depth - SHALLOWER, OPERATIONS);
			require(sequences > 1000);
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
			for (unsigned i = 0; i < 10000000 >> SHALLOWER; i++) {
				unsigned operation = (unsigned)test_below(&seed, OPERATIONS);

				if ((operation == 6 || operation == 11) &&
					test_below(&seed, rarities[r]))
					continue;
				operate(operation);
				require(!now.device.broken && !now.driver.broken);
			}
			require(now.returned > (SHALLOWER ? 65536u : 4 * 65536u));
		}
}

/* Chains go round without anybody armed; then one side arms and the other moves on by a burst. */
static void silence_of_any_length_loses_no_wake_up(void **state)
{
	for (unsigned burst = 1; burst <= 4; burst++)
		for (unsigned silence = 65536 - 6; silence <= 65536 + 2; silence++) {
			world_begin(4, FEATURE(VIRTIO_RING_F_EVENT_IDX), 0);
			for (unsigned i = 0; i < silence; i++)
				require(driver_add(1, false) && driver_publish() &&
					device_take_give() && device_publish() && driver_take());
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

/* Without the event index a side that does not want notifications gets none. */
static void disarmed_sides_are_left_alone(void **state)
{
	world_begin(4, 0, 0);
	for (unsigned i = 0; i < 10; i++) {
		split_driver_disarm(&now.driver);
		split_device_disarm(&now.device);
		driver_add(1, false);
		require(!split_driver_publish(&now.driver));
		now.published = now.added;
		device_take_give();
		require(!split_device_publish(&now.device));
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
