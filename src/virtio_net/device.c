/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio_net/device.h"

#include <errno.h>

#include "virtio_net/header.h"
#include "virtio_net/offload.h"

int net_device_init(struct net_device_queue *queue, const struct guest_memory *memory,
	const struct device_ring_parts *parts, unsigned size, uint64_t features, uint32_t base,
	uint16_t mtu)
{
	queue->header_size = net_header_size(features);
	queue->mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1;
	queue->requests = net_offload_requests(features);
	queue->limits.abilities = net_offload_abilities(features);
	queue->limits.frame_length_max = egress_frame_length(mtu);
	queue->discard = false;
	queue->log = NULL;
	if (device_ring_init(&queue->ring, memory, parts, size, features, base) < 0)
		return -EINVAL;
	device_ring_set_log(&queue->ring, &queue->log);
	net_outlook_begin(&queue->outlook, &queue->ring);
	return 0;
}

void net_device_set_log(struct net_device_queue *queue, const struct queue_log *log)
{
	rcu_publish(&queue->log, log);
	/* Setting the ring up has written to it, maybe since the last log. */
	if (log)
		queue_log_area(log, 0, log->device_area_size);
}
