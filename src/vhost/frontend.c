/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/frontend.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STATUS_BEGIN (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)

/*
 * The session as a list of steps, walked in order. Each sends one message for each of its elements
 * (one, a region, or a ring), where the step applies at all.
 */
enum count { ONCE, EACH_REGION, EACH_RING };

struct step {
	uint32_t id;
	enum count count;
	int protocol_feature; /* applies only where this was agreed; -1: always */
	bool needs_bit_30;    /* applies only where bit 30 was agreed */
	void (*fill)(struct vhost_frontend *frontend, struct vhost_message *message);
	/* Consumes the message's own reply; NULL: it has none. False after frontend_fail(). */
	bool (*reply)(struct vhost_frontend *frontend, const struct vhost_message *message);
};

static void frontend_fail(struct vhost_frontend *frontend, const char *format, ...) PRINTF(2, 3);

static void frontend_fail(struct vhost_frontend *frontend, const char *format, ...)
{
	struct error error;
	va_list arguments;

	if (frontend->state == VHOST_FRONTEND_FAILED)
		return;
	va_start(arguments, format);
	vsnprintf(error.text, sizeof(error.text), format, arguments);
	va_end(arguments);
	frontend->state = VHOST_FRONTEND_FAILED;
	frontend->waiting = 0;
	frontend->ops->failed(frontend->owner, &error);
}

static bool has_protocol_feature(const struct vhost_frontend *frontend, int bit)
{
	return bit < 0 || (frontend->protocol_features & BIT64(bit));
}

static void fill_nothing(struct vhost_frontend *frontend, struct vhost_message *message)
{
	vhost_message_init(message, message->header.id, 0, 0);
}

static void fill_number(struct vhost_message *message, uint64_t number)
{
	vhost_message_init(message, message->header.id, 0, 8);
	message->payload.number = number;
}

static bool reply_features(struct vhost_frontend *frontend, const struct vhost_message *message)
{
	uint64_t offered = message->payload.number;
	uint64_t missing = frontend->config.features_required & ~offered;

	if (missing) {
		frontend_fail(
			frontend, "the backend lacks features %#llx", (unsigned long long)missing);
		return false;
	}
	frontend->features = offered &
			     (frontend->config.features | frontend->config.features_required);
	return true;
}

static bool reply_protocol_features(
	struct vhost_frontend *frontend, const struct vhost_message *message)
{
	frontend->protocol_features = message->payload.number & frontend->config.protocol_features &
				      VHOST_FRONTEND_PROTOCOL_FEATURES;
	return true;
}

static void fill_protocol_features(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_number(message, frontend->protocol_features);
}

/* Some backends answer in pairs, some in rings: what they answer is at least the number of
 * pairs. */
static bool reply_queue_num(struct vhost_frontend *frontend, const struct vhost_message *message)
{
	if (message->payload.number == 0) {
		frontend_fail(frontend, "the backend has no queues");
		return false;
	}
	if (message->payload.number < frontend->queue_pairs)
		frontend->queue_pairs = (unsigned)message->payload.number;
	return true;
}

static bool reply_max_mem_slots(
	struct vhost_frontend *frontend, const struct vhost_message *message)
{
	if (message->payload.number >= frontend->config.region_count)
		return true;
	frontend_fail(frontend, "the backend takes %llu memory regions, we have %u",
		(unsigned long long)message->payload.number, frontend->config.region_count);
	return false;
}

static void fill_features(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_number(message, frontend->features);
}

static void fill_status_features_ok(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_number(message, STATUS_BEGIN | VIRTIO_CONFIG_S_FEATURES_OK);
}

static bool reply_status(struct vhost_frontend *frontend, const struct vhost_message *message)
{
	if (message->payload.number & VIRTIO_CONFIG_S_FEATURES_OK)
		return true;
	frontend_fail(frontend, "the backend did not accept features %#llx",
		(unsigned long long)frontend->features);
	return false;
}

static void fill_mtu(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_number(message, frontend->config.mtu);
}

