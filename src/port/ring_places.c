/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/ring_places.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "host/host.h"
#include "virtio/guest_mapping.h"

struct ring_places {
	struct guest_mapping *mapping;
};

struct ring_places *ring_places_open(
	const char *folder, const char *name, unsigned count, struct error *error)
{
	struct ring_places *places = calloc(1, sizeof(*places));
	struct host_record record = {.size = count * sizeof(struct ring_place)};
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
	return places;
}

struct ring_place *ring_places_at(struct ring_places *places, unsigned index)
{
	return (struct ring_place *)guest_mapping_start(places->mapping) + index;
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
