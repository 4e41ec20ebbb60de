/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio-net device as its driver has it: memory that is shared with the backend, the queues in
 * it, and an eventfd in each direction a queue. It lives as long as one connection: a backend that
 * was left behind keeps the memory and eventfds of its own session, and can disturb no later one.
 *
 *   driver_device_open()    memory and eventfds, for the most queue pairs that may be agreed
 *   driver_device_lay_out() features are agreed: the queues, empty; receive buffers not yet
 *                           available
 *   driver_device_close()
 *
 * Memory is one sealed memfd: nobody can shrink it under the other side. A queue pair takes
 * net_driver_memory_size() for each of its queues; the kernel provides pages as they are touched. A
 * transmit buffer holds a whole frame. So does a receive buffer, unless buffers are mergeable: then
 * it may be smaller, and a large frame takes several. Frames that are to be cut (TSO, USO), and may
 * be longer than the MTU, have buffers where the configuration asks for that and the features are
 * agreed.
 *
 * The memory has three names: where we have it mapped, the guest address in descriptors, and the
 * user address that vhost-user wants for rings, which is the mapping's.
 *
 * One thread.
 */
#ifndef VSW_DRIVER_DEVICE_H
#define VSW_DRIVER_DEVICE_H

#include "base/error.h"
#include "vhost/frontend.h"
#include "virtio_net/driver.h"

/* Bytes of an MTU: an IPv4 minimum, and 64 KiB less the Ethernet header. */
#define DRIVER_MTU_MIN     68
#define DRIVER_MTU_MAX     65521
#define DRIVER_MTU_DEFAULT 1500

/* Queue pairs: as many as vhost-user can name, see VHOST_RING_MAX. */
#define DRIVER_QUEUES_MAX 128

/* Descriptors of a ring. The default holds bursts of a sender while we wait for a processor. */
#define DRIVER_QUEUE_SIZE_MIN     2
#define DRIVER_QUEUE_SIZE_MAX     32768
#define DRIVER_QUEUE_SIZE_DEFAULT 1024

/* Ethernet header and one VLAN tag around the MTU's bytes. */
#define DRIVER_FRAME_OVERHEAD 18

/* A receive buffer, header included, where the backend may spread a frame over several: the
 * least. */
#define DRIVER_MERGEABLE_SLOT_SIZE 2048

/* The same where frames are to be cut by nobody: fewer for each, and neighbours in different sets
 * of a cache. */
#define DRIVER_SEGMENT_SLOT_SIZE 4160

/* The longest frame that is to be cut: what an IP length allows, in Ethernet with a tag. */
#define DRIVER_SEGMENT_MAX (65535 + DRIVER_FRAME_OVERHEAD)

struct driver_device_config {
	unsigned queue_pairs; /* 1..DRIVER_QUEUES_MAX */
	unsigned queue_size;  /* descriptors, a power of two up to RING_SIZE_MAX */
	uint16_t mtu;         /* bytes */
	bool segments;        /* frames of DRIVER_SEGMENT_MAX where features allow them */
};

struct driver_queue {
	struct net_driver_queue net;
	int kick_fd; /* we signal the backend */
	int call_fd; /* the backend signals us; readable in the event loop */
};

struct driver_device {
	struct driver_device_config config;
	uint32_t frame_max;    /* bytes of the longest frame */
	uint32_t slot_size;    /* room for a transmit buffer */
	uint64_t queue_memory; /* bytes between one queue's memory and the next one's */
	uint64_t memory_size;
	uint8_t *memory;
	int memory_fd;
	unsigned queue_pairs;        /* laid out; 0 before */
	struct driver_queue *queues; /* [2 * config.queue_pairs]: receive, transmit, receive, ... */
};

/* Bytes of a buffer that holds any frame of this MTU behind its header. The room left over shows
 * frames that are too long. */
uint32_t driver_device_slot_size(uint16_t mtu);

/* 0, or -errno and the reason; driver_device_close() is due only after success. */
int driver_device_open(struct driver_device *device, const struct driver_device_config *config,
	struct error *error);

/* The one region, for the frontend's configuration. The descriptor stays the device's. */
void driver_device_region(const struct driver_device *device, struct vhost_region *region, int *fd);

/* Makes the queues anew for these features; queue_pairs is at most the configured number. rings[]
 * gets what the backend must know of each. 0, or -errno and the reason. */
int driver_device_lay_out(struct driver_device *device, uint64_t features, unsigned queue_pairs,
	struct vhost_frontend_ring *rings, struct error *error);

void driver_device_close(struct driver_device *device);

#endif
