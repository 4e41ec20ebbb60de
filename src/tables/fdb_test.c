/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The FDB against a dumb model: an array that is searched from end to end. Up to a capacity of
 * eight a full pair of buckets is the full table, so the model can say exactly which entries may be
 * evicted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/packet.h"
#include "tables/fdb.h"

#define PORTS         3
#define MACS          6
#define NETWORKS      2
#define MODEL_ENTRIES (MACS * NETWORKS)
#define SECRET        UINT64_C(0x0123456789abcdef)

struct model_entry {
	bool used;
	bool is_static;
	uint16_t port;
	uint32_t seen;
};

/* entries[] has a place for every address that the test uses. */
struct model {
	unsigned capacity;
	uint32_t ageing;
	struct model_entry entries[MODEL_ENTRIES];
	uint64_t moves[PORTS];
	uint64_t evictions;
};

static void mac_of(unsigned number, uint8_t mac[MAC_SIZE])
{
	mac_from_u64(UINT64_C(0x525400000000) + number, mac);
}

static uint16_t network_of(unsigned address)
{
	return (uint16_t)(address / MACS);
}

static void address_mac(unsigned address, uint8_t mac[MAC_SIZE])
{
	mac_of(address % MACS, mac);
}

static unsigned model_count(const struct model *model)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		count += model->entries[i].used;
	return count;
}

static bool model_aged(const struct model *model, const struct model_entry *entry, uint32_t now)
{
	return model->ageing && !entry->is_static && now > entry->seen &&
	       now - entry->seen > model->ageing;
}

static uint16_t model_lookup(const struct model *model, unsigned address, uint32_t now)
{
	const struct model_entry *entry = &model->entries[address];

	return entry->used && !model_aged(model, entry, now) ? entry->port : FDB_PORT_NONE;
}

/* The number of learned entries of a port. */
static unsigned model_learned(const struct model *model, uint16_t port)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		count += model->entries[i].used && !model->entries[i].is_static &&
			 model->entries[i].port == port;
	return count;
}

/* Whether the entry is one that the next eviction may take. */
static bool model_evictable(const struct model *model, unsigned address)
{
	const struct model_entry *entry = &model->entries[address];

	if (!entry->used || entry->is_static)
		return false;
	for (uint16_t port = 0; port < PORTS; port++)
		if (model_learned(model, port) > model_learned(model, entry->port))
			return false;
	return true;
}

static bool model_only_static(const struct model *model)
{
	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		if (model->entries[i].used && !model->entries[i].is_static)
			return false;
	return true;
}

/* Whether the table holds the address, aged or not. */
static bool holds(struct fdb *fdb, const struct model *model, unsigned address)
{
	uint8_t mac[MAC_SIZE];
	uint16_t port;

	address_mac(address, mac);
	fdb_set_ageing(fdb, 0);
	port = fdb_lookup(fdb, network_of(address), mac, 0);
	fdb_set_ageing(fdb, model->ageing);
	return port != FDB_PORT_NONE;
}

/* An address was added to a full table: takes out of the model what the table evicted, which must
 * be exactly one entry, and one that may go. */
static void model_follow_eviction(struct model *model, struct fdb *fdb, unsigned added)
{
	unsigned evicted = 0;
	struct model before = *model;

	for (unsigned i = 0; i < MODEL_ENTRIES; i++) {
		if (i == added || !model->entries[i].used || holds(fdb, model, i))
			continue;
		assert_true(model_evictable(&before, i));
		model->entries[i].used = false;
		evicted++;
	}
	assert_int_equal(evicted, 1);
	model->evictions++;
}

static void model_learn(
	struct model *model, struct fdb *fdb, unsigned address, uint16_t port, uint32_t now)
{
	struct model_entry *entry = &model->entries[address];
	enum fdb_learn_result expected, result;
	uint8_t mac[MAC_SIZE];

	if (!entry->used)
		expected = model_count(model) >= model->capacity && model_only_static(model)
				   ? FDB_FULL
				   : FDB_ADDED;
	else if (entry->port == port)
		expected = FDB_KNOWN;
	else if (entry->is_static)
		expected = FDB_REFUSED;
	else
		expected = model_aged(model, entry, now) ? FDB_ADDED : FDB_MOVED;

	address_mac(address, mac);
	result = fdb_learn(fdb, network_of(address), mac, port, now);
	assert_int_equal(result, expected);
	if (result == FDB_REFUSED || result == FDB_FULL || entry->is_static)
		return;
	if (!entry->used && model_count(model) >= model->capacity)
		model_follow_eviction(model, fdb, address);
	if (result == FDB_MOVED)
		model->moves[port]++;
	*entry = (struct model_entry){.used = true, .port = port, .seen = now};
}

