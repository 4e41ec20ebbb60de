/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings and memory of the vhost-user port: taken out of service, changed, and put back. Control
 * thread; see port/vhost_user/vhost_user_private.h.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/edge.h"
#include "base/fd.h"
#include "base/rcu.h"
#include "port/vhost_user/vhost_user_private.h"

/* Whatever was replaced before this is read by nobody afterwards. */
static void wait_for_readers(struct vhost_user_port *vhost)
{
	struct vhost_user_senders *old = vhost->retired;

	rcu_wait();
	vhost->retired = NULL;
	while (old) {
		struct vhost_user_senders *next = old->retired;

		free(old);
		old = next;
	}
}

/*
 * Lists the pairs whose receiveq is published. Where memory is short, none takes frames. The list
 * before goes with the next grace period: one comes before any of its pairs can be added again, so
 * that no more lists wait than there are pairs.
 */
static void publish_senders(struct vhost_user_port *vhost)
{
	struct vhost_user_senders *old = vhost->senders;
	struct vhost_user_senders *senders;
	unsigned limit = vhost->port.queue_count;

	senders = malloc(sizeof(*senders) + limit * sizeof(senders->pairs[0]));
	if (senders) {
		senders->count = 0;
		for (unsigned i = 0; i < limit; i++)
			if (vhost->pairs[i].send_ring.state == RING_RUNNING)
				senders->pairs[senders->count++] = (uint16_t)i;
		if (!senders->count) {
			free(senders);
			senders = NULL;
		}
	}
	rcu_publish(&vhost->senders, senders);
	if (old) {
		old->retired = vhost->retired;
		vhost->retired = old;
	}
}

static void unwatch_kick(struct vhost_user_port *vhost, unsigned pair_index)
{
	struct vhost_user_pair *pair = &vhost->pairs[pair_index];

	if (pair->watched_fd < 0)
		return;
	vhost->notifier->unwatch(
		vhost->notifier->owner, &vhost->port, pair_index, pair->watched_fd);
	pair->watched_fd = -1;
}

/* No worker will find the ring. True where one could until now: a grace period is due. */
static bool withdraw(struct vhost_user_port *vhost, unsigned index)
{
	if (!ring_state_act(&vhost_user_ring(vhost, index)->state, RING_WITHDRAW))
		return false;
	if (index % 2) {
		unwatch_kick(vhost, index / 2);
		rcu_publish(&vhost->pairs[index / 2].receive, NULL);
	}
	return true;
}

/* The ring that was withdrawn is the control thread's. True where it has failed. */
static bool take_back(struct vhost_user_port *vhost, unsigned index)
{
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);

	ring->next = device_ring_base(&ring->queue.ring);
	return ring->broken && ring_state_act(&ring->state, RING_FAIL);
}

/* Both, and what is due in between. True where the ring ran and has failed meanwhile. */
static bool unpublish(struct vhost_user_port *vhost, unsigned index)
{
	if (!withdraw(vhost, index))
		return false;
	if (index % 2 == 0)
		publish_senders(vhost);
	wait_for_readers(vhost);
	return take_back(vhost, index);
}

/* Has it go to work. A ring that is not ready is refused. */
static int set_running(struct vhost_user_ring *ring, unsigned index, struct error *error)
{
	if (ring_state_act(&ring->state, RING_PUBLISH))
		return 0;
	return error_set(error, -EBUSY, "ring %u: cannot run, it is %s", index,
		ring_state_name(ring->state));
}

/* Says that a ring failed, which is out of service now. */
static void report_failed(struct vhost_user_port *vhost, unsigned index)
{
	vhost->ring_errors++;
	vhost_user_problem(vhost, VHOST_USER_PROBLEM_RING,
		"ring %u stopped: invalid descriptor chain or index; it is served again when the "
		"guest's driver has started it anew",
		index);
	reaper_signal(vhost_endpoint_reaper(vhost->endpoint), vhost->backend.rings[index].error_fd);
}

/* All at once: one list of senders, and one grace period. */
static void unpublish_all(struct vhost_user_port *vhost)
{
	bool withdrawn[VHOST_RING_MAX] = {0};
	bool any = false;

	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++)
		withdrawn[i] = withdraw(vhost, i);
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++)
		any |= withdrawn[i];
	if (!any)
		return;
	publish_senders(vhost);
	wait_for_readers(vhost);
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++)
		if (withdrawn[i] && take_back(vhost, i))
			report_failed(vhost, i);
}

static int publish_receive(struct vhost_user_port *vhost, unsigned pair_index, struct error *error)
{
	const struct vhost_ring *asked = &vhost->backend.rings[pair_index * 2 + 1];
	struct vhost_user_pair *pair = &vhost->pairs[pair_index];
	int result = set_running(&pair->receive_ring, pair_index * 2 + 1, error);

	if (result < 0)
		return result;
	pair->receive_ring.queue.discard = !vhost_ring_enabled(&vhost->backend, pair_index * 2 + 1);
	pair->polled = asked->kick_fd < 0;
	if (asked->kick_fd >= 0) {
		result = vhost->notifier->watch(
			vhost->notifier->owner, &vhost->port, pair_index, asked->kick_fd);
		if (result < 0) {
			ring_state_act(&pair->receive_ring.state, RING_WITHDRAW);
			return error_set_errno(
				error, result, "ring %u: kick descriptor", pair_index * 2 + 1);
		}
		pair->watched_fd = asked->kick_fd;
	}
	rcu_publish(&pair->receive, &pair->receive_ring.queue);
	vhost->notifier->poke(vhost->notifier->owner, &vhost->port);
	return 0;
}

