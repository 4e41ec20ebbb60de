/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sharing a worker's time between queues whose visits cost what a test says: what each gets of it,
 * who waits for whom, and how long a visit may become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/fair_share.h"

#define QUEUES 4
#define SECOND UINT64_C(2500000000) /* cycles */

/* What a queue holds, and what has become of it. */
struct simulated {
	unsigned frames;       /* at hand in each round; PACKET_BATCH or more: a backlog */
	uint64_t frame_cycles; /* that each costs */
	/* cycles between two frames that its peer adds up to so many; 0: none lacks */
	uint64_t refill;

	unsigned at_hand; /* where the peer refills */
	uint64_t refilled_at;
	uint64_t cycles, visits, left_out;
	uint64_t longest; /* visit but the first, cycles */
};

static struct simulated queues[QUEUES];
static struct visit visits[QUEUES];
static struct port_queue_counters counters[QUEUES];
static struct port port = {.counters = counters};
static struct roster roster;
static struct packet_batch batch;
static uint64_t now;

static void begin(unsigned count)
{
	roster = (struct roster){.polled_count = count, .least = UINT64_MAX};
	memset(counters, 0, sizeof(counters));
	for (unsigned i = 0; i < count; i++)
		visits[i] = (struct visit){
			.port = &port, .queue = (uint16_t)i, .frames_max = PACKET_BATCH};
	memset(queues, 0, sizeof(queues));
	now = 0;
}

/* The frames that a visit finds now. */
static unsigned at_hand(struct simulated *queue)
{
	uint64_t added;

	if (!queue->refill)
		return queue->frames;
	added = (now - queue->refilled_at) / queue->refill;
	queue->refilled_at += added * queue->refill;
	queue->at_hand = (unsigned)MIN(queue->at_hand + added, queue->frames);
	return queue->at_hand;
}

static void visit(unsigned i)
{
	struct simulated *queue = &queues[i];
	uint64_t cycles;

	batch.more = false;
	batch.frames_max = visits[i].frames_max;
	batch.count = batch.pieces_used = MIN(at_hand(queue), batch.frames_max);
	queue->at_hand -= queue->refill ? batch.count : 0;
	cycles = 100 + batch.count * queue->frame_cycles;
	if (fair_note(&roster, &visits[i], &batch, cycles))
		fair_charge(&roster, &visits[i], &batch, cycles);
	if (queue->visits++)
		queue->longest = MAX(queue->longest, cycles);
	queue->cycles += cycles;
	now += cycles;
}

static void run(uint64_t cycles)
{
	uint64_t end = now + cycles;

	while (now < end) {
		for (unsigned i = 0; i < roster.polled_count; i++)
			if (fair_turn(&roster, &visits[i]))
				visit(i);
			else
				queues[i].left_out++;
		fair_round_end(&roster);
	}
}

static void has_share(unsigned i, double share)
{
	double has = (double)queues[i].cycles / (double)now;

	if (has < share * 0.95 || has > share * 1.05)
		fail_msg("queue %u has %.3f of the time, not %.3f", i, has, share);
}

/* Queues that are alike, with batches of any price that is usual, take turns. */
static void equals_take_turns(void **state)
{
	for (uint64_t cycles = 50; cycles <= 4000; cycles *= 2) {
		begin(3);
		for (unsigned i = 0; i < 3; i++)
			queues[i] = (struct simulated){.frames = 64, .frame_cycles = cycles};
		run(SECOND);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(queues[i].left_out, 0);
			has_share(i, 1.0 / 3);
		}
	}
}

/* However dear the frames of one are, the others have their time; with whatever number of them. */
static void dear_frames_take_no_more_time(void **state)
{
	for (uint64_t cycles = 1000; cycles <= 1000000; cycles *= 10)
		for (unsigned count = 2; count <= QUEUES; count++) {
			begin(count);
			for (unsigned i = 0; i < count; i++)
				queues[i] = (struct simulated){
					.frames = 64, .frame_cycles = i ? 100 : cycles};
			run(20 * SECOND);
			for (unsigned i = 0; i < count; i++)
				has_share(i, 1.0 / count);
		}
}

/* Several of them do not help each other. */
static void neither_do_several(void **state)
{
	begin(4);
	queues[0] = (struct simulated){.frames = 64, .frame_cycles = 100000};
	queues[1] = (struct simulated){.frames = 64, .frame_cycles = 20000};
	queues[2] = (struct simulated){.frames = 64, .frame_cycles = 100};
	queues[3] = (struct simulated){.frames = 64, .frame_cycles = 300};
	run(20 * SECOND);
	for (unsigned i = 0; i < 4; i++)
		has_share(i, 0.25);
}

/* A queue of few buffers, refilled as soon as they are back, never shows a backlog, and pays all
 * the same. */
static void neither_do_short_visits(void **state)
{
	begin(3);
	queues[0] = (struct simulated){.frames = 32, .frame_cycles = 500};
	queues[1] = (struct simulated){.frames = 32, .frame_cycles = 400};
	queues[2] = (struct simulated){.frames = 64, .frame_cycles = 90};
	run(SECOND);
	for (unsigned i = 0; i < 3; i++)
		has_share(i, 1.0 / 3);
}

