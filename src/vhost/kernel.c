/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/vhost.h>

#include "base/fd.h"

static int system_request(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument);
}

static int ask(struct vhost_kernel *kernel, unsigned long request, void *argument, const char *what,
	struct error *error)
{
	if (kernel->request(kernel->fd, request, argument) >= 0)
		return 0;
	return error_set_errno(error, -errno, "vhost-net: cannot %s", what);
}

static int agree(struct vhost_kernel *kernel, uint64_t wanted, uint64_t needed, struct error *error)
{
	uint64_t features = 0;
	int status = ask(kernel, VHOST_GET_FEATURES, &features, "read the features", error);

	if (status < 0)
		return status;
	features &= wanted;
	if (needed & ~features)
		return error_set(error, -ENOTSUP,
			"vhost-net: this kernel lacks a feature that is needed (0x%llx)",
			(unsigned long long)(needed & ~features));
	kernel->features = features;
	return ask(kernel, VHOST_SET_FEATURES, &features, "set the features", error);
}

int vhost_kernel_open(struct vhost_kernel *kernel, int fd,
	int (*request)(int fd, unsigned long request, void *argument), uint64_t wanted,
	uint64_t needed, struct error *error)
{
	int status;

	*kernel = (struct vhost_kernel){
		.fd = fd,
		.request = request ? request : system_request,
	};
	status = ask(kernel, VHOST_SET_OWNER, NULL, "own the device", error);
	if (status == 0)
		status = agree(kernel, wanted, needed, error);
	if (status < 0)
		vhost_kernel_close(kernel);
	return status;
}

int vhost_kernel_share(
	struct vhost_kernel *kernel, const struct vhost_kernel_memory *memory, struct error *error)
{
	union {
		struct vhost_memory table;
		uint8_t bytes[sizeof(struct vhost_memory) + sizeof(struct vhost_memory_region)];
	} request;

	memset(&request, 0, sizeof(request));
	request.table.nregions = 1;
	request.table.regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = (uintptr_t)memory->start,
		.memory_size = memory->size,
		.userspace_addr = (uintptr_t)memory->start,
	};
	return ask(kernel, VHOST_SET_MEM_TABLE, &request.table, "share the memory", error);
}

/* The descriptors that go with a ring; -1 takes one away. */
static int set_eventfds(struct vhost_kernel *kernel, unsigned index,
	const struct vhost_kernel_ring *ring, struct error *error)
{
	struct vhost_vring_file kick = {index, ring->kick_fd};
	struct vhost_vring_file call = {index, ring->call_fd};
	struct vhost_vring_file fault = {index, ring->error_fd};
	int status = ask(kernel, VHOST_SET_VRING_KICK, &kick, "set the kick eventfd", error);

	if (status == 0)
		status = ask(kernel, VHOST_SET_VRING_CALL, &call, "set the call eventfd", error);
	if (status == 0)
		status = ask(kernel, VHOST_SET_VRING_ERR, &fault, "set the error eventfd", error);
	return status;
}

int vhost_kernel_start(struct vhost_kernel *kernel, unsigned index,
	const struct vhost_kernel_ring *ring, int tap_fd, struct error *error)
{
	struct vhost_vring_state size = {index, ring->size};
	struct vhost_vring_state base = {index, ring->base};
	struct vhost_vring_addr place = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->descriptors,
		.avail_user_addr = (uintptr_t)ring->available,
		.used_user_addr = (uintptr_t)ring->used,
	};
	struct vhost_vring_file backend = {index, tap_fd};
	int status = ask(kernel, VHOST_SET_VRING_NUM, &size, "set a ring's size", error);

	if (status == 0)
		status = ask(kernel, VHOST_SET_VRING_BASE, &base, "set a ring's place", error);
	if (status == 0)
		status = ask(kernel, VHOST_SET_VRING_ADDR, &place, "set a ring's addresses", error);
	if (status == 0)
		status = set_eventfds(kernel, index, ring, error);
	if (status == 0)
		status = ask(kernel, VHOST_NET_SET_BACKEND, &backend, "use the TAP", error);
	kernel->running[index] = status == 0;
	return status;
}

void vhost_kernel_stop(struct vhost_kernel *kernel, unsigned index)
{
	struct vhost_vring_file backend = {index, -1};

	if (!kernel->running[index])
		return;
	kernel->running[index] = false;
	/* It fails for a device that has no owner, and then there is nothing to stop. */
	kernel->request(kernel->fd, VHOST_NET_SET_BACKEND, &backend);
}

void vhost_kernel_close(struct vhost_kernel *kernel)
{
	for (unsigned i = 0; i < VHOST_KERNEL_RINGS; i++)
		vhost_kernel_stop(kernel, i);
	fd_close(&kernel->fd);
}
