/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/vhost_user/vhost_user.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "port/vhost_user/vhost_user_private.h"

/*
 * What every guest is offered: what the queues do (virtio_net/device.h), and CTRL_VQ, CTRL_RX,
 * CTRL_MAC_ADDR, STATUS and GUEST_ANNOUNCE, which are the VMM's to carry out (it owns the control
 * queue): it offers them to its guest only where we do. LOG_ALL and PROTOCOL_FEATURES are between
 * the VMM and us.
 */
#define FEATURES                                                                                   \
	(NET_DEVICE_FEATURES | BIT64(VIRTIO_NET_F_STATUS) | BIT64(VIRTIO_NET_F_MTU) |              \
		BIT64(VIRTIO_NET_F_CTRL_VQ) | BIT64(VIRTIO_NET_F_CTRL_RX) |                        \
		BIT64(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT64(VIRTIO_NET_F_GUEST_ANNOUNCE) |           \
		BIT64(VHOST_F_LOG_ALL) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES))

/* Debug lines a second: all the messages of some ten starts of a guest. */
#define DEBUG_BURST 500

static void features_set(void *owner, uint64_t features)
{
	struct vhost_user_port *vhost = owner;

	/* The guest's driver has started: its memory and rings follow within milliseconds. */
	if (features & BIT64(VIRTIO_F_VERSION_1))
		vhost_user_expect_memory(vhost);
}

static int mtu_set(void *owner, uint16_t mtu, struct error *error)
{
	struct vhost_user_port *vhost = owner;

	if (vhost->options.mtu && mtu > vhost->options.mtu)
		return error_set(error, -EINVAL,
			"host_mtu %u is larger than the %u configured for the port", mtu,
			vhost->options.mtu);
	vhost->told_mtu = mtu;
	return 0;
}

static void announce(void *owner, const uint8_t mac[6])
{
	struct vhost_user_port *vhost = owner;

	vhost->options.announce(vhost->options.announce_owner, &vhost->port, mac);
}

static void status_set(void *owner, uint8_t status)
{
	struct vhost_user_port *vhost = owner;

	if (log_enabled(LOG_LEVEL_DEBUG) && log_limit_allows(&vhost->debug_limit))
		log_debug("port %s: device status 0x%02x", vhost->port.name, status);
}

static const struct vhost_backend_ops backend_ops = {
	.features_set = features_set,
	.memory_set = vhost_user_memory_set,
	.memory_add = vhost_user_memory_add,
	.memory_remove = vhost_user_memory_remove,
	.log_set = vhost_user_log_set,
	.log_update = vhost_user_log_update,
	.ring_update = vhost_user_ring_update,
	.ring_stop = vhost_user_ring_stop,
	.mtu_set = mtu_set,
	.announce = announce,
	.status_set = status_set,
};

static void begin_session(struct vhost_user_port *vhost)
{
	const struct vhost_backend_config config = {
		.features = FEATURES | (vhost->options.queues > 1 ? BIT64(VIRTIO_NET_F_MQ) : 0),
		.protocol_features = VHOST_BACKEND_PROTOCOL_FEATURES,
		.queue_pairs = vhost->options.queues,
		.memory_slots = GUEST_MEMORY_SLOTS,
		.reaper = vhost_endpoint_reaper(vhost->endpoint),
	};

	vhost_backend_init(&vhost->backend, &config, &backend_ops, vhost);
	vhost->told_mtu = 0;
	vhost_user_problem_review(vhost);
}

static void end_session(struct vhost_user_port *vhost)
{
	vhost->ending = true;
	vhost_backend_close(&vhost->backend);
	vhost->ending = false;
	ring_places_close(vhost->places);
	vhost->places = NULL;
	vhost->places_tried = false;
	vhost->log_bell.fd = -1;
	/* No signal is owed to the next guest, whose eventfds are as suspect as these were. */
	vhost_user_bells_forget(vhost);
	evtimer_del(vhost->memory_check);
	guest_memory_free(vhost->memory);
	vhost->memory = NULL;
	dirty_log_free(vhost->log);
	vhost->log = NULL;
	vhost->kicked = false;
}

static void connected(void *owner)
{
	struct vhost_user_port *vhost = owner;

	vhost->connections++;
	begin_session(vhost);
	if (log_limit_allows(&vhost->log_limit))
		log_info("port %s: connected (pid %d)", vhost->port.name,
			vhost_endpoint_peer_pid(vhost->endpoint));
}

static void disconnected(void *owner, const char *reason)
{
	struct vhost_user_port *vhost = owner;

	end_session(vhost);
	if (log_limit_allows(&vhost->log_limit))
		log_info("port %s: disconnected: %s", vhost->port.name, reason);
	vhost_user_problem_left(vhost, reason);
}

static void message(void *owner, struct vhost_message *message)
{
	struct vhost_user_port *vhost = owner;
	struct vhost_result result;

	if (log_enabled(LOG_LEVEL_DEBUG) && log_limit_allows(&vhost->debug_limit))
		log_debug("port %s: %s", vhost->port.name, vhost_message_name(message->header.id));
	vhost_backend_handle(&vhost->backend, message, &result);
	if (result.log)
		vhost_user_problem(vhost, VHOST_USER_PROBLEM_REFUSED, "%s", result.error.text);
	vhost_user_problem_review(vhost);
	if (result.verdict == VHOST_CLOSE)
		vhost_endpoint_disconnect(vhost->endpoint, "a message broke the protocol");
	else if (result.has_reply)
		vhost_endpoint_send(vhost->endpoint, &result.reply);
}

static const struct vhost_endpoint_ops endpoint_ops = {
	.connected = connected,
	.message = message,
	.disconnected = disconnected,
};

