/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/backend.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "vhost/backend_private.h"

/* Smallest and largest MTU of an Ethernet device that speaks IPv4 (RFC 791, 802.3 length). */
#define MTU_MINIMUM 68
#define MTU_MAXIMUM 65535

/* Bit of `reported` for ids that the specification does not know; known ids are all below it. */
#define REPORTED_UNKNOWN 63
_Static_assert(VHOST_USER_REQUEST_END <= REPORTED_UNKNOWN, "one bit an id");

static enum vhost_verdict verdict_text(struct vhost_result *result, enum vhost_verdict verdict,
	const char *format, va_list arguments)
{
	vsnprintf(result->error.text, sizeof(result->error.text), format, arguments);
	return verdict;
}

enum vhost_verdict vhost_refuse(struct vhost_result *result, const char *format, ...)
{
	enum vhost_verdict verdict;
	va_list arguments;

	va_start(arguments, format);
	verdict = verdict_text(result, VHOST_REFUSED, format, arguments);
	va_end(arguments);
	return verdict;
}

enum vhost_verdict vhost_hang_up(struct vhost_result *result, const char *format, ...)
{
	enum vhost_verdict verdict;
	va_list arguments;

	va_start(arguments, format);
	verdict = verdict_text(result, VHOST_CLOSE, format, arguments);
	va_end(arguments);
	return verdict;
}

union vhost_payload *vhost_reply(struct vhost_result *result, uint32_t id, uint32_t size)
{
	vhost_message_init(&result->reply, id, VHOST_MESSAGE_REPLY, size);
	result->has_reply = true;
	return &result->reply.payload;
}

static VHOST_HANDLER(handle_get_features)
{
	vhost_reply(result, message->header.id, 8)->number = backend->config.features;
	return VHOST_ACCEPTED;
}

/* "features 0x400000 (mq) were not offered". */
static enum vhost_verdict refuse_features(struct vhost_result *result, const char *kind,
	uint64_t features, const char *(*name_of)(unsigned bit))
{
	char names[512] = "";

	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name = features & BIT64(bit) ? name_of(bit) : NULL;
		size_t used = strlen(names);

		if (name)
			snprintf(names + used, sizeof(names) - used, "%s%s", used ? " " : "", name);
	}
	return vhost_refuse(result, "%sfeatures %#llx (%s) were not offered", kind,
		(unsigned long long)features, names);
}

static VHOST_HANDLER(handle_set_features)
{
	uint64_t features = message->payload.number;
	uint64_t excess = features & ~backend->config.features;

	if (excess) {
		vhost_rings_halt(backend);
		backend->features_refused = true;
		return refuse_features(result, "", excess, vhost_feature_name);
	}
	backend->features_refused = false;
	if (features == backend->features)
		return VHOST_ACCEPTED;
	if ((features ^ backend->features) == BIT64(VHOST_F_LOG_ALL)) {
		backend->features = features;
		backend->ops->log_update(backend->owner);
		return VHOST_ACCEPTED;
	}
	vhost_rings_halt(backend);
	backend->features = features;
	backend->ops->features_set(backend->owner, features);
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_get_protocol_features)
{
	vhost_reply(result, message->header.id, 8)->number = backend->config.protocol_features;
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_set_protocol_features)
{
	uint64_t features = message->payload.number;
	uint64_t excess = features & ~backend->config.protocol_features;

	if (excess)
		return refuse_features(result, "protocol ", excess, vhost_protocol_feature_name);
	backend->protocol_features = features;
	return VHOST_ACCEPTED;
}

/* SET_OWNER begins a session that the connection has begun already; RESET_OWNER is deprecated, and
 * frontends that still send it do not expect to lose anything. */
static VHOST_HANDLER(handle_owner)
{
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_get_queue_num)
{
	vhost_reply(result, message->header.id, 8)->number = MIN(
		2 * backend->config.queue_pairs, VHOST_RING_MAX);
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_send_rarp)
{
	backend->ops->announce(backend->owner, message->payload.bytes);
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_net_set_mtu)
{
	uint64_t mtu = message->payload.number;

	if (mtu < MTU_MINIMUM || mtu > MTU_MAXIMUM)
		return vhost_refuse(result, "MTU %llu is not within %u..%u",
			(unsigned long long)mtu, MTU_MINIMUM, MTU_MAXIMUM);
	if (backend->ops->mtu_set(backend->owner, (uint16_t)mtu, &result->error) < 0)
		return VHOST_REFUSED;
	return VHOST_ACCEPTED;
}

/* VIRTIO 1.3, 2.1: writing 0 resets the device. */
static void device_reset(struct vhost_backend *backend)
{
	vhost_rings_forget(backend);
	backend->features_refused = false;
	backend->status = 0;
	if (backend->features) {
		backend->features = 0;
		backend->ops->features_set(backend->owner, 0);
	}
	backend->ops->status_set(backend->owner, 0);
}

