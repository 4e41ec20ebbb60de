/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a ring goes on when it starts, and the record of it for whoever serves it next. Control
 * thread; see port/vhost_user/vhost_user_private.h and docs/decisions/ring-positions.md.
 */
#include "base/log.h"
#include "port/vhost_user/vhost_user_private.h"
#include "virtio/packed_resume.h"

static bool is_packed(const struct vhost_user_port *vhost)
{
	return vhost->backend.features & BIT64(VIRTIO_F_RING_PACKED);
}

/* The record of a packed ring; NULL where there can be none, which is said once a session. */
static struct ring_place *record_of(struct vhost_user_port *vhost, unsigned index)
{
	struct error error;

	if (!is_packed(vhost) || !vhost->places_folder)
		return NULL;
	if (!vhost->places_tried) {
		vhost->places_tried = true;
		vhost->places = ring_places_open(vhost->places_folder, vhost->port.name,
			vhost->port.queue_count * 2u, &error);
		if (!vhost->places && log_limit_allows(&vhost->log_limit))
			log_warning("port %s: its packed rings will not survive a restart of the "
				    "switch: %s",
				vhost->port.name, error.text);
	}
	return vhost->places ? ring_places_at(vhost->places, index) : NULL;
}

static struct ring_identity identity_of(const struct vhost_user_port *vhost, unsigned index)
{
	const struct vhost_ring *asked = &vhost->backend.rings[index];

	return (struct ring_identity){
		.descriptors = asked->descriptor,
		.driver_area = asked->available,
		.device_area = asked->used,
		.size = asked->size,
		.in_order = vhost->backend.features & BIT64(VIRTIO_F_IN_ORDER),
	};
}

bool vhost_user_place_find(struct vhost_user_port *vhost, unsigned index,
	const struct device_ring_parts *parts, bool starts)
{
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);
	struct ring_identity identity = identity_of(vhost, index);

	if (!is_packed(vhost)) {
		/* One that is not aligned will be refused (VIRTIO 1.3, 2.7). */
		if ((uintptr_t)parts->device_area % sizeof(uint32_t) == 0)
			ring->next = split_used_index(parts->device_area);
		return true;
	}
	/* A ring that is moved is where it was; one that is not aligned will be refused. */
	if (!starts || (uintptr_t)parts->descriptors % sizeof(struct vring_packed_desc))
		return true;
	switch (packed_resume(parts->descriptors, identity.size, record_of(vhost, index), &identity,
		index % 2 == 0, &ring->next)) {
	case PACKED_RESUME_BASE:
		return true;
	case PACKED_RESUME_RECORDED:
		ring->resumed = true;
		if (log_limit_allows(&vhost->log_limit))
			log_info("port %s: ring %u goes on at slot %u, where it stood before",
				vhost->port.name, index, ring->next & 0x7fff);
		return true;
	case PACKED_RESUME_LOST:
		break;
	}
	vhost_user_problem(vhost, VHOST_USER_PROBLEM_RING,
		"ring %u is out of service: the switch was restarted, and neither the VM nor a "
		"record of ours says where its packed ring stands; restart the guest's driver "
		"(reboot, or unbind and bind virtio_net), or use split rings (packed=off)",
		index);
	return false;
}

void vhost_user_place_keep(struct vhost_user_port *vhost, unsigned index)
{
	struct device_ring *ring = &vhost_user_ring(vhost, index)->queue.ring;
	struct ring_place *place = record_of(vhost, index);
	struct ring_identity identity = identity_of(vhost, index);
	uint32_t base = device_ring_base(ring);

	if (!place)
		return;
	/* What another switch took and did not give, ours will not either. */
	if ((uint16_t)base != base >> 16) {
		ring_place_forget(place);
		return;
	}
	ring_place_begin(place, &identity, vhost->backend.rings[index].base,
		packed_place_used(base & 0x7fff, base >> 31));
	device_ring_set_place(ring, place);
}

void vhost_user_place_log(struct vhost_user_port *vhost, unsigned index)
{
	struct vhost_user_ring *ring = vhost_user_ring(vhost, index);
	const struct queue_log *log = ring->queue.log;
	unsigned size = vhost->backend.rings[index].size;

	if (ring->resumed && log && log->ring)
		queue_log_elements(
			log, log->descriptors, sizeof(struct vring_packed_desc), size, 0, size);
	ring->resumed = false;
}

void vhost_user_place_stop(struct vhost_user_port *vhost, unsigned index)
{
	/* A frontend that is there learns the place from us, or knows better. */
	enum ring_state state = vhost_user_ring(vhost, index)->state;

	/* What was laid has a record; one that is lost keeps that of somebody who knew. */
	if ((state == RING_READY || state == RING_FAILED) && !vhost->ending && vhost->places)
		ring_place_stop(ring_places_at(vhost->places, index));
}
