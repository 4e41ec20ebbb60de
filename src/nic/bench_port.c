/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/bench_port.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "nic/bench_frame.h"
#include "nic/options.h"
#include "vhost/endpoint.h"
#include "virtio/net_header.h"

/* Where a packed ring begins: both indices 0, both wrap counters 1 (SET_VRING_BASE). */
#define PACKED_BASE 0x80008000u

/* The longest frame of the IMIX. */
#define IMIX_FRAME_MAX 1514

/* Makes receive buffers of at least the 65,562 bytes that a device with GUEST_TSO4 may need where they
 * are not mergeable ("Setting Up Receive Buffers"), an odd number of cache lines apart. */
#define SEGMENT_MTU 65535

/* Features without which an option cannot be had; others are done without where they lack. */
static const struct {
	size_t option; /* offset of its bool */
	unsigned feature;
	const char *option_name, *feature_name;
} needs[] = {
	{offsetof(struct bench_options, packed), VIRTIO_F_RING_PACKED, "--packed",
		"VIRTIO_F_RING_PACKED"},
	{offsetof(struct bench_options, in_order), VIRTIO_F_IN_ORDER, "--in-order",
		"VIRTIO_F_IN_ORDER"},
	{offsetof(struct bench_options, tso), VIRTIO_NET_F_CSUM, "--tso", "VIRTIO_NET_F_CSUM"},
	{offsetof(struct bench_options, tso), VIRTIO_NET_F_GUEST_CSUM, "--tso",
		"VIRTIO_NET_F_GUEST_CSUM"},
	{offsetof(struct bench_options, tso), VIRTIO_NET_F_HOST_TSO4, "--tso",
		"VIRTIO_NET_F_HOST_TSO4"},
	{offsetof(struct bench_options, tso), VIRTIO_NET_F_GUEST_TSO4, "--tso",
		"VIRTIO_NET_F_GUEST_TSO4"},
};

static bool needed(const struct bench_options *options, unsigned row)
{
	return *(const bool *)((const char *)options + needs[row].option);
}

uint32_t bench_frame_max(const struct bench_options *options)
{
	return options->size ? (uint32_t)options->size : IMIX_FRAME_MAX;
}

static uint16_t told_mtu(const struct bench_options *options)
{
	/* Segments are cut before they have to fit. */
	if (options->tso)
		return NIC_MTU_DEFAULT;
	return (uint16_t)MAX((uint32_t)NIC_MTU_DEFAULT, bench_frame_max(options) - ETHERNET_HEADER);
}

/* Buffers an odd number of cache lines apart use all sets of a cache: raises the MTU until they are. */
static uint16_t device_mtu(const struct bench_options *options)
{
	uint32_t mtu = told_mtu(options);

	if (options->tso)
		return SEGMENT_MTU;
	while (nic_device_slot_size((uint16_t)mtu) / CACHE_LINE % 2 == 0 && mtu < NIC_MTU_MAX)
		mtu++;
	return (uint16_t)mtu;
}

static uint64_t wanted_features(const struct bench_options *options)
{
	uint64_t features = BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_MTU);

	if (options->mergeable)
		features |= BIT64(VIRTIO_NET_F_MRG_RXBUF);
	if (options->event_index)
		features |= BIT64(VIRTIO_RING_F_EVENT_IDX);
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (needed(options, i))
			features |= BIT64(needs[i].feature);
	/* The control queue is the VMM's in vhost-user; MQ depends on the feature nonetheless. */
	if (options->queues > 1)
		features |= BIT64(VIRTIO_NET_F_MQ) | BIT64(VIRTIO_NET_F_CTRL_VQ);
	return features;
}

static void rings_fini(struct bench_port *port)
{
	for (unsigned i = 0; i < 2 * port->queue_pairs; i++)
		bench_ring_fini(&port->rings[i]);
	port->queue_pairs = 0;
}

