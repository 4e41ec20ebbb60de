/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/leases.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

#define BUCKETS_MIN 64u
#define NOT_TIMED   UINT_MAX

/* An owner's name, and how many addresses it holds. */
struct owner {
	struct owner *next; /* of the same hash */
	char name[LEASE_OWNER_SIZE];
	unsigned held;
	unsigned leases; /* in any state: it is freed with the last one */
};

struct entry {
	struct lease lease;
	struct owner *owner;
	struct entry *next_client, *next_address; /* of the same hash */
	struct entry *older, *newer;              /* of the past ones */
	unsigned timer;                           /* position in timers[]; NOT_TIMED: past */
	unsigned position;                        /* in entries[] */
};

struct leases {
	uint64_t seed;
	struct entry **entries; /* all, in no order */
	struct entry **timers;  /* a heap of those that end by time, the next one first */
	unsigned count, timed, room;
	unsigned states[LEASE_DECLINED + 1];
	struct entry **clients, **addresses; /* [buckets] */
	struct owner **owners;
	unsigned buckets; /* a power of two */
	struct entry *oldest, *newest;
	/* The pool in which every address has been somebody's, as long as none is forgotten. */
	uint64_t used_from, used_to;
	bool used_up;
};

/* FNV-1a, begun with a secret. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

static unsigned owner_bucket(const struct leases *leases, const char *name)
{
	return (unsigned)hash_bytes(leases->seed, name, strlen(name)) & (leases->buckets - 1);
}

static uint64_t client_hash(const struct leases *leases, const struct lease_client *client)
{
	uint64_t hash = hash_bytes(leases->seed, client->owner, strlen(client->owner));

	return hash_bytes(hash, client->id, client->length);
}

static uint64_t address_hash(const struct leases *leases, uint64_t address)
{
	return hash_bytes(leases->seed, &address, sizeof(address));
}

static struct entry **client_slot(const struct leases *leases, const struct lease_client *client)
{
	return &leases->clients[client_hash(leases, client) & (leases->buckets - 1)];
}

static struct entry **address_slot(const struct leases *leases, uint64_t address)
{
	return &leases->addresses[address_hash(leases, address) & (leases->buckets - 1)];
}

static bool same_client(const struct lease_client *a, const struct lease_client *b)
{
	return a->length == b->length && memcmp(a->id, b->id, a->length) == 0 &&
	       strcmp(a->owner, b->owner) == 0;
}

static struct entry *find(const struct leases *leases, const struct lease_client *client)
{
	struct entry *entry = *client_slot(leases, client);

	while (entry && !same_client(&entry->lease.client, client))
		entry = entry->next_client;
	return entry;
}

static struct entry *at(const struct leases *leases, uint64_t address)
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

/* The list of past ones. */

static void take_from_past(struct leases *leases, struct entry *entry)
{
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		leases->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		leases->newest = entry->older;
	entry->older = entry->newer = NULL;
}

static void add_to_past(struct leases *leases, struct entry *entry)
{
	entry->older = leases->newest;
	if (leases->newest)
		leases->newest->newer = entry;
	else
		leases->oldest = entry;
	leases->newest = entry;
}

/* Gives the entry, which may be of any state, another one. */
static void enter(
	struct leases *leases, struct entry *entry, enum lease_state state, uint64_t until)
{
	enum lease_state old = entry->lease.state;

	entry->lease.state = state;
	entry->lease.until = until;
	leases->states[old]--;
	leases->states[state]++;
	if (old == LEASE_PAST)
		take_from_past(leases, entry);
	else if (state == LEASE_PAST)
		take_from_heap(leases, entry);
	if (state == LEASE_PAST)
		add_to_past(leases, entry);
	else
		sift(leases, old == LEASE_PAST ? leases->timed++ : entry->timer, entry);
	entry->owner->held += (state != LEASE_PAST) - (old != LEASE_PAST);
}

static struct owner *find_owner(const struct leases *leases, const char *name)
{
	struct owner *owner = leases->owners[owner_bucket(leases, name)];

	while (owner && strcmp(owner->name, name) != 0)
		owner = owner->next;
	return owner;
}

static struct owner *require_owner(struct leases *leases, const char *name)
{
	struct owner *owner = find_owner(leases, name);
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

	if (--owner->leases)
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

/* A past lease of an address that nobody is known to have; NULL where memory is short. */
static struct entry *add(struct leases *leases, const struct lease_client *client, uint64_t address)
{
	struct entry *entry = make_room(leases) ? calloc(1, sizeof(*entry)) : NULL;

