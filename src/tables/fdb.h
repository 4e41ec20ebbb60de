/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding database: (network, MAC address) -> port.
 *
 * Threads: any number of workers look up and learn at once. Look-ups and refreshing the age of a
 * known address take no lock; a new address, a move and an eviction take one spinlock for a short
 * write. Show, flush and ageing run on the control thread and take the same lock in short pieces.
 *
 * Capacity and threat: the table holds at most `capacity` addresses. When it is full, the port with
 * the most learned addresses loses its oldest one, so a guest that floods made-up addresses evicts
 * its own and never those of others. The hash is keyed at random, so nobody can choose addresses
 * that share a bucket. Where a pair of buckets is full, an entry of the fullest port among them
 * goes.
 *
 * Static entries (a port's configured `mac`) are not learned, do not age, are never evicted, and a
 * source address bound to one port is refused on every other.
 *
 * The structs are visible so that a look-up is inline: a multiplication, one or two cache lines.
 * Everything in them is private to fdb.h and fdb.c.
 */
#ifndef VSW_TABLES_FDB_H
#define VSW_TABLES_FDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/common.h"
#include "packet/mac.h"
#include "tables/fdb_flap.h"

#define FDB_PORT_NONE UINT16_MAX

/*
 * A slot is one address: its key, and everything else in one word:
 *
 *    63      32 31    16 15  14  13        0
 *   [ seen (s) | port   | V | S | generation ]      V: valid, S: static
 *
 * Readers take no lock and must not mix the key of one address with the port of another, though
 * those are two words. A slot gets another key only thus (lock held, each store a release):
 *
 *   1. state := invalid, generation + 1     2. key := new     3. state := valid, same generation
 *
 * and a reader loads state, key, state again (each but the last an acquire). Let the first load
 * give a valid state of generation g: it was stored in step 3, so the key load sees generation g's
 * key or a later one. Were it a later one, stored in step 2 after some step 1, the last load would
 * see that step 1 or something newer, of another generation. So equal generations prove that the
 * key belongs to the state. (Generations repeat after 16,384 replacements of this one slot; a
 * reader would have to sleep between two of its loads through exactly that many of them.) A move to
 * another port and a refreshed age are single stores to the state and keep its generation. An
 * invalid slot keeps its last key, with step 1 already done; the next address only fills it.
 */
struct fdb_slot {
	uint64_t key; /* written under the lock */
	uint64_t
		state; /* written under the lock; `seen` also by fdb_learn(), by compare-and-swap */
};

#define FDB_GENERATION_MASK 0x3fffu
#define FDB_STATIC          (UINT64_C(1) << 14)
#define FDB_VALID           (UINT64_C(1) << 15)
#define FDB_IDENTITY_MASK   (FDB_VALID | FDB_GENERATION_MASK)
#define FDB_PORT_SHIFT      16
#define FDB_SEEN_SHIFT      32

/* Slots of a bucket: one cache line. */
#define FDB_WAYS 4

struct fdb_bucket {
	struct fdb_slot slots[FDB_WAYS];
} CACHE_ALIGNED;

struct fdb_writer;

struct fdb {
	/* Constant. */
	struct fdb_bucket *buckets;
	uint64_t bucket_mask;
	uint64_t hash_add; /* the hash's key */
	uint64_t hash_multiply;
	/* Written by the control thread. */
	uint32_t ageing; /* seconds, 0 = never */
	/* What only changes of the table need, guarded by its lock. */
	struct fdb_writer *writer;
};

/*
 * capacity: addresses, at least 1. ageing: seconds after which an address that was not seen is
 * forgotten, 0 = never. port_max: port indices are below this. secret: key of the hash.
 * NULL where memory is short.
 */
struct fdb *fdb_new(unsigned capacity, uint32_t ageing, unsigned port_max, uint64_t secret);
void fdb_free(struct fdb *fdb);

/* Any time; takes effect at the next look-up. */
void fdb_set_ageing(struct fdb *fdb, uint32_t ageing);

enum fdb_learn_result {
	FDB_KNOWN,   /* known here; its age was refreshed */
	FDB_ADDED,   /* new */
	FDB_MOVED,   /* was behind another port until now; counted there as a move */
	FDB_REFUSED, /* bound to another port by a static entry */
	FDB_FULL,    /* not learned: all room for it is taken by static entries */
};

/* The key of an address in a network: the address in the upper 48 bits, as on the wire. */
static inline uint64_t fdb_key(uint16_t network, const uint8_t mac[MAC_SIZE])
{
	return mac_to_u64(mac) << 16 | network;
}

/* Keyed: the upper half of a product with a secret factor, folded into the lower one. Its two
 * halves name the two buckets where the key may be. */
static inline uint64_t fdb_hash(const struct fdb *fdb, uint64_t key)
{
	unsigned __int128 product = (unsigned __int128)(key ^ fdb->hash_add) * fdb->hash_multiply;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t fdb_bucket_first(const struct fdb *fdb, uint64_t hash)
{
	return hash & fdb->bucket_mask;
}

/* Never the first: there are at least two buckets. */
static inline uint64_t fdb_bucket_second(const struct fdb *fdb, uint64_t hash)
{
	uint64_t second = (hash >> 32) & fdb->bucket_mask;

	return second == fdb_bucket_first(fdb, hash) ? second ^ 1 : second;
}

static inline uint16_t fdb_state_port(uint64_t state)
{
	return (uint16_t)(state >> FDB_PORT_SHIFT);
}

static inline uint32_t fdb_state_seen(uint64_t state)
{
	return (uint32_t)(state >> FDB_SEEN_SHIFT);
}

/* Seconds since then. A thread whose `now` is a little behind another's sees age 0, not 2^32 -
 * 1. */
static inline uint32_t fdb_age(uint32_t now, uint32_t seen)
{
	int32_t age = (int32_t)(now - seen);

	return age > 0 ? (uint32_t)age : 0;
}

static inline bool fdb_state_aged(const struct fdb *fdb, uint64_t state, uint32_t now)
{
	uint32_t ageing = __atomic_load_n(&fdb->ageing, __ATOMIC_RELAXED);

	return !(state & FDB_STATIC) && ageing && fdb_age(now, fdb_state_seen(state)) > ageing;
}

/* The state of the slot where it is valid and belongs to `key` (the proof is above), else 0. */
static inline uint64_t fdb_slot_read(const struct fdb_slot *slot, uint64_t key)
{
	uint64_t state, again;

	if (likely(__atomic_load_n(&slot->key, __ATOMIC_RELAXED) != key))
		return 0;
	state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot->key, __ATOMIC_ACQUIRE) != key)
		return 0;
	again = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);
	return state & FDB_VALID && !((state ^ again) & FDB_IDENTITY_MASK) ? state : 0;
}