static void model_bind(struct model *model, struct fdb *fdb, unsigned address, uint16_t port)
{
	struct model_entry *entry = &model->entries[address];
	int expected = 0;
	uint8_t mac[MAC_SIZE];

	if (entry->used && entry->is_static && entry->port != port)
		expected = -EEXIST;
	else if (!entry->used && model_count(model) >= model->capacity && model_only_static(model))
		expected = -ENOSPC;
	address_mac(address, mac);
	assert_int_equal(fdb_bind(fdb, network_of(address), mac, port), expected);
	if (expected)
		return;
	if (!entry->used && model_count(model) >= model->capacity)
		model_follow_eviction(model, fdb, address);
	*entry = (struct model_entry){.used = true, .is_static = true, .port = port};
}

static void model_unbind(struct model *model, struct fdb *fdb, unsigned address, uint16_t port)
{
	struct model_entry *entry = &model->entries[address];
	uint8_t mac[MAC_SIZE];

	address_mac(address, mac);
	fdb_unbind(fdb, network_of(address), mac, port);
	if (entry->used && entry->is_static && entry->port == port)
		*entry = (struct model_entry){.used = false};
}

static void model_flush(struct model *model, struct fdb *fdb, uint16_t port, uint16_t network)
{
	fdb_flush(fdb, port, network);
	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		if (!model->entries[i].is_static &&
			(port == FDB_PORT_NONE || model->entries[i].port == port) &&
			(network == NETWORK_NONE || network_of(i) == network))
			model->entries[i].used = false;
}

static void model_expire(struct model *model, struct fdb *fdb, uint32_t now)
{
	fdb_expire(fdb, now);
	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		if (model_aged(model, &model->entries[i], now))
			model->entries[i].used = false;
}

/* What fdb_walk() told. */
struct walked {
	const struct model *model;
	uint32_t now;
	unsigned count;
};

static void walk_visit(const struct fdb_entry *entry, void *argument)
{
	struct walked *walked = argument;
	unsigned number = (unsigned)(mac_to_u64(entry->mac) - UINT64_C(0x525400000000));
	unsigned address = entry->network * MACS + number;
	const struct model_entry *expected;

	assert_true(number < MACS && entry->network < NETWORKS);
	expected = &walked->model->entries[address];
	assert_true(expected->used);
	assert_int_equal(entry->port, expected->port);
	assert_int_equal(entry->is_static, expected->is_static);
	assert_int_equal(entry->age, expected->is_static ? 0 : walked->now - expected->seen);
	walked->count++;
}

static void model_compare(const struct model *model, const struct fdb *fdb, uint32_t now)
{
	struct walked walked = {.model = model, .now = now};
	unsigned alive = 0;

	for (unsigned i = 0; i < MODEL_ENTRIES; i++) {
		uint8_t mac[MAC_SIZE];

		address_mac(i, mac);
		assert_int_equal(
			fdb_lookup(fdb, network_of(i), mac, now), model_lookup(model, i, now));
		alive += model_lookup(model, i, now) != FDB_PORT_NONE;
	}
	assert_int_equal(fdb_count(fdb), model_count(model));
	assert_int_equal(fdb_evictions(fdb), model->evictions);
	for (uint16_t port = 0; port < PORTS; port++)
		assert_int_equal(fdb_moves(fdb, port), model->moves[port]);
	fdb_walk(fdb, now, walk_visit, &walked);
	assert_int_equal(walked.count, alive);
}

/* One step of a test, as a number below OPERATIONS: the small alphabet of the exhaustive test. */
#define OPERATIONS 14
static void operate(struct model *model, struct fdb *fdb, unsigned operation, uint32_t *now)
{
	if (operation < 6)
		model_learn(model, fdb, operation / 2, operation % 2, *now);
	else if (operation < 8)
		model_bind(model, fdb, 0, operation - 6);
	else if (operation == 8)
		model_bind(model, fdb, 1, 0);
	else if (operation < 11)
		model_unbind(model, fdb, 0, operation - 9);
	else if (operation == 11)
		model_flush(model, fdb, 0, NETWORK_NONE);
	else if (operation == 12)
		*now += 2;
	else
		model_expire(model, fdb, *now);
}