static VHOST_HANDLER(handle_reset_device)
{
	device_reset(backend);
	for (unsigned i = 0; i < backend->ring_limit; i++) {
		backend->rings[i].base = 0;
		backend->rings[i].enable_asked = false;
	}
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_set_status)
{
	uint64_t status = message->payload.number;

	if (status > UINT8_MAX)
		return vhost_refuse(
			result, "status %#llx is wider than a byte", (unsigned long long)status);
	if (status == 0) {
		device_reset(backend);
		return VHOST_ACCEPTED;
	}
	if (backend->features_refused)
		status &= ~(uint64_t)VIRTIO_CONFIG_S_FEATURES_OK;
	backend->status = (uint8_t)status;
	backend->ops->status_set(backend->owner, backend->status);
	return VHOST_ACCEPTED;
}

static VHOST_HANDLER(handle_get_status)
{
	vhost_reply(result, message->header.id, 8)->number = backend->status;
	return VHOST_ACCEPTED;
}

/* What we implement; everything else in the table is known by name and refused. */
static VHOST_HANDLER((*const handlers[VHOST_USER_REQUEST_END])) = {
	[VHOST_USER_GET_FEATURES] = handle_get_features,
	[VHOST_USER_SET_FEATURES] = handle_set_features,
	[VHOST_USER_SET_OWNER] = handle_owner,
	[VHOST_USER_RESET_OWNER] = handle_owner,
	[VHOST_USER_SET_MEM_TABLE] = vhost_handle_set_mem_table,
	[VHOST_USER_SET_LOG_BASE] = vhost_handle_set_log_base,
	[VHOST_USER_SET_LOG_FD] = vhost_handle_set_log_fd,
	[VHOST_USER_SET_VRING_NUM] = vhost_handle_set_vring_num,
	[VHOST_USER_SET_VRING_ADDR] = vhost_handle_set_vring_addr,
	[VHOST_USER_SET_VRING_BASE] = vhost_handle_set_vring_base,
	[VHOST_USER_GET_VRING_BASE] = vhost_handle_get_vring_base,
	[VHOST_USER_SET_VRING_KICK] = vhost_handle_set_vring_kick,
	[VHOST_USER_SET_VRING_CALL] = vhost_handle_set_vring_call,
	[VHOST_USER_SET_VRING_ERR] = vhost_handle_set_vring_err,
	[VHOST_USER_GET_PROTOCOL_FEATURES] = handle_get_protocol_features,
	[VHOST_USER_SET_PROTOCOL_FEATURES] = handle_set_protocol_features,
	[VHOST_USER_GET_QUEUE_NUM] = handle_get_queue_num,
	[VHOST_USER_SET_VRING_ENABLE] = vhost_handle_set_vring_enable,
	[VHOST_USER_SEND_RARP] = handle_send_rarp,
	[VHOST_USER_NET_SET_MTU] = handle_net_set_mtu,
	[VHOST_USER_RESET_DEVICE] = handle_reset_device,
	[VHOST_USER_GET_MAX_MEM_SLOTS] = vhost_handle_get_max_mem_slots,
	[VHOST_USER_ADD_MEM_REG] = vhost_handle_add_mem_reg,
	[VHOST_USER_REM_MEM_REG] = vhost_handle_rem_mem_reg,
	[VHOST_USER_SET_STATUS] = handle_set_status,
	[VHOST_USER_GET_STATUS] = handle_get_status,
};

/* The ring named by the payload, at full width, and the eventfd beside it. */
static enum vhost_verdict ring_check(const struct vhost_backend *backend,
	const struct vhost_message_row *row, const struct vhost_message *message,
	struct vhost_result *result)
{
	uint64_t number = message->payload.number;
	uint64_t index = row->flags & VHOST_ROW_RING_FD ? number & ~(uint64_t)VHOST_VRING_NO_FD
							: message->payload.state.index;

	if (!(row->flags & (VHOST_ROW_RING_FD | VHOST_ROW_RING_STATE)))
		return VHOST_ACCEPTED;
	if (index >= backend->ring_limit)
		return vhost_hang_up(result, "ring %llu, but there are %u",
			(unsigned long long)index, backend->ring_limit);
	if (!(row->flags & VHOST_ROW_RING_FD))
		return VHOST_ACCEPTED;
	if (message->fd_count != (number & VHOST_VRING_NO_FD ? 0 : 1))
		return vhost_hang_up(result, "ring %llu: %u descriptors where the payload is %#llx",
			(unsigned long long)index, message->fd_count, (unsigned long long)number);
	if (message->fd_count && !fd_is_eventfd(message->fds[0]))
		return vhost_hang_up(result, "ring %llu: the descriptor is no eventfd",
			(unsigned long long)index);
	return VHOST_ACCEPTED;
}

static bool is_negotiated(const struct vhost_backend *backend, const struct vhost_message_row *row)
{
	uint64_t protocol_features = row->flags & VHOST_ROW_OFFER_SUFFICES
					     ? backend->config.protocol_features
					     : backend->protocol_features;

	if (row->protocol_feature >= 0 && !(protocol_features & BIT64(row->protocol_feature)))
		return false;
	return row->feature < 0 || (backend->features & BIT64(row->feature)) != 0;
}

