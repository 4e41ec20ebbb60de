/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Going on with a packed ring that a predecessor of this process served, from its record
 * (ring_place.h) and the ring's own flags. Control thread, while the ring is out of service.
 *
 * Trust: neither the record nor the ring is believed. Slots are bounded by the ring's size, which
 * the caller has checked; no step depends on anything else. A driver that lies gets nonsense back
 * within its own ring, and a record that the flags do not confirm is refused.
 *
 * docs/decisions/ring-positions.md says why this loses and corrupts nothing.
 */
#ifndef VSW_VIRTIO_PACKED_RESUME_H
#define VSW_VIRTIO_PACKED_RESUME_H

#include "virtio/ring_place.h"

enum packed_resume {
	PACKED_RESUME_BASE,     /* the frontend knows: go on at *base as it is */
	PACKED_RESUME_RECORDED, /* *base is now what the record and the ring say */
	PACKED_RESUME_LOST,     /* nobody knows: the ring must not be served */
};

/*
 * Judges a ring that starts with *base, laid over `size` descriptors. `place`: its record, NULL
 * where there is none. A burst that the predecessor had given in part is made visible whole, into a
 * ring that we write into (`writable`) with lengths of 0, since nobody knows what was copied.
 */
enum packed_resume packed_resume(struct vring_packed_desc *descriptors, unsigned size,
	struct ring_place *place, const struct ring_identity *identity, bool writable,
	uint32_t *base);

#endif
