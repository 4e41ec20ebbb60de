/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/session.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "driver/link.h"
#include "nic/bridge.h"
#include "nic/offload.h"

struct session {
	const struct nic_options *options;
	struct tap *tap;
	session_ended *ended;
	void *owner;
	struct bridge *bridge;
	struct event *timer; /* bounds the set-up and the stop */
	bool stopping;
	bool over; /* ended() was called */
	struct driver_link link;
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

	return driver_device_lay_out(
		&session->link.device, features, queue_pairs, session->link.frontend.rings, error);
}

static int set_offloads(struct session *session, uint64_t features, struct error *error)
{
	if (!session->options->offload)
		return 0;
	return tap_set_offloads(
		session->tap, offload_to_tap(features), net_header_size(features), error);
}

static void on_running(void *owner)
{
	struct session *session = owner;
	unsigned queues = session->link.device.queue_pairs;
	uint64_t agreed = session->link.frontend.features;
	char features[1024];

	/* The rings are being stopped already, and the timer bounds that. */
	if (session->stopping)
		return;
	event_del(session->timer);
	if (tap_use_queues(session->tap, queues, &session->link.failure) < 0 ||
		set_offloads(session, agreed, &session->link.failure) < 0)
		return;
	if (bridge_start(session->bridge, &session->link.device, agreed) < 0) {
		error_set(&session->link.failure, -ENOMEM, "no memory");
		return;
	}
	tap_set_carrier(session->tap, true);
	format_features(agreed, features, sizeof(features));
	log_info("connected: %u queue%s, features: %s", queues, queues == 1 ? "" : "s", features);
}

static void on_stopped(void *owner)
{
	session_end(owner, false);
}

static void on_connected(void *owner)
{
	struct session *session = owner;

	timer_start(session, SESSION_SETUP_SECONDS);
}

static void on_disconnected(void *owner, const char *reason)
{
	struct session *session = owner;

	event_del(session->timer);
	tap_set_carrier(session->tap, false);
	bridge_stop(session->bridge);
	if (session->stopping) {
		session_end(session, false);
		return;
	}
	log_info("disconnected: %s; reconnecting", reason);
}

static const struct driver_link_ops link_ops = {
	.connected = on_connected,
	.negotiated = on_negotiated,
	.running = on_running,
	.stopped = on_stopped,
	.disconnected = on_disconnected,
};

static void on_device_failed(void *owner, const char *reason)
{
	struct session *session = owner;

	driver_link_disconnect(&session->link, reason);
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
	driver_link_disconnect(&session->link, "the backend does not answer");
}

int session_open(struct event_base *base, const struct nic_options *options, struct tap *tap,
	session_ended *ended, void *owner, struct session **result, struct error *error)
{
	const struct driver_link_config config = {
		.path = options->socket,
		.name = options->tap,
		.server = options->server,
		.device =
			{
				.queue_pairs = options->queues,
				.queue_size = options->queue_size,
				.mtu = options->mtu,
				.segments = options->offload,
			},
		.features = driver_link_features(
				    options->mergeable, options->event_index, options->queues) |
			    offload_features(tap->offloads),
		.mtu = options->mtu,
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
		base, tap, (uint32_t)options->mtu + DRIVER_FRAME_OVERHEAD, &bridge_ops, session);
	if (!session->timer || !session->bridge)
		status = error_set(error, -ENOMEM, "no memory");
	else
		status = driver_link_open(&session->link, base, &config, &link_ops, session, error);
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
	if (!driver_link_connected(&session->link)) {
		session_end(session, false);
		return;
	}
	timer_start(session, SESSION_STOP_SECONDS);
	driver_link_stop(&session->link);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	bridge_free(session->bridge);
	driver_link_close(&session->link);
	if (session->timer)
		event_free(session->timer);
	free(session);
}

void session_log_counters(const struct session *session)
{
	const struct bridge_counters *counters;

	if (!session)
		return;
	counters = bridge_counters(session->bridge);
	log_info("frames: sent: %llu, received: %llu, dropped: %llu, of those for their length: "
		 "%llu",
		(unsigned long long)counters->sent, (unsigned long long)counters->received,
		(unsigned long long)counters->dropped, (unsigned long long)counters->length);
}
