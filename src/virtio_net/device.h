/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device side of a virtio-net queue: frames in and out of a virtqueue. VIRTIO 1.3, 5.1.6.
 *
 * A queue is set up by the control thread while no worker sees it, then run by one thread at a
 * time: a transmitq (the guest sends) by its worker, a receiveq by whoever holds the port's send
 * lock. Counters are written by the same thread.
 */
#ifndef VSW_VIRTIO_NET_DEVICE_H
#define VSW_VIRTIO_NET_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/counters.h"
#include "packet/egress.h"
#include "packet/packet.h"
#include "virtio/device_ring.h"
#include "virtio/feature_bits.h"
#include "virtio_net/outlook.h"

/* Bytes of frames that one visit takes from a queue before others have their turn: five TSO frames
 * or a full batch of 4 KiB ones. */
#define NET_DEVICE_VISIT_BYTES (5 * PACKET_LENGTH_MAX)

/*
 * The virtio-net features that need the device's doing and that this file does: offloads in both
 * directions (5.1.3), mergeable buffers, and the layouts of its rings. ORDER_PLATFORM and
 * NOTIFICATION_DATA ask something of drivers only: our accesses are ordered for any CPU as they
 * are, and what a notification carries is in the ring, too.
 */
#define NET_DEVICE_FEATURES                                                                        \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |                             \
		1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6 |                  \
		1ULL << VIRTIO_NET_F_HOST_ECN | 1ULL << VIRTIO_NET_F_HOST_UFO |                    \
		1ULL << VIRTIO_NET_F_HOST_USO | 1ULL << VIRTIO_NET_F_GUEST_TSO4 |                  \
		1ULL << VIRTIO_NET_F_GUEST_TSO6 | 1ULL << VIRTIO_NET_F_GUEST_ECN |                 \
		1ULL << VIRTIO_NET_F_GUEST_UFO | 1ULL << VIRTIO_NET_F_GUEST_USO4 |                 \
		1ULL << VIRTIO_NET_F_GUEST_USO6 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |                 \
		1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ANY_LAYOUT |                         \
		1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX |            \
		1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IN_ORDER |                         \
		1ULL << VIRTIO_F_ORDER_PLATFORM | 1ULL << VIRTIO_F_NOTIFICATION_DATA)

struct net_device_queue {
	struct device_ring ring;
	/* What of our writes is logged; NULL: nothing. The control thread publishes it. */
	const struct queue_log *log;
	uint32_t header_size; /* bytes, from the acknowledged features */
	struct egress_limits
		limits;   /* receiveq: MTU, and offloads that the guest takes as they are */
	uint8_t requests; /* transmitq: OFFLOAD_* that the guest may ask for */
	bool mergeable;   /* VIRTIO_NET_F_MRG_RXBUF acknowledged */
	bool discard;     /* transmitq that is not enabled: what it sends is dropped */
	struct net_outlook outlook; /* receiveq: of the ring */
};

/*
 * Sets up a queue over a ring; parts, size and base as for device_ring_init(). mtu: bytes of
 * payload above Ethernet that the receiver accepts, 0 = any. 0 or -EINVAL.
 */
int net_device_init(struct net_device_queue *queue, const struct guest_memory *memory,
	const struct device_ring_parts *parts, unsigned size, uint64_t features, uint32_t base,
	uint16_t mtu);

/*
 * Has writes to guest memory logged from now on as `log` says, NULL: not. What it replaces may
 * still be in use until a grace period has passed. The control thread, also while the queue runs;
 * the queue stays where it is in memory from then on.
 */
void net_device_set_log(struct net_device_queue *queue, const struct queue_log *log);

/*
 * Fills the empty batch from a transmitq: up to PACKET_BATCH frames, each with its first
 * PACKET_HEAD_SIZE bytes copied and the rest left in place. Bad frames are dropped and counted.
 */
void net_device_receive(
	struct net_device_queue *queue, struct packet_batch *batch, struct counters *counters);

/* Returns to the driver what receive took. True where it wants to be signalled. */
bool net_device_release(struct net_device_queue *queue);

/*
 * Copies the packets of `mask` into a receiveq and publishes them. What the receiver cannot take is
 * finished first (packet/egress.h), so that one packet may become several frames. Sent frames and
 * drops are counted. True where the driver wants to be signalled.
 */
bool net_device_send(struct net_device_queue *queue, struct packet_batch *batch, uint64_t mask,
	struct counters *counters);

#endif
