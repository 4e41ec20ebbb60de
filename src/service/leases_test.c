/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of leases against a dumb model: an array by address, searched from end to end. Which
 * free address a client is offered the table may choose; the model checks that it may have it, and
 * that there is none left where none is offered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "service/leases.h"

#define FIRST  UINT64_C(100)
#define POOL   12u
#define LIMIT  4u
#define OWNERS 5u
#define IDS    5u
#define STEPS  200000u

struct model_lease {
	enum lease_state state; /* LEASE_PAST: nobody has it */
	bool known;             /* somebody has or had it */
	bool was_bound;         /* to whom it is or was */
	unsigned owner, id;     /* id: IDS for what was declined */
	uint64_t until;
};

static const uint64_t excluded[] = {FIRST + 3, FIRST + 7};
static const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 0, 0, 1};
static const uint8_t no_mac[MAC_SIZE];

static struct lease_pool pool_of(unsigned limit)
{
	return (struct lease_pool){FIRST, FIRST + POOL - 1, excluded, ARRAY_SIZE(excluded), limit};
}

static struct lease_client client_of(unsigned owner, unsigned id)
{
	struct lease_client client = {.length = 2, .id = {1, (uint8_t)id}};

	snprintf(client.owner, sizeof(client.owner), "vm%u", owner);
	return client;
}

static bool in_pool(uint64_t address)
{
	return address >= FIRST && address < FIRST + POOL && address != excluded[0] &&
	       address != excluded[1];
}

static unsigned held_by(const struct model_lease *model, unsigned owner)
{
	unsigned count = 0;

	for (unsigned i = 0; i < POOL; i++)
		count += model[i].state != LEASE_PAST && model[i].owner == owner;
	return count;
}

/* The client's entry in any state; NULL: none. */
static struct model_lease *find(struct model_lease *model, unsigned owner, unsigned id)
{
	for (unsigned i = 0; i < POOL; i++)
		if (model[i].known && model[i].owner == owner && model[i].id == id)
			return &model[i];
	return NULL;
}

static bool any_free(const struct model_lease *model)
{
	for (unsigned i = 0; i < POOL; i++)
		if (in_pool(FIRST + i) && model[i].state == LEASE_PAST)
			return true;
	return false;
}

/* What an owner may ask for: what nobody has, and no other had. */
static bool is_free_for(const struct model_lease *model, uint64_t address, unsigned owner)
{
	const struct model_lease *lease = &model[address - FIRST];

	return in_pool(address) && lease->state == LEASE_PAST &&
	       (!lease->known || lease->owner == owner);
}

static void set(struct model_lease *model, uint64_t address, unsigned owner, unsigned id,
	enum lease_state state, uint64_t until)
{
	struct model_lease *old = find(model, owner, id);
	bool was_bound = old && old == &model[address - FIRST] && old->was_bound;

	if (old)
		*old = (struct model_lease){0};
	model[address - FIRST] = (struct model_lease){
		state, true, was_bound || state == LEASE_BOUND, owner, id, until};
}

static void step_offer(struct leases *leases, struct model_lease *model, unsigned owner,
	unsigned id, uint64_t wish, uint64_t now)
{
	const struct lease_pool pool = pool_of(LIMIT);
	const struct lease_client client = client_of(owner, id);
	struct model_lease *own = find(model, owner, id);
	bool held = own && own->state != LEASE_PAST;
	const struct lease *lease = NULL;
	enum lease_result result = leases_offer(
		leases, &pool, &client, wish, now + 5, no_mac, &lease);

	if (!held && held_by(model, owner) >= LIMIT) {
		assert_int_equal(result, LEASE_LIMIT);
		return;
	}
	if (!own && !any_free(model)) {
		assert_int_equal(result, LEASE_NONE_LEFT);
		return;
	}
	assert_int_equal(result, LEASE_OK);
	assert_true(in_pool(lease->address));
	if (own) {
		assert_ptr_equal(own, &model[lease->address - FIRST]);
	} else {
		assert_int_equal(model[lease->address - FIRST].state, LEASE_PAST);
		if (is_free_for(model, wish, owner))
			assert_int_equal(lease->address, wish);
	}
	if (!own || own->state != LEASE_BOUND)
		set(model, lease->address, owner, id, LEASE_OFFERED, now + 5);
	assert_int_equal(lease->until, model[lease->address - FIRST].until);
}

