/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver side of a split virtqueue (VIRTIO 1.3, 2.7): what a guest's driver does, for our own
 * software NIC and load generator, and as the other half of every test of the device side.
 *
 * Buffers are named by the addresses that the device understands (guest physical). A chain carries
 * a token, any number of the caller's, which comes back when the device has used the chain. The
 * device is not trusted either: what it returns is checked, and a fault makes the driver `broken`.
 *
 * One thread owns a driver. Room: as many descriptors as the queue's size; an indirect chain takes
 * one.
 */
#ifndef VSW_VIRTIO_SPLIT_DRIVER_H
#define VSW_VIRTIO_SPLIT_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/ring.h"

/* A table for an indirect chain, in memory that the device sees too. */
struct split_driver_table {
	struct vring_desc *entries; /* in our address space */
	uint64_t address;           /* guest physical */
	unsigned count;             /* entries that fit */
};

struct split_driver_chain; /* private record of a chain in flight */

struct split_driver {
	struct vring_desc *descriptors;
	struct vring_avail *available;
	struct vring_used *used;
	uint16_t size;
	bool event_index;
	bool broken;         /* the device returned what it never had */
	bool notified_valid; /* something was published */
	uint16_t free_count; /* descriptors */
	uint16_t free_first;
	uint16_t next_added;               /* available index of the next chain */
	uint16_t published;                /* available->idx as last written */
	uint16_t next_used;                /* used index of the next chain to take back */
	struct split_driver_chain *chains; /* [size], owned */
};

/* Lays a driver over a ring's three parts (sizes: split_*_size()), which it zeroes. 0, -EINVAL for
 * a size that is not legal, -ENOMEM. */
int split_driver_init(struct split_driver *driver, void *descriptors, void *available, void *used,
	unsigned size, uint64_t features);
void split_driver_fini(struct split_driver *driver);

/*
 * Adds a chain: first `readable` buffers for the device to read, then `writable` ones for it to
 * write. With a table the chain is indirect. Not visible before the next publish. -ENOSPC where
 * descriptors or the table are short, -EINVAL for an empty chain.
 */
int split_driver_add(struct split_driver *driver, const struct driver_buffer *buffers,
	unsigned readable, unsigned writable, const struct split_driver_table *table,
	uint64_t token);

/* Makes added chains available; true where the device wants a kick for them. */
bool split_driver_publish(struct split_driver *driver);

/* Takes back the next used chain: its token and the bytes that the device says it wrote. */
bool split_driver_take(struct split_driver *driver, uint64_t *token, uint32_t *written);

/* Turns the device's signals on: true where chains were used meanwhile. / off again. */
bool split_driver_arm(struct split_driver *driver);
void split_driver_disarm(struct split_driver *driver);

#endif
