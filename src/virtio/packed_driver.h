/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver side of a packed virtqueue (VIRTIO 1.3, 2.8): what a guest's driver does, for our own
 * software NIC and load generator, and as the other half of every test of the device side.
 *
 * Buffers are named by the addresses that the device understands (guest physical). A chain carries
 * a token, any number of the caller's, which comes back when the device has used the chain. The
 * device is not trusted either: what it returns is checked, and a fault makes the driver `broken`.
 *
 * One thread owns a driver. Room: as many descriptors as the queue's size; an indirect chain takes
 * one.
 */
#ifndef VSW_VIRTIO_PACKED_DRIVER_H
#define VSW_VIRTIO_PACKED_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio/packed_ring.h"

/* A table for an indirect chain, in memory that the device sees too. */
struct packed_driver_table {
	struct vring_packed_desc *entries; /* in our address space */
	uint64_t address;                  /* guest physical */
	unsigned count;                    /* entries that fit */
};

struct packed_driver_chain; /* private record of a chain in flight */

struct packed_driver {
	struct vring_packed_desc *descriptors;
	uint32_t *driver_event;       /* when to signal us */
	const uint32_t *device_event; /* when to notify the device */
	uint16_t size;
	bool event_index;
	bool in_order;             /* VIRTIO_F_IN_ORDER */
	bool broken;               /* the device returned what it never had */
	bool notified_valid;       /* something was published */
	uint16_t free_count;       /* descriptors */
	uint16_t free_first;       /* id; there are as many as descriptors */
	struct packed_place added; /* of the next chain */
	struct packed_place used;  /* of the next used descriptor */

	/* The chains added since the last publish. */
	uint16_t burst;      /* slots */
	uint16_t first_slot; /* of the first chain ... */
	uint64_t first_word; /* ... and its second word, which publish writes */

	/* The chains that one used descriptor returns: several with IN_ORDER, else one. */
	bool batch;             /* some of them are still to be taken */
	uint16_t batch_id;      /* of the last one ... */
	uint32_t batch_written; /* ... and the bytes written into that one */
	uint16_t oldest;        /* the next one to take: with IN_ORDER the oldest in flight */
	uint16_t newest;        /* IN_ORDER: the newest in flight */

	struct packed_driver_chain *chains; /* [size] by id, owned */
};

/* Lays a driver over a ring's three parts (sizes: packed_*_size()), which it zeroes; the ring
 * begins at PACKED_BASE_FRESH. 0, -EINVAL for a size or an alignment that is not legal, -ENOMEM. */
int packed_driver_init(struct packed_driver *driver, void *descriptors, void *driver_event,
	void *device_event, unsigned size, uint64_t features);
void packed_driver_fini(struct packed_driver *driver);

/*
 * Adds a chain: first `readable` buffers for the device to read, then `writable` ones for it to
 * write. With a table the chain is indirect. Not visible before the next publish. -ENOSPC where
 * descriptors or the table are short, -EINVAL for an empty chain.
 */
int packed_driver_add(struct packed_driver *driver, const struct driver_buffer *buffers,
	unsigned readable, unsigned writable, const struct packed_driver_table *table,
	uint64_t token);

/* Makes added chains available; true where the device wants a kick for them. */
bool packed_driver_publish(struct packed_driver *driver);

/* Takes back the next used chain: its token and the bytes that the device says it wrote. */
bool packed_driver_take(struct packed_driver *driver, uint64_t *token, uint32_t *written);

/* Turns the device's signals on: true where chains were used meanwhile. / off again. */
bool packed_driver_arm(struct packed_driver *driver);
void packed_driver_disarm(struct packed_driver *driver);

#endif
