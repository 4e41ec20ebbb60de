/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/leases.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/common.h"
#include "service/free_addresses.h"

#define BUCKETS_MIN 64u
#define NOT_TIMED   UINT_MAX

/* Addresses at which a client's own place is looked for before any free one will do. */
#define PROBES 8u

/* Past leases that an owner may have beside each that it may hold: those of clients that came and
 * went. Beyond it forgets its own oldest. */
#define PAST_SHARE 4u

/* Owners are told apart by how many past leases they have, up to so many. */
#define RANKS 256u

/* Leases of an owner, the one that came last at the end. */
struct entry_list {
	struct entry *oldest, *newest;
	unsigned count;
};

/* An owner's name, and its leases. It is freed with the last one. */
struct owner {
	struct owner *next; /* of the same hash */
	char name[LEASE_OWNER_SIZE];
	struct entry_list held, past;
	struct owner *before, *behind; /* of the same rank */
	unsigned rank;                 /* 0: it has no past ones, and is in no list */
};

struct entry {
	struct lease lease;
	struct owner *owner;
	struct entry *next_client, *next_address; /* of the same hash */
	struct entry *older, *newer;              /* of its owner, past or held */
	unsigned timer;                           /* position in timers[]; NOT_TIMED: past */
	unsigned position;                        /* in entries[] */
	bool was_bound;                           /* once, so that the journal knows it */
};

struct leases {
	uint64_t seed, place_seed;
	struct entry **entries; /* all, in no order */
	struct entry **timers;  /* a heap of those that end by time, the next one first */
	unsigned count, timed, room;
	unsigned states[LEASE_DECLINED + 1];
	struct entry **clients, **addresses; /* [buckets] */
	struct owner **owners;
	unsigned buckets; /* a power of two */
	/* Owners with so many past leases: who came to have them last is at the end. */
	struct {
		struct owner *first, *last;
	} ranks[RANKS];
	struct free_addresses unused; /* of the last pool that was asked for */
};

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

/* Where the search for the client's address begins. It can be seen from outside, so it tells
 * nothing of what the hashes begin with. */
static uint64_t client_place(const struct leases *leases, const struct lease_client *client)
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

