/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/device_ring.h"

static bool is_packed(uint64_t features)
{
	return features >> VIRTIO_F_RING_PACKED & 1;
}

struct device_ring_sizes device_ring_sizes(unsigned size, uint64_t features)
{
	if (is_packed(features))
		return (struct device_ring_sizes){
			.descriptors = packed_descriptors_size(size),
			.driver_area = packed_event_size(),
			.device_area = packed_event_size(),
		};
	return (struct device_ring_sizes){
		.descriptors = split_descriptors_size(size),
		.driver_area = split_available_size(size),
		.device_area = split_used_size(size),
	};
}

int device_ring_init(struct device_ring *ring, const struct guest_memory *memory,
	const struct device_ring_parts *parts, unsigned size, uint64_t features, uint32_t base)
{
	ring->packed = is_packed(features);
	if (ring->packed)
		return packed_device_init(&ring->packed_ring, memory, parts->descriptors,
			parts->driver_area, parts->device_area, size, features, base);
	return split_device_init(&ring->split, memory, parts->descriptors, parts->driver_area,
		parts->device_area, size, features, (uint16_t)base);
}

uint32_t device_ring_base(const struct device_ring *ring)
{
	return ring->packed ? packed_device_base(&ring->packed_ring) : ring->split.next_taken;
}

void device_ring_set_log(struct device_ring *ring, const struct queue_log *const *log)
{
	if (ring->packed)
		ring->packed_ring.log = log;
	else
		ring->split.log = log;
}

void device_ring_set_place(struct device_ring *ring, struct ring_place *place)
{
	if (ring->packed)
		ring->packed_ring.place = place;
}

bool device_ring_arm(struct device_ring *ring)
{
	return ring->packed ? packed_device_arm(&ring->packed_ring)
			    : split_device_arm(&ring->split);
}

void device_ring_disarm(struct device_ring *ring)
{
	if (ring->packed)
		packed_device_disarm(&ring->packed_ring);
	else
		split_device_disarm(&ring->split);
}

bool device_ring_untouched(const struct device_ring *ring)
{
	if (ring->packed)
		return ring_load(*packed_second_word(ring->packed_ring.descriptors)) == 0;
	return ring_load(ring->split.available->idx) == 0;
}
