/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any bytes as the memory of a guest with a packed ring in it, and any sequence of
 * operations: of our device side against a driver that writes what it likes between them, or of our
 * driver side against such a device. The sanitizers watch our memory; here it is checked that
 * buffers lie in guest memory and that the books of what is taken and in flight stay balanced.
 *
 * Input: the prefix, then as many operations as it says, two bytes each; the rest is the memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "virtio/packed_device.h"
#include "virtio/packed_driver.h"
#include "virtio/test_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIRST_SIZE  4096
#define SECOND_SIZE 4096
#define FIRST       UINT64_C(0x1000)
#define SECOND      (FIRST + FIRST_SIZE) /* neighbours, so that buffers straddle them */
#define SIZE_LIMIT  64
#define EVENTS_AT   (SIZE_LIMIT * 16)
#define HELD_MAX    256

struct prefix {
	uint8_t size;
	uint8_t features;
	uint8_t operations;
	uint8_t side; /* odd: the driver is ours */
	uint32_t base;
};

static struct guest_memory memory;
static struct packed_device device;
static struct packed_driver driver;
static unsigned in_flight;
static struct ring_chain held[HELD_MAX];
static unsigned held_count;
static unsigned untakeable;        /* how many of those may be put back */
static unsigned first_outstanding; /* slots that the base says were taken and not given */

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void device_take(bool writable)
{
	struct iovec pieces[40];
	uint32_t length = 0;
	uint64_t sum = 0;
	int count;

	if (held_count == HELD_MAX || !packed_device_available(&device))
		return;
	count = packed_device_take(
		&device, &held[held_count], writable, pieces, ARRAY_SIZE(pieces), &length);
	require(count <= (int)ARRAY_SIZE(pieces) && device.broken == (count < 0));
	if (count < 0) {
		require(!held[held_count].count);
		return;
	}
	for (int i = 0; i < count; i++) {
		require(test_memory_holds(&memory, &pieces[i]));
		sum += pieces[i].iov_len;
	}
	require(count > 0 && sum == length);
	require(held[held_count].count && held[held_count].count <= device.size);
	held_count++;
	untakeable++;
}

static void device_give(unsigned which, uint32_t written)
{
	if (!held_count)
		return;
	which %= held_count;
	packed_device_give(&device, held[which], written);
	held_count--;
	memmove(&held[which], &held[which + 1], (held_count - which) * sizeof(held[0]));
	/* None before the given one may be put back any more. */
	untakeable = MIN(untakeable, held_count - which);
}

/* Puts back up to `chains` of the last ones taken, at once. */
static void device_untake(unsigned chains)
{
	struct packed_place before = device.taken, again;
	unsigned slots = 0;

	for (; chains && untakeable; chains--) {
		untakeable--;
		slots += held[--held_count].count;
	}
	require(slots <= device.size);
	packed_device_untake(&device, slots);
	again = device.taken;
	packed_place_advance(&again, slots, device.size);
	require(again.slot == before.slot && again.flags == before.flags);
}

/* What is held is what the device takes for outstanding. */
static void check_outstanding(void)
{
	unsigned slots = 0;

	for (unsigned i = 0; i < held_count; i++)
		slots += held[i].count;
	require(slots + first_outstanding == packed_device_outstanding(&device));
	require(packed_device_outstanding(&device) <= device.size);
}

static void device_operate(uint8_t operation, uint8_t argument)
{
	switch (operation % 8) {
	case 0:
	case 1:
		device_take(operation % 8);
		break;
	case 2:
		device_give(0, argument);
		break;
	case 3:
		device_give(argument, argument >> 4);
		break;
	case 4:
		device_untake(argument);
		break;
	case 5:
		packed_device_publish(&device);
		require(!packed_device_publish(&device));
		break;
	case 6:
		require(packed_device_arm(&device) == packed_device_available(&device));
		break;
	default:
		packed_device_disarm(&device);
	}
	require(device.taken.slot < device.size && device.given.slot < device.size);
	check_outstanding();
	require(!device.broken || !packed_device_available(&device));
}

