/* SPDX-License-Identifier: BSD-3-Clause */
#include "tables/fdb_flap.h"

#include <stdbool.h>

#include "base/common.h"

/* Spreads keys and ports over the table. Whoever makes them collide hides no loop, only slows down
 * its being noticed. */
static struct fdb_flap *place_of(struct fdb_flaps *flaps, uint64_t key, uint16_t low, uint16_t high)
{
	uint64_t mixed = (key ^ (uint64_t)low << 40 ^ (uint64_t)high << 52) *
			 UINT64_C(0x9e3779b97f4a7c15);

	return &flaps->of[(mixed >> 32) % FDB_FLAP_MAX];
}

void fdb_flap_note(struct fdb_flaps *flaps, uint64_t key, uint16_t from, uint16_t to, uint32_t now)
{
	uint16_t low = MIN(from, to), high = MAX(from, to);
	struct fdb_flap *flap = place_of(flaps, key, low, high);
	bool fresh = flap->moves && now - flap->since < FDB_FLAP_SECONDS;

	/* What waits to be taken stays, and counts on: the busiest says most about where the loop
	 * is. */
	if (!fresh && flap->moves < FDB_FLAP_MOVES) {
		*flap = (struct fdb_flap){
			.key = key, .ports = {low, high}, .since = now, .moves = 1};
	} else if (flap->key == key && flap->ports[0] == low && flap->ports[1] == high) {
		if (++flap->moves == FDB_FLAP_MOVES)
			__atomic_store_n(&flaps->ready, flaps->ready + 1, __ATOMIC_RELAXED);
	}
}

unsigned fdb_flap_take(struct fdb_flaps *flaps, struct fdb_flap *found, unsigned max)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FDB_FLAP_MAX && count < max; i++) {
		if (flaps->of[i].moves < FDB_FLAP_MOVES)
			continue;
		found[count++] = flaps->of[i];
		flaps->of[i].moves = 0;
	}
	__atomic_store_n(&flaps->ready, flaps->ready - count, __ATOMIC_RELAXED);
	return count;
}
