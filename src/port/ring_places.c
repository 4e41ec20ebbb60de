/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/ring_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "host/host.h"
#include "virtio/guest_mapping.h"

struct ring_places {
	struct guest_mapping *mapping;
};

static struct ring_places_header *header_of(const struct ring_places *places)
{
	return (struct ring_places_header *)guest_mapping_start(places->mapping);
}

/* The records' number where the header is one of ours, else 0. It is in memory of ours that nobody
 * else writes, but for whoever spoiled the file. */
static unsigned believed(const struct ring_places_header *header)
{
	bool ours = header->magic == RING_PLACES_MAGIC && header->version == RING_PLACES_VERSION &&
		    header->header_size == sizeof(*header) &&
		    header->record_size == sizeof(struct ring_place);

	return ours ? header->count : 0;
}

void ring_places_adopt(struct ring_places_header *header, unsigned count)
{
	struct ring_place *records = (struct ring_place *)(header + 1);
	unsigned kept = MIN(believed(header), count);

	/* A process that is killed in here leaves no header, and so no record. */
	ring_store(header->magic, 0);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memset(&records[kept], 0, (count - kept) * sizeof(*records));
	ring_store(header->version, RING_PLACES_VERSION);
	ring_store(header->header_size, sizeof(*header));
	ring_store(header->record_size, sizeof(*records));
	ring_store(header->count, count);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_store(header->magic, RING_PLACES_MAGIC);
}

struct ring_places *ring_places_open(
	const char *folder, const char *name, unsigned count, struct error *error)
{
	struct ring_places *places = calloc(1, sizeof(*places));
	struct host_record record = {
		.size = sizeof(struct ring_places_header) + count * sizeof(struct ring_place)};
	int fd = -1, rc = -1;

	if (!places) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	if (host_record_name(&record, folder, name, error) == 0)
		fd = host_record_open(&record, error);
	if (fd >= 0)
		rc = guest_mapping_new_own(&places->mapping, fd, record.size, name, error);
	/* The mapping keeps the file. */
	fd_close(&fd);
	if (rc < 0) {
		free(places);
		return NULL;
	}
	ring_places_adopt(header_of(places), count);
	return places;
}

struct ring_place *ring_places_at(struct ring_places *places, unsigned index)
{
	return (struct ring_place *)(header_of(places) + 1) + index;
}

void ring_places_close(struct ring_places *places)
{
	if (!places)
		return;
	guest_mapping_release(places->mapping);
	free(places);
}

void ring_places_remove(const char *folder, const char *name)
{
	struct host_record record;

	if (host_record_name(&record, folder, name, NULL) == 0)
		host_record_remove(&record);
}
