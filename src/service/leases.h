/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which address of a network, and until when: the state of DHCP, of either version. One
 * table a network and version. Addresses are numbers here: an IPv4 address in host order, or the
 * second half of an IPv6 address, whose first half is that of the network.
 *
 *	           offer            bind                  time, release
 *	(nothing) -------> OFFERED -------> BOUND --------------------> PAST
 *	                      |               | decline                  |
 *	                      |               '-------> DECLINED --------|
 *	                      '------------ time ------------------------'
 *
 * A client is known by what it calls itself *and* by its owner, the port where it is: whoever
 * claims at another port to be the same client is another. An owner may hold so many addresses as
 * the pool's limit says (offered, bound or declined), so that one with a thousand MAC addresses
 * takes no more than its share. PAST is what makes a client get the address that it had. Of these
 * an owner has so many as its share allows, too: beyond that its own oldest goes. Where no address
 * is left that nobody is known to have had, the oldest of the owner with the most of them is given
 * away. No other owner gets one by asking for it.
 *
 * The stages of one machine's boot call themselves differently, and a new system does, too. So
 * where an owner may hold no more, a client takes over what another of the same owner and MAC
 * address holds.
 *
 * What a call costs does not grow with the table, whatever clients do.
 *
 * Time is in seconds of the wall clock, an argument: leases outlive the process.
 *
 * One thread. A lease that is handed out is good until the next call that changes the table.
 */
#ifndef VSW_SERVICE_LEASES_H
#define VSW_SERVICE_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "service/lease.h"
#include "service/lease_pool.h"

enum lease_result {
	LEASE_OK,
	LEASE_NONE_LEFT, /* all addresses are taken */
	LEASE_LIMIT,     /* its owner holds as many as it may */
	LEASE_TAKEN,     /* the address is another's, or not of the pool */
	LEASE_MEMORY,
};

struct leases;

/* seed: secret, so that nobody can choose clients that collide. NULL where memory is short. */
struct leases *leases_new(uint64_t seed);
void leases_free(struct leases *leases);

/* What the client has, or had. NULL: nothing. */
const struct lease *leases_find(const struct leases *leases, const struct lease_client *client);
/* Who has the address, or had it last. */
const struct lease *leases_at(const struct leases *leases, uint64_t address);

/*
 * Chooses an address for the client and keeps it until then: the one that it has or had, else
 * `wish` where that is free (0: none) and no other owner had it, else one that nobody had, else
 * one that has been free for long. What is bound stays bound. LEASE_OK and *lease, or why there is
 * none.
 */
enum lease_result leases_offer(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t wish, uint64_t until,
	const uint8_t mac[MAC_SIZE], const struct lease **lease);

/* Binds the address to the client until then; what else it held it holds no more. mac, host: noted
 * with it. LEASE_OK and *lease, or why not: LEASE_TAKEN also where another owner had it last. */
enum lease_result leases_bind(struct leases *leases, const struct lease_pool *pool,
	const struct lease_client *client, uint64_t address, uint64_t until,
	const uint8_t mac[MAC_SIZE], const char *host, const struct lease **lease);

/* The client gives the address back. What is past by that; NULL where it was not the client's, or
 * only offered: there is nothing to be kept then. */
const struct lease *leases_release(
	struct leases *leases, const struct lease_client *client, uint64_t address, uint64_t now);

/* The client says that somebody else uses the address: nobody gets it until then. NULL where it is
 * not the client's. */
const struct lease *leases_decline(
	struct leases *leases, const struct lease_client *client, uint64_t address, uint64_t until);

/* Puts a lease of a former process in, over what there is of its client and address. False where
 * memory is short. */
bool leases_restore(struct leases *leases, const struct lease *lease);
/* Forgets all about an address. False where nothing was known. */
bool leases_forget(struct leases *leases, uint64_t address);

/* Makes past what is over; returns how many bound ones. */
unsigned leases_expire(struct leases *leases, uint64_t now);
/* When leases_expire() has something to do next; UINT64_MAX: never. */
uint64_t leases_next(const struct leases *leases);

/* Leases of this state, and of all. */
unsigned leases_count(const struct leases *leases, enum lease_state state);
unsigned leases_total(const struct leases *leases);

/* All that is known, by a position below leases_total() that changes with the table. */
const struct lease *leases_get(const struct leases *leases, unsigned position);

#endif