/* Every sequence of four operations on tables of one and two addresses. */
static void test_exhaustive(void **state)
{
	const unsigned length = 4;
	unsigned sequences = 1;

	for (unsigned i = 0; i < length; i++)
		sequences *= OPERATIONS;
	for (unsigned capacity = 1; capacity <= 2; capacity++) {
		for (unsigned sequence = 0; sequence < sequences; sequence++) {
			struct model model = {.capacity = capacity, .ageing = 3};
			struct fdb *fdb = fdb_new(capacity, 3, PORTS, SECRET + sequence);
			uint32_t now = 1000;
			unsigned rest = sequence;

			assert_non_null(fdb);
			for (unsigned i = 0; i < length; i++, rest /= OPERATIONS)
				operate(&model, fdb, rest % OPERATIONS, &now);
			model_compare(&model, fdb, now);
			fdb_free(fdb);
		}
	}
}

static void operate_randomly(struct model *model, struct fdb *fdb, uint32_t *now)
{
	unsigned address = (unsigned)rand() % MODEL_ENTRIES;
	uint16_t port = (uint16_t)(rand() % PORTS);

	switch (rand() % 32) {
	case 0:
		model_flush(model, fdb, rand() % 2 ? port : FDB_PORT_NONE,
			rand() % 2 ? network_of(address) : NETWORK_NONE);
		break;
	case 1:
		model_bind(model, fdb, address, port);
		break;
	case 2 ... 4:
		model_unbind(model, fdb, address, port);
		break;
	case 5:
		model->ageing = (uint32_t)(rand() % 5);
		fdb_set_ageing(fdb, model->ageing);
		break;
	case 6:
		model_expire(model, fdb, *now);
		break;
	case 7 ... 11:
		(*now)++;
		break;
	default:
		model_learn(model, fdb, address, port, *now);
	}
}

static void test_random(void **state)
{
	srand(7);
	for (unsigned round = 0; round < 400; round++) {
		unsigned capacity = 1 + round % 8;
		struct model model = {.capacity = capacity, .ageing = 3};
		struct fdb *fdb = fdb_new(capacity, 3, PORTS, SECRET + round);
		uint32_t now = 100;

		assert_non_null(fdb);
		assert_int_equal(fdb_capacity(fdb), capacity);
		for (unsigned step = 0; step < 500; step++) {
			operate_randomly(&model, fdb, &now);
			model_compare(&model, fdb, now);
		}
		fdb_free(fdb);
	}
}

static enum fdb_learn_result learn(struct fdb *fdb, unsigned number, uint16_t port, uint32_t now)
{
	uint8_t mac[MAC_SIZE];

	mac_of(number, mac);
	return fdb_learn(fdb, 0, mac, port, now);
}

static uint16_t lookup(const struct fdb *fdb, unsigned number, uint32_t now)
{
	uint8_t mac[MAC_SIZE];

	mac_of(number, mac);
	return fdb_lookup(fdb, 0, mac, now);
}

/* A thread whose clock is a second behind, and a clock that wraps, age nothing. */
static void test_clock(void **state)
{
	struct fdb *fdb = fdb_new(16, 300, PORTS, SECRET);

	learn(fdb, 1, 1, 50);
	assert_int_equal(lookup(fdb, 1, 49), 1);
	assert_int_equal(learn(fdb, 1, 1, 49), FDB_KNOWN);
	assert_int_equal(lookup(fdb, 1, 350), 1);
	assert_int_equal(lookup(fdb, 1, 351), FDB_PORT_NONE);
	learn(fdb, 2, 1, UINT32_MAX);
	assert_int_equal(lookup(fdb, 2, 299), 1);
	assert_int_equal(lookup(fdb, 2, 300), FDB_PORT_NONE);
	fdb_free(fdb);
}

/* Of one port's addresses the one that was silent for longest goes first. */
static void test_oldest_goes_first(void **state)
{
	struct fdb *fdb = fdb_new(4, 0, PORTS, SECRET);

	for (unsigned i = 0; i < 4; i++)
		learn(fdb, i, 1, 10 + i);
	learn(fdb, 0, 1, 20);
	learn(fdb, 1, 1, 21);
	assert_int_equal(learn(fdb, 4, 1, 22), FDB_ADDED);
	assert_int_equal(lookup(fdb, 2, 22), FDB_PORT_NONE);
	assert_int_equal(learn(fdb, 5, 1, 23), FDB_ADDED);
	assert_int_equal(lookup(fdb, 3, 23), FDB_PORT_NONE);
	learn(fdb, 0, 1, 30);
	learn(fdb, 1, 1, 24);
	learn(fdb, 4, 1, 30);
	learn(fdb, 5, 1, 30);
	assert_int_equal(learn(fdb, 6, 1, 31), FDB_ADDED);
	assert_int_equal(lookup(fdb, 1, 31), FDB_PORT_NONE);
	fdb_free(fdb);
}

