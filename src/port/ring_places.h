/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file in which a port's packed rings note where they stand: FOLDER/NAME, mapped into memory.
 * It outlives the process, and goes when the port leaves the configuration.
 *
 *   struct ring_places_header      one cache line: what it is, and of which sizes
 *   struct ring_place [count]      one cache line a ring (virtio/ring_place.h)
 *
 * Who opens it believes nothing: a header that is not exactly ours (another version, other sizes,
 * spoiled) makes all records "no record", and what a record says is judged by packed_resume(). A
 * version is never reused: a successor that changes the layout of either structure counts it up.
 * More records than the last process had begin empty; what it had beyond ours is forgotten.
 *
 * The folder and the file are ours alone (host_record_open()). Should the file be truncated all the
 * same, a page of nobody's takes its place and the ring runs on.
 *
 * Control thread. A port that cannot have its file works without.
 */
#ifndef VSW_PORT_RING_PLACES_H
#define VSW_PORT_RING_PLACES_H

#include "base/error.h"
#include "virtio/ring_place.h"

struct ring_places;

#define RING_PLACES_MAGIC   UINT64_C(0x736563616c707276) /* "vrplaces" */
#define RING_PLACES_VERSION 1

struct ring_places_header {
	uint64_t magic; /* written last */
	uint32_t version;
	uint32_t header_size; /* bytes */
	uint32_t record_size; /* bytes */
	uint32_t count;       /* records */
} CACHE_ALIGNED;
_Static_assert(sizeof(struct ring_places_header) == CACHE_LINE, "records begin at a cache line");

/* Makes what a predecessor left at `header`, followed by room for `count` records, ours: keeps the
 * records that may be believed, and empties all others. `count` is at least 1. */
void ring_places_adopt(struct ring_places_header *header, unsigned count);

/* Opens the file, makes it and its folder where they are missing, and maps `count` records. NULL
 * with *error filled where that cannot be. */
struct ring_places *ring_places_open(
	const char *folder, const char *name, unsigned count, struct error *error);

/* The record of a ring, less than count; lives until close. */
struct ring_place *ring_places_at(struct ring_places *places, unsigned index);

/* No worker may be using a record. The file stays. NULL is accepted. */
void ring_places_close(struct ring_places *places);

/* Removes the file of a port that is no more, and the folder with the last one. */
void ring_places_remove(const char *folder, const char *name);

#endif
