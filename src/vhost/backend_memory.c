/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/checked.h"
#include "base/fd.h"
#include "vhost/backend_private.h"

static bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

/* One region by itself: not empty, and no sum of its fields wraps. */
static enum vhost_verdict region_check(
	const struct vhost_region *region, struct vhost_result *result)
{
	uint64_t end;

	if (region->size == 0)
		return vhost_refuse(result, "a region of zero bytes");
	if (!checked_add(region->guest_address, region->size, &end) ||
		!checked_add(region->user_address, region->size, &end) ||
		!checked_add(region->mmap_offset, region->size, &end))
		return vhost_refuse(result,
			"a region wraps: guest %#llx, user %#llx, offset %#llx, size %#llx",
			(unsigned long long)region->guest_address,
			(unsigned long long)region->user_address,
			(unsigned long long)region->mmap_offset, (unsigned long long)region->size);
	return VHOST_ACCEPTED;
}

/* A region against others: an address names one byte of one region, or nothing. */
static enum vhost_verdict region_check_apart(const struct vhost_region *region,
	const struct vhost_region *others, unsigned count, struct vhost_result *result)
{
	for (unsigned i = 0; i < count; i++) {
		if (ranges_overlap(region->guest_address, region->size, others[i].guest_address,
			    others[i].size) ||
			ranges_overlap(region->user_address, region->size, others[i].user_address,
				others[i].size))
			return vhost_refuse(result, "regions overlap: guest %#llx, user %#llx",
				(unsigned long long)region->guest_address,
				(unsigned long long)region->user_address);
	}
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_set_mem_table)
{
	const struct vhost_memory_table *table = &message->payload.memory;
	enum vhost_verdict verdict;

	if (message->header.size != 8 + 32 * (uint64_t)table->count ||
		message->fd_count != table->count)
		return vhost_hang_up(result, "%u regions in %u bytes with %u descriptors",
			table->count, message->header.size, message->fd_count);
	if (table->count == 0)
		return vhost_refuse(result, "no region: is the guest's memory shared?");
	for (unsigned i = 0; i < table->count; i++) {
		verdict = region_check(&table->regions[i], result);
		if (verdict == VHOST_ACCEPTED)
			verdict = region_check_apart(&table->regions[i], table->regions, i, result);
		if (verdict != VHOST_ACCEPTED)
			return verdict;
	}
	if (backend->ops->memory_set(
		    backend->owner, table->regions, table->count, message->fds, &result->error) < 0)
		return VHOST_REFUSED;
	for (unsigned i = 0; i < table->count; i++)
		backend->regions[i] = table->regions[i];
	backend->region_count = table->count;
	vhost_rings_remap(backend, result);
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_get_max_mem_slots)
{
	vhost_reply(result, message->header.id, 8)->number = backend->config.memory_slots;
	return VHOST_ACCEPTED;
}

/* The same region, as REM_MEM_REG counts it: the offset in the file does not matter. */
static bool region_same(const struct vhost_region *a, const struct vhost_region *b)
{
	return a->guest_address == b->guest_address && a->user_address == b->user_address &&
	       a->size == b->size;
}

/* Index of the region that is the same, or region_count. */
static unsigned region_find(const struct vhost_backend *backend, const struct vhost_region *region)
{
	unsigned i = 0;

	while (i < backend->region_count && !region_same(&backend->regions[i], region))
		i++;
	return i;
}

/* QEMU has one vhost device for each queue pair, and every one of them adds and removes all regions
 * over the one connection: what is there already is kept, what is gone already is no fault. */
VHOST_HANDLER(vhost_handle_add_mem_reg)
{
	struct vhost_region *region = &message->payload.slot.region;
	enum vhost_verdict verdict = region_check(region, result);

	if (region_find(backend, region) < backend->region_count)
		return VHOST_ACCEPTED;
	if (verdict == VHOST_ACCEPTED)
		verdict = region_check_apart(
			region, backend->regions, backend->region_count, result);
	if (verdict != VHOST_ACCEPTED)
		return verdict;
	if (backend->region_count >= backend->config.memory_slots)
		return vhost_refuse(
			result, "all %u memory slots are taken", backend->config.memory_slots);
	if (backend->ops->memory_add(backend->owner, region, &message->fds[0], &result->error) <
		0) {
		return VHOST_REFUSED;
	}
	backend->regions[backend->region_count++] = *region;
	vhost_rings_remap(backend, result);
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_rem_mem_reg)
{
	const struct vhost_region *region = &message->payload.slot.region;
	unsigned i = region_find(backend, region);

	if (i == backend->region_count)
		return VHOST_ACCEPTED;
	if (backend->ops->memory_remove(backend->owner, &backend->regions[i], &result->error) < 0)
		return VHOST_REFUSED;
	backend->regions[i] = backend->regions[--backend->region_count];
	vhost_rings_remap(backend, result);
	return VHOST_ACCEPTED;
}
