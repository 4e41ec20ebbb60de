/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many threads on one small table: each slot changes its owner all the time. An address belongs to
 * one port only (stays) or to one of two (moves), so a reader that mixed one address's key with
 * another's port would see a port that this address never had. Meant for ThreadSanitizer, too.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/packet.h"
#include "tables/fdb.h"

#define PORTS     64
#define CAPACITY  32
#define ADDRESSES 256
#define STEPS     500000

static struct fdb *fdb;

/* Faults seen by any thread: cmocka's assertions are for the main thread. */
static unsigned faults;

static void fault_if(bool condition)
{
	if (condition)
		__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
}

/* A small generator of its own for each thread. */
static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

static uint64_t key_of(uint32_t address)
{
	return (UINT64_C(0x525400000000) + address) << 16;
}

/* The port of an address; every fourth address moves between that one and its neighbour. */
static uint16_t port_of(uint32_t address, bool other)
{
	uint16_t port = (uint16_t)(address * 37 % (PORTS / 2) * 2);

	return (uint16_t)(port + (address % 4 == 0 && other));
}

static void check_port(uint32_t address, uint16_t port)
{
	fault_if(port != FDB_PORT_NONE && port != port_of(address, false) &&
		 port != port_of(address, true));
}

static void *learner(void *seed)
{
	uint64_t random = (uintptr_t)seed;

	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t address = next_random(&random) % ADDRESSES;
		uint32_t now = 1000 + step / 1000;
		uint16_t port = port_of(address, next_random(&random) & 1);
		enum fdb_learn_result result = fdb_learn_key(fdb, key_of(address), port, now);

		fault_if(result == FDB_FULL || result == FDB_REFUSED);
		check_port(address, fdb_lookup_key(fdb, key_of(address), now));
	}
	return NULL;
}

static void *reader(void *seed)
{
	uint64_t random = (uintptr_t)seed;

	for (unsigned step = 0; step < 2 * STEPS; step++) {
		uint32_t address = next_random(&random) % ADDRESSES;

		check_port(address, fdb_lookup_key(fdb, key_of(address), 1000));
	}
	return NULL;
}

static void visit(const struct fdb_entry *entry, void *argument)
{
	uint32_t address = (uint32_t)(mac_to_u64(entry->mac) - UINT64_C(0x525400000000));

	fault_if(address >= ADDRESSES);
	check_port(address, entry->port);
}

/* The control thread: flushes, expires, binds, shows. */
static void *controller(void *seed)
{
	uint64_t random = (uintptr_t)seed;

	for (unsigned step = 0; step < STEPS / 50; step++) {
		uint32_t address = next_random(&random) % ADDRESSES;
		uint8_t mac[MAC_SIZE];

		switch (step % 5) {
		case 0:
			fdb_flush(fdb, (uint16_t)(address % PORTS), NETWORK_NONE);
			break;
		case 1:
			fdb_expire(fdb, 1000 + step / 20);
			break;
		case 2:
			fdb_walk(fdb, 1000, visit, NULL);
			break;
		case 3:
			/* One that does not move, lest its learners be refused. */
			mac_from_u64(UINT64_C(0x525400000000) + (address | 1), mac);
			fault_if(fdb_bind(fdb, 0, mac, port_of(address | 1, false)));
			fdb_unbind(fdb, 0, mac, port_of(address | 1, false));
			break;
		default:
			fdb_set_ageing(fdb, address % 20);
			fault_if(fdb_count(fdb) > CAPACITY);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	void *(*const bodies[])(void *) = {learner, learner, learner, reader, reader, controller};
	pthread_t threads[ARRAY_SIZE(bodies)];

	fdb = fdb_new(CAPACITY, 10, PORTS, UINT64_C(0xfedcba9876543210));
	assert_non_null(fdb);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, bodies[i], (void *)(uintptr_t)(i + 1)),
			0);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(faults, 0);
	/* The slots did change owners under the readers. */
	assert_true(fdb_evictions(fdb) > STEPS / 10);
	assert_true(fdb_count(fdb) <= CAPACITY);
	fdb_flush(fdb, FDB_PORT_NONE, NETWORK_NONE);
	assert_int_equal(fdb_count(fdb), 0);
	fdb_free(fdb);
}

/* Three addresses take turns in a table of one: the same two slots are written all the time. */
#define TURNS 3
static bool turns_over;

static void *turn_writer(void *argument)
{
	for (unsigned step = 0; step < STEPS; step++)
		fault_if(fdb_learn_key(fdb, key_of(step % TURNS), (uint16_t)(step % TURNS), 1) !=
			 FDB_ADDED);
	__atomic_store_n(&turns_over, true, __ATOMIC_RELAXED);
	return NULL;
}

static void *turn_reader(void *found)
{
	while (!__atomic_load_n(&turns_over, __ATOMIC_RELAXED)) {
		for (uint16_t turn = 0; turn < TURNS; turn++) {
			uint16_t port = fdb_lookup_key(fdb, key_of(turn), 1);

			fault_if(port != FDB_PORT_NONE && port != turn);
			*(unsigned *)found += port == turn;
		}
	}
	return NULL;
}

static void test_two_slots(void **state)
{
	pthread_t writer, reader_thread;
	unsigned found = 0;

	faults = 0;
	turns_over = false;
	fdb = fdb_new(1, 0, TURNS, UINT64_C(0xfedcba9876543210));
	assert_int_equal(pthread_create(&reader_thread, NULL, turn_reader, &found), 0);
	assert_int_equal(pthread_create(&writer, NULL, turn_writer, NULL), 0);
	pthread_join(writer, NULL);
	pthread_join(reader_thread, NULL);
	assert_int_equal(faults, 0);
	assert_int_equal(fdb_evictions(fdb), STEPS - 1);
	assert_true(found > 0);
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_two_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
