/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/link.h"

#include <errno.h>

#include "vhost/endpoint.h"

uint64_t driver_link_features(bool mergeable, bool event_index, unsigned queue_pairs)
{
	uint64_t features = BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_MTU);

	if (mergeable)
		features |= BIT64(VIRTIO_NET_F_MRG_RXBUF);
	if (event_index)
		features |= BIT64(VIRTIO_RING_F_EVENT_IDX);
	/* The control queue is the VMM's in vhost-user; MQ depends on the feature nonetheless. */
	if (queue_pairs > 1)
		features |= BIT64(VIRTIO_NET_F_MQ) | BIT64(VIRTIO_NET_F_CTRL_VQ);
	return features;
}

static int on_negotiated(void *owner, uint64_t features, unsigned queue_pairs, struct error *error)
{
	struct driver_link *link = owner;

	return link->ops->negotiated(link->owner, features, queue_pairs, error);
}

static void on_running(void *owner)
{
	struct driver_link *link = owner;

	link->ops->running(link->owner);
}

static void on_stopped(void *owner)
{
	struct driver_link *link = owner;

	link->ops->stopped(link->owner);
}

static void on_failed(void *owner, const struct error *error)
{
	struct driver_link *link = owner;

	link->failure = *error;
}

static const struct vhost_frontend_ops frontend_ops = {
	.negotiated = on_negotiated,
	.running = on_running,
	.stopped = on_stopped,
	.failed = on_failed,
};

/* Ends a connection for link->failure, which may be written anew meanwhile. */
static void give_up(struct driver_link *link)
{
	const struct error reason = link->failure;

	vhost_endpoint_disconnect(link->endpoint, reason.text);
}

/* Sends what the frontend has to say; ends a connection that cannot go on. */
static void advance(struct driver_link *link)
{
	struct vhost_message message;

	while (vhost_frontend_next(&link->frontend, &message)) {
		/* On failure disconnected() follows from the event loop. */
		if (vhost_endpoint_send(link->endpoint, &message) < 0)
			return;
	}
	if (link->failure.text[0])
		give_up(link);
}

int driver_link_open_device(struct driver_link *link, struct error *error)
{
	int status = driver_device_open(&link->device, &link->config.device, error);

	link->device_open = status == 0;
	return status;
}

static void close_device(struct driver_link *link)
{
	if (link->device_open)
		driver_device_close(&link->device);
	link->device_open = false;
}

static void on_connected(void *owner)
{
	struct driver_link *link = owner;
	struct vhost_frontend_config config = {
		.features = link->config.features,
		.features_required = link->config.features_required,
		.protocol_features = VHOST_FRONTEND_PROTOCOL_FEATURES,
		.queue_pairs = link->config.device.queue_pairs,
		.mtu = link->config.mtu,
		.region_count = 1,
	};

	link->failure.text[0] = '\0';
	link->ops->connected(link->owner);
	if (driver_link_open_device(link, &link->failure) < 0) {
		give_up(link);
		return;
	}
	driver_device_region(&link->device, &config.regions[0], &config.region_fds[0]);
	vhost_frontend_init(&link->frontend, &config, &frontend_ops, link);
	advance(link);
}

static void on_message(void *owner, struct vhost_message *message)
{
	struct driver_link *link = owner;

	vhost_frontend_handle(&link->frontend, message);
	advance(link);
}

static void on_disconnected(void *owner, const char *reason)
{
	struct driver_link *link = owner;

	link->ops->disconnected(link->owner, reason);
	close_device(link);
}

static const struct vhost_endpoint_ops endpoint_ops = {
	.connected = on_connected,
	.message = on_message,
	.disconnected = on_disconnected,
};

int driver_link_open(struct driver_link *link, struct event_base *base,
	const struct driver_link_config *config, const struct driver_link_ops *ops, void *owner,
	struct error *error)
{
	const struct vhost_endpoint_config socket = {
		.mode = config->server ? VHOST_MODE_SERVER : VHOST_MODE_CLIENT,
		.path = config->path,
		.name = config->name,
	};

	link->config = *config;
	link->ops = ops;
	link->owner = owner;
	link->endpoint = NULL;
	link->device_open = false;
	link->failure.text[0] = '\0';
	if (!base)
		return 0;
	return vhost_endpoint_open(base, &socket, &endpoint_ops, link, &link->endpoint, error);
}

void driver_link_stop(struct driver_link *link)
{
	vhost_frontend_stop(&link->frontend);
	advance(link);
}

void driver_link_disconnect(struct driver_link *link, const char *reason)
{
	vhost_endpoint_disconnect(link->endpoint, reason);
}

bool driver_link_connected(const struct driver_link *link)
{
	return link->endpoint && vhost_endpoint_connected(link->endpoint);
}

void driver_link_close(struct driver_link *link)
{
	vhost_endpoint_close(link->endpoint);
	link->endpoint = NULL;
	close_device(link);
}