/* Gives the entry, which may be of any state, another one. */
static void enter(
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

static void drop(struct leases *leases, struct entry *entry)
{
	struct entry *last = leases->entries[leases->count - 1];

	if (entry->lease.state != LEASE_PAST)
		enter(leases, entry, LEASE_PAST, 0);
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

struct leases *leases_new(uint64_t seed)
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
	leases_free(leases);
	return NULL;
}

void leases_free(struct leases *leases)
{
	if (!leases)
		return;
	while (leases->count)
		drop(leases, leases->entries[leases->count - 1]);
	free_addresses_fini(&leases->unused);
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

/* Any address of the pool that nobody is known to have; 0: none. */
static uint64_t find_any_unused(struct leases *leases, const struct lease_pool *pool)
{
	if (free_addresses_cover(&leases->unused, pool) == FREE_ADDRESSES_NEW)
		for (unsigned i = 0; i < leases->count; i++)
			free_addresses_set(
				&leases->unused, leases->entries[i]->lease.address, false);
	return free_addresses_find(&leases->unused);
}

/* An address of the pool that nobody is known to have, near a place of the client's own where that
 * is free; 0: none. So a client that is forgotten is likely to get the same one again. */
static uint64_t find_unused(
	struct leases *leases, const struct lease_pool *pool, const struct lease_client *client)
{
	uint64_t span = pool->to - pool->from, address;

	if (pool->from > pool->to)
		return 0;
	address = pool->from + (span == UINT64_MAX ? client_place(leases, client)
						   : client_place(leases, client) % (span + 1));
	for (unsigned i = 0; i < PROBES; i++) {
		if (address && lease_pool_has(pool, address) && !at(leases, address))
			return address;
		address = address == pool->to ? pool->from : address + 1;
	}
	return find_any_unused(leases, pool);
}

/* The owner with the most past leases; NULL: nobody has any. */
static struct owner *fullest(const struct leases *leases)
{
	for (unsigned i = RANKS - 1; i > 0; i--)
		if (leases->ranks[i].first)
			return leases->ranks[i].first;
	return NULL;
}

/* The address of the pool that has been free for longest, of the owner that has had the most: who
 * comes and goes as many clients takes nobody else's. 0: none. Past leases of addresses that the
 * pool has no more are forgotten on the way. */
static uint64_t take_oldest(struct leases *leases, const struct lease_pool *pool)
{
	struct owner *owner;

	while ((owner = fullest(leases))) {
		uint64_t address = owner->past.oldest->lease.address;

		drop(leases, owner->past.oldest);
		if (lease_pool_has(pool, address))
			return address;
	}
	return 0;
}

/* Makes room for one more past lease of the owner, of which it has too many. The address of the
 * pool that it had longest ago; 0: none. */
static uint64_t forget_own(struct leases *leases, const struct lease_pool *pool, const char *name)
{
	struct owner *owner = pool->limit ? find_owner(leases, name) : NULL;
	unsigned left = owner ? owner->past.count : 0;
	uint64_t address = 0;

	/* The owner goes with its last lease, so its count is not looked at again. */
	for (; left && left / PAST_SHARE >= pool->limit; left--) {
		address = owner->past.oldest->lease.address;
		drop(leases, owner->past.oldest);
	}
	return lease_pool_has(pool, address) ? address : 0;
}

/* Whether the owner may hold one more. */
static bool may_hold(const struct leases *leases, const struct lease_pool *pool, const char *name)
{
	const struct owner *owner = pool->limit ? find_owner(leases, name) : NULL;

	return !owner || owner->held.count < pool->limit;
}

/* Whether the client may have this address: nobody has it now, and no other owner had it. */
static bool is_free_for(const struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t address)
{
	const struct entry *entry = at(leases, address);

	if (!lease_pool_has(pool, address))
		return false;
	if (!entry)
		return true;
	if (entry->lease.state == LEASE_PAST)
		return strcmp(entry->lease.client.owner, client->owner) == 0;
	return (entry->lease.state != LEASE_DECLINED && same_client(&entry->lease.client, client));
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

/* Looked through for what a client may take over. */
#define HELD_MAX 256u

static bool has_mac(const uint8_t mac[MAC_SIZE])
{
	static const uint8_t none[MAC_SIZE];

	return memcmp(mac, none, MAC_SIZE) != 0;
}

static void rename_client(
	struct leases *leases, struct entry *entry, const struct lease_client *client)
{
	unlink_hashes(leases, entry);
	entry->lease.client = *client;
	link_hashes(leases, entry);
}

/* Where the owner may hold no more: what it holds for the same machine under another name becomes
 * the client's, the oldest first. NULL: it holds none. */
static struct entry *take_over(
	struct leases *leases, const struct lease_client *client, const uint8_t mac[MAC_SIZE])
{
	struct owner *owner = find_owner(leases, client->owner);
	struct entry *entry = owner && has_mac(mac) ? owner->held.oldest : NULL;
	struct entry *past = find(leases, client);

	for (unsigned i = 0; entry && i < HELD_MAX; i++, entry = entry->newer) {
		if (entry->lease.state == LEASE_DECLINED ||
			memcmp(entry->lease.mac, mac, MAC_SIZE) != 0)
			continue;
		if (past)
			drop(leases, past);
		rename_client(leases, entry, client);
		return entry;
	}
	return NULL;
}

/* What was declined is no client's any more, only its owner's: it must not stand in the way of the
 * next lease of who declined it. */
static void disown(struct leases *leases, struct entry *entry)
{
	struct lease_client client = entry->lease.client;

	client.id[0] = LEASE_NOBODY;
	memcpy(client.id + 1, &entry->lease.address, sizeof(entry->lease.address));
	client.length = 1 + sizeof(entry->lease.address);
	rename_client(leases, entry, &client);
}

enum lease_result leases_offer(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t wish, uint64_t until,
	const uint8_t mac[MAC_SIZE], const struct lease **lease)
{
	struct entry *entry = find(leases, client);
	bool held = entry && entry->lease.state != LEASE_PAST;
	uint64_t address = 0, old = 0;

	if (!held && !may_hold(leases, pool, client->owner)) {
		entry = take_over(leases, client, mac);
		if (!entry)
			return LEASE_LIMIT;
	}
	if (entry && is_free_for(leases, pool, client, entry->lease.address))
		address = entry->lease.address;
	if (!address && wish && is_free_for(leases, pool, client, wish))
		address = wish;
	if (!entry)
		old = forget_own(leases, pool, client->owner);
	if (!address)
		address = old ? old : find_unused(leases, pool, client);
	if (!address)
		address = take_oldest(leases, pool);
	if (!address)
		return LEASE_NONE_LEFT;
	entry = assign(leases, client, address);
	if (!entry)
		return LEASE_MEMORY;
	if (entry->lease.state != LEASE_BOUND) {
		enter(leases, entry, LEASE_OFFERED, until);
		memcpy(entry->lease.mac, mac, MAC_SIZE);
	}
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
	if (!held && !may_hold(leases, pool, client->owner)) {
		entry = take_over(leases, client, mac);
		if (!entry)
			return LEASE_LIMIT;
	}
	if (!entry)
		forget_own(leases, pool, client->owner);
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
	if (entry->lease.state == LEASE_BOUND) {
		enter(leases, entry, LEASE_PAST, now);
		return &entry->lease;
	}
	if (entry->was_bound)
		enter(leases, entry, LEASE_PAST, now);
	else
		drop(leases, entry);
	return NULL;
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
	entry->was_bound = true;
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
