/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory that the NIC shares: sealed, large enough, and no two things in one place.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "driver/device.h"
#include "virtio/split_device.h"
#include "virtio_net/header.h"

#define MERGEABLE (BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_MRG_RXBUF))

#define SEGMENTS                                                                                   \
	(BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_HOST_TSO4) | BIT64(VIRTIO_NET_F_GUEST_TSO4))

static void slots_hold_any_frame_and_show_longer_ones(void **state)
{
	for (unsigned mtu = 68; mtu <= 65521; mtu++) {
		uint32_t slot = driver_device_slot_size((uint16_t)mtu);

		assert_true(slot > NET_HEADER_SIZE + mtu + DRIVER_FRAME_OVERHEAD);
		assert_true(slot <= NET_HEADER_SIZE + mtu + DRIVER_FRAME_OVERHEAD + 64);
		assert_int_equal(slot % 64, 0);
	}
}

static void memory_is_sealed(void **state)
{
	const struct driver_device_config config = {.queue_pairs = 1, .queue_size = 8, .mtu = 1500};
	struct driver_device device;
	struct vhost_region region;
	struct stat file;
	struct error error;
	int fd;

	assert_int_equal(driver_device_open(&device, &config, &error), 0);
	driver_device_region(&device, &region, &fd);
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(file.st_size, region.size);
	assert_int_equal(region.mmap_offset, 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, file.st_size + 4096), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	driver_device_close(&device);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* The bytes of the memory that are in use already: every part marks its own. */
static void claim(uint8_t *map, const struct driver_device *device, uint64_t start, uint64_t length)
{
	assert_true(start <= device->memory_size && length <= device->memory_size - start);
	for (uint64_t i = start; i < start + length; i++) {
		assert_int_equal(map[i], 0);
		map[i] = 1;
	}
}

static void check_layout(struct driver_device *device, uint64_t features, unsigned pairs)
{
	struct vhost_frontend_ring rings[8];
	unsigned size = device->config.queue_size;
	uint64_t base = (uintptr_t)device->memory;
	uint8_t *map = test_calloc(device->memory_size, 1);
	struct vhost_region region;
	struct error error;
	int fd;

	driver_device_region(device, &region, &fd);
	assert_int_equal(driver_device_lay_out(device, features, pairs, rings, &error), 0);
	assert_int_equal(device->queue_pairs, pairs);
	for (unsigned i = 0; i < 2 * pairs; i++) {
		const struct net_driver_queue *net = &device->queues[i].net;

		assert_int_equal(rings[i].size, size);
		assert_int_equal(rings[i].base, 0);
		assert_int_equal(rings[i].descriptor % 16, 0);
		assert_int_equal(rings[i].kick_fd, device->queues[i].kick_fd);
		assert_int_equal(rings[i].call_fd, device->queues[i].call_fd);
		claim(map, device, rings[i].descriptor - base, split_descriptors_size(size));
		claim(map, device, rings[i].available - base, split_available_size(size));
		claim(map, device, rings[i].used - base, split_used_size(size));
		claim(map, device, net->slots_address - region.guest_address,
			(uint64_t)size * net->slot_size);
		assert_ptr_equal(
			net->slots, device->memory + (net->slots_address - region.guest_address));
	}
	test_free(map);
}

static void queues_do_not_overlap(void **state)
{
	static const struct driver_device_config configs[] = {
		{.queue_pairs = 1, .queue_size = 2, .mtu = 68},
		{.queue_pairs = 3, .queue_size = 256, .mtu = 1500},
		{.queue_pairs = 2, .queue_size = 64, .mtu = 9000},
		{.queue_pairs = 2, .queue_size = 8, .mtu = 1500, .segments = true},
		{.queue_pairs = 1, .queue_size = 256, .mtu = 9000, .segments = true},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
		struct driver_device device;
		struct error error;

		assert_int_equal(driver_device_open(&device, &configs[i], &error), 0);
		check_layout(&device, BIT64(VIRTIO_F_VERSION_1), configs[i].queue_pairs);
		check_layout(&device, MERGEABLE, configs[i].queue_pairs);
		check_layout(&device, SEGMENTS, configs[i].queue_pairs);
		check_layout(&device, SEGMENTS | MERGEABLE, configs[i].queue_pairs);
		/* Fewer than there is room for, after more. */
		check_layout(&device, MERGEABLE, 1);
		driver_device_close(&device);
	}
}

static void mergeable_buffers_are_short(void **state)
{
	const struct driver_device_config config = {.queue_pairs = 1, .queue_size = 8, .mtu = 9000};
	struct vhost_frontend_ring rings[2];
	struct driver_device device;
	struct error error;

	assert_int_equal(driver_device_open(&device, &config, &error), 0);
	assert_int_equal(driver_device_lay_out(&device, MERGEABLE, 1, rings, &error), 0);
	assert_int_equal(device.queues[0].net.slot_size, DRIVER_MERGEABLE_SLOT_SIZE);
	assert_int_equal(device.queues[1].net.slot_size, driver_device_slot_size(9000));
	assert_int_equal(
		driver_device_lay_out(&device, BIT64(VIRTIO_F_VERSION_1), 1, rings, &error), 0);
	assert_int_equal(device.queues[0].net.slot_size, driver_device_slot_size(9000));
	driver_device_close(&device);
}

static uint32_t slot_size(struct driver_device *device, unsigned queue, uint64_t features)
{
	struct vhost_frontend_ring rings[2];
	struct error error;

	assert_int_equal(driver_device_lay_out(device, features, 1, rings, &error), 0);
	return device->queues[queue].net.slot_size;
}

/* Buffers are for the longest segments only where those were agreed, and asked for. */
static void segments_have_room(void **state)
{
	static const unsigned sizes[] = {2, 4, 16, 64, 256, 1024};
	const uint64_t plain = BIT64(VIRTIO_F_VERSION_1);

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct driver_device_config config = {
			.queue_pairs = 1, .queue_size = sizes[i], .mtu = 1500, .segments = true};
		const uint32_t whole = NET_HEADER_SIZE + DRIVER_SEGMENT_MAX;
		struct driver_device device;
		struct error error;
		uint32_t slot;

		assert_int_equal(driver_device_open(&device, &config, &error), 0);
		assert_true(slot_size(&device, 0, SEGMENTS) > whole);
		assert_true(slot_size(&device, 1, SEGMENTS) > whole);
		assert_true(slot_size(&device, 1, SEGMENTS | MERGEABLE) > whole);
		slot = slot_size(&device, 0, SEGMENTS | MERGEABLE);
		assert_true((uint64_t)slot * sizes[i] > (uint64_t)MIN(sizes[i], 3u) * whole);
		assert_true(slot >= DRIVER_SEGMENT_SLOT_SIZE);
		assert_int_equal(slot_size(&device, 0, plain), driver_device_slot_size(1500));
		assert_int_equal(slot_size(&device, 1, plain), driver_device_slot_size(1500));
		driver_device_close(&device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_hold_any_frame_and_show_longer_ones),
		cmocka_unit_test(memory_is_sealed),
		cmocka_unit_test(queues_do_not_overlap),
		cmocka_unit_test(mergeable_buffers_are_short),
		cmocka_unit_test(segments_have_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