static void step_bind(struct leases *leases, struct model_lease *model, unsigned owner, unsigned id,
	uint64_t address, uint64_t now)
{
	const struct lease_pool pool = pool_of(LIMIT);
	const struct lease_client client = client_of(owner, id);
	struct model_lease *own = find(model, owner, id);
	bool held = own && own->state != LEASE_PAST;
	const struct lease *lease = NULL;
	enum lease_result result = leases_bind(
		leases, &pool, &client, address, now + 20, no_mac, "host", &lease);

	if (!is_free_for(model, address, owner) && !(held && own == &model[address - FIRST])) {
		assert_int_equal(result, LEASE_TAKEN);
		return;
	}
	if (!held && held_by(model, owner) >= LIMIT) {
		assert_int_equal(result, LEASE_LIMIT);
		return;
	}
	assert_int_equal(result, LEASE_OK);
	assert_int_equal(lease->address, address);
	assert_string_equal(lease->host, "host");
	set(model, address, owner, id, LEASE_BOUND, now + 20);
}

static void step_give_back(struct leases *leases, struct model_lease *model, unsigned owner,
	unsigned id, uint64_t address, uint64_t now, bool decline)
{
	const struct lease_client client = client_of(owner, id);
	struct model_lease *own = find(model, owner, id);
	bool held = own && own->state != LEASE_PAST && own == &model[address - FIRST];
	const struct lease *lease = decline ? leases_decline(leases, &client, address, now + 9)
					    : leases_release(leases, &client, address, now);

	if (!held) {
		assert_null(lease);
		return;
	}
	if (!decline && own->state == LEASE_OFFERED && !own->was_bound) {
		assert_null(lease);
		*own = (struct model_lease){0};
		return;
	}
	assert_int_equal(lease != NULL, decline || own->state == LEASE_BOUND);
	own->state = decline ? LEASE_DECLINED : LEASE_PAST;
	own->until = decline ? now + 9 : now;
	own->id = decline ? IDS : id;
}

static void expire(struct leases *leases, struct model_lease *model, uint64_t now)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < POOL; i++) {
		if (model[i].state == LEASE_PAST || model[i].until > now)
			continue;
		ended += model[i].state == LEASE_BOUND;
		model[i].state = LEASE_PAST;
	}
	assert_int_equal(leases_expire(leases, now), ended);
}

static void compare(const struct leases *leases, const struct model_lease *model)
{
	unsigned counts[LEASE_DECLINED + 1] = {0}, known = 0;
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < POOL; i++) {
		const struct lease *lease = leases_at(leases, FIRST + i);

		assert_int_equal(lease != NULL, model[i].known);
		if (!lease)
			continue;
		known++;
		counts[lease->state]++;
		assert_int_equal(lease->state, model[i].state);
		if (lease->state != LEASE_PAST) {
			assert_int_equal(lease->until, model[i].until);
			next = MIN(next, lease->until);
		}
	}
	assert_int_equal(leases_total(leases), known);
	for (unsigned s = 0; s < ARRAY_SIZE(counts); s++)
		assert_int_equal(leases_count(leases, (enum lease_state)s), counts[s]);
	assert_int_equal(leases_next(leases), next);
}

static void random_steps_agree_with_the_model(void **state)
{
	struct model_lease model[POOL] = {0};
	struct leases *leases = leases_new(42);
	uint64_t now = 1000;

	srand(1);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned owner = (unsigned)rand() % OWNERS, id = (unsigned)rand() % IDS;
		uint64_t address = FIRST + (unsigned)rand() % POOL;

		switch (rand() % 8) {
		case 0:
		case 1:
			step_offer(leases, model, owner, id, address, now);
			break;
		case 2:
		case 3:
			step_bind(leases, model, owner, id, address, now);
			break;
		case 4:
			step_give_back(leases, model, owner, id, address, now, false);
			break;
		case 5:
			step_give_back(leases, model, owner, id, address, now, true);
			break;
		case 6:
			expire(leases, model, ++now);
			break;
		case 7:
			if (rand() % 50 == 0) {
				assert_int_equal(leases_forget(leases, address),
					model[address - FIRST].known);
				model[address - FIRST] = (struct model_lease){0};
			}
			break;
		}
		if (i % 16 == 0)
			compare(leases, model);
	}
	leases_free(leases);
}