/* Lays our rings over those of the device: its memory has room for either kind. */
static int lay_out(
	struct bench_port *port, uint64_t features, unsigned queue_pairs, struct error *error)
{
	struct vhost_frontend_ring *rings = port->frontend.rings;
	int status;

	rings_fini(port);
	status = nic_device_lay_out(
		&port->device, features & ~BIT64(VIRTIO_F_RING_PACKED), queue_pairs, rings, error);
	if (status < 0)
		return status;
	for (unsigned i = 0; i < 2 * queue_pairs; i++) {
		const struct net_driver_queue *net = &port->device.queues[i].net;
		const struct bench_ring_config config = {
			.descriptors = (void *)(uintptr_t)rings[i].descriptor,
			.available = (void *)(uintptr_t)rings[i].available,
			.used = (void *)(uintptr_t)rings[i].used,
			.size = rings[i].size,
			.slots = net->slots,
			.slots_address = net->slots_address,
			.slot_size = net->slot_size,
			.writable = i % 2 == 0,
			.features = features,
		};

		status = bench_ring_init(&port->rings[i], &config);
		if (status < 0)
			return error_set_errno(error, status, "cannot lay out the rings");
		port->queue_pairs = i / 2 + 1;
		port->kick_fds[i] = port->device.queues[i].kick_fd;
		if (port->rings[i].packed)
			rings[i].base = PACKED_BASE;
	}
	port->features = features;
	port->header_size = net_header_size(features);
	port->stamp_at = port->header_size + bench_frame_stamp_at(port->options->tso);
	port->mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1;
	return 0;
}

static int on_negotiated(void *owner, uint64_t features, unsigned queue_pairs, struct error *error)
{
	struct bench_port *port = owner;

	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
		if (!needed(port->options, i) || features >> needs[i].feature & 1)
			continue;
		port->refused = true;
		return error_set(error, -ENOTSUP, "the backend does not offer %s, which %s needs",
			needs[i].feature_name, needs[i].option_name);
	}
	return lay_out(port, features, queue_pairs, error);
}

/* Makes all receive buffers available. */
static void fill(struct bench_port *port)
{
	for (unsigned i = 0; i < 2 * port->queue_pairs; i += 2) {
		struct bench_ring *ring = &port->rings[i];

		for (unsigned id = 0; id < ring->size; id++)
			bench_ring_put(ring, &(uint16_t){(uint16_t)id}, &ring->slot_size, 1);
		if (bench_ring_publish(ring))
			fd_signal(port->kick_fds[i]);
	}
}

static void on_running(void *owner)
{
	struct bench_port *port = owner;

	fill(port);
	port->running = true;
	port->ops->changed(port->owner);
}

static void on_stopped(void *owner)
{
	struct bench_port *port = owner;

	port->running = false;
	port->stopped = true;
	port->ops->changed(port->owner);
}

static void on_failed(void *owner, const struct error *error)
{
	struct bench_port *port = owner;

	port->failure = *error;
}

static const struct vhost_frontend_ops frontend_ops = {
	.negotiated = on_negotiated,
	.running = on_running,
	.stopped = on_stopped,
	.failed = on_failed,
};

/* Ends a connection for port->failure, which disconnected() writes anew. */
static void disconnect(struct bench_port *port)
{
	const struct error reason = port->failure;

	vhost_endpoint_disconnect(port->endpoint, reason.text);
}

/* Sends what the frontend has to say; ends a connection that cannot go on. */
static void advance(struct bench_port *port)
{
	struct vhost_message message;

	while (vhost_frontend_next(&port->frontend, &message)) {
		/* On failure disconnected() follows from the event loop. */
		if (vhost_endpoint_send(port->endpoint, &message) < 0)
			return;
	}
	if (port->frontend.state == VHOST_FRONTEND_FAILED)
		disconnect(port);
}

