/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver side of virtio-net queues (VIRTIO 1.3, 5.1.6): frames in and out of virtqueues that
 * lie, with their buffers, in memory of our own which we share with the device. For the software
 * NIC and the load generator.
 *
 * A queue owns an equal share of the memory it is given: the ring's three parts, and one buffer
 * slot a descriptor. One thread owns a queue.
 */
#ifndef VSW_VIRTIO_NET_DRIVER_H
#define VSW_VIRTIO_NET_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/split_driver.h"

struct net_driver_queue {
	struct split_driver ring;
	uint8_t *slots;         /* [ring.size] buffers of slot_size bytes */
	uint64_t slots_address; /* the same, as the device names it */
	uint32_t slot_size;
	uint32_t header_size;
	uint16_t *free_slots; /* transmit: a stack of them */
	unsigned free_slot_count;
	bool mergeable;
	uint64_t descriptors, available, used; /* addresses for the device */
	uint64_t bad_frames;                   /* received, but with lengths that make no sense */
};

/* Bytes of memory that a queue of `size` descriptors needs; slot_size: bytes of a buffer, header
 * included. A multiple of 4096. */
uint64_t net_driver_memory_size(unsigned size, uint32_t slot_size);

/*
 * Lays a queue over `memory`, which the device sees at `address` (both aligned to 4096). 0 or a
 * negative errno.
 */
int net_driver_init(struct net_driver_queue *queue, void *memory, uint64_t address, unsigned size,
	uint32_t slot_size, uint64_t features);
void net_driver_fini(struct net_driver_queue *queue);

/* A buffer, by its number, which is the token of what is added to the ring. */
static inline uint8_t *net_driver_slot(const struct net_driver_queue *queue, uint64_t index)
{
	return queue->slots + index * queue->slot_size;
}

/* Receiveq: makes a slot available that is with us. Publish afterwards. */
void net_driver_offer(struct net_driver_queue *queue, uint64_t index);

/* Receiveq: makes every slot available. Publish afterwards. */
void net_driver_fill(struct net_driver_queue *queue);

/* Receiveq: copies the next received frame to `frame` (`size` bytes) and makes its buffers
 * available again. Returns its length, 0 where there is none, -EMSGSIZE for one that was too long
 * and is gone. */
int net_driver_receive(struct net_driver_queue *queue, uint8_t *frame, uint32_t size);

/* Transmitq: takes back what the device has sent. */
void net_driver_reclaim(struct net_driver_queue *queue);

/* Transmitq: where to write the next frame (slot_size - header bytes), NULL where the ring is full;
 * and adding it, once written. Publish afterwards. */
uint8_t *net_driver_reserve(struct net_driver_queue *queue);
void net_driver_send(struct net_driver_queue *queue, uint32_t length);

/* split_driver_publish() of the queue's ring. */
static inline bool net_driver_publish(struct net_driver_queue *queue)
{
	return split_driver_publish(&queue->ring);
}

#endif
