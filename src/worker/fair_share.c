/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/fair_share.h"

/* As many frames the next time as the last ones suggest fit the quantum. */
static void adapt(struct visit *visit, unsigned frames, uint64_t cycles)
{
	uint64_t fitting = cycles > FAIR_QUANTUM ? frames * FAIR_QUANTUM / cycles
						 : visit->frames_max * 2u;

	visit->frames_max = (uint16_t)MIN(MAX(fitting, 1u), PACKET_BATCH);
}

void fair_charge(struct roster *roster, struct visit *visit, const struct packet_batch *batch,
	uint64_t cycles)
{
	visit->used = MAX(visit->used, roster->served) + visit->uncharged;
	counter_add(&visit->port->counters[visit->queue].worker_cycles, visit->uncharged);
	visit->uncharged = 0;
	roster->most = MAX(roster->most, visit->used);
	if (fair_more(batch) || !roster->small)
		roster->least = MIN(roster->least, visit->used);
	if (cycles > FAIR_QUANTUM || visit->frames_max < PACKET_BATCH)
		adapt(visit, batch->count, cycles);
}

void fair_settle(struct roster *roster)
{
	roster->served = roster->least;
	roster->limit = roster->served + FAIR_QUANTUM;
	roster->small = roster->most > roster->limit ? 0 : FAIR_SMALL;
	roster->least = UINT64_MAX;
	roster->most = 0;
}
