/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/port.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "bench/frame.h"
#include "virtio_net/header.h"

/* Where a packed ring begins: both indices 0, both wrap counters 1 (SET_VRING_BASE). */
#define PACKED_BASE 0x80008000u

/* The longest frame of the IMIX. */
#define IMIX_FRAME_MAX 1514

/* Makes receive buffers of at least the 65,562 bytes that a device with GUEST_TSO4 may need where
 * they are not mergeable ("Setting Up Receive Buffers"), an odd number of cache lines apart. */
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
		return DRIVER_MTU_DEFAULT;
	return (uint16_t)MAX(
		(uint32_t)DRIVER_MTU_DEFAULT, bench_frame_max(options) - ETHERNET_HEADER);
}

/* Buffers an odd number of cache lines apart use all sets of a cache: raises the MTU until they
 * are. */
static uint16_t device_mtu(const struct bench_options *options)
{
	uint32_t mtu = told_mtu(options);

	if (options->tso)
		return SEGMENT_MTU;
	while (driver_device_slot_size((uint16_t)mtu) / CACHE_LINE % 2 == 0 && mtu < DRIVER_MTU_MAX)
		mtu++;
	return (uint16_t)mtu;
}

static uint64_t wanted_features(const struct bench_options *options)
{
	uint64_t features = driver_link_features(
		options->mergeable, options->event_index, (unsigned)options->queues);

	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (needed(options, i))
			features |= BIT64(needs[i].feature);
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
	struct vhost_frontend_ring *rings = port->link.frontend.rings;
	struct driver_device *device = &port->link.device;
	int status;

	rings_fini(port);
	status = driver_device_lay_out(
		device, features & ~BIT64(VIRTIO_F_RING_PACKED), queue_pairs, rings, error);
	if (status < 0)
		return status;
	for (unsigned i = 0; i < 2 * queue_pairs; i++) {
		const struct net_driver_queue *net = &device->queues[i].net;
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
		port->kick_fds[i] = device->queues[i].kick_fd;
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

static void on_connected(void *owner)
{
	struct bench_port *port = owner;

	port->refused = false;
}

static void on_disconnected(void *owner, const char *reason)
{
	struct bench_port *port = owner;

	error_set(&port->failure, -ECONNRESET, "%s", reason);
	port->running = false;
	rings_fini(port);
	port->ops->changed(port->owner);
}

static const struct driver_link_ops link_ops = {
	.connected = on_connected,
	.negotiated = on_negotiated,
	.running = on_running,
	.stopped = on_stopped,
	.disconnected = on_disconnected,
};

int bench_port_set_up(struct bench_port *port, struct error *error)
{
	int status = driver_link_open_device(&port->link, error);

	if (status == 0)
		status = lay_out(port, port->link.config.features,
			port->link.config.device.queue_pairs, error);
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
	const struct driver_link_config config = {
		.path = mine->path,
		.name = port ? port->name : "",
		.server = mine->server,
		.device =
			{
				.queue_pairs = (unsigned)options->queues,
				.queue_size = (unsigned)options->queue_size,
				.mtu = device_mtu(options),
			},
		.features = wanted_features(options),
		.features_required = options->packed ? 0 : BIT64(VIRTIO_F_VERSION_1),
		.mtu = told_mtu(options),
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
	else if (driver_link_open(&port->link, base, &config, &link_ops, port, error) == 0)
		return port;
	bench_port_close(port);
	return NULL;
}

void bench_port_stop(struct bench_port *port)
{
	if (port->running && driver_link_connected(&port->link))
		driver_link_stop(&port->link);
}

void bench_port_close(struct bench_port *port)
{
	if (!port)
		return;
	rings_fini(port);
	driver_link_close(&port->link);
	free(port->kick_fds);
	free(port->rings);
	free(port);
}
