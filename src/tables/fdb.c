/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The locked half of the forwarding database: everything that changes which addresses it holds.
 *
 * Each learned entry is in the list of its port, at first in the order of learning. A refresh takes
 * no lock and so moves nothing; eviction takes that into account: what was seen since it was queued
 * goes to the end of the list instead (a second chance).
 */
#include "tables/fdb.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/spinlock.h"
#include "packet/packet.h"

/* Entries that an eviction looks at before it takes the oldest of them: bounds the lock's time. */
#define EVICTION_STEPS    8
/* Two slots for each address keep a pair of full buckets rare (below 0.1 % at capacity). */
#define SLOTS_PER_ADDRESS 2
/* Slots are named by 32 bits, with room to spare. */
#define CAPACITY_MAX      (1u << 28)

/* A slot's place in its port's list. Slots are named by their number + 1; 0 is none. */
struct fdb_link {
	uint32_t previous;
	uint32_t next;
	uint32_t queued; /* when it was seen last, as of when it came to this place */
};

/* The learned entries of a port. */
struct fdb_list {
	uint32_t first;
	uint32_t last;
	uint32_t count;
};

/* Guarded by the lock, but for the numbers that any thread may read: those are stored
 * atomically. */
struct fdb_writer {
	struct spinlock lock;
	unsigned capacity;
	unsigned port_max;
	unsigned count;
	/* The port with most learned entries, as long as it has at least `others_most`, which no
	 * other port exceeds. */
	unsigned fullest;
	uint32_t others_most;
	uint64_t evictions;
	uint64_t *moves;        /* [port_max] */
	struct fdb_list *lists; /* [port_max] */
	struct fdb_link *links; /* one for each slot */
	struct fdb_flaps flaps;
};

static uint64_t slot_count(const struct fdb *fdb)
{
	return (fdb->bucket_mask + 1) * FDB_WAYS;
}

static struct fdb_slot *slot_at(const struct fdb *fdb, uint64_t number)
{
	return &fdb->buckets[number / FDB_WAYS].slots[number % FDB_WAYS];
}

static uint32_t slot_name(const struct fdb *fdb, const struct fdb_slot *slot)
{
	return (uint32_t)(slot - fdb->buckets[0].slots) + 1;
}

