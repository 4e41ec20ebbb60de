/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "nic/bridge_private.h"

static void drain(int event_fd)
{
	uint64_t count;

	/* EAGAIN: somebody asked us to look though no signal came. */
	if (read(event_fd, &count, sizeof(count)) < 0)
		return;
}

/* True where the pair, and perhaps the bridge, is no more. */
static bool pair_failed(struct bridge_pair *pair, const struct driver_queue *queue)
{
	struct bridge *bridge = pair->bridge;

	if (!queue->net.ring.broken)
		return false;
	bridge->ops->device_failed(
		bridge->owner, "the backend returned buffers that it did not have");
	return true;
}

/* The transmit ring is full: reads on where buffers were used meanwhile, else rests until the
 * device signals that. */
static void wait_for_room(struct bridge_pair *pair)
{
	struct net_driver_queue *net = &pair->transmit->net;

	while (split_driver_arm(&net->ring) && !net->ring.broken) {
		net_driver_reclaim(net);
		if (net->free_slot_count) {
			split_driver_disarm(&net->ring);
			if (pair->full)
				event_add(pair->tap_readable, NULL);
			pair->full = false;
			return;
		}
	}
	if (!pair->full)
		event_del(pair->tap_readable);
	pair->full = true;
}

static void on_tap_readable(evutil_socket_t fd, short what, void *argument)
{
	struct bridge_pair *pair = argument;
	bool full;
	int status;

	net_driver_reclaim(&pair->transmit->net);
	status = bridge_read_burst(pair, &full);
	bridge_publish(pair->transmit);
	if (status < 0) {
		pair->bridge->ops->tap_failed(pair->bridge->owner, strerror(-status));
		return;
	}
	if (full)
		wait_for_room(pair);
	pair_failed(pair, pair->transmit);
}

static void on_sent(evutil_socket_t fd, short what, void *argument)
{
	struct bridge_pair *pair = argument;

	drain(fd);
	if (pair->full)
		wait_for_room(pair);
	pair_failed(pair, pair->transmit);
}

static void on_received(evutil_socket_t fd, short what, void *argument)
{
	struct bridge_pair *pair = argument;
	struct split_driver *ring = &pair->receive->net.ring;
	unsigned frames;

	split_driver_disarm(ring);
	frames = bridge_write_burst(pair);
	bridge_publish(pair->receive);
	/* With a full burst there is probably more. The signal was not consumed, so we are called
	 * again when the others had their turn. */
	if (pair_failed(pair, pair->receive) || frames == BRIDGE_BURST)
		return;
	drain(fd);
	if (split_driver_arm(ring))
		fd_signal(fd);
}

static void pair_stop(struct bridge_pair *pair)
{
	struct event *events[] = {pair->tap_readable, pair->received, pair->sent};

	for (unsigned i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i])
			event_free(events[i]);
	}
	frame_io_ring_free(pair->reader);
	frame_io_ring_free(pair->writer);
	memset(pair, 0, sizeof(*pair));
}

static struct event *listen_to(struct bridge_pair *pair, int fd, event_callback_fn callback)
{
	struct event *event = event_new(
		pair->bridge->base, fd, EV_READ | EV_PERSIST, callback, pair);

	if (event && event_add(event, NULL) < 0) {
		event_free(event);
		event = NULL;
	}
	return event;
}

/* Rings for both directions, or none. */
static void open_rings(struct bridge_pair *pair)
{
	struct error error;

	pair->reader = frame_io_ring_new(pair->tap_fd, &error);
	pair->writer = pair->reader ? frame_io_ring_new(pair->tap_fd, &error) : NULL;
	if (pair->writer)
		return;
	frame_io_ring_free(pair->reader);
	pair->reader = NULL;
	log_debug("frames are read and written one a system call: %s", error.text);
}

static int pair_start(struct bridge *bridge, unsigned index, struct driver_device *device)
{
	struct bridge_pair *pair = &bridge->pairs[index];

	*pair = (struct bridge_pair){
		.bridge = bridge,
		.tap_fd = bridge->tap->fds[index],
		.receive = &device->queues[2 * index],
		.transmit = &device->queues[2 * index + 1],
	};
	open_rings(pair);
	pair->tap_readable = listen_to(pair, pair->tap_fd, on_tap_readable);
	pair->received = listen_to(pair, pair->receive->call_fd, on_received);
	pair->sent = listen_to(pair, pair->transmit->call_fd, on_sent);
	if (!pair->tap_readable || !pair->received || !pair->sent) {
		pair_stop(pair);
		return -ENOMEM;
	}
	net_driver_fill(&pair->receive->net);
	bridge_publish(pair->receive);
	/* The first look at the receive queue also arms it. */
	fd_signal(pair->receive->call_fd);
	return 0;
}

struct bridge *bridge_new(struct event_base *base, const struct tap *tap, uint32_t frame_max,
	const struct bridge_ops *ops, void *owner)
{
	struct bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge)
		return NULL;
	bridge->base = base;
	bridge->tap = tap;
	bridge->ops = ops;
	bridge->owner = owner;
	bridge->frame_max = frame_max;
	return bridge;
}

int bridge_start(struct bridge *bridge, struct driver_device *device, uint64_t features)
{
	uint16_t mtu = device->config.mtu;

	bridge->to_backend = offload_rules_to_backend(features, mtu, bridge->frame_max);
	bridge->to_tap = offload_rules_to_tap(features, mtu, bridge->frame_max);
	for (unsigned i = 0; i < device->queue_pairs; i++) {
		if (pair_start(bridge, i, device) < 0) {
			bridge_stop(bridge);
			return -ENOMEM;
		}
		bridge->running_pairs++;
	}
	return 0;
}

void bridge_stop(struct bridge *bridge)
{
	while (bridge->running_pairs > 0)
		pair_stop(&bridge->pairs[--bridge->running_pairs]);
}

const struct bridge_counters *bridge_counters(const struct bridge *bridge)
{
	return &bridge->counters;
}

void bridge_free(struct bridge *bridge)
{
	if (!bridge)
		return;
	bridge_stop(bridge);
	free(bridge);
}