	if (!entry)
		return NULL;
	entry->owner = require_owner(leases, client->owner);
	if (!entry->owner) {
		free(entry);
		return NULL;
	}
	entry->owner->leases++;
	entry->lease.client = *client;
	entry->lease.address = address;
	entry->timer = NOT_TIMED;
	entry->position = leases->count;
	leases->entries[leases->count++] = entry;
	leases->states[LEASE_PAST]++;
	add_to_past(leases, entry);
	link_hashes(leases, entry);
	if (leases->count > leases->buckets)
		widen(leases);
	return entry;
}

static void drop(struct leases *leases, struct entry *entry)
{
	struct entry *last = leases->entries[leases->count - 1];

	if (entry->lease.state != LEASE_PAST)
		enter(leases, entry, LEASE_PAST, 0);
	take_from_past(leases, entry);
	leases->states[LEASE_PAST]--;
	unlink_hashes(leases, entry);
	leases->entries[entry->position] = last;
	last->position = entry->position;
	leases->count--;
	leave_owner(leases, entry->owner);
	free(entry);
	leases->used_up = false;
}

struct leases *leases_new(uint64_t seed)
{
	struct leases *leases = calloc(1, sizeof(*leases));

	if (!leases)
		return NULL;
	leases->seed = seed;
	leases->buckets = BUCKETS_MIN;
	leases->clients = calloc(BUCKETS_MIN, sizeof(*leases->clients));
	leases->addresses = calloc(BUCKETS_MIN, sizeof(*leases->addresses));
	leases->owners = calloc(BUCKETS_MIN, sizeof(*leases->owners));
	if (leases->clients && leases->addresses && leases->owners)
		return leases;
	leases_free(leases);
	return NULL;
}

void leases_free(struct leases *leases)
{
	if (!leases)
		return;
	while (leases->count)
		drop(leases, leases->entries[leases->count - 1]);
	free(leases->entries);
	free(leases->timers);
	free(leases->clients);
	free(leases->addresses);
	free(leases->owners);
	free(leases);
}

const struct lease *leases_find(const struct leases *leases, const struct lease_client *client)
{
	const struct entry *entry = find(leases, client);

	return entry ? &entry->lease : NULL;
}

const struct lease *leases_at(const struct leases *leases, uint64_t address)
{
	const struct entry *entry = at(leases, address);

	return entry ? &entry->lease : NULL;
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

bool lease_pool_has(const struct lease_pool *pool, uint64_t address)
{
	return address >= pool->from && address <= pool->to &&
	       !(pool->excluded_count && bsearch(&address, pool->excluded, pool->excluded_count,
						 sizeof(*pool->excluded), compare_addresses));
}

uint64_t lease_pool_size(const struct lease_pool *pool)
{
	uint64_t span = pool->to - pool->from;

	if (pool->from > pool->to)
		return 0;
	span += span != UINT64_MAX;
	return span - MIN(span, (uint64_t)pool->excluded_count);
}

/* An address of the pool that nobody ever had, from a place of the client's own on; 0: none. So a
 * client that is forgotten is likely to get the same one again. */
static uint64_t find_unused(
	struct leases *leases, const struct lease_pool *pool, const struct lease_client *client)
{
	uint64_t span = pool->to - pool->from, address;

	if (pool->from > pool->to ||
		(leases->used_up && leases->used_from == pool->from && leases->used_to == pool->to))
		return 0;
	address = pool->from + (span == UINT64_MAX ? client_hash(leases, client)
						   : client_hash(leases, client) % (span + 1));
	for (uint64_t i = 0;; i++) {
		if (address && lease_pool_has(pool, address) && !at(leases, address))
			return address;
		if (i == span)
			break;
		address = address == pool->to ? pool->from : address + 1;
	}
	leases->used_up = true;
	leases->used_from = pool->from;
	leases->used_to = pool->to;
	return 0;
}

/* The address of the pool that has been free for longest; 0: none. */
static uint64_t take_oldest(struct leases *leases, const struct lease_pool *pool)
{
	struct entry *entry = leases->oldest;
	bool used_up = leases->used_up;
	uint64_t address;

	while (entry && !lease_pool_has(pool, entry->lease.address))
		entry = entry->newer;
	if (!entry)
		return 0;
	address = entry->lease.address;
	drop(leases, entry);
	leases->used_up = used_up; /* it becomes somebody's at once */
	return address;
}

/* Whether the owner may hold one more. */
static bool may_hold(const struct leases *leases, const struct lease_pool *pool, const char *name)
{
	const struct owner *owner = pool->limit ? find_owner(leases, name) : NULL;

	return !owner || owner->held < pool->limit;
}

/* Whether the client may have this address: nobody has it now. */
static bool is_free_for(const struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t address)
{
	const struct entry *entry = at(leases, address);

	if (!lease_pool_has(pool, address))
		return false;
	return !entry || entry->lease.state == LEASE_PAST ||
	       (entry->lease.state != LEASE_DECLINED && same_client(&entry->lease.client, client));
}

/* Makes the address, which is free for the client, the client's, in no state yet. */
static struct entry *assign(
	struct leases *leases, const struct lease_client *client, uint64_t address)
{
	struct entry *entry = at(leases, address);
	struct entry *own = find(leases, client);

	if (entry && entry == own)
		return entry;
	if (own)
		drop(leases, own);
	if (entry)
		drop(leases, entry);
	return add(leases, client, address);
}

/* What was declined is no client's any more, only its owner's: it must not stand in the way of the
 * next lease of who declined it. */
static void disown(struct leases *leases, struct entry *entry)
{
	struct lease_client *client = &entry->lease.client;

	unlink_hashes(leases, entry);
	client->id[0] = LEASE_NOBODY;
	memcpy(client->id + 1, &entry->lease.address, sizeof(entry->lease.address));
	client->length = 1 + sizeof(entry->lease.address);
	link_hashes(leases, entry);
}

enum lease_result leases_offer(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t wish, uint64_t until,
	const struct lease **lease)
{
	struct entry *entry = find(leases, client);
	bool held = entry && entry->lease.state != LEASE_PAST;
	uint64_t address = 0;

	if (!held && !may_hold(leases, pool, client->owner))
		return LEASE_LIMIT;
	if (entry && is_free_for(leases, pool, client, entry->lease.address))
		address = entry->lease.address;
	if (!address && wish && is_free_for(leases, pool, client, wish))
		address = wish;
	if (!address)
		address = find_unused(leases, pool, client);
	if (!address)
		address = take_oldest(leases, pool);
	if (!address)
		return LEASE_NONE_LEFT;
	entry = assign(leases, client, address);
	if (!entry)
		return LEASE_MEMORY;
	if (entry->lease.state != LEASE_BOUND)
		enter(leases, entry, LEASE_OFFERED, until);
	*lease = &entry->lease;
	return LEASE_OK;
}

enum lease_result leases_bind(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t address, uint64_t until,
	const uint8_t mac[MAC_SIZE], const char *host, const struct lease **lease)
{
	struct entry *entry = find(leases, client);
	bool held = entry && entry->lease.state != LEASE_PAST;

	if (!is_free_for(leases, pool, client, address))
		return LEASE_TAKEN;
	if (!held && !may_hold(leases, pool, client->owner))
		return LEASE_LIMIT;
	entry = assign(leases, client, address);
	if (!entry)
		return LEASE_MEMORY;
	enter(leases, entry, LEASE_BOUND, until);
	memcpy(entry->lease.mac, mac, MAC_SIZE);
	strncpy(entry->lease.host, host, LEASE_HOST_SIZE - 1);
	*lease = &entry->lease;
	return LEASE_OK;
}

static struct entry *find_held(
	const struct leases *leases, const struct lease_client *client, uint64_t address)
{
	struct entry *entry = find(leases, client);

	return entry && entry->lease.address == address &&
			       (entry->lease.state == LEASE_BOUND ||
				       entry->lease.state == LEASE_OFFERED)
		       ? entry
		       : NULL;
}

const struct lease *leases_release(
	struct leases *leases, const struct lease_client *client, uint64_t address, uint64_t now)
{
	struct entry *entry = find_held(leases, client, address);

	if (!entry)
		return NULL;
	enter(leases, entry, LEASE_PAST, now);
	return &entry->lease;
}

const struct lease *leases_decline(
	struct leases *leases, const struct lease_client *client, uint64_t address, uint64_t until)
{
	struct entry *entry = find_held(leases, client, address);

	if (!entry)
		return NULL;
	disown(leases, entry);
	enter(leases, entry, LEASE_DECLINED, until);
	return &entry->lease;
}

bool leases_restore(struct leases *leases, const struct lease *lease)
{
	struct entry *own = find(leases, &lease->client);
	struct entry *entry = at(leases, lease->address);

	if (own)
		drop(leases, own);
	if (entry && entry != own)
		drop(leases, entry);
	entry = add(leases, &lease->client, lease->address);
	if (!entry)
		return false;
	memcpy(entry->lease.mac, lease->mac, MAC_SIZE);
	memcpy(entry->lease.host, lease->host, LEASE_HOST_SIZE);
	if (lease->state != LEASE_PAST)
		enter(leases, entry, lease->state, lease->until);
	entry->lease.until = lease->until;
	return true;
}

bool leases_forget(struct leases *leases, uint64_t address)
{
	struct entry *entry = at(leases, address);

	if (!entry)
		return false;
	drop(leases, entry);
	return true;
}

unsigned leases_expire(struct leases *leases, uint64_t now)
{
	unsigned ended = 0;

	while (leases->timed && leases->timers[0]->lease.until <= now) {
		struct entry *entry = leases->timers[0];

		ended += entry->lease.state == LEASE_BOUND;
		enter(leases, entry, LEASE_PAST, entry->lease.until);
	}
	return ended;
}

uint64_t leases_next(const struct leases *leases)
{
	return leases->timed ? leases->timers[0]->lease.until : UINT64_MAX;
}

unsigned leases_count(const struct leases *leases, enum lease_state state)
{
	return leases->states[state];
}

unsigned leases_total(const struct leases *leases)
{
	return leases->count;
}

const struct lease *leases_get(const struct leases *leases, unsigned position)
{
	return position < leases->count ? &leases->entries[position]->lease : NULL;
}
