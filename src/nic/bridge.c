/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/bridge.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "driver/frames.h"
#include "nic/offload.h"

/* One receive queue, one transmit queue, one queue of the TAP. */
struct bridge_pair {
	struct bridge *bridge;
	int tap_fd;
	struct driver_queue *receive;
	struct driver_queue *transmit;
	struct event *tap_readable; /* not pending while `full` */
	struct event *received;     /* the receive queue's call */
	struct event *sent;         /* the transmit queue's call */
	bool full;                  /* waits for the device to use transmit buffers */
};

struct bridge {
	struct event_base *base;
	const struct tap *tap;
	const struct bridge_ops *ops;
	void *owner;
	struct bridge_counters counters;
	unsigned running_pairs; /* of pairs[]; 0: stopped */
	struct bridge_pair pairs[DRIVER_QUEUES_MAX];
	uint32_t frame_max;
	struct offload_rules to_backend, to_tap; /* while running */
};

static void drain(int event_fd)
{
	uint64_t count;

	/* EAGAIN: somebody asked us to look though no signal came. */
	if (read(event_fd, &count, sizeof(count)) < 0)
		return;
}

static void publish(struct driver_queue *queue)
{
	if (net_driver_publish(&queue->net))
		fd_signal(queue->kick_fd);
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

/* Counts a frame that is dropped. length: that of the frame, 0 where it was none. */
static void drop(struct bridge *bridge, const struct offload_rules *rules,
	const struct virtio_net_hdr *header, ssize_t length)
{
	bridge->counters.dropped++;
	if (length <= 0 || length > DRIVER_SEGMENT_MAX ||
		(header->gso_type == VIRTIO_NET_HDR_GSO_NONE && length > rules->frame_max))
		bridge->counters.length++;
}

/* Reads one frame, and its header where the TAP has one, into a buffer of the transmit queue.
 * Returns its length, 0 for one that was dropped, -errno of the TAP. */
static int read_frame(struct bridge_pair *pair, uint8_t *slot)
{
	struct bridge *bridge = pair->bridge;
	struct net_driver_queue *net = &pair->transmit->net;
	uint32_t skip = bridge->tap->header_size ? 0 : net->header_size;
	ssize_t length;

	/* The kernel leaves alone what the header has beyond its own. */
	memset(slot, 0, net->header_size);
	length = read(pair->tap_fd, slot + skip, net->slot_size - skip);
	if (length < 0)
		return -errno;
	length += skip - (ssize_t)net->header_size;
	if (length > 0 && length <= net->slot_size - net->header_size &&
		offload_check(&bridge->to_backend, (struct virtio_net_hdr *)slot, (uint32_t)length,
			(struct virtio_net_hdr *)slot))
		return (int)length;
	drop(bridge, &bridge->to_backend, (const struct virtio_net_hdr *)slot, length);
	return 0;
}

/* Reads frames into the transmit queue. 0, or -errno of the TAP's end. */
static int read_burst(struct bridge_pair *pair, bool *full)
{
	struct net_driver_queue *net = &pair->transmit->net;
	uint32_t bytes = 0;

	*full = false;
	for (unsigned i = 0; i < BRIDGE_BURST; i++) {
		uint8_t *slot = driver_frame_reserve(net);
		int length;

		if (!slot) {
			*full = true;
			return 0;
		}
		length = read_frame(pair, slot);
		if (length < 0)
			return length == -EAGAIN || length == -EINTR ? 0 : length;
		if (length == 0)
			continue;
		driver_frame_send(net, (uint32_t)length);
		pair->bridge->counters.sent++;
		bytes += (uint32_t)length;
		if (bytes >= BRIDGE_BURST_BYTES) {
			publish(pair->transmit);
			bytes = 0;
		}
	}
	return 0;
}

static void on_tap_readable(evutil_socket_t fd, short what, void *argument)
{
	struct bridge_pair *pair = argument;
	bool full;
	int status;

	net_driver_reclaim(&pair->transmit->net);
	status = read_burst(pair, &full);
	publish(pair->transmit);
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

/* Writes a frame to the TAP from where it lies. True where the TAP took it. */
static bool write_frame(const struct bridge_pair *pair, struct driver_frame *frame)
{
	const struct bridge *bridge = pair->bridge;
	uint32_t header_size = bridge->tap->header_size;
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 0};
	struct iovec *first = &frame->pieces[header_size ? 0 : 1];

	if (!offload_check(&bridge->to_tap, &frame->header, frame->length, &header.hdr))
		return false;
	frame->pieces[0] = (struct iovec){.iov_base = &header, .iov_len = header_size};
	/* Too short, the interface down, or its queue full: as on a wire. */
	return writev(pair->tap_fd, first, (int)frame->count + (header_size ? 1 : 0)) ==
	       (ssize_t)(header_size + frame->length);
}

/* Writes received frames to the TAP. Returns how many there were. */
static unsigned write_burst(struct bridge_pair *pair)
{
	struct bridge_counters *counters = &pair->bridge->counters;
	struct net_driver_queue *net = &pair->receive->net;
	unsigned frames, returned = 0;
	struct driver_frame frame;

	for (frames = 0; frames < BRIDGE_BURST; frames++) {
		int taken = driver_frame_take(net, &frame);

		if (taken == 0)
			break;
		if (taken > 0 && write_frame(pair, &frame))
			counters->received++;
		else
			drop(pair->bridge, &pair->bridge->to_tap, &frame.header,
				taken > 0 ? frame.length : 0);
		if (taken < 0)
			continue;
		driver_frame_return(net, &frame);
		returned += frame.count;
		/* Large frames take many buffers: the backend shall not run out of them. */
		if (returned >= net->ring.size / 4u) {
			publish(pair->receive);
			returned = 0;
		}
	}
	return frames;
}

static void on_received(evutil_socket_t fd, short what, void *argument)
{
	struct bridge_pair *pair = argument;
	struct split_driver *ring = &pair->receive->net.ring;
	unsigned frames;

	split_driver_disarm(ring);
	frames = write_burst(pair);
	publish(pair->receive);
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

static int pair_start(struct bridge *bridge, unsigned index, struct driver_device *device)
{
	struct bridge_pair *pair = &bridge->pairs[index];

	*pair = (struct bridge_pair){
		.bridge = bridge,
		.tap_fd = bridge->tap->fds[index],
		.receive = &device->queues[2 * index],
		.transmit = &device->queues[2 * index + 1],
	};
	pair->tap_readable = listen_to(pair, pair->tap_fd, on_tap_readable);
	pair->received = listen_to(pair, pair->receive->call_fd, on_received);
	pair->sent = listen_to(pair, pair->transmit->call_fd, on_sent);
	if (!pair->tap_readable || !pair->received || !pair->sent) {
		pair_stop(pair);
		return -ENOMEM;
	}
	net_driver_fill(&pair->receive->net);
	publish(pair->receive);
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