static uint64_t must_bind(struct leases *leases, const struct lease_pool *pool, unsigned owner,
	unsigned id, uint64_t until)
{
	const struct lease_client client = client_of(owner, id);
	const struct lease *lease;

	assert_int_equal(leases_offer(leases, pool, &client, 0, until, no_mac, &lease), LEASE_OK);
	assert_int_equal(leases_bind(leases, pool, &client, lease->address, until, mac, "", &lease),
		LEASE_OK);
	return lease->address;
}

static void a_client_gets_its_address_again_and_the_oldest_goes_first(void **state)
{
	const struct lease_pool pool = {FIRST, FIRST + 2, NULL, 0, 0};
	struct leases *leases = leases_new(7);
	uint64_t a = must_bind(leases, &pool, 0, 0, 10);
	uint64_t b = must_bind(leases, &pool, 0, 1, 20);
	uint64_t c = must_bind(leases, &pool, 0, 2, 30);
	const struct lease_client late = client_of(1, 0);
	const struct lease *lease;

	assert_true(a != b && b != c && a != c);
	assert_int_equal(
		leases_offer(leases, &pool, &late, 0, 40, no_mac, &lease), LEASE_NONE_LEFT);
	assert_int_equal(leases_expire(leases, 25), 2);
	assert_int_equal(must_bind(leases, &pool, 0, 1, 50), b);
	assert_int_equal(must_bind(leases, &pool, 1, 0, 50), a);
	leases_free(leases);
}

static void a_name_at_another_port_is_another_client(void **state)
{
	const struct lease_pool pool = pool_of(0);
	struct leases *leases = leases_new(7);
	uint64_t address = must_bind(leases, &pool, 0, 0, 10);
	const struct lease_client thief = client_of(1, 0);
	const struct lease *lease;

	assert_int_not_equal(must_bind(leases, &pool, 1, 0, 10), address);
	assert_null(leases_release(leases, &thief, address, 1));
	assert_null(leases_decline(leases, &thief, address, 1));
	assert_int_equal(
		leases_bind(leases, &pool, &thief, address, 20, mac, "", &lease), LEASE_TAKEN);
	leases_free(leases);
}

static void a_starving_owner_leaves_the_pool_to_others(void **state)
{
	const struct lease_pool pool = {1, 65536, NULL, 0, 32};
	struct leases *leases = leases_new(7);
	unsigned served = 0;
	const struct lease *lease;

	for (unsigned id = 0; id < 1000; id++) {
		struct lease_client client = client_of(0, 0);

		memcpy(client.id + 1, &id, sizeof(id));
		client.length = 5;
		served += leases_offer(leases, &pool, &client, 0, 10, no_mac, &lease) == LEASE_OK;
	}
	assert_int_equal(served, 32);
	must_bind(leases, &pool, 1, 0, 10);
	leases_free(leases);
}

static struct lease_client client_number(unsigned owner, unsigned number)
{
	struct lease_client client = client_of(owner, 0);

	memcpy(client.id + 1, &number, sizeof(number));
	client.length = 1 + sizeof(number);
	return client;
}

/* Offers an address to a client that then gives it back. */
static uint64_t come_and_go(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, bool bind)
{
	const struct lease *lease;
	uint64_t address;

	assert_int_equal(leases_offer(leases, pool, client, 0, 30, no_mac, &lease), LEASE_OK);
	address = lease->address;
	if (bind)
		assert_int_equal(
			leases_bind(leases, pool, client, address, 30, mac, "", &lease), LEASE_OK);
	assert_int_equal(leases_release(leases, client, address, 10) != NULL, bind);
	return address;
}

static void what_was_only_offered_leaves_nothing(void **state)
{
	const struct lease_pool pool = pool_of(2);
	const struct lease_client client = client_of(0, 0);
	struct leases *leases = leases_new(7);
	const struct lease *lease;
	uint64_t address;

	come_and_go(leases, &pool, &client, false);
	assert_int_equal(leases_total(leases), 0);
	/* But what was bound before is not forgotten by that. */
	address = come_and_go(leases, &pool, &client, true);
	assert_int_equal(leases_offer(leases, &pool, &client, 0, 30, no_mac, &lease), LEASE_OK);
	assert_int_equal(lease->address, address);
	assert_null(leases_release(leases, &client, address, 11));
	assert_int_equal(leases_find(leases, &client)->state, LEASE_PAST);
	leases_free(leases);
}

