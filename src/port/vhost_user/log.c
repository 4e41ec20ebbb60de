/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log of the vhost-user port: which writes of which ring are logged, changed while the
 * rings run and no frame is lost. Control thread; see port/vhost_user/vhost_user_private.h.
 */
#include <errno.h>
#include <linux/vhost_types.h>

#include "base/rcu.h"
#include "port/vhost_user/vhost_user_private.h"

/*
 * What of ring `index` is to be logged with `log`, in *chosen; chosen->log is NULL where nothing
 * is. Only receiveqs have buffers that we write to.
 */
static int choose(struct vhost_user_port *vhost, unsigned index, const struct dirty_log *log,
	struct queue_log *chosen, struct error *error)
{
	const struct vhost_ring *asked = &vhost->backend.rings[index];
	struct device_ring_sizes sizes = device_ring_sizes(asked->size, vhost->backend.features);
	const void *descriptors;
	unsigned region = 0;

	*chosen = (struct queue_log){
		.memory = vhost->memory,
		.frames = vhost->backend.features & BIT64(VHOST_F_LOG_ALL) && index % 2 == 0,
		.ring = asked->address_flags & 1u << VHOST_VRING_F_LOG,
		.device_area = asked->log,
		.device_area_size = sizes.device_area,
		.bell = &vhost->log_bell,
	};
	if (!log)
		return 0;
	/* Whatever is logged now: LOG_ALL may come later, and cannot be refused. */
	if (!dirty_log_holds(log, guest_memory_last(vhost->memory), 1))
		return error_set(error, -EFAULT,
			"ring %u: the guest's memory, up to 0x%llx, lies beyond the dirty log",
			index, (unsigned long long)guest_memory_last(vhost->memory));
	if (!chosen->frames && !chosen->ring)
		return 0;
	if (chosen->ring && !dirty_log_holds(log, asked->log, sizes.device_area))
		return error_set(error, -EFAULT,
			"ring %u: log address 0x%llx lies beyond the dirty log", index,
			(unsigned long long)asked->log);
	descriptors = guest_memory_from_user(vhost->memory, asked->descriptor, sizes.descriptors);
	if (!descriptors ||
		!guest_memory_to_guest(vhost->memory, descriptors, &chosen->descriptors, &region))
		return error_set(error, -EFAULT,
			"ring %u: descriptor area lies outside the guest's memory", index);
	chosen->log = log;
	return 0;
}

static void put_in_force(struct vhost_user_ring *ring, const struct queue_log *chosen)
{
	struct queue_log *next = &ring->logs[ring->queue.log == &ring->logs[0]];

	*next = *chosen;
	net_device_set_log(&ring->queue, chosen->log ? next : NULL);
}

int vhost_user_log_ring(struct vhost_user_port *vhost, unsigned index, struct error *error)
{
	struct queue_log chosen;
	int result = choose(vhost, index, vhost->log, &chosen, error);

	if (result == 0)
		put_in_force(vhost_user_ring(vhost, index), &chosen);
	return result;
}

/* Every ring that a worker may be using. The others choose when they are published. */
static int update_all(struct vhost_user_port *vhost, struct error *error)
{
	int result = 0;

	for (unsigned i = 0; i < vhost->port.queue_count * 2u && result == 0; i++)
		if (vhost_user_ring(vhost, i)->state == RING_RUNNING)
			result = vhost_user_log_ring(vhost, i, error);
	rcu_wait();
	return result;
}

int vhost_user_log_set(void *owner, uint64_t size, uint64_t offset, int *fd, struct error *error)
{
	struct vhost_user_port *vhost = owner;
	struct dirty_log *log = dirty_log_new(vhost->quota, size, offset, *fd, error);
	struct dirty_log *old = vhost->log;
	struct queue_log chosen;
	int result = log ? 0 : -EINVAL;

	/* All rings can use it, or none does. */
	for (unsigned i = 0; i < vhost->port.queue_count * 2u && result == 0; i++)
		if (vhost_user_ring(vhost, i)->state == RING_RUNNING)
			result = choose(vhost, i, log, &chosen, error);
	if (result < 0) {
		dirty_log_free(log);
		return result;
	}
	vhost->log = log;
	update_all(vhost, error);
	dirty_log_free(old);
	return 0;
}

void vhost_user_log_update(void *owner)
{
	struct vhost_user_port *vhost = owner;

	/* The old one is closed after the grace period that follows. */
	__atomic_store_n(&vhost->log_bell.fd, vhost->backend.log_fd, __ATOMIC_RELAXED);
	/* The rings' places in the log were checked when they were set. */
	update_all(vhost, NULL);
}
