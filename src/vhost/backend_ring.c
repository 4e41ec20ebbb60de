/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fd.h"
#include "vhost/backend_private.h"

/* The largest ring that the virtio specification knows (2.7, 2.8). */
#define RING_SIZE_MAX 32768

/* A ring that starts is all news to the port. */
#define CHANGES_AT_START                                                                           \
	(VHOST_RING_START | VHOST_RING_ADDRESS | VHOST_RING_BASE | VHOST_RING_KICK |               \
		VHOST_RING_CALL | VHOST_RING_ENABLE | VHOST_RING_SIZE | VHOST_RING_ERROR |         \
		VHOST_RING_MEMORY | VHOST_RING_LOG)

/* Without bit 30 there is no SET_VRING_ENABLE to wait for. */
bool vhost_ring_enabled(const struct vhost_backend *backend, unsigned index)
{
	const struct vhost_ring *ring = &backend->rings[index];

	return ring->enable_asked ||
	       (ring->started && !(backend->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES)));
}

static void ring_stop(struct vhost_backend *backend, unsigned index)
{
	struct vhost_ring *ring = &backend->rings[index];

	if (!ring->started)
		return;
	ring->base = backend->ops->ring_stop(backend->owner, index);
	ring->started = false;
}

void vhost_ring_halt(struct vhost_backend *backend, unsigned index)
{
	struct vhost_ring *ring = &backend->rings[index];

	ring_stop(backend, index);
	reaper_close(backend->config.reaper, &ring->kick_fd);
	reaper_close(backend->config.reaper, &ring->call_fd);
	ring->polled = false;
}

void vhost_rings_halt(struct vhost_backend *backend)
{
	for (unsigned i = 0; i < backend->ring_limit; i++)
		ring_stop(backend, i);
}

void vhost_rings_forget(struct vhost_backend *backend)
{
	for (unsigned i = 0; i < backend->ring_limit; i++) {
		struct vhost_ring *ring = &backend->rings[i];

		vhost_ring_halt(backend, i);
		*ring = (struct vhost_ring){
			.kick_fd = -1,
			.call_fd = -1,
			.error_fd = ring->error_fd,
			.base = ring->base,
			.enable_asked = ring->enable_asked,
		};
	}
}

/* Tells the port of a change to a started ring. One that it cannot follow stops the ring. */
static int ring_update(struct vhost_backend *backend, unsigned index, unsigned changes,
	struct vhost_result *result)
{
	int status;

	if (!backend->rings[index].started)
		return 0;
	status = backend->ops->ring_update(backend->owner, index, changes, &result->error);
	if (status < 0) {
		ring_stop(backend, index);
		error_prefix(&result->error, "ring %u stopped", index);
	}
	return status;
}

void vhost_rings_remap(struct vhost_backend *backend, struct vhost_result *result)
{
	for (unsigned i = 0; i < backend->ring_limit; i++)
		ring_update(backend, i, VHOST_RING_MEMORY, result);
}

VHOST_HANDLER(vhost_handle_set_vring_num)
{
	unsigned index = message->payload.state.index;
	uint32_t size = message->payload.state.number;
	struct vhost_ring *ring = &backend->rings[index];

	if (size == 0 || size > RING_SIZE_MAX)
		return vhost_refuse(
			result, "ring %u: size %u is not within 1..%u", index, size, RING_SIZE_MAX);
	if (size == ring->size)
		return VHOST_ACCEPTED;
	ring_stop(backend, index);
	ring->size = size;
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_set_vring_base)
{
	unsigned index = message->payload.state.index;
	struct vhost_ring *ring = &backend->rings[index];

	/* On a running ring the base has moved on: a repeat of where it began is no news either. */
	if (ring->started && message->payload.state.number == ring->base)
		return VHOST_ACCEPTED;
	ring_stop(backend, index);
	ring->base = message->payload.state.number;
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_set_vring_addr)
{
	const struct vhost_ring_address *address = &message->payload.address;
	struct vhost_ring *ring = &backend->rings[address->index];
	bool same_place = ring->address_set && ring->descriptor == address->descriptor &&
			  ring->used == address->used && ring->available == address->available;
	bool same_log = ring->address_flags == address->flags && ring->log == address->log;

	if (same_place && same_log)
		return VHOST_ACCEPTED;
	ring->address_set = true;
	ring->address_flags = address->flags;
	ring->descriptor = address->descriptor;
	ring->used = address->used;
	ring->available = address->available;
	ring->log = address->log;
	if (ring_update(backend, address->index,
		    (same_place ? 0 : VHOST_RING_ADDRESS) | (same_log ? 0 : VHOST_RING_LOG),
		    result) < 0)
		return VHOST_REFUSED;
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_get_vring_base)
{
	unsigned index = message->payload.state.index;
	union vhost_payload *payload = vhost_reply(result, message->header.id, 8);

	vhost_ring_halt(backend, index);
	payload->state.index = index;
	payload->state.number = backend->rings[index].base;
	return VHOST_ACCEPTED;
}