static int open_device(struct bench_port *port, struct error *error)
{
	const struct nic_device_config config = {
		.queue_pairs = (unsigned)port->options->queues,
		.queue_size = (unsigned)port->options->queue_size,
		.mtu = device_mtu(port->options),
	};
	int status = nic_device_open(&port->device, &config, error);

	port->device_open = status == 0;
	return status;
}

static void close_device(struct bench_port *port)
{
	rings_fini(port);
	if (port->device_open)
		nic_device_close(&port->device);
	port->device_open = false;
}

static void on_connected(void *owner)
{
	struct bench_port *port = owner;
	struct vhost_frontend_config config = {
		.features = wanted_features(port->options),
		.features_required = port->options->packed ? 0 : BIT64(VIRTIO_F_VERSION_1),
		.protocol_features = VHOST_FRONTEND_PROTOCOL_FEATURES,
		.queue_pairs = (unsigned)port->options->queues,
		.mtu = told_mtu(port->options),
		.region_count = 1,
	};

	port->refused = false;
	if (open_device(port, &port->failure) < 0) {
		disconnect(port);
		return;
	}
	nic_device_region(&port->device, &config.regions[0], &config.region_fds[0]);
	vhost_frontend_init(&port->frontend, &config, &frontend_ops, port);
	advance(port);
}

static void on_message(void *owner, struct vhost_message *message)
{
	struct bench_port *port = owner;

	vhost_frontend_handle(&port->frontend, message);
	advance(port);
}

static void on_disconnected(void *owner, const char *reason)
{
	struct bench_port *port = owner;

	error_set(&port->failure, -ECONNRESET, "%s", reason);
	port->running = false;
	close_device(port);
	port->ops->changed(port->owner);
}

static const struct vhost_endpoint_ops endpoint_ops = {
	.connected = on_connected,
	.message = on_message,
	.disconnected = on_disconnected,
};

int bench_port_set_up(struct bench_port *port, struct error *error)
{
	int status = open_device(port, error);

	if (status == 0)
		status = lay_out(port, wanted_features(port->options),
			(unsigned)port->options->queues, error);
	if (status == 0)
		fill(port);
	port->running = status == 0;
	return status;
}

struct bench_port *bench_port_open(struct event_base *base, const struct bench_options *options,
	unsigned number, const struct bench_port_ops *ops, void *owner, struct error *error)
{
	const struct bench_port_options *mine = &options->ports[number];
	struct bench_port *port = calloc(1, sizeof(*port));
	const struct vhost_endpoint_config config = {
		.mode = mine->server ? VHOST_MODE_SERVER : VHOST_MODE_CLIENT,
		.path = mine->path,
		.name = port ? port->name : "",
	};

	if (!port) {
		error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	port->options = options;
	port->ops = ops;
	port->owner = owner;
	port->number = number;
	snprintf(port->name, sizeof(port->name), "%u", number + 1);
	port->mac = mine->mac_given ? mac_to_u64(mine->mac)
				    : UINT64_C(0x020000000000) | (uint64_t)(number + 1) << 24;
	port->rings = calloc(2 * options->queues, sizeof(*port->rings));
	port->kick_fds = calloc(2 * options->queues, sizeof(*port->kick_fds));
	if (!port->rings || !port->kick_fds)
		error_set(error, -ENOMEM, "no memory");
	else if (!base || vhost_endpoint_open(
				  base, &config, &endpoint_ops, port, &port->endpoint, error) == 0)
		return port;
	bench_port_close(port);
	return NULL;
}

void bench_port_stop(struct bench_port *port)
{
	if (!port->running || !port->endpoint)
		return;
	vhost_frontend_stop(&port->frontend);
	advance(port);
}

void bench_port_close(struct bench_port *port)
{
	if (!port)
		return;
	vhost_endpoint_close(port->endpoint);
	close_device(port);
	free(port->kick_fds);
	free(port->rings);
	free(port);
}