static void attention_event(evutil_socket_t fd, short what, void *argument)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) > 0)
		vhost_user_attend(argument);
}

static void memory_check_event(evutil_socket_t fd, short what, void *argument)
{
	vhost_user_memory_check(argument);
}

static void vhost_user_destroy(struct port *port)
{
	struct vhost_user_port *vhost = vhost_user_port(port);

	if (vhost->endpoint && vhost_endpoint_connected(vhost->endpoint))
		end_session(vhost);
	vhost_endpoint_close(vhost->endpoint);
	if (vhost->attention)
		event_free(vhost->attention);
	if (vhost->memory_check)
		event_free(vhost->memory_check);
	vhost_user_unwatch_first_kick(vhost);
	fd_close(&vhost->attention_fd);
	vhost_user_bells_fini(vhost);
	guest_quota_put(vhost->quota);
	free(vhost->pairs);
	free(vhost->socket);
	free(vhost->places_folder);
	port_fini(port);
	free(vhost);
}

static const struct port_class vhost_user_class = {
	.type = "vhost-user",
	.receive = vhost_user_receive,
	.release = vhost_user_release,
	.send = vhost_user_send,
	.expect = vhost_user_expect,
	.arm = vhost_user_arm,
	.disarm = vhost_user_disarm,
	.destroy = vhost_user_destroy,
};

static int allocate(struct vhost_user_port *vhost, struct event_base *base, const char *name,
	uint16_t index, const struct vhost_user_options *options)
{
	uint16_t pairs = (uint16_t)options->queues;

	vhost->attention_fd = -1;
	vhost->first_kick = -1;
	if (port_init(&vhost->port, &vhost_user_class, name, index, pairs) < 0)
		return -ENOMEM;
	vhost->debug_limit.burst = DEBUG_BURST;
	vhost->options = *options;
	vhost->options.access = NULL; /* the endpoint's */
	vhost->socket = strdup(options->socket);
	vhost->places_folder = options->places_folder ? strdup(options->places_folder) : NULL;
	vhost->pairs = aligned_alloc(CACHE_LINE, pairs * sizeof(*vhost->pairs));
	if (!vhost->socket || !vhost->pairs || (options->places_folder && !vhost->places_folder))
		return -ENOMEM;
	memset(vhost->pairs, 0, pairs * sizeof(*vhost->pairs));
	for (unsigned i = 0; i < pairs; i++)
		vhost->pairs[i].watched_fd = -1;
	vhost->attention_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vhost->attention_fd < 0)
		return -errno;
	if (vhost_user_bells_init(vhost, base) < 0)
		return -ENOMEM;
	vhost->attention = event_new(
		base, vhost->attention_fd, EV_READ | EV_PERSIST, attention_event, vhost);
	vhost->memory_check = evtimer_new(base, memory_check_event, vhost);
	if (!vhost->attention || !vhost->memory_check || event_add(vhost->attention, NULL) < 0)
		return -ENOMEM;
	return 0;
}

struct port *vhost_user_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct vhost_user_options *options,
	struct error *error)
{
	struct vhost_user_port *vhost = aligned_alloc(
		CACHE_LINE, (sizeof(*vhost) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	struct vhost_endpoint_config endpoint = {
		.mode = options->mode == VHOST_USER_CLIENT ? VHOST_MODE_CLIENT : VHOST_MODE_SERVER,
		.path = options->socket,
		.name = name,
		.access = options->access,
		.patient = options->patient,
	};
	int result;

	if (!vhost) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(vhost, 0, sizeof(*vhost));
	vhost->notifier = notifier;
	result = allocate(vhost, base, name, index, options);
	if (result < 0)
		error_set_errno(error, result, "cannot set up the port");
	else
		result = vhost_endpoint_open(
			base, &endpoint, &endpoint_ops, vhost, &vhost->endpoint, error);
	if (result == 0) {
		vhost->quota = guest_quota_new(
			options->memory_limit, vhost_endpoint_reaper(vhost->endpoint));
		result = vhost->quota ? 0 : error_set(error, -ENOMEM, "out of memory");
	}
	if (result < 0) {
		vhost_user_destroy(&vhost->port);
		return NULL;
	}
	return &vhost->port;
}

int vhost_user_renew(struct port *port, const struct host_access *access, struct error *error)
{
	return vhost_endpoint_renew(vhost_user_port(port)->endpoint, access, error);
}

void vhost_user_set_memory_limit(struct port *port, uint64_t bytes)
{
	guest_quota_set_limit(vhost_user_port(port)->quota, bytes);
}

void vhost_user_status(const struct port *port, struct vhost_user_status *status)
{
	const struct vhost_user_port *vhost = vhost_user_port(port);

	memset(status, 0, sizeof(*status));
	status->socket = vhost->socket;
	status->mode = vhost->options.mode;
	status->connections = vhost->connections;
	status->ring_errors = vhost->ring_errors;
	status->owed_signals = __atomic_load_n(&vhost->bells.owed, __ATOMIC_RELAXED);
	status->connected = vhost_endpoint_connected(vhost->endpoint);
	vhost_user_problem_status(vhost, status);
	if (!status->connected)
		return;
	status->peer = vhost_endpoint_peer_pid(vhost->endpoint);
	status->features = vhost->backend.features;
	status->protocol_features = vhost->backend.protocol_features;
	status->queues = vhost_user_running_pairs(vhost);
	status->running = status->queues > 0;
	for (unsigned i = 0; i < vhost->port.queue_count * 2u; i++)
		status->rings_lost += vhost_user_ring((struct vhost_user_port *)vhost, i)->state ==
				      RING_LOST;
	if (vhost->memory)
		status->memory_bytes = guest_memory_size(vhost->memory);
	status->mapped_bytes = guest_quota_used(vhost->quota);
}
