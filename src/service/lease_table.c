/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/lease_table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/common.h"

#define BUCKETS_MIN 64u
#define NOT_TIMED   UINT_MAX

static unsigned owner_bucket(const struct leases *leases, const char *name)
{
	return (unsigned)XXH3_64bits_withSeed(name, strlen(name), leases->seed) &
	       (leases->buckets - 1);
}

static uint64_t client_hash(const struct leases *leases, const struct lease_client *client)
{
	uint64_t hash = XXH3_64bits_withSeed(client->owner, strlen(client->owner), leases->seed);

	return XXH3_64bits_withSeed(client->id, client->length, hash);
}

uint64_t lease_table_place(const struct leases *leases, const struct lease_client *client)
{
	uint64_t hash = client_hash(leases, client);

	return XXH3_64bits_withSeed(&hash, sizeof(hash), leases->place_seed);
}

static uint64_t address_hash(const struct leases *leases, uint64_t address)
{
	return XXH3_64bits_withSeed(&address, sizeof(address), leases->seed);
}

static struct entry **client_slot(const struct leases *leases, const struct lease_client *client)
{
	return &leases->clients[client_hash(leases, client) & (leases->buckets - 1)];
}

static struct entry **address_slot(const struct leases *leases, uint64_t address)
{
	return &leases->addresses[address_hash(leases, address) & (leases->buckets - 1)];
}

bool lease_client_same(const struct lease_client *a, const struct lease_client *b)
{
	return a->length == b->length && memcmp(a->id, b->id, a->length) == 0 &&
	       strcmp(a->owner, b->owner) == 0;
}

struct entry *lease_table_find(const struct leases *leases, const struct lease_client *client)
{
	struct entry *entry = *client_slot(leases, client);

	while (entry && !lease_client_same(&entry->lease.client, client))
		entry = entry->next_client;
	return entry;
}

struct entry *lease_table_at(const struct leases *leases, uint64_t address)
{
	struct entry *entry = *address_slot(leases, address);

	while (entry && entry->lease.address != address)
		entry = entry->next_address;
	return entry;
}

/* The heap of those that end by time. */

static void place(struct leases *leases, unsigned i, struct entry *entry)
{
	leases->timers[i] = entry;
	entry->timer = i;
}

/* Moves the entry to where it belongs, from a position at which it may stand wrongly. */
static void sift(struct leases *leases, unsigned i, struct entry *entry)
{
	for (; i; i = (i - 1) / 2) {
		struct entry *above = leases->timers[(i - 1) / 2];

		if (above->lease.until <= entry->lease.until)
			break;
		place(leases, i, above);
	}
	for (;;) {
		unsigned below = 2 * i + 1;

		if (below >= leases->timed)
			break;
		if (below + 1 < leases->timed &&
			leases->timers[below + 1]->lease.until < leases->timers[below]->lease.until)
			below++;
		if (entry->lease.until <= leases->timers[below]->lease.until)
			break;
		place(leases, i, leases->timers[below]);
		i = below;
	}
	place(leases, i, entry);
}

static void take_from_heap(struct leases *leases, struct entry *entry)
{
	struct entry *last = leases->timers[--leases->timed];

	if (last != entry)
		sift(leases, entry->timer, last);
	entry->timer = NOT_TIMED;
}

/* Owners by how many past leases they have. */

static void leave_rank(struct leases *leases, struct owner *owner)
{
	if (owner->before)
		owner->before->behind = owner->behind;
	else
		leases->ranks[owner->rank].first = owner->behind;
	if (owner->behind)
		owner->behind->before = owner->before;
	else
		leases->ranks[owner->rank].last = owner->before;
	owner->before = owner->behind = NULL;
}

static void rank(struct leases *leases, struct owner *owner)
{
	unsigned next = MIN(owner->past.count, RANKS - 1);

	if (next == owner->rank)
		return;
	if (owner->rank)
		leave_rank(leases, owner);
	owner->rank = next;
	if (!next)
		return;
	owner->before = leases->ranks[next].last;
	if (owner->before)
		owner->before->behind = owner;
	else
		leases->ranks[next].first = owner;
	leases->ranks[next].last = owner;
}

