/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file in which a port's packed rings note where they stand (virtio/ring_place.h): FOLDER/NAME, one
 * record a ring. It outlives the process, and goes when the port leaves the configuration.
 *
 * The folder is ours alone (0700), and so is the file (0600): neither is followed through a symbolic link, and
 * what belongs to somebody else is refused. Should the file be truncated all the same, a page of nobody's
 * takes its place and the ring runs on.
 *
 * Control thread. A port that cannot have its file works without.
 */
#ifndef VSW_PORT_RING_PLACES_H
#define VSW_PORT_RING_PLACES_H

#include "base/error.h"
#include "virtio/ring_place.h"

struct ring_places;

/* Opens the file, makes it and its folder where they are missing, and maps `count` records. NULL with
 * *error filled where that cannot be. */
struct ring_places *ring_places_open(
	const char *folder, const char *name, unsigned count, struct error *error);

/* The record of a ring, less than count; lives until close. */
struct ring_place *ring_places_at(struct ring_places *places, unsigned index);

/* No worker may be using a record. The file stays. NULL is accepted. */
void ring_places_close(struct ring_places *places);

/* Removes the file of a port that is no more, and the folder with the last one. */
void ring_places_remove(const char *folder, const char *name);

#endif