/* Finds the ring's three parts in guest memory. */
static int find_parts(const struct vhost_user_port *vhost, unsigned index,
	struct device_ring_parts *parts, struct error *error)
{
	const struct vhost_ring *asked = &vhost->backend.rings[index];
	struct device_ring_sizes sizes = device_ring_sizes(asked->size, vhost->backend.features);
	const char *missing = NULL;

	parts->descriptors = guest_memory_from_user(
		vhost->memory, asked->descriptor, sizes.descriptors);
	parts->driver_area = guest_memory_from_user(
		vhost->memory, asked->available, sizes.driver_area);
	parts->device_area = guest_memory_from_user(vhost->memory, asked->used, sizes.device_area);
	if (!parts->descriptors)
		missing = "descriptor area";
	else if (!parts->driver_area)
		missing = "driver area (available ring)";
	else if (!parts->device_area)
		missing = "device area (used ring)";
	if (missing)
		return error_set(error, -EFAULT, "ring %u: %s lies outside the guest's memory",
			index, missing);
	return 0;
}

/* Lays the queue over the ring's three parts in guest memory; goes on at ring->next, or, where it
 * starts, where it stands. A ring whose place is lost is not ready afterwards, and neither is it
 * where this fails. */
static int set_up(struct vhost_user_port *vhost, unsigned index, bool starts, struct error *error)
{
	const struct vhost_ring *asked = &vhost->backend.rings[index];
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);
	uint16_t mtu = vhost->told_mtu ? vhost->told_mtu : vhost->options.mtu;
	struct device_ring_parts parts;
	int result;

	ring_state_act(&ring->state, RING_CLEAR);
	if (!vhost->memory)
		vhost_user_memory_check(vhost);
	/* A ring over what has taken the place of memory that vanished would run, and nobody would
	 * notice. */
	if (vhost->memory && guest_memory_broken(vhost->memory))
		return error_set(error, -EFAULT, "ring %u: the guest's memory vanished", index);
	if (!vhost->memory || !asked->address_set || !asked->size)
		return error_set(error, -EINVAL, "ring %u: started before its %s", index,
			!vhost->memory        ? "memory table"
			: !asked->address_set ? "addresses"
					      : "size");
	result = find_parts(vhost, index, &parts, error);
	if (result < 0)
		return result;
	if (!vhost_user_place_find(vhost, index, &parts, starts)) {
		ring_state_act(&ring->state, RING_LOSE);
		return 0;
	}
	if (net_device_init(&ring->queue, vhost->memory, &parts, asked->size,
		    vhost->backend.features, ring->next, mtu) < 0)
		return error_set(error, -EINVAL,
			"ring %u: size %u or base 0x%x is not legal, or a part is not aligned",
			index, asked->size, ring->next);
	vhost_user_place_keep(vhost, index);
	ring->broken = false;
	ring_state_act(&ring->state, RING_LAY);
	return 0;
}

/* Puts a ring to work that is ready, as far as its frontend wants that. 0, or -errno and a
 * reason. */
static int publish(struct vhost_user_port *vhost, unsigned index, struct error *error)
{
	int result = vhost_user_log_ring(vhost, index, error);

	if (result < 0)
		return result;
	vhost_user_place_log(vhost, index);
	if (index % 2)
		return publish_receive(vhost, index / 2, error);
	if (!vhost_ring_enabled(&vhost->backend, index))
		return 0;
	result = set_running(vhost_user_ring(vhost, index), index, error);
	if (result == 0)
		publish_senders(vhost);
	return result;
}

/* A ring that no worker uses gets what changed. */
static int change(
	struct vhost_user_port *vhost, unsigned index, unsigned changes, struct error *error)
{
	const unsigned layout = VHOST_RING_ADDRESS | VHOST_RING_SIZE | VHOST_RING_BASE |
				VHOST_RING_MEMORY;
	const struct vhost_ring *asked = &vhost->backend.rings[index];
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);
	int result;

	ring->bell.fd = asked->call_fd;
	if (changes & VHOST_RING_START) {
		ring_state_act(&ring->state, RING_CLEAR);
		ring->resumed = false;
	}
	if (ring_state_out_of_service(ring->state))
		return 0;
	if (changes & layout) {
		/* A new layout of a running ring goes on where the ring is. */
		if (changes & (VHOST_RING_START | VHOST_RING_BASE))
			ring->next = asked->base;
		result = set_up(vhost, index, changes & VHOST_RING_START, error);
		if (result < 0)
			return result;
	}
	if (ring->state != RING_READY)
		return 0;
	result = publish(vhost, index, error);
	if (result < 0)
		return result;
	/* A signal that went to the old descriptor, or to none, may be what the driver waits
	 * for. */
	if (changes & (VHOST_RING_CALL | VHOST_RING_KICK | VHOST_RING_START))
		vhost_user_bells_call(vhost, &ring->bell);
	if (index == 0 && changes & (VHOST_RING_START | VHOST_RING_KICK))
		vhost_user_watch_first_kick(vhost);
	if (changes & (VHOST_RING_START | VHOST_RING_ENABLE))
		vhost_user_problem_served(vhost);
	return 0;
}