static void driver_add(uint8_t argument)
{
	struct driver_buffer buffers[8];
	struct packed_driver_table table = {
		(struct vring_packed_desc *)memory.regions[1].host, SECOND, 6};
	unsigned before = driver.free_count, count = argument % 8;
	unsigned readable = count ? argument / 8 % (count + 1) : 0;
	bool indirect = argument & 0x80;

	for (unsigned i = 0; i < count; i++)
		buffers[i] = (struct driver_buffer){FIRST + i, i + 1};
	if (packed_driver_add(&driver, buffers, readable, count - readable,
		    indirect ? &table : NULL, argument) == 0) {
		in_flight++;
		require(before - driver.free_count == (indirect ? 1 : count));
	}
}

static void driver_operate(uint8_t operation, uint8_t argument)
{
	uint32_t written;
	uint64_t token;

	switch (operation % 8) {
	case 0:
	case 1:
		driver_add(argument);
		break;
	case 2:
	case 3:
		packed_driver_publish(&driver);
		break;
	case 4:
	case 5:
		if (packed_driver_take(&driver, &token, &written)) {
			require(in_flight-- && token <= UINT8_MAX);
			require(!driver.broken);
		}
		break;
	case 6:
		packed_driver_arm(&driver);
		break;
	default:
		packed_driver_disarm(&driver);
	}
	require(driver.free_count <= driver.size);
	require(in_flight <= (unsigned)driver.size - driver.free_count);
	require(in_flight || driver.free_count == driver.size);
}

/* The other side writes: a descriptor's flags, one of its other bytes, or an event structure. */
static void disturb(unsigned ring_size, uint8_t operation, uint8_t argument)
{
	uint8_t *bytes = memory.regions[0].host;
	struct vring_packed_desc *descriptor = (struct vring_packed_desc *)bytes +
					       argument % ring_size;

	if (operation < 0xc0)
		descriptor->flags = (uint16_t)((operation & 7) |
					       (operation & 8 ? PACKED_AVAIL : 0) |
					       (operation & 16 ? PACKED_USED : 0));
	else if (operation < 0xf0)
		((uint8_t *)descriptor)[operation % 14] = argument;
	else
		bytes[EVENTS_AT + operation % 4 + (argument & 4)] = argument;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor cursor = cursor_new(data, size);
	const uint8_t *head = cursor_take(&cursor, sizeof(struct prefix));
	const uint8_t *operations;
	struct prefix prefix;
	uint8_t *bytes;
	uint64_t features;
	bool ours_is_driver;

	if (!head)
		return 0;
	memcpy(&prefix, head, sizeof(prefix));
	operations = cursor_take(&cursor, 2 * (size_t)prefix.operations);
	if (!operations)
		return 0;
	if (!memory.count) {
		test_memory_add(&memory, FIRST, FIRST_SIZE, 64);
		test_memory_add(&memory, SECOND, SECOND_SIZE, 64);
	}
	test_memory_fill(&memory, operations + 2 * (size_t)prefix.operations, cursor_left(&cursor));
	bytes = memory.regions[0].host;
	prefix.size %= SIZE_LIMIT + 1;
	features = (prefix.features & 1 ? UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX : 0) |
		   (prefix.features & 2 ? UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC : 0) |
		   (prefix.features & 4 ? UINT64_C(1) << VIRTIO_F_IN_ORDER : 0);
	ours_is_driver = prefix.side & 1;
	held_count = untakeable = in_flight = 0;
	if (ours_is_driver ? packed_driver_init(&driver, bytes, bytes + EVENTS_AT,
				     bytes + EVENTS_AT + 4, prefix.size, features) < 0
			   : packed_device_init(&device, &memory, bytes, bytes + EVENTS_AT,
				     bytes + EVENTS_AT + 4, prefix.size, features, prefix.base) < 0)
		return 0;
	first_outstanding = ours_is_driver ? 0 : packed_device_outstanding(&device);
	for (unsigned i = 0; i < prefix.operations; i++) {
		uint8_t operation = operations[2 * i], argument = operations[2 * i + 1];

		if (operation >= 0x80)
			disturb(prefix.size, operation, argument);
		else if (ours_is_driver)
			driver_operate(operation, argument);
		else
			device_operate(operation, argument);
	}
	if (ours_is_driver)
		packed_driver_fini(&driver);
	return 0;
}
