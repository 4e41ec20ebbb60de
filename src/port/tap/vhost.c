/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/tap/vhost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "host/vhost_net.h"
#include "port/tap/vhost_private.h"
#include "virtio/split_device.h"
#include "virtio_net/header.h"

/* A header as long as a TAP's, and frames longer than a buffer. */
#define NEEDED (1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF)
#define WANTED (NEEDED | 1ULL << VIRTIO_RING_F_EVENT_IDX)

/* Where a ring's parts lie in its memory. */
struct layout {
	uint64_t available, used, buffers, end;
};

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + 4095) & ~4095ULL;
}

static struct layout lay_out(unsigned size)
{
	struct layout layout;

	layout.available = split_descriptors_size(size);
	/* The used ring, which the kernel writes, begins on a page of its own. */
	layout.used = whole_pages(layout.available + split_available_size(size));
	layout.buffers = whole_pages(layout.used + split_used_size(size));
	layout.end = whole_pages(layout.buffers + (uint64_t)size * TAP_VHOST_BUFFER);
	return layout;
}

static int open_lane(struct tap_vhost_lane *lane, uint8_t *memory, unsigned size, uint64_t features,
	struct error *error)
{
	const struct layout layout = lay_out(size);
	int status = split_driver_init(&lane->ring, memory, memory + layout.available,
		memory + layout.used, size, features);

	if (status < 0)
		return error_set(error, status, "vhost-net: out of memory");
	lane->buffers = memory + layout.buffers;
	lane->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (lane->kick_fd < 0)
		return error_set_errno(error, -errno, "vhost-net: cannot create an eventfd");
	return 0;
}

static int open_memory(struct tap_vhost *vhost, struct error *error)
{
	void *memory;

	vhost->memory_size = lay_out(TAP_VHOST_RECEIVE).end + lay_out(TAP_VHOST_SEND).end;
	memory = mmap(NULL, vhost->memory_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return error_set_errno(error, -errno, "vhost-net: cannot get memory for rings");
	vhost->memory = memory;
	vhost->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vhost->error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vhost->call_fd < 0 || vhost->error_fd < 0)
		return error_set_errno(error, -errno, "vhost-net: cannot create an eventfd");
	return 0;
}

/* All that is ours: rings, with buffers to receive into. */
static int open_lanes(struct tap_vhost *vhost, struct error *error)
{
	const uint64_t features = vhost->kernel.features;
	int status = open_memory(vhost, error);

	if (status == 0)
		status = open_lane(
			&vhost->receive, vhost->memory, TAP_VHOST_RECEIVE, features, error);
	if (status == 0)
		status = open_lane(&vhost->send, vhost->memory + lay_out(TAP_VHOST_RECEIVE).end,
			TAP_VHOST_SEND, features, error);
	if (status < 0)
		return status;
	for (unsigned i = 0; i < TAP_VHOST_SEND; i++)
		vhost->next[i] = (uint16_t)(i + 1);
	vhost->free_count = TAP_VHOST_SEND;
	for (unsigned i = 0; i < TAP_VHOST_RECEIVE; i++)
		tap_vhost_offer(&vhost->receive, i);
	split_driver_publish(&vhost->receive.ring);
	return 0;
}

static int start_lane(struct tap_vhost *vhost, unsigned index, const struct tap_vhost_lane *lane,
	int call_fd, int tap_fd, struct error *error)
{
	const struct vhost_kernel_ring ring = {
		.size = lane->ring.size,
		.descriptors = lane->ring.descriptors,
		.available = lane->ring.available,
		.used = lane->ring.used,
		.kick_fd = lane->kick_fd,
		.call_fd = call_fd,
		.error_fd = vhost->error_fd,
	};

	return vhost_kernel_start(&vhost->kernel, index, &ring, tap_fd, error);
}

static int start(struct tap_vhost *vhost, int tap_fd, struct error *error)
{
	const struct vhost_kernel_memory memory = {vhost->memory, vhost->memory_size};
	int status = vhost_kernel_share(&vhost->kernel, &memory, error);

	if (status == 0)
		status = start_lane(vhost, VHOST_KERNEL_RECEIVE, &vhost->receive, vhost->call_fd,
			tap_fd, error);
	/* What was sent is found when there is something to send: nobody waits for that. */
	if (status == 0)
		status = start_lane(vhost, VHOST_KERNEL_TRANSMIT, &vhost->send, -1, tap_fd, error);
	return status;
}

static struct tap_vhost *allocate(void)
{
	size_t size = (sizeof(struct tap_vhost) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	struct tap_vhost *vhost = aligned_alloc(CACHE_LINE, size);

	if (!vhost)
		return NULL;
	memset(vhost, 0, size);
	vhost->kernel.fd = vhost->call_fd = vhost->error_fd = -1;
	vhost->receive.kick_fd = vhost->send.kick_fd = -1;
	return vhost;
}

int tap_vhost_new(struct tap_vhost **vhost, int tap_fd, struct error *error)
{
	int fd = host_vhost_net_open(error);
	struct tap_vhost *new;
	int status;

	if (fd < 0)
		return fd;
	new = allocate();
	if (!new) {
		fd_close(&fd);
		return error_set(error, -ENOMEM, "vhost-net: out of memory");
	}
	status = vhost_kernel_open(&new->kernel, fd, NULL, WANTED, NEEDED, error);
	if (status == 0)
		status = open_lanes(new, error);
	if (status == 0)
		status = start(new, tap_fd, error);
	if (status < 0)
		tap_vhost_free(new);
	else
		*vhost = new;
	return status;
}

void tap_vhost_free(struct tap_vhost *vhost)
{
	if (!vhost)
		return;
	vhost_kernel_close(&vhost->kernel);
	split_driver_fini(&vhost->receive.ring);
	split_driver_fini(&vhost->send.ring);
	fd_close(&vhost->receive.kick_fd);
	fd_close(&vhost->send.kick_fd);
	fd_close(&vhost->call_fd);
	fd_close(&vhost->error_fd);
	if (vhost->memory)
		munmap(vhost->memory, vhost->memory_size);
	free(vhost);
}

int tap_vhost_call_fd(const struct tap_vhost *vhost)
{
	return vhost->call_fd;
}

int tap_vhost_error_fd(const struct tap_vhost *vhost)
{
	return vhost->error_fd;
}
