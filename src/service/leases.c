/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/leases.h"

#include <string.h>

#include "service/lease_table.h"

/* Addresses at which a client's own place is looked for before any free one will do. */
#define PROBES 8u

/* Past leases that an owner may have beside each that it may hold: those of clients that came and
 * went. Beyond it forgets its own oldest. */
#define PAST_SHARE 4u

struct leases *leases_new(uint64_t seed)
{
	return lease_table_new(seed);
}

void leases_free(struct leases *leases)
{
	lease_table_free(leases);
}

const struct lease *leases_find(const struct leases *leases, const struct lease_client *client)
{
	const struct entry *entry = lease_table_find(leases, client);

	return entry ? &entry->lease : NULL;
}

const struct lease *leases_at(const struct leases *leases, uint64_t address)
{
	const struct entry *entry = lease_table_at(leases, address);

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
	address = pool->from + (span == UINT64_MAX
					       ? lease_table_place(leases, client)
					       : lease_table_place(leases, client) % (span + 1));
	for (unsigned i = 0; i < PROBES; i++) {
		if (address && lease_pool_has(pool, address) && !lease_table_at(leases, address))
			return address;
		address = address == pool->to ? pool->from : address + 1;
	}
	return find_any_unused(leases, pool);
}

/* The address of the pool that has been free for longest, of the owner that has had the most: who
 * comes and goes as many clients takes nobody else's. 0: none. Past leases of addresses that the
 * pool has no more are forgotten on the way. */
static uint64_t take_oldest(struct leases *leases, const struct lease_pool *pool)
{
	struct owner *owner;

	while ((owner = lease_table_fullest(leases))) {
		uint64_t address = owner->past.oldest->lease.address;

		lease_table_drop(leases, owner->past.oldest);
		if (lease_pool_has(pool, address))
			return address;
	}
	return 0;
}

/* Makes room for one more past lease of the owner, of which it has too many. The address of the
 * pool that it had longest ago; 0: none. */
static uint64_t forget_own(struct leases *leases, const struct lease_pool *pool, const char *name)
{
	struct owner *owner = pool->limit ? lease_table_owner(leases, name) : NULL;
	unsigned left = owner ? owner->past.count : 0;
	uint64_t address = 0;

	/* The owner goes with its last lease, so its count is not looked at again. */
	for (; left && left / PAST_SHARE >= pool->limit; left--) {
		address = owner->past.oldest->lease.address;
		lease_table_drop(leases, owner->past.oldest);
	}
	return lease_pool_has(pool, address) ? address : 0;
}

/* Whether the owner may hold one more. */
static bool may_hold(const struct leases *leases, const struct lease_pool *pool, const char *name)
{
	const struct owner *owner = pool->limit ? lease_table_owner(leases, name) : NULL;

	return !owner || owner->held.count < pool->limit;
}

/* Whether the client may have this address: nobody has it now, and no other owner had it. */
static bool is_free_for(const struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t address)
{
	const struct entry *entry = lease_table_at(leases, address);

	if (!lease_pool_has(pool, address))
		return false;
	if (!entry)
		return true;
	if (entry->lease.state == LEASE_PAST)
		return strcmp(entry->lease.client.owner, client->owner) == 0;
	return (entry->lease.state != LEASE_DECLINED &&
		lease_client_same(&entry->lease.client, client));
}

/* Makes the address, which is free for the client, the client's, in no state yet. */
static struct entry *assign(
	struct leases *leases, const struct lease_client *client, uint64_t address)
{
	struct entry *entry = lease_table_at(leases, address);
	struct entry *own = lease_table_find(leases, client);

	if (entry && entry == own)
		return entry;
	if (own)
		lease_table_drop(leases, own);
	if (entry)
		lease_table_drop(leases, entry);
	return lease_table_add(leases, client, address);
}

/* Looked through for what a client may take over. */
#define HELD_MAX 256u

static bool has_mac(const uint8_t mac[MAC_SIZE])
{
	static const uint8_t none[MAC_SIZE];

	return memcmp(mac, none, MAC_SIZE) != 0;
}

