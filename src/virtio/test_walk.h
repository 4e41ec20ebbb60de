/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For split_test.c and packed_test.c, which say before they include this what is their layout's:
 * both sides of a ring and a model that knows only the order of things. Chains are numbered as they
 * are added, the device takes them in that order, and the driver gets them back as the device gave
 * them. A side that was told "nothing pending" when it armed must be notified of the next publish.
 * The device may be replaced, at its base, whenever it holds nothing.
 *
 *	PACKED              the layout, a constant
 *	LAYOUT(name)        the name with the layout's prefix
 *	LAYOUT_DESCRIPTOR   of the ring
 *	walk_place()        puts a fresh driver where SET_VRING_BASE's number says
 *	walk_other_base()   another number for the same place
 */
#ifndef VSW_VIRTIO_TEST_WALK_H
#define VSW_VIRTIO_TEST_WALK_H

#include "virtio/device_ring.h"
#include "virtio/test_ring.h"

#define SIZE_MAX_TESTED 4
#define BASE            UINT64_C(0x10000)
#define DRIVER_AREA_AT  64
#define DEVICE_AREA_AT  128
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
	uint8_t slots;
};

/* Everything that an operation may change, so that copying it saves and restores the world. */
static struct world {
	uint8_t memory[MEMORY_SIZE] __attribute__((aligned(64)));
	struct LAYOUT(driver) driver;
	struct LAYOUT(driver_chain) chains[SIZE_MAX_TESTED];
	struct device_ring device;

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

/* Of the layout: see above. */
static void walk_place(unsigned size, uint32_t base);
static uint32_t walk_other_base(uint32_t base);

static void device_begin(unsigned size, uint32_t base)
{
	const struct device_ring_parts parts = {
		now.memory, now.memory + DRIVER_AREA_AT, now.memory + DEVICE_AREA_AT};

	require(device_ring_init(&now.device, &memory, &parts, size, features, base) == 0);
}

static void world_begin(unsigned size, uint64_t with_features, uint32_t base)
{
	memset(&now, 0, sizeof(now));
	memset(&memory, 0, sizeof(memory));
	features = with_features | (PACKED ? FEATURE(VIRTIO_F_RING_PACKED) : 0);
	memory.count = 1;
	memory.regions[0] = (struct guest_region){.guest_address = BASE,
		.size = MEMORY_SIZE,
		.user_address = BASE,
		.host = now.memory};
	require(LAYOUT(driver_init)(&now.driver, now.memory, now.memory + DRIVER_AREA_AT,
			now.memory + DEVICE_AREA_AT, size, features) == 0);
	memcpy(now.chains, now.driver.chains, size * sizeof(now.chains[0]));
	free(now.driver.chains);
	now.driver.chains = now.chains;
	walk_place(size, base);
	device_begin(size, base);
}

/* What the buffers of a chain are follows from its number. Readable ones in a row make batches of a
 * packed ring, whose length is zero. */
static bool chain_writable(uint32_t number)
{
	return PACKED ? number % 4 == 3 : number & 1;
}

static uint32_t chain_written(uint32_t number)
{
	return !PACKED || chain_writable(number) ? number * 3 + 1 : 0;
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
	const struct LAYOUT(driver_table)
		table = {(LAYOUT_DESCRIPTOR *)(now.memory + table_at), BASE + table_at, 4};
	struct driver_buffer list[4];
	unsigned free_before = now.driver.free_count;
	unsigned needed = indirect ? 1 : buffers;
	int result;

	if (indirect && buffers > now.driver.size)
		return false;
	for (unsigned i = 0; i < buffers; i++)
		list[i] = chain_buffer(number, i);
	result = LAYOUT(driver_add)(&now.driver, list, chain_writable(number) ? 0 : buffers,
		chain_writable(number) ? buffers : 0, indirect ? &table : NULL, number);
	require((result == 0) == (needed <= free_before));
	if (result < 0)
		return false;
	require(now.driver.free_count == free_before - needed);
	now.kinds[number % CHAINS] = (struct model_chain){
		(uint8_t)buffers, (uint8_t)(PACKED ? needed : 1)};
	now.added++;
	return true;
}

static bool driver_publish(void)
{
	bool something = now.added != now.published;
	bool kick = LAYOUT(driver_publish)(&now.driver);

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

	if (!LAYOUT(driver_take)(&now.driver, &token, &written)) {
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
	bool pending = LAYOUT(driver_arm)(&now.driver);

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
	unsigned available;

	available = device_ring_available(&now.device, PACKED);
	require((available != 0) == (now.taken != now.published));
	require(available <= now.published - now.taken);
	if (!available)
		return false;
	require(device_ring_take(&now.device, PACKED, chain, chain_writable(number), pieces, 5,
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
	device_ring_give(&now.device, PACKED, chain, chain_written(number));
	now.order[now.given++ % CHAINS] = number;
}

static bool device_in_order(void)
{
	return PACKED && now.device.packed_ring.in_order;
}

/* In order only where nothing older is held. */
static bool device_take_give(void)
{
	uint32_t number = now.taken;
	struct ring_chain chain;

	if ((device_in_order() && now.held) || !device_take(&chain))
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
		unsigned k = device_in_order() ? i : held - 1 - i;

		device_give(now.held_chains[k], now.held_numbers[k]);
	}
	now.held = 0;
	return held;
}

static bool device_publish(void)
{
	bool something = now.given != now.given_published;
	bool signal = device_ring_publish(&now.device, PACKED);

	require(something || !signal);
	require(!something || !now.driver_sleeps || signal);
	if (signal)
		now.driver_sleeps = false;
	now.given_published = now.given;
	return something;
}

static bool device_arm(void)
{
	bool pending = device_ring_arm(&now.device);

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
	device_ring_untake(&now.device, PACKED, slots);
	now.taken -= count;
	return true;
}

/* Another device goes on where this one was; told in another way every other time. */
static bool device_replace(void)
{
	uint32_t base = device_ring_base(&now.device);

	if (now.held || now.given != now.given_published)
		return false;
	device_begin(now.driver.size, now.given & 1 ? walk_other_base(base) : base);
	require(device_ring_base(&now.device) == base);
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

/* Every sequence of the first so many operations. */
static void enumerate(unsigned operations, unsigned depth, unsigned last)
{
	struct world before = now;

	for (unsigned i = 0; i < operations; i++) {
		/* Arming, or replacing, twice in a row is doing it once. */
		if (i == last && (is_arming(i) || i == OPERATIONS - 1))
			continue;
		if (operate(i)) {
			require(!device_ring_broken(&now.device) && !now.driver.broken);
			sequences++;
			if (depth > 1)
				enumerate(operations, depth - 1, i);
		}
		now = before;
	}
}

static void sequences_agree_with_the_model(unsigned operations, unsigned depth)
{
	sequences = 0;
	enumerate(operations, depth - SHALLOWER, OPERATIONS);
	require(sequences > 1000);
}

/* Operations at random; of those that arm, one in so many is done. */
static void walk(unsigned steps, unsigned rarity, uint64_t *seed)
{
	for (unsigned i = 0; i < steps >> SHALLOWER; i++) {
		unsigned operation = (unsigned)test_below(seed, OPERATIONS);

		if (is_arming(operation) && test_below(seed, rarity))
			continue;
		operate(operation);
		require(!device_ring_broken(&now.device) && !now.driver.broken);
	}
}

/* Chains go round without anybody armed; then one side arms and the other moves on by a burst. */
static void no_wake_up_is_lost(unsigned silence, unsigned burst)
{
	for (unsigned i = 0; i < silence; i++)
		require(driver_add(1, false) && driver_publish() && device_take_give() &&
			device_publish() && driver_take());
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

/* A side that does not want notifications gets none. */
static void nobody_is_disturbed(void)
{
	for (unsigned i = 0; i < 10; i++) {
		LAYOUT(driver_disarm)(&now.driver);
		device_ring_disarm(&now.device);
		driver_add(1, false);
		require(!LAYOUT(driver_publish)(&now.driver));
		now.published = now.added;
		device_take_give();
		require(!device_ring_publish(&now.device, PACKED));
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

#endif