static uint64_t slot_state(const struct fdb_slot *slot)
{
	return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

static uint64_t slot_key(const struct fdb_slot *slot)
{
	return __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
}

static void slot_store_state(struct fdb_slot *slot, uint64_t state)
{
	__atomic_store_n(&slot->state, state, __ATOMIC_RELEASE);
}

/* Splits one secret into several (the finalizer of SplitMix64). */
static uint64_t secret_next(uint64_t *secret)
{
	uint64_t z = *secret += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static struct fdb_writer *writer_new(unsigned capacity, unsigned port_max, uint64_t slots)
{
	struct fdb_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->capacity = capacity;
	writer->port_max = port_max;
	writer->moves = calloc(port_max, sizeof(*writer->moves));
	writer->lists = calloc(port_max, sizeof(*writer->lists));
	writer->links = calloc(slots, sizeof(*writer->links));
	if (writer->moves && writer->lists && writer->links)
		return writer;
	free(writer->links);
	free(writer->lists);
	free(writer->moves);
	free(writer);
	return NULL;
}

static void writer_free(struct fdb_writer *writer)
{
	free(writer->links);
	free(writer->lists);
	free(writer->moves);
	free(writer);
}

struct fdb *fdb_new(unsigned capacity, uint32_t ageing, unsigned port_max, uint64_t secret)
{
	uint64_t buckets = 2;
	struct fdb *fdb;

	if (capacity > CAPACITY_MAX)
		return NULL;
	while (buckets * FDB_WAYS < (uint64_t)capacity * SLOTS_PER_ADDRESS)
		buckets *= 2;
	fdb = calloc(1, sizeof(*fdb));
	if (!fdb)
		return NULL;
	fdb->bucket_mask = buckets - 1;
	fdb->ageing = ageing;
	fdb->hash_add = secret_next(&secret);
	fdb->hash_multiply = secret_next(&secret) | 1;
	fdb->writer = writer_new(capacity, port_max, slot_count(fdb));
	if (!fdb->writer)
		goto free_fdb;
	/* Mapped and not allocated: aligned, zero, and taking memory only where it is used. */
	fdb->buckets = mmap(NULL, buckets * sizeof(*fdb->buckets), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fdb->buckets == MAP_FAILED)
		goto free_writer;
	return fdb;

free_writer:
	writer_free(fdb->writer);
free_fdb:
	free(fdb);
	return NULL;
}

void fdb_free(struct fdb *fdb)
{
	if (!fdb)
		return;
	munmap(fdb->buckets, (fdb->bucket_mask + 1) * sizeof(*fdb->buckets));
	writer_free(fdb->writer);
	free(fdb);
}

void fdb_set_ageing(struct fdb *fdb, uint32_t ageing)
{
	__atomic_store_n(&fdb->ageing, ageing, __ATOMIC_RELAXED);
}

/* Puts the slot, seen at that time, at the end of the port's list. */
static void list_append(struct fdb *fdb, uint16_t port, uint32_t name, uint32_t seen)
{
	struct fdb_writer *writer = fdb->writer;
	struct fdb_list *list = &writer->lists[port];

	writer->links[name - 1] = (struct fdb_link){.previous = list->last, .queued = seen};
	if (list->last)
		writer->links[list->last - 1].next = name;
	else
		list->first = name;
	list->last = name;
	list->count++;
	if (port != writer->fullest && list->count > writer->others_most)
		writer->others_most = list->count;
}

static void list_remove(struct fdb *fdb, uint16_t port, uint32_t name)
{
	struct fdb_writer *writer = fdb->writer;
	struct fdb_list *list = &writer->lists[port];
	const struct fdb_link *link = &writer->links[name - 1];

	if (link->previous)
		writer->links[link->previous - 1].next = link->next;
	else
		list->first = link->next;
	if (link->next)
		writer->links[link->next - 1].previous = link->previous;
	else
		list->last = link->previous;
	list->count--;
}

/* Makes a free slot an entry. */
static void slot_fill(struct fdb *fdb, struct fdb_slot *slot, uint64_t key, uint16_t port,
	uint64_t flags, uint32_t now)
{
	uint64_t generation = slot_state(slot) & FDB_GENERATION_MASK;

	__atomic_store_n(&slot->key, key, __ATOMIC_RELEASE);
	slot_store_state(slot, (uint64_t)now << FDB_SEEN_SHIFT | (uint64_t)port << FDB_PORT_SHIFT |
				       FDB_VALID | flags | generation);
	if (!(flags & FDB_STATIC))
		list_append(fdb, port, slot_name(fdb, slot), now);
	__atomic_store_n(&fdb->writer->count, fdb->writer->count + 1, __ATOMIC_RELAXED);
}

/* Makes an entry a free slot. */
static void slot_clear(struct fdb *fdb, struct fdb_slot *slot)
{
	uint64_t state = slot_state(slot);

	if (!(state & FDB_STATIC))
		list_remove(fdb, fdb_state_port(state), slot_name(fdb, slot));
	slot_store_state(slot, (state + 1) & FDB_GENERATION_MASK);
	__atomic_store_n(&fdb->writer->count, fdb->writer->count - 1, __ATOMIC_RELAXED);
}

static void slot_evict(struct fdb *fdb, struct fdb_slot *slot)
{
	slot_clear(fdb, slot);
	__atomic_store_n(&fdb->writer->evictions, fdb->writer->evictions + 1, __ATOMIC_RELAXED);
}

static unsigned fullest_port(struct fdb_writer *writer)
{
	unsigned fullest = 0;

	if (writer->lists[writer->fullest].count >= writer->others_most)
		return writer->fullest;
	for (unsigned port = 1; port < writer->port_max; port++)
		if (writer->lists[port].count > writer->lists[fullest].count)
			fullest = port;
	writer->fullest = fullest;
	writer->others_most = 0;
	for (unsigned port = 0; port < writer->port_max; port++)
		if (port != fullest)
			writer->others_most = MAX(writer->others_most, writer->lists[port].count);
	return fullest;
}

/* Frees one slot of the fullest port: the first of its list that was not seen since it was queued,
 * or the oldest of those looked at. False where every entry is static. */
static bool evict_from_fullest(struct fdb *fdb)
{
	struct fdb_writer *writer = fdb->writer;
	uint16_t port = (uint16_t)fullest_port(writer);
	unsigned steps = MIN(writer->lists[port].count, EVICTION_STEPS);
	struct fdb_slot *oldest = NULL;

	if (!steps)
		return false;
	while (steps--) {
		uint32_t name = writer->lists[port].first;
		struct fdb_slot *slot = slot_at(fdb, name - 1);
		uint32_t seen = fdb_state_seen(slot_state(slot));

		if (seen == writer->links[name - 1].queued) {
			oldest = slot;
			break;
		}
		if (!oldest || (int32_t)(fdb_state_seen(slot_state(oldest)) - seen) > 0)
			oldest = slot;
		list_remove(fdb, port, name);
		list_append(fdb, port, name, seen);
	}
	slot_evict(fdb, oldest);
	return true;
}

/* A free slot for the key, NULL where both of its buckets are full: in the first, where look-ups
 * begin, as long as that is not nearly full itself, else in the emptier one. */
static struct fdb_slot *free_slot(const struct fdb *fdb, uint64_t hash)
{
	const uint64_t candidates[2] = {fdb_bucket_first(fdb, hash), fdb_bucket_second(fdb, hash)};
	struct fdb_slot *free_in[2] = {NULL, NULL};
	unsigned free_count[2] = {0, 0};

	for (unsigned b = 0; b < 2; b++) {
		struct fdb_slot *slots = fdb->buckets[candidates[b]].slots;

		for (unsigned i = 0; i < FDB_WAYS; i++) {
			if (slot_state(&slots[i]) & FDB_VALID)
				continue;
			free_in[b] = &slots[i];
			free_count[b]++;
		}
	}
	return free_in[free_count[0] < 2 && free_count[1] > free_count[0]];
}

/* Frees a slot in the key's two full buckets: the oldest one of that port among them which has the
 * most entries. NULL where all of them are static. */
static struct fdb_slot *evict_from_buckets(struct fdb *fdb, uint64_t hash)
{
	const uint64_t candidates[2] = {fdb_bucket_first(fdb, hash), fdb_bucket_second(fdb, hash)};
	const struct fdb_list *lists = fdb->writer->lists;
	struct fdb_slot *victim = NULL;
	uint64_t victim_state = 0;

	for (unsigned i = 0; i < 2 * FDB_WAYS; i++) {
		struct fdb_slot *slot = &fdb->buckets[candidates[i / FDB_WAYS]].slots[i % FDB_WAYS];
		uint64_t state = slot_state(slot);
		int64_t fuller;

		if (state & FDB_STATIC)
			continue;
		fuller = (int64_t)lists[fdb_state_port(state)].count -
			 (victim ? lists[fdb_state_port(victim_state)].count : 0);
		if (fuller > 0 || (fuller == 0 && (int32_t)(fdb_state_seen(victim_state) -
							    fdb_state_seen(state)) > 0)) {
			victim = slot;
			victim_state = state;
		}
	}
	if (victim)
		slot_evict(fdb, victim);
	return victim;
}

/* Adds a key that is not there. False where only static entries could make room. */
static bool add(struct fdb *fdb, uint64_t key, uint16_t port, uint64_t flags, uint32_t now)
{
	uint64_t hash = fdb_hash(fdb, key);
	struct fdb_slot *slot = free_slot(fdb, hash);

	if (!slot)
		slot = evict_from_buckets(fdb, hash);
	if (!slot)
		return false;
	if (fdb->writer->count >= fdb->writer->capacity && !evict_from_fullest(fdb))
		return false;
	slot_fill(fdb, slot, key, port, flags, now);
	return true;
}

/* Stores over a `seen` that a worker may be refreshing: the later of the two is this one. */
static void move(struct fdb *fdb, struct fdb_slot *slot, uint64_t state, uint16_t port,
	uint64_t flags, uint32_t now)
{
	uint32_t name = slot_name(fdb, slot);

	list_remove(fdb, fdb_state_port(state), name);
	slot_store_state(slot, (uint64_t)now << FDB_SEEN_SHIFT | (uint64_t)port << FDB_PORT_SHIFT |
				       flags | (state & FDB_IDENTITY_MASK));
	if (!(flags & FDB_STATIC))
		list_append(fdb, port, name, now);
}

enum fdb_learn_result fdb_learn_slow(struct fdb *fdb, uint64_t key, uint16_t port, uint32_t now)
{
	enum fdb_learn_result result = FDB_KNOWN;
	struct fdb_writer *writer = fdb->writer;
	struct fdb_slot *slot;
	uint64_t state;

	spinlock_lock(&writer->lock);
	slot = fdb_find(fdb, key, &state);
	if (!slot) {
		result = add(fdb, key, port, 0, now) ? FDB_ADDED : FDB_FULL;
	} else if (fdb_state_port(state) != port && (state & FDB_STATIC)) {
		result = FDB_REFUSED;
	} else if (fdb_state_port(state) != port) {
		result = fdb_state_aged(fdb, state, now) ? FDB_ADDED : FDB_MOVED;
		move(fdb, slot, state, port, 0, now);
		if (result == FDB_MOVED) {
			__atomic_store_n(
				&writer->moves[port], writer->moves[port] + 1, __ATOMIC_RELAXED);
			fdb_flap_note(&writer->flaps, key, fdb_state_port(state), port, now);
		}
	}
	spinlock_unlock(&writer->lock);
	return result;
}

int fdb_bind(struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE], uint16_t port)
{
	uint64_t key = fdb_key(network, mac), state;
	struct fdb_slot *slot;
	int result = 0;

	spinlock_lock(&fdb->writer->lock);
	slot = fdb_find(fdb, key, &state);
	if (!slot)
		result = add(fdb, key, port, FDB_STATIC, 0) ? 0 : -ENOSPC;
	else if (!(state & FDB_STATIC))
		move(fdb, slot, state, port, FDB_STATIC, 0);
	else if (fdb_state_port(state) != port)
		result = -EEXIST;
	spinlock_unlock(&fdb->writer->lock);
	return result;
}

void fdb_unbind(struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE], uint16_t port)
{
	struct fdb_slot *slot;
	uint64_t state;

	spinlock_lock(&fdb->writer->lock);
	slot = fdb_find(fdb, fdb_key(network, mac), &state);
	if (slot && (state & FDB_STATIC) && fdb_state_port(state) == port)
		slot_clear(fdb, slot);
	spinlock_unlock(&fdb->writer->lock);
}