/* Visits of a tenth of a second: each is waited for, and paid for. */
static void neither_do_endless_visits(void **state)
{
	begin(2);
	queues[0] = (struct simulated){.frames = 64, .frame_cycles = SECOND / 10};
	queues[1] = (struct simulated){.frames = 64, .frame_cycles = 100};
	run(80 * SECOND);
	has_share(0, 0.5);
	has_share(1, 0.5);
}

/* Who has nothing left after its visit waits for nobody, and nobody for it. */
static void a_trickle_holds_nobody_up(void **state)
{
	begin(2);
	queues[0] = (struct simulated){.frames = 64, .frame_cycles = 4000};
	queues[1] = (struct simulated){.frames = 2, .frame_cycles = 100};
	run(SECOND);
	assert_int_equal(queues[0].left_out, 0);
	assert_int_equal(queues[1].left_out, 0);
}

/* A peer that fills its ring of 256 almost as fast as it is emptied has no more than that ready
 * after each visit of the dear one: it has its share all the same, since it is not found empty. */
static void a_short_ring_is_no_disadvantage(void **state)
{
	for (unsigned count = 2; count <= QUEUES; count++) {
		begin(count);
		queues[0] = (struct simulated){.frames = 64, .frame_cycles = FAIR_QUANTUM};
		for (unsigned i = 1; i < count; i++)
			queues[i] = (struct simulated){
				.frames = 256, .frame_cycles = 200, .refill = 250};
		run(4 * SECOND);
		for (unsigned i = 0; i < count; i++)
			has_share(i, 1.0 / count);
	}
}

/* One whose peer does not need its share, and is found empty again and again, leaves it to the
 * others. */
static void a_slow_peer_holds_nobody_up(void **state)
{
	begin(2);
	queues[0] = (struct simulated){.frames = 64, .frame_cycles = FAIR_QUANTUM};
	queues[1] = (struct simulated){.frames = 256, .frame_cycles = 200, .refill = 2500};
	run(4 * SECOND);
	assert_true(queues[0].cycles > now * 85 / 100);
	assert_true(queues[1].cycles > now * 8 / 100);
}

/* What the port's counters say is what the visits took, but for what is not charged yet. */
static void cycles_are_counted(void **state)
{
	begin(2);
	queues[0] = (struct simulated){.frames = 64, .frame_cycles = 30000};
	queues[1] = (struct simulated){.frames = 3, .frame_cycles = 100};
	run(SECOND);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t behind = queues[i].cycles - counters[i].worker_cycles;

		assert_true(counters[i].worker_cycles && behind <= FAIR_SMALL);
	}
}

/* A dear queue has all the time that nobody else wants, and an idle one does not save any up. */
static void nothing_is_saved_up(void **state)
{
	begin(2);
	queues[0] = (struct simulated){.frames = 64, .frame_cycles = 30000};
	run(10 * SECOND);
	assert_true(queues[0].left_out == 0 && queues[0].cycles > now * 9 / 10);
	queues[1].frames = 64;
	queues[1].frame_cycles = 100;
	queues[0].cycles = queues[1].cycles = now = 0;
	run(SECOND);
	has_share(0, 0.5);
	has_share(1, 0.5);
}

/* The first visit may surprise; those after it are short, down to what one frame costs. */
static void visits_become_short(void **state)
{
	for (uint64_t cycles = 5000; cycles <= 1000000; cycles += 5000) {
		begin(2);
		queues[0] = (struct simulated){.frames = 64, .frame_cycles = cycles};
		queues[1] = (struct simulated){.frames = 64, .frame_cycles = 100};
		run(SECOND);
		assert_true(queues[0].longest <= MAX(2 * FAIR_QUANTUM, cycles) + cycles);
		queues[0].frame_cycles = 100;
		run(SECOND);
		assert_int_equal(visits[0].frames_max, PACKET_BATCH);
	}
}

/* Time that passed while nothing was taken is nobody's. */
static void empty_visits_are_free(void **state)
{
	begin(1);
	batch = (struct packet_batch){.frames_max = PACKET_BATCH};
	assert_false(fair_note(&roster, &visits[0], &batch, SECOND));
	assert_true(!visits[0].used && !visits[0].uncharged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_take_turns),
		cmocka_unit_test(dear_frames_take_no_more_time),
		cmocka_unit_test(neither_do_several),
		cmocka_unit_test(neither_do_short_visits),
		cmocka_unit_test(neither_do_endless_visits),
		cmocka_unit_test(a_trickle_holds_nobody_up),
		cmocka_unit_test(a_short_ring_is_no_disadvantage),
		cmocka_unit_test(a_slow_peer_holds_nobody_up),
		cmocka_unit_test(cycles_are_counted),
		cmocka_unit_test(nothing_is_saved_up),
		cmocka_unit_test(visits_become_short),
		cmocka_unit_test(empty_visits_are_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