/* Logs the first time only: a frontend may go on asking for ever. */
static enum vhost_verdict refuse_unavailable(
	struct vhost_backend *backend, uint32_t id, const char *why, struct vhost_result *result)
{
	uint64_t bit = BIT64(MIN(id, REPORTED_UNKNOWN));

	result->repeated = backend->reported & bit;
	backend->reported |= bit;
	return vhost_refuse(result, "%s", why);
}

static enum vhost_verdict dispatch(struct vhost_backend *backend,
	const struct vhost_message_row *row, struct vhost_message *message,
	struct vhost_result *result)
{
	enum vhost_verdict verdict;

	if (message->header.flags & VHOST_MESSAGE_REPLY)
		return vhost_hang_up(result, "is a reply, but nothing was asked");
	if (vhost_message_check(message, &result->error) < 0)
		return VHOST_CLOSE;
	if (!row)
		return refuse_unavailable(backend, message->header.id, "no such message", result);
	verdict = ring_check(backend, row, message, result);
	if (verdict != VHOST_ACCEPTED)
		return verdict;
	if (!is_negotiated(backend, row))
		return refuse_unavailable(
			backend, message->header.id, "was not negotiated", result);
	if (!handlers[message->header.id])
		return refuse_unavailable(
			backend, message->header.id, "is not implemented", result);
	return handlers[message->header.id](backend, message, result);
}

static bool has_own_reply(const struct vhost_backend *backend, const struct vhost_message_row *row)
{
	if (!row)
		return false;
	if (row->flags & VHOST_ROW_REPLIES_IF_NEGOTIATED)
		return is_negotiated(backend, row);
	return row->flags & VHOST_ROW_REPLIES;
}

/* Section "VHOST_USER_PROTOCOL_F_REPLY_ACK": one reply a message, never two. */
static void acknowledge(struct vhost_backend *backend, const struct vhost_message_row *row,
	const struct vhost_message *message, struct vhost_result *result)
{
	uint32_t id = message->header.id;

	if (result->has_reply || result->verdict == VHOST_CLOSE)
		return;
	if (has_own_reply(backend, row)) {
		union vhost_payload *payload = vhost_reply(result, id, row->refusal_size);

		if (row->refusal_size)
			payload->number = row->refusal_value;
		return;
	}
	if ((message->header.flags & VHOST_MESSAGE_NEED_REPLY) &&
		(backend->protocol_features & BIT64(VHOST_PROTOCOL_REPLY_ACK)))
		vhost_reply(result, id, 8)->number = result->verdict == VHOST_ACCEPTED ? 0 : 1;
}

void vhost_backend_handle(
	struct vhost_backend *backend, struct vhost_message *message, struct vhost_result *result)
{
	uint32_t id = message->header.id;
	const struct vhost_message_row *row = vhost_message_row(id);

	result->repeated = false;
	result->has_reply = false;
	result->error.text[0] = '\0';
	result->verdict = dispatch(backend, row, message, result);
	/* One place for all: no handler can refuse, and none can stop a ring, without a word. */
	if (result->verdict != VHOST_ACCEPTED && result->error.text[0] == '\0')
		error_set(&result->error, 0, "refused");
	if (result->error.text[0] != '\0')
		error_prefix(&result->error, "%s (%u)", vhost_message_name(id), id);
	result->log = result->error.text[0] != '\0' && !result->repeated;
	acknowledge(backend, row, message, result);
	vhost_message_close_fds(message);
}

unsigned vhost_backend_ring_limit(unsigned queue_pairs)
{
	return MIN(4 * queue_pairs, VHOST_RING_MAX);
}

void vhost_backend_init(struct vhost_backend *backend, const struct vhost_backend_config *config,
	const struct vhost_backend_ops *ops, void *owner)
{
	memset(backend, 0, sizeof(*backend));
	backend->ops = ops;
	backend->owner = owner;
	backend->config = *config;
	backend->config.protocol_features &= VHOST_BACKEND_PROTOCOL_FEATURES;
	if (backend->config.protocol_features)
		backend->config.features |= BIT64(VHOST_USER_F_PROTOCOL_FEATURES);
	backend->config.memory_slots = MIN(config->memory_slots, VHOST_MEMORY_SLOTS_MAX);
	backend->ring_limit = vhost_backend_ring_limit(config->queue_pairs);
	backend->log_fd = -1;
	for (unsigned i = 0; i < VHOST_RING_MAX; i++)
		backend->rings[i].kick_fd = backend->rings[i].call_fd = backend->rings[i].error_fd =
			-1;
}

void vhost_backend_close(struct vhost_backend *backend)
{
	vhost_rings_forget(backend);
	for (unsigned i = 0; i < VHOST_RING_MAX; i++)
		reaper_close(backend->config.reaper, &backend->rings[i].error_fd);
	reaper_close(backend->config.reaper, &backend->log_fd);
	backend->region_count = 0;
}