int fdb_forget(struct fdb *fdb, uint16_t network, const uint8_t mac[MAC_SIZE])
{
	struct fdb_slot *slot;
	uint64_t state;
	int rc = -ENOENT;

	spinlock_lock(&fdb->writer->lock);
	slot = fdb_find(fdb, fdb_key(network, mac), &state);
	if (slot)
		rc = state & FDB_STATIC ? -EPERM : 0;
	if (rc == 0)
		slot_clear(fdb, slot);
	spinlock_unlock(&fdb->writer->lock);
	return rc;
}

/* Which learned entries a sweep removes. */
struct sweep {
	uint16_t port;    /* or FDB_PORT_NONE: any */
	uint16_t network; /* or NETWORK_NONE: any */
	bool aged_only;
	uint32_t now;
};

static bool sweep_takes(const struct fdb *fdb, const struct sweep *sweep, struct fdb_slot *slot)
{
	uint64_t state = slot_state(slot);

	if (!(state & FDB_VALID) || (state & FDB_STATIC))
		return false;
	if (sweep->port != FDB_PORT_NONE && sweep->port != fdb_state_port(state))
		return false;
	if (sweep->network != NETWORK_NONE && sweep->network != (uint16_t)slot_key(slot))
		return false;
	return !sweep->aged_only || fdb_state_aged(fdb, state, sweep->now);
}