/* The lists of an owner. */

static struct entry_list *list_of(struct entry *entry)
{
	return entry->lease.state == LEASE_PAST ? &entry->owner->past : &entry->owner->held;
}

static void leave_list(struct leases *leases, struct entry *entry)
{
	struct entry_list *list = list_of(entry);

	if (entry->older)
		entry->older->newer = entry->newer;
	else
		list->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		list->newest = entry->older;
	entry->older = entry->newer = NULL;
	list->count--;
	rank(leases, entry->owner);
}

static void join_list(struct leases *leases, struct entry *entry)
{
	struct entry_list *list = list_of(entry);

	entry->older = list->newest;
	if (list->newest)
		list->newest->newer = entry;
	else
		list->oldest = entry;
	list->newest = entry;
	list->count++;
	rank(leases, entry->owner);
}

void lease_table_enter(
	struct leases *leases, struct entry *entry, enum lease_state state, uint64_t until)
{
	enum lease_state old = entry->lease.state;

	leave_list(leases, entry);
	entry->lease.state = state;
	entry->lease.until = until;
	entry->was_bound |= state == LEASE_BOUND;
	leases->states[old]--;
	leases->states[state]++;
	join_list(leases, entry);
	if (state != LEASE_PAST)
		sift(leases, old == LEASE_PAST ? leases->timed++ : entry->timer, entry);
	else if (old != LEASE_PAST)
		take_from_heap(leases, entry);
}

struct owner *lease_table_owner(const struct leases *leases, const char *name)
{
	struct owner *owner = leases->owners[owner_bucket(leases, name)];

	while (owner && strcmp(owner->name, name) != 0)
		owner = owner->next;
	return owner;
}

static struct owner *require_owner(struct leases *leases, const char *name)
{
	struct owner *owner = lease_table_owner(leases, name);
	struct owner **slot = &leases->owners[owner_bucket(leases, name)];

	if (owner)
		return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	memcpy(owner->name, name, strlen(name) + 1);
	owner->next = *slot;
	*slot = owner;
	return owner;
}

static void leave_owner(struct leases *leases, struct owner *owner)
{
	struct owner **slot = &leases->owners[owner_bucket(leases, owner->name)];

	if (owner->held.count || owner->past.count)
		return;
	while (*slot != owner)
		slot = &(*slot)->next;
	*slot = owner->next;
	free(owner);
}

static void link_hashes(struct leases *leases, struct entry *entry)
{
	struct entry **slot = client_slot(leases, &entry->lease.client);

	entry->next_client = *slot;
	*slot = entry;
	slot = address_slot(leases, entry->lease.address);
	entry->next_address = *slot;
	*slot = entry;
}

static void unlink_hashes(struct leases *leases, struct entry *entry)
{
	struct entry **slot = client_slot(leases, &entry->lease.client);

	while (*slot != entry)
		slot = &(*slot)->next_client;
	*slot = entry->next_client;
	slot = address_slot(leases, entry->lease.address);
	while (*slot != entry)
		slot = &(*slot)->next_address;
	*slot = entry->next_address;
}

/* Twice the buckets; where memory is short it goes on with what there is. */
static void widen(struct leases *leases)
{
	unsigned buckets = 2 * leases->buckets, old = leases->buckets;
	struct entry **clients = calloc(buckets, sizeof(*clients));
	struct entry **addresses = calloc(buckets, sizeof(*addresses));
	struct owner **owners = calloc(buckets, sizeof(*owners));
	struct owner **before = leases->owners;

	if (!clients || !addresses || !owners) {
		free(clients);
		free(addresses);
		free(owners);
		return;
	}
	free(leases->clients);
	free(leases->addresses);
	leases->clients = clients;
	leases->addresses = addresses;
	leases->owners = owners;
	leases->buckets = buckets;
	for (unsigned i = 0; i < leases->count; i++)
		link_hashes(leases, leases->entries[i]);
	for (unsigned i = 0; i < old; i++) {
		struct owner *owner = before[i], *next;

		for (; owner; owner = next) {
			struct owner **slot = &owners[owner_bucket(leases, owner->name)];

			next = owner->next;
			owner->next = *slot;
			*slot = owner;
		}
	}
	free(before);
}