static void clients_that_come_and_go_take_nobodys_past(void **state)
{
	const struct lease_pool pool = {FIRST, FIRST + 99, NULL, 0, 2};
	const struct lease_client victim = client_of(1, 0);
	struct leases *leases = leases_new(7);
	uint64_t address = come_and_go(leases, &pool, &victim, true);
	const struct lease *lease;

	for (unsigned i = 0; i < 1000; i++) {
		struct lease_client client = client_number(0, i);

		come_and_go(leases, &pool, &client, true);
		/* Nor by asking for it. */
		client = client_number(0, 1000 + i);
		assert_int_equal(leases_offer(leases, &pool, &client, address, 30, no_mac, &lease),
			LEASE_OK);
		assert_int_not_equal(lease->address, address);
		leases_release(leases, &client, lease->address, 10);
		assert_int_equal(leases_bind(leases, &pool, &client, address, 30, mac, "", &lease),
			LEASE_TAKEN);
	}
	assert_in_range(leases_total(leases), 2, 1 + 10);
	assert_int_equal(must_bind(leases, &pool, 1, 0, 30), address);
	leases_free(leases);
}

/* A pool in which nothing is unused: who has the most past leases gives one. */
static void the_owner_with_the_most_past_leases_gives_first(void **state)
{
	const struct lease_pool pool = {FIRST, FIRST + 9, NULL, 0, 0};
	struct leases *leases = leases_new(7);
	const struct lease_client rare = client_of(1, 0);
	uint64_t address = come_and_go(leases, &pool, &rare, true);

	for (unsigned i = 0; i < 9; i++)
		must_bind(leases, &pool, 0, i, 30);
	leases_expire(leases, 30);
	for (unsigned owner = 2; owner < 10; owner++)
		assert_int_not_equal(must_bind(leases, &pool, owner, 0, 90), address);
	assert_int_equal(must_bind(leases, &pool, 1, 0, 90), address);
	leases_free(leases);
}

/* One free address in a full pool, again and again: with a walk for each this takes minutes, longer
 * than a test may. */
static void the_last_free_address_is_found_at_once(void **state)
{
	const struct lease_pool pool = {0x10000, 0x1ffff, NULL, 0, 0};
	const struct lease_client mover = client_of(0, 1);
	struct leases *leases = leases_new(7);
	struct lease lease = {.until = 90, .state = LEASE_BOUND};
	const struct lease *given;

	for (unsigned i = 0; i < 0xffff; i++) {
		lease.client = client_number(1, i);
		lease.address = pool.from + (i * 40503u & 0xffff);
		assert_true(leases_restore(leases, &lease));
	}
	for (unsigned i = 0; i < 100000; i++) {
		assert_int_equal(
			leases_offer(leases, &pool, &mover, 0, 90, no_mac, &given), LEASE_OK);
		assert_null(leases_release(leases, &mover, given->address, 10));
	}
	assert_int_equal(leases_total(leases), 0xffff);
	must_bind(leases, &pool, 0, 2, 90);
	assert_int_equal(
		leases_offer(leases, &pool, &mover, 0, 90, no_mac, &given), LEASE_NONE_LEFT);
	leases_free(leases);
}

static void an_address_that_is_no_longer_excluded_is_given(void **state)
{
	const uint64_t other = FIRST;
	const struct lease_pool narrow = {FIRST, FIRST + 19, &other, 1, 0};
	const struct lease_pool wide = {FIRST, FIRST + 19, NULL, 0, 0};
	const struct lease_client late = client_of(99, 0);
	struct leases *leases = leases_new(7);
	const struct lease *lease;

	for (unsigned i = 0; i < 19; i++)
		must_bind(leases, &narrow, i, 0, 90);
	assert_int_equal(
		leases_offer(leases, &narrow, &late, 0, 90, no_mac, &lease), LEASE_NONE_LEFT);
	assert_int_equal(must_bind(leases, &wide, 98, 0, 90), FIRST);
	assert_int_equal(
		leases_offer(leases, &wide, &late, 0, 90, no_mac, &lease), LEASE_NONE_LEFT);
	leases_free(leases);
}

