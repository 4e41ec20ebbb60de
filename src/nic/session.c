/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/session.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "nic/bridge.h"
#include "nic/device.h"
#include "vhost/endpoint.h"
#include "vhost/frontend.h"

struct session {
	const struct nic_options *options;
	struct tap *tap;
	session_ended *ended;
	void *owner;
	struct vhost_endpoint *endpoint;
	struct bridge *bridge;
	struct event *timer; /* bounds the set-up and the stop */
	bool stopping;
	bool over; /* ended() was called */

	/* Of the present connection. */
	bool device_open;
	struct nic_device device;
	struct vhost_frontend frontend;
	struct error failure; /* why it cannot go on; empty: it can */
};

static void session_end(struct session *session, bool failed)
{
	if (session->over)
		return;
	session->over = true;
	bridge_stop(session->bridge);
	tap_set_carrier(session->tap, false);
	session->ended(session->owner, failed);
}

static void timer_start(struct session *session, unsigned seconds)
{
	const struct timeval delay = {.tv_sec = seconds};

	event_add(session->timer, &delay);
}

/* Feature names, separated by spaces; those without a name are left out. */
static void format_features(uint64_t features, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned bit = 0; bit < 64 && used < size; bit++) {
		const char *name = features & BIT64(bit) ? vhost_feature_name(bit) : NULL;

		if (name)
			used += (size_t)snprintf(
				text + used, size - used, "%s%s", used ? " " : "", name);
	}
}

static int on_negotiated(void *owner, uint64_t features, unsigned queue_pairs, struct error *error)
{
	struct session *session = owner;

	return nic_device_lay_out(
		&session->device, features, queue_pairs, session->frontend.rings, error);
}

static void on_running(void *owner)
{
	struct session *session = owner;
	unsigned queues = session->device.queue_pairs;
	char features[1024];

	/* The rings are being stopped already, and the timer bounds that. */
	if (session->stopping)
		return;
	event_del(session->timer);
	if (tap_use_queues(session->tap, queues, &session->failure) < 0)
		return;
	if (bridge_start(session->bridge, &session->device) < 0) {
		error_set(&session->failure, -ENOMEM, "no memory");
		return;
	}
	tap_set_carrier(session->tap, true);
	format_features(session->frontend.features, features, sizeof(features));
	log_info("connected: %u queue%s, features: %s", queues, queues == 1 ? "" : "s", features);
}

static void on_stopped(void *owner)
{
	session_end(owner, false);
}

static void on_failed(void *owner, const struct error *error)
{
	struct session *session = owner;

	session->failure = *error;
}

static const struct vhost_frontend_ops frontend_ops = {
	.negotiated = on_negotiated,
	.running = on_running,
	.stopped = on_stopped,
	.failed = on_failed,
};

/* Sends what the frontend has to say; ends a connection that cannot go on. */
static void advance(struct session *session)
{
	struct vhost_message message;

	while (vhost_frontend_next(&session->frontend, &message)) {
		/* On failure disconnected() follows from the event loop. */
		if (vhost_endpoint_send(session->endpoint, &message) < 0)
			return;
	}
	if (session->failure.text[0])
		vhost_endpoint_disconnect(session->endpoint, session->failure.text);
}

static uint64_t wanted_features(const struct nic_options *options)
{
	uint64_t features = BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_MTU);

	if (options->mergeable)
		features |= BIT64(VIRTIO_NET_F_MRG_RXBUF);
	if (options->event_index)
		features |= BIT64(VIRTIO_RING_F_EVENT_IDX);
	/* The control queue is the VMM's in vhost-user; MQ depends on the feature nonetheless. */
	if (options->queues > 1)
		features |= BIT64(VIRTIO_NET_F_MQ) | BIT64(VIRTIO_NET_F_CTRL_VQ);
	return features;
}

