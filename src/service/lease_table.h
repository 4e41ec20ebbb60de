/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leases.h knows, and how it is found: entries by client, by address, by owner and by the time
 * when they end. Whoever may have what is decided in leases.c, which alone uses this. One thread.
 */
#ifndef VSW_SERVICE_LEASE_TABLE_H
#define VSW_SERVICE_LEASE_TABLE_H

#include "service/free_addresses.h"
#include "service/lease.h"

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

/* seed: secret. NULL where memory is short. */
struct leases *lease_table_new(uint64_t seed);
void lease_table_free(struct leases *leases);

/* NULL: there is none. */
struct entry *lease_table_find(const struct leases *leases, const struct lease_client *client);
struct entry *lease_table_at(const struct leases *leases, uint64_t address);
struct owner *lease_table_owner(const struct leases *leases, const char *name);
/* The owner with the most past leases; NULL: nobody has any. */
struct owner *lease_table_fullest(const struct leases *leases);

bool lease_client_same(const struct lease_client *a, const struct lease_client *b);

/* Where the search for the client's address begins. It can be seen from outside, so it tells
 * nothing of what the hashes begin with. */
uint64_t lease_table_place(const struct leases *leases, const struct lease_client *client);

/* A past lease of an address that nobody is known to have; NULL where memory is short. */
struct entry *lease_table_add(
	struct leases *leases, const struct lease_client *client, uint64_t address);
/* Its owner goes with its last lease. */
void lease_table_drop(struct leases *leases, struct entry *entry);

/* Gives the entry, which may be of any state, another one. */
void lease_table_enter(
	struct leases *leases, struct entry *entry, enum lease_state state, uint64_t until);
/* Gives it to another client of the same owner, of which nothing is known. */
void lease_table_rename(
	struct leases *leases, struct entry *entry, const struct lease_client *client);

#endif