static void fill_mem_table(struct vhost_frontend *frontend, struct vhost_message *message)
{
	unsigned count = frontend->config.region_count;

	vhost_message_init(message, message->header.id, 0,
		(uint32_t)(sizeof(uint64_t) + count * sizeof(struct vhost_region)));
	message->payload.memory.count = count;
	message->fd_count = count;
	for (unsigned i = 0; i < count; i++) {
		message->payload.memory.regions[i] = frontend->config.regions[i];
		message->fds[i] = frontend->config.region_fds[i];
	}
}

static void fill_mem_reg(struct vhost_frontend *frontend, struct vhost_message *message)
{
	vhost_message_init(message, message->header.id, 0, sizeof(struct vhost_memory_slot));
	message->payload.slot.region = frontend->config.regions[frontend->element];
	message->fd_count = 1;
	message->fds[0] = frontend->config.region_fds[frontend->element];
}

static void fill_ring_state(
	struct vhost_frontend *frontend, struct vhost_message *message, uint32_t number)
{
	vhost_message_init(message, message->header.id, 0, sizeof(struct vhost_ring_state));
	message->payload.state.index = frontend->element;
	message->payload.state.number = number;
}

static void fill_vring_num(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_state(frontend, message, frontend->rings[frontend->element].size);
}

static void fill_vring_base(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_state(frontend, message, frontend->rings[frontend->element].base);
}

static void fill_vring_addr(struct vhost_frontend *frontend, struct vhost_message *message)
{
	const struct vhost_frontend_ring *ring = &frontend->rings[frontend->element];

	vhost_message_init(message, message->header.id, 0, sizeof(struct vhost_ring_address));
	message->payload.address = (struct vhost_ring_address){
		.index = frontend->element,
		.descriptor = ring->descriptor,
		.available = ring->available,
		.used = ring->used,
	};
}

static void fill_ring_fd(struct vhost_frontend *frontend, struct vhost_message *message, int fd)
{
	fill_number(message, frontend->element | (fd < 0 ? VHOST_VRING_NO_FD : 0));
	if (fd >= 0) {
		message->fd_count = 1;
		message->fds[0] = fd;
	}
}

static void fill_vring_call(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_fd(frontend, message, frontend->rings[frontend->element].call_fd);
}

static void fill_vring_kick(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_fd(frontend, message, frontend->rings[frontend->element].kick_fd);
}

static void fill_enable(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_state(frontend, message, 1);
}

static void fill_disable(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_state(frontend, message, 0);
}

static void fill_get_base(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_ring_state(frontend, message, 0);
}

static bool reply_base(struct vhost_frontend *frontend, const struct vhost_message *message)
{
	if (message->payload.state.index != frontend->element) {
		frontend_fail(frontend, "asked for the base of ring %u, got that of ring %u",
			frontend->element, message->payload.state.index);
		return false;
	}
	frontend->rings[frontend->element].base = message->payload.state.number;
	return true;
}