/* Where the owner may hold no more: what it holds for the same machine under another name becomes
 * the client's, the oldest first. NULL: it holds none. */
static struct entry *take_over(
	struct leases *leases, const struct lease_client *client, const uint8_t mac[MAC_SIZE])
{
	struct owner *owner = lease_table_owner(leases, client->owner);
	struct entry *entry = owner && has_mac(mac) ? owner->held.oldest : NULL;
	struct entry *past = lease_table_find(leases, client);

	for (unsigned i = 0; entry && i < HELD_MAX; i++, entry = entry->newer) {
		if (entry->lease.state == LEASE_DECLINED ||
			memcmp(entry->lease.mac, mac, MAC_SIZE) != 0)
			continue;
		if (past)
			lease_table_drop(leases, past);
		lease_table_rename(leases, entry, client);
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
	lease_table_rename(leases, entry, &client);
}

enum lease_result leases_offer(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t wish, uint64_t until,
	const uint8_t mac[MAC_SIZE], const struct lease **lease)
{
	struct entry *entry = lease_table_find(leases, client);
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
		lease_table_enter(leases, entry, LEASE_OFFERED, until);
		memcpy(entry->lease.mac, mac, MAC_SIZE);
	}
	*lease = &entry->lease;
	return LEASE_OK;
}

enum lease_result leases_bind(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t address, uint64_t until,
	const uint8_t mac[MAC_SIZE], const char *host, const struct lease **lease)
{
	struct entry *entry = lease_table_find(leases, client);
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
	lease_table_enter(leases, entry, LEASE_BOUND, until);
	memcpy(entry->lease.mac, mac, MAC_SIZE);
	strncpy(entry->lease.host, host, LEASE_HOST_SIZE - 1);
	*lease = &entry->lease;
	return LEASE_OK;
}

static struct entry *find_held(
	const struct leases *leases, const struct lease_client *client, uint64_t address)
{
	struct entry *entry = lease_table_find(leases, client);

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
		lease_table_enter(leases, entry, LEASE_PAST, now);
		return &entry->lease;
	}
	if (entry->was_bound)
		lease_table_enter(leases, entry, LEASE_PAST, now);
	else
		lease_table_drop(leases, entry);
	return NULL;
}

const struct lease *leases_decline(
	struct leases *leases, const struct lease_client *client, uint64_t address, uint64_t until)
{
	struct entry *entry = find_held(leases, client, address);

	if (!entry)
		return NULL;
	disown(leases, entry);
	lease_table_enter(leases, entry, LEASE_DECLINED, until);
	return &entry->lease;
}

bool leases_restore(struct leases *leases, const struct lease *lease)
{
	struct entry *own = lease_table_find(leases, &lease->client);
	struct entry *entry = lease_table_at(leases, lease->address);

	if (own)
		lease_table_drop(leases, own);
	if (entry && entry != own)
		lease_table_drop(leases, entry);
	entry = lease_table_add(leases, &lease->client, lease->address);
	if (!entry)
		return false;
	entry->was_bound = true;
	memcpy(entry->lease.mac, lease->mac, MAC_SIZE);
	memcpy(entry->lease.host, lease->host, LEASE_HOST_SIZE);
	if (lease->state != LEASE_PAST)
		lease_table_enter(leases, entry, lease->state, lease->until);
	entry->lease.until = lease->until;
	return true;
}

bool leases_forget(struct leases *leases, uint64_t address)
{
	struct entry *entry = lease_table_at(leases, address);

	if (!entry)
		return false;
	lease_table_drop(leases, entry);
	return true;
}

unsigned leases_expire(struct leases *leases, uint64_t now)
{
	unsigned ended = 0;

	while (leases->timed && leases->timers[0]->lease.until <= now) {
		struct entry *entry = leases->timers[0];

		ended += entry->lease.state == LEASE_BOUND;
		lease_table_enter(leases, entry, LEASE_PAST, entry->lease.until);
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
