/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses that move back and forth between two ports: what a loop does to a forwarding database,
 * many times a second. One that moves once (a migration, a VRRP master that gives way) or now and
 * then (two masters that both announce themselves) is none.
 *
 * A table of fixed size, guarded by the lock of the FDB that notes its moves here. Who comes to a
 * place first has it until its seconds are over, so that of thousands of addresses in one loop some
 * are watched long enough.
 */
#ifndef VSW_TABLES_FDB_FLAP_H
#define VSW_TABLES_FDB_FLAP_H

#include <stdint.h>

/* Moves between the same two ports within FDB_FLAP_SECONDS, each of them back from where the last
 * one led to, that make a flap. A loop makes thousands; two stations that each announce an address
 * once a second make four. */
#define FDB_FLAP_MOVES   16
#define FDB_FLAP_SECONDS 2
#define FDB_FLAP_MAX     256

struct fdb_flap {
	uint64_t key;      /* fdb_key() */
	uint16_t ports[2]; /* the smaller index first */
	uint32_t since;    /* seconds */
	uint32_t moves;    /* 0: no entry */
};

struct fdb_flaps {
	unsigned ready; /* entries with enough moves; stored atomically, any thread may read it */
	struct fdb_flap of[FDB_FLAP_MAX];
};

/* Notes that the key moved. now: s. */
void fdb_flap_note(struct fdb_flaps *flaps, uint64_t key, uint16_t from, uint16_t to, uint32_t now);

/* Copies up to `max` entries with enough moves to `found` and forgets them; how many. */
unsigned fdb_flap_take(struct fdb_flaps *flaps, struct fdb_flap *found, unsigned max);

#endif
