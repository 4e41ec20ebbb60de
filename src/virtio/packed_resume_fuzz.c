/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any bytes as the record of a packed ring, and any as the ring itself. Whatever the
 * two say, going on touches nothing outside the ring and the record (the sanitizers watch), and
 * names a place within the ring or none; and a device that goes on there can serve what the driver
 * offers.
 *
 * Input: the prefix, the record, and then the ring's descriptors, repeated. So that records are
 * more than noise, `kind` says how much of one is right.
 */
#include <stdlib.h>
#include <string.h>

#include "virtio/packed_device.h"
#include "virtio/packed_resume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_LIMIT 64

enum { RIGHT_IDENTITY = 1, RIGHT_STATE = 2, RIGHT_BASE = 4, WRITABLE = 8, IN_ORDER = 16 };

struct prefix {
	uint8_t size; /* of the ring, less one */
	uint8_t kind;
	uint32_t base;
} __attribute__((packed));

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Exactly as large as the ring, so that a step beside it is seen. */
static struct vring_packed_desc *make_ring(unsigned slots, const uint8_t *data, size_t size)
{
	size_t bytes = slots * sizeof(struct vring_packed_desc);
	uint8_t *ring = aligned_alloc(16, bytes);

	require(ring);
	for (size_t at = 0; at < bytes; at++)
		ring[at] = size ? data[at % size] : 0;
	return (struct vring_packed_desc *)ring;
}

static void serve(struct vring_packed_desc *ring, unsigned slots, uint32_t base, unsigned kind)
{
	uint32_t events[2] = {0};
	struct guest_memory memory = {0};
	struct packed_device device;
	struct ring_chain chain;
	struct iovec pieces[4];
	uint32_t length;

	require(packed_device_init(&device, &memory, ring, &events[0], &events[1], slots,
			(UINT64_C(1) << VIRTIO_F_VERSION_1) |
				(UINT64_C(1) << VIRTIO_F_RING_PACKED) |
				(kind & IN_ORDER ? (UINT64_C(1) << VIRTIO_F_IN_ORDER) : 0),
			base) == 0);
	while (packed_device_available(&device) &&
		packed_device_take(&device, &chain, kind & WRITABLE, pieces, 4, &length) > 0)
		packed_device_give(&device, chain, 0);
	packed_device_publish(&device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ring_identity identity = {1, 2, 3, 0, false};
	struct vring_packed_desc *ring;
	struct ring_place place;
	struct prefix prefix;
	unsigned slots;
	uint32_t base;

	if (size < sizeof(prefix) + sizeof(place))
		return 0;
	memcpy(&prefix, data, sizeof(prefix));
	memcpy(&place, data + sizeof(prefix), sizeof(place));
	slots = prefix.size % SIZE_LIMIT + 1;
	base = prefix.base;
	identity.size = slots;
	identity.in_order = prefix.kind & IN_ORDER;
	if (prefix.kind & RIGHT_IDENTITY) {
		place.descriptors = identity.descriptors;
		place.driver_area = identity.driver_area;
		place.device_area = identity.device_area;
		place.size = identity.size;
		place.in_order = identity.in_order;
	}
	if (prefix.kind & RIGHT_STATE)
		place.state = place.state & 1 ? RING_PLACE_RUNNING : RING_PLACE_STOPPED;
	if (prefix.kind & RIGHT_BASE)
		place.base = base;
	ring = make_ring(slots, data + sizeof(prefix) + sizeof(place),
		size - sizeof(prefix) - sizeof(place));
	if (packed_resume(ring, slots, &place, &identity, prefix.kind & WRITABLE, &base) ==
		PACKED_RESUME_RECORDED) {
		require((base & 0x7fff) < slots && (base >> 16 & 0x7fff) < slots);
		serve(ring, slots, base, prefix.kind);
	} else {
		require(base == prefix.base);
	}
	free(ring);
	return 0;
}