static void fill_driver_ok(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_number(
		message, STATUS_BEGIN | VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void fill_status_zero(struct vhost_frontend *frontend, struct vhost_message *message)
{
	fill_number(message, 0);
}

#define STATUS VHOST_PROTOCOL_STATUS
#define SLOTS  VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS

static const struct step steps[] = {
	/* Negotiation: what follows depends on it. */
	{VHOST_USER_GET_FEATURES, ONCE, -1, false, fill_nothing, reply_features},
	{VHOST_USER_GET_PROTOCOL_FEATURES, ONCE, -1, true, fill_nothing, reply_protocol_features},
	{VHOST_USER_SET_PROTOCOL_FEATURES, ONCE, -1, true, fill_protocol_features, NULL},
	{VHOST_USER_GET_QUEUE_NUM, ONCE, VHOST_PROTOCOL_MQ, false, fill_nothing, reply_queue_num},
	{VHOST_USER_GET_MAX_MEM_SLOTS, ONCE, SLOTS, false, fill_nothing, reply_max_mem_slots},
	{VHOST_USER_SET_OWNER, ONCE, -1, false, fill_nothing, NULL},
#define STEP_START 6
	{VHOST_USER_SET_FEATURES, ONCE, -1, false, fill_features, NULL},
	{VHOST_USER_SET_STATUS, ONCE, STATUS, false, fill_status_features_ok, NULL},
	{VHOST_USER_GET_STATUS, ONCE, STATUS, false, fill_nothing, reply_status},
	{VHOST_USER_NET_SET_MTU, ONCE, VHOST_PROTOCOL_NET_MTU, false, fill_mtu, NULL},
	{VHOST_USER_SET_MEM_TABLE, ONCE, -1, false, fill_mem_table, NULL},
	{VHOST_USER_ADD_MEM_REG, EACH_REGION, SLOTS, false, fill_mem_reg, NULL},
	{VHOST_USER_SET_VRING_CALL, EACH_RING, -1, false, fill_vring_call, NULL},
	{VHOST_USER_SET_VRING_NUM, EACH_RING, -1, false, fill_vring_num, NULL},
	{VHOST_USER_SET_VRING_BASE, EACH_RING, -1, false, fill_vring_base, NULL},
	{VHOST_USER_SET_VRING_ADDR, EACH_RING, -1, false, fill_vring_addr, NULL},
	{VHOST_USER_SET_VRING_KICK, EACH_RING, -1, false, fill_vring_kick, NULL},
	{VHOST_USER_SET_VRING_ENABLE, EACH_RING, -1, true, fill_enable, NULL},
	{VHOST_USER_SET_STATUS, ONCE, STATUS, false, fill_driver_ok, NULL},
#define STEP_STOP 19
	{VHOST_USER_SET_VRING_ENABLE, EACH_RING, -1, true, fill_disable, NULL},
	{VHOST_USER_GET_VRING_BASE, EACH_RING, -1, false, fill_get_base, reply_base},
	{VHOST_USER_SET_STATUS, ONCE, STATUS, false, fill_status_zero, NULL},
};

static unsigned step_elements(const struct vhost_frontend *frontend, const struct step *step)
{
	if (!has_protocol_feature(frontend, step->protocol_feature))
		return 0;
	if (step->needs_bit_30 && !(frontend->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES)))
		return 0;
	if (step->id == VHOST_USER_NET_SET_MTU && frontend->config.mtu == 0)
		return 0;
	/* With memory slots regions are added one by one; a restart has them there already. */
	if (step->id == VHOST_USER_SET_MEM_TABLE && has_protocol_feature(frontend, SLOTS))
		return 0;
	if ((step->id == VHOST_USER_SET_MEM_TABLE || step->id == VHOST_USER_ADD_MEM_REG) &&
		frontend->memory_sent)
		return 0;
	if (step->count == EACH_REGION)
		return frontend->config.region_count;
	return step->count == EACH_RING ? 2 * frontend->queue_pairs : 1;
}

/* The end of negotiation: the driver may lay out its rings now. */
static bool begin_start(struct vhost_frontend *frontend)
{
	struct error error = {""};

	if (!has_protocol_feature(frontend, VHOST_PROTOCOL_MQ))
		frontend->queue_pairs = 1;
	if (!has_protocol_feature(frontend, SLOTS) &&
		frontend->config.region_count > VHOST_MESSAGE_FDS_MAX) {
		frontend_fail(frontend, "the backend takes %u memory regions, we have %u",
			VHOST_MESSAGE_FDS_MAX, frontend->config.region_count);
		return false;
	}
	if (frontend->ops->negotiated(
		    frontend->owner, frontend->features, frontend->queue_pairs, &error) < 0) {
		frontend_fail(frontend, "%s", error.text);
		return false;
	}
	frontend->state = VHOST_FRONTEND_STARTING;
	return true;
}

static void begin_stop(struct vhost_frontend *frontend)
{
	frontend->stop_asked = false;
	frontend->state = VHOST_FRONTEND_STOPPING;
	frontend->step = STEP_STOP;
	frontend->element = 0;
}

/* Called where a list of steps ends. False where there is nothing to send after it. */
static bool phase_end(struct vhost_frontend *frontend)
{
	switch (frontend->state) {
	case VHOST_FRONTEND_NEGOTIATING:
		return frontend->step < STEP_START || begin_start(frontend);
	case VHOST_FRONTEND_STARTING:
		if (frontend->step < STEP_STOP)
			return true;
		frontend->memory_sent = true;
		frontend->state = VHOST_FRONTEND_RUNNING;
		frontend->ops->running(frontend->owner);
		if (frontend->stop_asked && frontend->state == VHOST_FRONTEND_RUNNING)
			begin_stop(frontend);
		return frontend->state == VHOST_FRONTEND_STOPPING;
	case VHOST_FRONTEND_STOPPING:
		if (frontend->step < ARRAY_SIZE(steps))
			return true;
		frontend->state = VHOST_FRONTEND_STOPPED;
		frontend->ops->stopped(frontend->owner);
		return frontend->state == VHOST_FRONTEND_STARTING;
	default:
		return false;
	}
}

bool vhost_frontend_next(struct vhost_frontend *frontend, struct vhost_message *message)
{
	const struct step *step;

	if (frontend->waiting)
		return false;
	while (phase_end(frontend)) {
		step = &steps[frontend->step];
		if (frontend->element < step_elements(frontend, step))
			goto found;
		frontend->step++;
		frontend->element = 0;
	}
	return false;
found:
	message->header.id = step->id;
	step->fill(frontend, message);
	if (step->reply)
		frontend->waiting = step->id;
	else if (step->id != VHOST_USER_SET_PROTOCOL_FEATURES &&
		 has_protocol_feature(frontend, VHOST_PROTOCOL_REPLY_ACK)) {
		message->header.flags |= VHOST_MESSAGE_NEED_REPLY;
		frontend->waiting = step->id;
	}
	if (!frontend->waiting)
		frontend->element++;
	return true;
}

static bool consume(struct vhost_frontend *frontend, const struct vhost_message *message)
{
	const struct step *step = &steps[frontend->step];

	if (!frontend->waiting || message->header.id != frontend->waiting ||
		!(message->header.flags & VHOST_MESSAGE_REPLY)) {
		frontend_fail(
			frontend, "%s was not expected", vhost_message_name(message->header.id));
		return false;
	}
	if (message->header.size != 8) {
		frontend_fail(frontend, "%s: reply of %u bytes instead of 8",
			vhost_message_name(message->header.id), message->header.size);
		return false;
	}
	if (step->reply)
		return step->reply(frontend, message);
	if (message->payload.number == 0)
		return true;
	if (step->id == VHOST_USER_NET_SET_MTU)
		frontend_fail(frontend,
			"the backend refused NET_SET_MTU: it does not allow %u bytes (--mtu)",
			frontend->config.mtu);
	else
		frontend_fail(frontend, "the backend refused %s", vhost_message_name(step->id));
	return false;
}

void vhost_frontend_handle(struct vhost_frontend *frontend, struct vhost_message *message)
{
	if (frontend->state != VHOST_FRONTEND_FAILED && consume(frontend, message)) {
		frontend->waiting = 0;
		frontend->element++;
	}
	vhost_message_close_fds(message);
}

void vhost_frontend_stop(struct vhost_frontend *frontend)
{
	if (frontend->state == VHOST_FRONTEND_RUNNING)
		begin_stop(frontend);
	else if (frontend->state < VHOST_FRONTEND_RUNNING)
		frontend->stop_asked = true;
}

void vhost_frontend_restart(struct vhost_frontend *frontend)
{
	if (frontend->state != VHOST_FRONTEND_STOPPED)
		return;
	frontend->state = VHOST_FRONTEND_STARTING;
	frontend->step = STEP_START;
	frontend->element = 0;
}

void vhost_frontend_init(struct vhost_frontend *frontend,
	const struct vhost_frontend_config *config, const struct vhost_frontend_ops *ops,
	void *owner)
{
	memset(frontend, 0, sizeof(*frontend));
	frontend->ops = ops;
	frontend->owner = owner;
	frontend->config = *config;
	if (frontend->config.protocol_features)
		frontend->config.features |= BIT64(VHOST_USER_F_PROTOCOL_FEATURES);
	frontend->queue_pairs = MIN(MAX(config->queue_pairs, 1), VHOST_RING_MAX / 2);
	for (unsigned i = 0; i < VHOST_RING_MAX; i++)
		frontend->rings[i].kick_fd = frontend->rings[i].call_fd = -1;
}