int vhost_user_ring_update(void *owner, unsigned index, unsigned changes, struct error *error)
{
	struct vhost_user_port *vhost = owner;
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);
	int result;

	/* What is logged changes under the running ring. */
	if (changes == VHOST_RING_LOG && ring->state == RING_RUNNING) {
		result = vhost_user_log_ring(vhost, index, error);
		wait_for_readers(vhost);
		return result;
	}
	/* It failed, and its thread's word of that has not had its turn. */
	if (unpublish(vhost, index))
		report_failed(vhost, index);
	result = change(vhost, index, changes, error);
	/* It counts as never started: nobody will stop it. */
	if (result < 0 && changes & VHOST_RING_START)
		ring_state_act(&ring->state, RING_CLEAR);
	return result;
}

uint32_t vhost_user_ring_stop(void *owner, unsigned index)
{
	struct vhost_user_port *vhost = owner;
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);

	unpublish(vhost, index);
	vhost_user_place_stop(vhost, index);
	ring_state_act(&ring->state, RING_CLEAR);
	ring->bell.fd = -1;
	if (index == 0)
		vhost_user_unwatch_first_kick(vhost);
	return ring->next;
}

/* Puts another memory in force. Rings stay out of service until their update comes. */
static void replace_memory(struct vhost_user_port *vhost, struct guest_memory *memory)
{
	unpublish_all(vhost);
	guest_memory_free(vhost->memory);
	vhost->memory = memory;
}

static struct guest_memory *new_memory(const struct vhost_user_port *vhost)
{
	struct guest_memory *memory = guest_memory_new();

	if (memory)
		memory->quota = vhost->quota;
	return memory;
}

int vhost_user_memory_set(void *owner, const struct vhost_region *regions, unsigned count, int *fds,
	struct error *error)
{
	struct guest_memory *memory = new_memory(owner);
	int result = 0;

	if (!memory)
		return error_set(error, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < count && result == 0; i++)
		result = guest_memory_add(memory, regions[i].guest_address, regions[i].size,
			regions[i].user_address, regions[i].mmap_offset, fds[i], error);
	if (result < 0) {
		guest_memory_free(memory);
		return result;
	}
	replace_memory(owner, memory);
	return 0;
}

/* A copy of the present memory, or an empty one where there is none yet. */
static struct guest_memory *memory_for_change(const struct vhost_user_port *vhost)
{
	return vhost->memory ? guest_memory_copy(vhost->memory) : new_memory(vhost);
}

int vhost_user_memory_add(
	void *owner, const struct vhost_region *region, int *fd, struct error *error)
{
	struct guest_memory *memory = memory_for_change(owner);
	int result;

	if (!memory)
		return error_set(error, -ENOMEM, "out of memory");
	result = guest_memory_add(memory, region->guest_address, region->size, region->user_address,
		region->mmap_offset, *fd, error);
	if (result < 0) {
		guest_memory_free(memory);
		return result;
	}
	replace_memory(owner, memory);
	return 0;
}

int vhost_user_memory_remove(void *owner, const struct vhost_region *region, struct error *error)
{
	struct guest_memory *memory = memory_for_change(owner);

	if (!memory)
		return error_set(error, -ENOMEM, "out of memory");
	if (guest_memory_remove(memory, region->guest_address, region->size, region->user_address) <
		0) {
		guest_memory_free(memory);
		return error_set(error, -ENOENT, "no region at guest address 0x%llx",
			(unsigned long long)region->guest_address);
	}
	replace_memory(owner, memory);
	return 0;
}

void vhost_user_attend(struct vhost_user_port *vhost)
{
	if ((vhost->memory && guest_memory_broken(vhost->memory)) ||
		(vhost->log && dirty_log_broken(vhost->log))) {
		vhost->ring_errors++;
		vhost_user_problem(vhost, VHOST_USER_PROBLEM_LEFT,
			"guest memory or its dirty log vanished: the file was truncated or "
			"punched");
		vhost_endpoint_disconnect(vhost->endpoint, "guest memory vanished");
		return;
	}
	vhost_user_bells_attend(vhost);
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++) {
		struct vhost_user_ring *ring = vhost_user_ring(vhost, i);

		if (ring->state == RING_RUNNING &&
			__atomic_load_n(&ring->broken, __ATOMIC_ACQUIRE) && unpublish(vhost, i))
			report_failed(vhost, i);
	}
}