/* A million made-up addresses behind one port cost the other ports nothing. */
static void test_flood(void **state)
{
	const unsigned capacity = 4096, few = 100, many = 1000, flood = 1000000;
	struct fdb *fdb = fdb_new(capacity, 300, 1024, SECRET);
	unsigned added = 0, last = 1u << 24;
	uint8_t mac[MAC_SIZE];

	for (unsigned i = 0; i < few; i++)
		learn(fdb, i, 1, 1);
	for (unsigned i = 0; i < many; i++)
		learn(fdb, few + i, 2, 1);
	mac_of(1u << 23, mac);
	assert_int_equal(fdb_bind(fdb, 0, mac, 4), 0);
	for (unsigned i = 0; i < flood; i++)
		added += learn(fdb, ++last, 3, 1 + i / 100000) == FDB_ADDED;

	assert_int_equal(added, flood);
	assert_int_equal(fdb_count(fdb), capacity);
	for (unsigned i = 0; i < few; i++)
		assert_int_equal(lookup(fdb, i, 10), 1);
	for (unsigned i = 0; i < many; i++)
		assert_int_equal(lookup(fdb, few + i, 10), 2);
	assert_int_equal(lookup(fdb, 1u << 23, 10), 4);
	/* What the flooder learned last is there, and a newcomer finds room. */
	assert_int_equal(lookup(fdb, last, 10), 3);
	assert_int_equal(learn(fdb, few + many, 1, 10), FDB_ADDED);
	for (unsigned i = 0; i < few; i++)
		assert_int_equal(lookup(fdb, i, 10), 1);
	fdb_free(fdb);
}

/* Two slots for each address: a table of the default size takes nearly all that it promises. */
static void test_fills_to_capacity(void **state)
{
	const unsigned capacity = 65536;
	struct fdb *fdb = fdb_new(capacity, 300, 16, SECRET);
	unsigned found = 0;

	for (unsigned i = 0; i < capacity; i++)
		assert_int_equal(learn(fdb, i * 7919, (uint16_t)(i % 16), 1), FDB_ADDED);
	assert_true(fdb_evictions(fdb) <= capacity / 1000);
	assert_int_equal(fdb_count(fdb) + fdb_evictions(fdb), capacity);
	for (unsigned i = 0; i < capacity; i++) {
		uint16_t port = lookup(fdb, i * 7919, 1);

		assert_true(port == i % 16 || port == FDB_PORT_NONE);
		found += port != FDB_PORT_NONE;
	}
	assert_int_equal(found, fdb_count(fdb));
	fdb_flush(fdb, FDB_PORT_NONE, NETWORK_NONE);
	assert_int_equal(fdb_count(fdb), 0);
	fdb_free(fdb);
}

/* An address that comes back to its old slot has another generation there: a reader that began with
 * the old one notices. */
static void test_generations(void **state)
{
	struct fdb *fdb = fdb_new(1, 0, PORTS, SECRET);
	uint64_t key = fdb_key(0, (const uint8_t[MAC_SIZE]){2, 0, 0, 0, 0, 1});
	const struct fdb_slot *old_slot = NULL, *slot;
	uint64_t old_state = 0, now_state;
	unsigned returns = 0;

	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(fdb_learn_key(fdb, key, 1, 0), FDB_ADDED);
		slot = fdb_find(fdb, key, &now_state);
		assert_non_null(slot);
		if (slot == old_slot) {
			assert_true((now_state ^ old_state) & FDB_GENERATION_MASK);
			returns++;
		}
		old_slot = slot;
		old_state = now_state;
		fdb_flush(fdb, 1, 0);
	}
	assert_true(returns > 0);
	fdb_free(fdb);
}

/* The address of all zeroes equals the key of an empty slot, and is as unknown as any other. */
static void test_zero_key(void **state)
{
	struct fdb *fdb = fdb_new(8, 0, PORTS, SECRET);
	const uint8_t zero[MAC_SIZE] = {0};

	assert_int_equal(fdb_lookup(fdb, 0, zero, 0), FDB_PORT_NONE);
	assert_int_equal(fdb_learn(fdb, 0, zero, 2, 0), FDB_ADDED);
	assert_int_equal(fdb_lookup(fdb, 0, zero, 0), 2);
	fdb_flush(fdb, 2, 0);
	assert_int_equal(fdb_lookup(fdb, 0, zero, 0), FDB_PORT_NONE);
	fdb_free(fdb);
	fdb_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_oldest_goes_first),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_fills_to_capacity),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_zero_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