static void a_machine_takes_over_what_it_held_under_another_name(void **state)
{
	static const uint8_t other[MAC_SIZE] = {0x52, 0x54, 0, 0, 0, 2};
	const struct lease_pool pool = pool_of(2);
	const struct lease_client stages[] = {
		client_of(0, 0), client_of(0, 1), client_of(0, 2), client_of(0, 3)};
	struct leases *leases = leases_new(7);
	const struct lease *lease;
	uint64_t first = 0;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			leases_offer(leases, &pool, &stages[i], 0, 30 + i, mac, &lease), LEASE_OK);
		if (!i)
			first = lease->address;
		assert_int_equal(
			leases_bind(leases, &pool, &stages[i], lease->address, 90, mac, "", &lease),
			LEASE_OK);
	}
	assert_int_equal(lease->address, first);
	assert_null(leases_find(leases, &stages[0]));
	assert_int_equal(leases_count(leases, LEASE_BOUND), 2);
	/* Also where it asks for an address at once; but no other machine does. */
	assert_int_equal(leases_bind(leases, &pool, &stages[3], FIRST + 1, 90, other, "", &lease),
		leases_at(leases, FIRST + 1) ? LEASE_TAKEN : LEASE_LIMIT);
	assert_int_equal(
		leases_offer(leases, &pool, &stages[3], 0, 30, other, &lease), LEASE_LIMIT);
	assert_int_equal(
		leases_offer(leases, &pool, &stages[3], 0, 30, no_mac, &lease), LEASE_LIMIT);
	leases_free(leases);
}

/* The whole of a pool, so that every hash is widened, and each client gets its own again. */
static void many_leases(void **state)
{
	const struct lease_pool pool = {5000, 5000 + 19999, NULL, 0, 0};
	static uint64_t addresses[20000];
	struct leases *leases = leases_new(99);

	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
		addresses[i] = must_bind(leases, &pool, i, 1, 100 + i % 17);
	assert_int_equal(leases_count(leases, LEASE_BOUND), ARRAY_SIZE(addresses));
	assert_int_equal(leases_expire(leases, 116), ARRAY_SIZE(addresses));
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
		assert_int_equal(must_bind(leases, &pool, i, 1, 300), addresses[i]);
	leases_free(leases);
}

static void what_is_restored_holds(void **state)
{
	const struct lease_pool pool = pool_of(1);
	struct leases *leases = leases_new(7);
	struct lease lease = {.client = client_of(0, 0),
		.address = FIRST + 5,
		.until = 50,
		.state = LEASE_BOUND,
		.host = "web"};
	const struct lease_client other = client_of(0, 1);
	const struct lease *found;

	assert_true(leases_restore(leases, &lease));
	/* A later line about the same address, and one about the same client. */
	lease.until = 60;
	assert_true(leases_restore(leases, &lease));
	assert_int_equal(leases_at(leases, FIRST + 5)->until, 60);
	assert_string_equal(leases_find(leases, &lease.client)->host, "web");
	assert_int_equal(leases_offer(leases, &pool, &other, 0, 70, no_mac, &found), LEASE_LIMIT);
	assert_int_equal(leases_expire(leases, 59), 0);
	assert_int_equal(leases_expire(leases, 60), 1);
	lease.state = LEASE_PAST;
	lease.address = FIRST + 6;
	assert_true(leases_restore(leases, &lease));
	assert_null(leases_at(leases, FIRST + 5));
	assert_int_equal(must_bind(leases, &pool, 0, 0, 90), FIRST + 6);
	leases_free(leases);
}

static void a_pool_counts_what_it_has(void **state)
{
	const struct lease_pool pool = pool_of(0), none = {5, 4, NULL, 0, 0};
	const struct lease_pool all = {0, UINT64_MAX, NULL, 0, 0};

	assert_int_equal(lease_pool_size(&pool), POOL - 2);
	assert_int_equal(lease_pool_size(&none), 0);
	assert_true(lease_pool_size(&all) == UINT64_MAX);
	assert_false(lease_pool_has(&pool, FIRST + 3));
	assert_true(lease_pool_has(&pool, FIRST + 4));
	assert_false(lease_pool_has(&none, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_steps_agree_with_the_model),
		cmocka_unit_test(a_client_gets_its_address_again_and_the_oldest_goes_first),
		cmocka_unit_test(a_name_at_another_port_is_another_client),
		cmocka_unit_test(a_starving_owner_leaves_the_pool_to_others),
		cmocka_unit_test(what_was_only_offered_leaves_nothing),
		cmocka_unit_test(clients_that_come_and_go_take_nobodys_past),
		cmocka_unit_test(the_owner_with_the_most_past_leases_gives_first),
		cmocka_unit_test(the_last_free_address_is_found_at_once),
		cmocka_unit_test(an_address_that_is_no_longer_excluded_is_given),
		cmocka_unit_test(a_machine_takes_over_what_it_held_under_another_name),
		cmocka_unit_test(many_leases),
		cmocka_unit_test(what_is_restored_holds),
		cmocka_unit_test(a_pool_counts_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
