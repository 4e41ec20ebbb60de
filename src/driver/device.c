/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "virtio_net/header.h"

/* Where the memory begins for the backend: any address does that is not the mapping's, so that a
 * confusion of the two shows. */
#define GUEST_ADDRESS 0x40000000ULL

#define SLOT_ALIGNMENT 64

/* Of the longest frames, what a receive ring of mergeable buffers holds at least. */
#define SEGMENTS_MIN 4u

/* Of a buffer for frames of this length. One byte more is there to show those that are longer. */
static uint32_t slot_size_of(uint32_t frame_max)
{
	uint32_t needed = NET_HEADER_SIZE + frame_max + 1;

	return (needed + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT;
}

uint32_t driver_device_slot_size(uint16_t mtu)
{
	return slot_size_of((uint32_t)mtu + DRIVER_FRAME_OVERHEAD);
}

static int open_memory(struct driver_device *device, struct error *error)
{
	int status;

	device->memory_fd = memfd_create("vsw-nic", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (device->memory_fd < 0)
		return error_set_errno(error, -errno, "cannot create memory to share");
	if (ftruncate(device->memory_fd, (off_t)device->memory_size) < 0 ||
		fcntl(device->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
			0) {
		status = -errno;
		goto close_memory;
	}
	device->memory = mmap(NULL, device->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		device->memory_fd, 0);
	if (device->memory != MAP_FAILED)
		return 0;
	status = -errno;

close_memory:
	fd_close(&device->memory_fd);
	return error_set_errno(error, status, "cannot get %llu bytes of memory to share",
		(unsigned long long)device->memory_size);
}

static int open_eventfds(struct driver_device *device, struct error *error)
{
	for (unsigned i = 0; i < 2 * device->config.queue_pairs; i++) {
		struct driver_queue *queue = &device->queues[i];

		queue->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (queue->kick_fd >= 0)
			queue->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (queue->call_fd < 0)
			return error_set_errno(error, -errno, "cannot create an eventfd");
	}
	return 0;
}

int driver_device_open(struct driver_device *device, const struct driver_device_config *config,
	struct error *error)
{
	unsigned queues = 2 * config->queue_pairs;
	int status;

	*device = (struct driver_device){
		.config = *config,
		.frame_max = (uint32_t)config->mtu + DRIVER_FRAME_OVERHEAD,
		.slot_size = config->segments ? slot_size_of(DRIVER_SEGMENT_MAX)
					      : driver_device_slot_size(config->mtu),
		.memory_fd = -1,
	};
	device->queue_memory = net_driver_memory_size(config->queue_size, device->slot_size);
	device->memory_size = queues * device->queue_memory;
	device->queues = calloc(queues, sizeof(*device->queues));
	if (!device->queues)
		return error_set(error, -ENOMEM, "no memory for %u queues", queues);
	for (unsigned i = 0; i < queues; i++)
		device->queues[i].kick_fd = device->queues[i].call_fd = -1;
	status = open_memory(device, error);
	if (status < 0) {
		free(device->queues);
		return status;
	}
	status = open_eventfds(device, error);
	if (status < 0)
		driver_device_close(device);
	return status;
}

void driver_device_region(const struct driver_device *device, struct vhost_region *region, int *fd)
{
	*region = (struct vhost_region){
		.guest_address = GUEST_ADDRESS,
		.size = device->memory_size,
		.user_address = (uintptr_t)device->memory,
	};
	*fd = device->memory_fd;
}

static void queues_fini(struct driver_device *device)
{
	for (unsigned i = 0; i < 2 * device->queue_pairs; i++)
		net_driver_fini(&device->queues[i].net);
	device->queue_pairs = 0;
}

/* Even queues receive. */
static bool has_segments(const struct driver_device *device, unsigned index, uint64_t features)
{
	const uint64_t received = BIT64(VIRTIO_NET_F_GUEST_TSO4) | BIT64(VIRTIO_NET_F_GUEST_TSO6) |
				  BIT64(VIRTIO_NET_F_GUEST_USO4) | BIT64(VIRTIO_NET_F_GUEST_USO6);
	const uint64_t sent = BIT64(VIRTIO_NET_F_HOST_TSO4) | BIT64(VIRTIO_NET_F_HOST_TSO6) |
			      BIT64(VIRTIO_NET_F_HOST_USO);

	return device->config.segments && features & (index % 2 == 0 ? received : sent);
}

/* With mergeable buffers short ones will do for receiving, as long as the ring holds a few of the
 * longest frames. */
static uint32_t queue_slot_size(
	const struct driver_device *device, unsigned index, uint64_t features)
{
	bool segments = has_segments(device, index, features);
	uint32_t whole = segments ? device->slot_size : driver_device_slot_size(device->config.mtu);
	uint32_t share;

	if (index % 2 != 0 || !(features >> VIRTIO_NET_F_MRG_RXBUF & 1))
		return whole;
	if (!segments)
		return MIN(whole, DRIVER_MERGEABLE_SLOT_SIZE);
	share = SEGMENTS_MIN * whole / device->config.queue_size;
	return MIN(whole, MAX(share, DRIVER_SEGMENT_SLOT_SIZE) / SLOT_ALIGNMENT * SLOT_ALIGNMENT);
}

int driver_device_lay_out(struct driver_device *device, uint64_t features, unsigned queue_pairs,
	struct vhost_frontend_ring *rings, struct error *error)
{
	int status;

	queues_fini(device);
	for (unsigned i = 0; i < 2 * queue_pairs; i++) {
		struct driver_queue *queue = &device->queues[i];
		uint64_t offset = i * device->queue_memory;
		uint64_t to_user = (uintptr_t)device->memory - GUEST_ADDRESS;

		status = net_driver_init(&queue->net, device->memory + offset,
			GUEST_ADDRESS + offset, device->config.queue_size,
			queue_slot_size(device, i, features), features);
		if (status < 0) {
			while (i-- > 0)
				net_driver_fini(&device->queues[i].net);
			return error_set_errno(error, status, "cannot lay out the queues");
		}
		rings[i] = (struct vhost_frontend_ring){
			.size = device->config.queue_size,
			.descriptor = queue->net.descriptors + to_user,
			.available = queue->net.available + to_user,
			.used = queue->net.used + to_user,
			.kick_fd = queue->kick_fd,
			.call_fd = queue->call_fd,
		};
	}
	device->queue_pairs = queue_pairs;
	return 0;
}

void driver_device_close(struct driver_device *device)
{
	queues_fini(device);
	for (unsigned i = 0; i < 2 * device->config.queue_pairs; i++) {
		fd_close(&device->queues[i].kick_fd);
		fd_close(&device->queues[i].call_fd);
	}
	free(device->queues);
	device->queues = NULL;
	munmap(device->memory, device->memory_size);
	fd_close(&device->memory_fd);
}