static void on_connected(void *owner)
{
	struct session *session = owner;
	const struct nic_options *options = session->options;
	const struct nic_device_config device_config = {
		.queue_pairs = options->queues,
		.queue_size = options->queue_size,
		.mtu = options->mtu,
	};
	struct vhost_frontend_config config = {
		.features = wanted_features(options),
		.protocol_features = VHOST_FRONTEND_PROTOCOL_FEATURES,
		.queue_pairs = options->queues,
		.mtu = options->mtu,
		.region_count = 1,
	};

	session->failure.text[0] = '\0';
	if (nic_device_open(&session->device, &device_config, &session->failure) < 0) {
		vhost_endpoint_disconnect(session->endpoint, session->failure.text);
		return;
	}
	session->device_open = true;
	nic_device_region(&session->device, &config.regions[0], &config.region_fds[0]);
	vhost_frontend_init(&session->frontend, &config, &frontend_ops, session);
	timer_start(session, SESSION_SETUP_SECONDS);
	advance(session);
}

static void on_message(void *owner, struct vhost_message *message)
{
	struct session *session = owner;

	vhost_frontend_handle(&session->frontend, message);
	advance(session);
}

static void on_disconnected(void *owner, const char *reason)
{
	struct session *session = owner;

	event_del(session->timer);
	tap_set_carrier(session->tap, false);
	bridge_stop(session->bridge);
	if (session->device_open)
		nic_device_close(&session->device);
	session->device_open = false;
	if (session->stopping) {
		session_end(session, false);
		return;
	}
	log_info("disconnected: %s, trying again", reason);
}

static const struct vhost_endpoint_ops endpoint_ops = {
	.connected = on_connected,
	.message = on_message,
	.disconnected = on_disconnected,
};

static void on_device_failed(void *owner, const char *reason)
{
	struct session *session = owner;

	vhost_endpoint_disconnect(session->endpoint, reason);
}

static void on_tap_failed(void *owner, const char *reason)
{
	struct session *session = owner;

	log_error("TAP %s is lost: %s", session->tap->name, reason);
	session_end(session, true);
}

static const struct bridge_ops bridge_ops = {
	.device_failed = on_device_failed,
	.tap_failed = on_tap_failed,
};

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct session *session = argument;

	if (session->stopping) {
		log_warning("the backend did not stop the rings in time");
		session_end(session, false);
		return;
	}
	vhost_endpoint_disconnect(session->endpoint, "the backend does not answer");
}

int session_open(struct event_base *base, const struct nic_options *options, struct tap *tap,
	session_ended *ended, void *owner, struct session **result, struct error *error)
{
	const struct vhost_endpoint_config config = {
		.mode = options->server ? VHOST_MODE_SERVER : VHOST_MODE_CLIENT,
		.path = options->socket,
		.name = options->tap,
	};
	struct session *session = calloc(1, sizeof(*session));
	int status;

	if (!session)
		return error_set(error, -ENOMEM, "no memory");
	session->options = options;
	session->tap = tap;
	session->ended = ended;
	session->owner = owner;
	session->timer = event_new(base, -1, 0, on_timer, session);
	session->bridge = bridge_new(
		base, tap, (uint32_t)options->mtu + NIC_FRAME_OVERHEAD, &bridge_ops, session);
	if (!session->timer || !session->bridge)
		status = error_set(error, -ENOMEM, "no memory");
	else
		status = vhost_endpoint_open(
			base, &config, &endpoint_ops, session, &session->endpoint, error);
	if (status < 0) {
		session_free(session);
		return status;
	}
	*result = session;
	return 0;
}

void session_stop(struct session *session)
{
	if (session->stopping || session->over)
		return;
	session->stopping = true;
	bridge_stop(session->bridge);
	tap_set_carrier(session->tap, false);
	if (!vhost_endpoint_connected(session->endpoint)) {
		session_end(session, false);
		return;
	}
	timer_start(session, SESSION_STOP_SECONDS);
	vhost_frontend_stop(&session->frontend);
	advance(session);
}

void session_free(struct session *session)
{
	const struct bridge_counters *counters;

	if (!session)
		return;
	if (session->endpoint) {
		counters = bridge_counters(session->bridge);
		log_info("stopped: %llu frames sent, %llu received, %llu dropped",
			(unsigned long long)counters->sent, (unsigned long long)counters->received,
			(unsigned long long)counters->dropped);
	}
	vhost_endpoint_close(session->endpoint);
	bridge_free(session->bridge);
	if (session->device_open)
		nic_device_close(&session->device);
	if (session->timer)
		event_free(session->timer);
	free(session);
}