/* Room for one more in both arrays. */
static bool make_room(struct leases *leases)
{
	unsigned room = leases->room ? 2 * leases->room : BUCKETS_MIN;
	struct entry **grown;

	if (leases->count < leases->room)
		return true;
	grown = reallocarray(leases->entries, room, sizeof(struct entry *));
	if (!grown)
		return false;
	leases->entries = grown;
	grown = reallocarray(leases->timers, room, sizeof(struct entry *));
	if (!grown)
		return false;
	leases->timers = grown;
	leases->room = room;
	return true;
}

struct entry *lease_table_add(
	struct leases *leases, const struct lease_client *client, uint64_t address)
{
	struct entry *entry = make_room(leases) ? calloc(1, sizeof(*entry)) : NULL;

	if (!entry)
		return NULL;
	entry->owner = require_owner(leases, client->owner);
	if (!entry->owner) {
		free(entry);
		return NULL;
	}
	entry->lease.client = *client;
	entry->lease.address = address;
	entry->timer = NOT_TIMED;
	entry->position = leases->count;
	leases->entries[leases->count++] = entry;
	leases->states[LEASE_PAST]++;
	join_list(leases, entry);
	link_hashes(leases, entry);
	free_addresses_set(&leases->unused, address, false);
	if (leases->count > leases->buckets)
		widen(leases);
	return entry;
}

void lease_table_drop(struct leases *leases, struct entry *entry)
{
	struct entry *last = leases->entries[leases->count - 1];

	if (entry->lease.state != LEASE_PAST)
		lease_table_enter(leases, entry, LEASE_PAST, 0);
	leave_list(leases, entry);
	leases->states[LEASE_PAST]--;
	free_addresses_set(&leases->unused, entry->lease.address, true);
	unlink_hashes(leases, entry);
	leases->entries[entry->position] = last;
	last->position = entry->position;
	leases->count--;
	leave_owner(leases, entry->owner);
	free(entry);
}

struct leases *lease_table_new(uint64_t seed)
{
	struct leases *leases = calloc(1, sizeof(*leases));

	if (!leases)
		return NULL;
	leases->seed = seed;
	leases->place_seed = XXH3_64bits_withSeed(&seed, sizeof(seed), ~seed);
	leases->buckets = BUCKETS_MIN;
	leases->clients = calloc(BUCKETS_MIN, sizeof(*leases->clients));
	leases->addresses = calloc(BUCKETS_MIN, sizeof(*leases->addresses));
	leases->owners = calloc(BUCKETS_MIN, sizeof(*leases->owners));
	if (leases->clients && leases->addresses && leases->owners)
		return leases;
	lease_table_free(leases);
	return NULL;
}

void lease_table_free(struct leases *leases)
{
	if (!leases)
		return;
	while (leases->count)
		lease_table_drop(leases, leases->entries[leases->count - 1]);
	free_addresses_fini(&leases->unused);
	free(leases->entries);
	free(leases->timers);
	free(leases->clients);
	free(leases->addresses);
	free(leases->owners);
	free(leases);
}

void lease_table_rename(
	struct leases *leases, struct entry *entry, const struct lease_client *client)
{
	unlink_hashes(leases, entry);
	entry->lease.client = *client;
	link_hashes(leases, entry);
}

struct owner *lease_table_fullest(const struct leases *leases)
{
	for (unsigned i = RANKS - 1; i > 0; i--)
		if (leases->ranks[i].first)
			return leases->ranks[i].first;
	return NULL;
}