/* Looks without the lock, and takes it only for a slot that is to go: a sweep of a table where
 * nothing changes stops nobody. */
static void sweep(struct fdb *fdb, const struct sweep *what)
{
	for (uint64_t number = 0; number < slot_count(fdb); number++) {
		struct fdb_slot *slot = slot_at(fdb, number);

		if (!sweep_takes(fdb, what, slot))
			continue;
		spinlock_lock(&fdb->writer->lock);
		if (sweep_takes(fdb, what, slot))
			slot_clear(fdb, slot);
		spinlock_unlock(&fdb->writer->lock);
	}
}

void fdb_flush(struct fdb *fdb, uint16_t port, uint16_t network)
{
	sweep(fdb, &(struct sweep){.port = port, .network = network});
}

void fdb_expire(struct fdb *fdb, uint32_t now)
{
	sweep(fdb, &(struct sweep){.port = FDB_PORT_NONE,
			   .network = NETWORK_NONE,
			   .aged_only = true,
			   .now = now});
}

void fdb_walk(const struct fdb *fdb, uint32_t now,
	void (*visit)(const struct fdb_entry *entry, void *argument), void *argument)
{
	for (uint64_t number = 0; number < slot_count(fdb); number++) {
		const struct fdb_slot *slot = slot_at(fdb, number);
		uint64_t key = slot_key(slot);
		uint64_t state = fdb_slot_read(slot, key);
		struct fdb_entry entry;

		if (!state || fdb_state_aged(fdb, state, now))
			continue;
		mac_from_u64(key >> 16, entry.mac);
		entry.network = (uint16_t)key;
		entry.port = fdb_state_port(state);
		entry.is_static = state & FDB_STATIC;
		entry.age = entry.is_static ? 0 : fdb_age(now, fdb_state_seen(state));
		visit(&entry, argument);
	}
}

unsigned fdb_count(const struct fdb *fdb)
{
	return __atomic_load_n(&fdb->writer->count, __ATOMIC_RELAXED);
}

unsigned fdb_capacity(const struct fdb *fdb)
{
	return fdb->writer->capacity;
}

uint64_t fdb_moves(const struct fdb *fdb, uint16_t port)
{
	return __atomic_load_n(&fdb->writer->moves[port], __ATOMIC_RELAXED);
}

unsigned fdb_take_flaps(struct fdb *fdb, struct fdb_flap *found, unsigned max)
{
	struct fdb_writer *writer = fdb->writer;
	unsigned count;

	if (!__atomic_load_n(&writer->flaps.ready, __ATOMIC_RELAXED))
		return 0;
	spinlock_lock(&writer->lock);
	count = fdb_flap_take(&writer->flaps, found, max);
	spinlock_unlock(&writer->lock);
	return count;
}

uint64_t fdb_evictions(const struct fdb *fdb)
{
	return __atomic_load_n(&fdb->writer->evictions, __ATOMIC_RELAXED);
}