static inline struct fdb_slot *fdb_bucket_find(
	struct fdb_bucket *bucket, uint64_t key, uint64_t *state)
{
	for (unsigned i = 0; i < FDB_WAYS; i++) {
		*state = fdb_slot_read(&bucket->slots[i], key);
		if (*state)
			return &bucket->slots[i];
	}
	return NULL;
}

/* The slot of a key and its state; NULL where it is unknown. No lock needed. */
static inline struct fdb_slot *fdb_find(const struct fdb *fdb, uint64_t key, uint64_t *state)
{
	uint64_t hash = fdb_hash(fdb, key);
	struct fdb_slot *slot;

	slot = fdb_bucket_find(&fdb->buckets[fdb_bucket_first(fdb, hash)], key, state);
	if (slot)
		return slot;
	return fdb_bucket_find(&fdb->buckets[fdb_bucket_second(fdb, hash)], key, state);
}

/* Has the cache line on its way where a look-up begins. */
static inline void fdb_prefetch(const struct fdb *fdb, uint64_t key)
{
	__builtin_prefetch(&fdb->buckets[fdb_bucket_first(fdb, fdb_hash(fdb, key))]);
}

/* The port behind which a key is, FDB_PORT_NONE where unknown or aged out. now: s. */
static inline uint16_t fdb_lookup_key(const struct fdb *fdb, uint64_t key, uint32_t now)
{
	uint64_t state;

	if (!fdb_find(fdb, key, &state) || fdb_state_aged(fdb, state, now))
		return FDB_PORT_NONE;
	return fdb_state_port(state);
}

static inline uint16_t fdb_lookup(
	const struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE], uint32_t now)
{
	return fdb_lookup_key(fdb, fdb_key(network, mac), now);
}

/* The locked half of fdb_learn_key(). */
enum fdb_learn_result fdb_learn_slow(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now);

/* The source address (as fdb_key()) of a frame from `port`. Worker; lock only where something is
 * new. Writes an address's age at most once a second. */
static inline enum fdb_learn_result fdb_learn_key(
	struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now)
{
	uint64_t state, fresh;
	struct fdb_slot *slot = fdb_find(fdb, key, &state);

	if (unlikely(!slot || fdb_state_port(state) != port))
		return fdb_learn_slow(fdb, key, port, now);
	if (unlikely((int32_t)(now - fdb_state_seen(state)) > 0 && !(state & FDB_STATIC))) {
		/* Where this fails somebody else refreshed or replaced it: either is newer than
		 * we. */
		fresh = (state & UINT32_MAX) | (uint64_t)now << FDB_SEEN_SHIFT;
		__atomic_compare_exchange_n(
			&slot->state, &state, fresh, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
	return FDB_KNOWN;
}

static inline enum fdb_learn_result fdb_learn(
	struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE], uint16_t port, uint32_t now)
{
	return fdb_learn_key(fdb, fdb_key(network, mac), port, now);
}

/* Static entries. fdb_bind() replaces what was learned. 0, or -ENOSPC, or -EEXIST where the address
 * is bound to another port in this network. */
int fdb_bind(struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE], uint16_t port);
void fdb_unbind(struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE], uint16_t port);

/* Forgets a learned entry. 0, -ENOENT where there is none, or -EPERM where it is static. */
int fdb_forget(struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE]);

/* Forgets all learned (not static) entries of a port, of a network (FDB_PORT_NONE / NETWORK_NONE:
 * any). With both given, those of the port in the network. */
void fdb_flush(struct fdb *fdb, uint16_t port, uint16_t network);

/* Removes what has aged out. Call every few seconds from the control thread. */
void fdb_expire(struct fdb *fdb, uint32_t now);

struct fdb_entry {
	uint8_t mac[MAC_SIZE];
	uint16_t network;
	uint16_t port;
	bool is_static;
	uint32_t age; /* seconds since it was last seen; 0 for static ones */
};

/* Calls visit() for each entry, in no order, without stopping the workers: an entry that comes or
 * goes meanwhile may be missed, and none is reported that never was. */
void fdb_walk(const struct fdb *fdb, uint32_t now,
	void (*visit)(const struct fdb_entry *entry, void *argument), void *argument);

/* Entries now, capacity, times that an address moved to `port`, addresses evicted. Any thread. */
unsigned fdb_count(const struct fdb *fdb);
unsigned fdb_capacity(const struct fdb *fdb);
uint64_t fdb_moves(const struct fdb *fdb, uint16_t port);
uint64_t fdb_evictions(const struct fdb *fdb);

/* Hands out up to `max` addresses that move back and forth between two ports, each once; how many.
 * Any thread. */
unsigned fdb_take_flaps(struct fdb *fdb, struct fdb_flap *found, unsigned max);

#endif