static enum vhost_verdict ring_start(
	struct vhost_backend *backend, unsigned index, struct vhost_result *result)
{
	struct vhost_ring *ring = &backend->rings[index];

	ring->started = true;
	if (backend->ops->ring_update(backend->owner, index, CHANGES_AT_START, &result->error) >= 0)
		return VHOST_ACCEPTED;
	ring->started = false;
	reaper_close(backend->config.reaper, &ring->kick_fd);
	error_prefix(&result->error, "ring %u", index);
	return VHOST_REFUSED;
}

/* Puts the message's descriptor in *slot, tells the port, and only then closes the old one. */
static int ring_replace_fd(struct vhost_backend *backend, struct vhost_message *message, int *slot,
	unsigned change, struct vhost_result *result)
{
	unsigned index = message->payload.number & ~(uint64_t)VHOST_VRING_NO_FD;
	int old = *slot;
	int status;

	*slot = message->fd_count ? fd_take(&message->fds[0]) : -1;
	status = ring_update(backend, index, change, result);
	reaper_close(backend->config.reaper, &old);
	return status;
}

/* Rings beyond the port's queue pairs, see "Ring count" in backend.h. */
static bool is_spare(const struct vhost_backend *backend, unsigned index)
{
	return index >= 2 * backend->config.queue_pairs;
}

VHOST_HANDLER(vhost_handle_set_vring_kick)
{
	unsigned index = message->payload.number & ~(uint64_t)VHOST_VRING_NO_FD;
	struct vhost_ring *ring = &backend->rings[index];

	if (is_spare(backend, index))
		return VHOST_ACCEPTED;
	if (backend->features_refused)
		return vhost_refuse(result, "ring %u: the features were refused", index);
	if (ring->size == 0 || !ring->address_set)
		return vhost_refuse(result, "ring %u has no %s yet", index,
			ring->size == 0 ? "size" : "addresses");
	ring->polled = message->fd_count == 0;
	if (ring_replace_fd(backend, message, &ring->kick_fd, VHOST_RING_KICK, result) < 0)
		return VHOST_REFUSED;
	return ring->started ? VHOST_ACCEPTED : ring_start(backend, index, result);
}

VHOST_HANDLER(vhost_handle_set_vring_call)
{
	unsigned index = message->payload.number & ~(uint64_t)VHOST_VRING_NO_FD;
	struct vhost_ring *ring = &backend->rings[index];

	if (ring_replace_fd(backend, message, &ring->call_fd, VHOST_RING_CALL, result) < 0)
		return VHOST_REFUSED;
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_set_vring_err)
{
	unsigned index = message->payload.number & ~(uint64_t)VHOST_VRING_NO_FD;

	if (ring_replace_fd(backend, message, &backend->rings[index].error_fd, VHOST_RING_ERROR,
		    result) < 0)
		return VHOST_REFUSED;
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_set_vring_enable)
{
	unsigned index = message->payload.state.index;
	uint32_t value = message->payload.state.number;
	struct vhost_ring *ring = &backend->rings[index];
	bool before;

	if (value > 1)
		return vhost_refuse(result, "ring %u: %u is neither 0 nor 1", index, value);
	if (value == 1 && is_spare(backend, index))
		return vhost_hang_up(result,
			"ring %u: the VM uses queue pair %u, but the port has %u: give the VM no "
			"more queues than that, or raise the port's 'queues'",
			index, index / 2 + 1, backend->config.queue_pairs);
	before = vhost_ring_enabled(backend, index);
	ring->enable_asked = value == 1;
	if (vhost_ring_enabled(backend, index) == before)
		return VHOST_ACCEPTED;
	if (ring_update(backend, index, VHOST_RING_ENABLE, result) < 0)
		return VHOST_REFUSED;
	return VHOST_ACCEPTED;
}
