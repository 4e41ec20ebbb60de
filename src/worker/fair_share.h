/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How queues share a worker's time. A round visits each polled queue once, and visits differ: 64
 * short frames for one receiver cost a few microseconds, 64 that are cut into pieces for a dozen
 * receivers cost milliseconds. So each visit is charged with its cycles, and a queue that is ahead
 * of the others is left out of rounds until they have had as much:
 *
 *	used     what a queue has had (cycles)
 *	served   what the queue has had that has had the least, of those that want more
 *
 *	used > served + FAIR_QUANTUM: the queue is not visited in this round
 *
 * Only queues that left frames behind, or were not visited at all, count for `served`: others do
 * not wait for anything, and nobody waits for them. But once somebody is left out, whoever has had
 * less and any frames at all counts, until it is found empty: its peer may have had no room for
 * more while the others were served, and fills its ring now. A queue that comes back from being
 * idle begins at `served`, so that nothing can be saved up. Where all the others have nothing left,
 * `served` is what the last one has used: the worker never idles because of this. What is left out
 * stays in its queue; nothing is lost.
 *
 * The quantum is more than a visit costs that takes all its budgets allow, 64 frames or 320 KiB, to
 * a receiver that is there: queues that are alike take turns. A visit that cost more than that
 * takes fewer frames the next time, so that a long one does not keep the others waiting again.
 *
 * A visit during which the kernel had something else for the processor is charged with that as
 * well. That makes a queue wait for a backlog of another one; it befalls each as often as it runs,
 * so that it changes nothing in the long run. What visits cost that are short and leave nothing
 * behind is added up and charged when it is worth the trouble: a queue that is refilled a little at
 * a time pays like any other.
 *
 * Worker only; part of struct visit and struct roster (plan.h).
 */
#ifndef VSW_WORKER_FAIR_SHARE_H
#define VSW_WORKER_FAIR_SHARE_H

#include "worker/plan.h"

#define FAIR_QUANTUM (UINT64_C(1) << 18) /* cycles; some 100 us */
#define FAIR_SMALL   (FAIR_QUANTUM / 16)

/* Whether the queue is visited in this round. */
ALWAYS_INLINE bool fair_turn(struct roster *roster, const struct visit *visit)
{
	if (likely(visit->used <= roster->limit))
		return true;
	roster->most = MAX(roster->most, visit->used);
	roster->least = MIN(roster->least, visit->used);
	return false;
}

/* Whether the visit ended because of a budget, so that its queue has more, probably. */
ALWAYS_INLINE bool fair_more(const struct packet_batch *batch)
{
	return batch->more || batch->pieces_used >= batch->frames_max;
}

/* Notes what a visit cost. True where it is time to charge that: a short one that left nothing
 * behind can wait while nobody else does. Where nothing was taken, whatever took so long was not
 * the queue's doing. */
ALWAYS_INLINE bool fair_note(const struct roster *roster, struct visit *visit,
	const struct packet_batch *batch, uint64_t cycles)
{
	if (!batch->pieces_used)
		return false;
	visit->uncharged += cycles;
	return fair_more(batch) || unlikely(visit->uncharged > roster->small);
}

/* Charges what was noted, and sees to the size of the next visit; cycles: of the last one. The
 * port's counter worker_cycles rises by what is charged. */
void fair_charge(struct roster *roster, struct visit *visit, const struct packet_batch *batch,
	uint64_t cycles);

/* After a round in which somebody wants more. */
void fair_settle(struct roster *roster);

ALWAYS_INLINE void fair_round_end(struct roster *roster)
{
	if (roster->least != UINT64_MAX)
		fair_settle(roster);
}

#endif
