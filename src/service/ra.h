/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Router advertisements of a network (RFC 4861, 8106, 4191): what is said, when, and to whom.
 * Solicitations are answered to the station that they came from only; everybody is told now and
 * then, more often at first, as RFC 4861, 6.2.4 has it. Pure, with time as an argument, in
 * milliseconds of any clock; one thread for each schedule.
 */
#ifndef VSW_SERVICE_RA_H
#define VSW_SERVICE_RA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/mac.h"

#define RA_FRAME_MAX  1280u
#define RA_DNS_MAX    8u
#define RA_ROUTES_MAX 16u
#define RA_SEARCH_MAX 512u
#define RA_ADDRESS    16u

struct ra_route {
	uint8_t prefix[RA_ADDRESS];
	uint8_t length; /* bits */
};

/* What a network announces. */
struct ra_settings {
	uint8_t mac[MAC_SIZE]; /* of the router; its link-local address follows (RFC 4291, A) */
	uint16_t lifetime;     /* seconds; 0: it is no default router */
	bool managed, other;   /* addresses, or only the rest, by DHCPv6 */
	uint32_t mtu;          /* 0: not said */
	uint8_t prefix[RA_ADDRESS];
	uint8_t prefix_length;
	bool autonomous;           /* stations make addresses of the prefix for themselves */
	uint32_t valid, preferred; /* seconds, of these */
	uint32_t interval;         /* seconds: the longest time between two */
	uint8_t dns[RA_DNS_MAX][RA_ADDRESS];
	unsigned dns_count;
	uint8_t search[RA_SEARCH_MAX]; /* domains as DNS has them (RFC 1035, 3.1) */
	unsigned search_length;
	struct ra_route routes[RA_ROUTES_MAX];
	unsigned route_count;
};

/* The link-local address of an interface with this MAC address. */
void ra_link_local(const uint8_t mac[MAC_SIZE], uint8_t address[RA_ADDRESS]);

/* Writes the advertisement for all stations; its length. */
size_t ra_announce(const struct ra_settings *settings, uint8_t frame[RA_FRAME_MAX]);

/* Answers a solicitation; 0 where the frame is no sound one (RFC 4861, 6.1.1). */
size_t ra_answer(const struct ra_settings *settings, const uint8_t *solicitation, size_t length,
	uint8_t frame[RA_FRAME_MAX]);

/* When everybody is told next. */
struct ra_schedule {
	uint64_t due;   /* ms */
	unsigned early; /* of the first ones that are still to come */
};

/* The first is due at once. */
void ra_schedule_begin(struct ra_schedule *schedule, uint64_t now);
/* True where one is due; then the next is in a time that `random` chooses. */
bool ra_schedule_due(struct ra_schedule *schedule, const struct ra_settings *settings, uint64_t now,
	uint32_t random);

#endif
