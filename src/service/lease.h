/* SPDX-License-Identifier: BSD-3-Clause */
/* A lease, and whose it is (leases.h). */
#ifndef VSW_SERVICE_LEASE_H
#define VSW_SERVICE_LEASE_H

#include <stdint.h>

#include "packet/mac.h"

/* A DUID has up to 130 bytes (RFC 8415, 11.1), and its IAID four. */
#define LEASE_CLIENT_MAX 136
#define LEASE_OWNER_SIZE 64
/* A label of DNS has up to 63 characters. */
#define LEASE_HOST_SIZE  64

enum lease_state { LEASE_PAST, LEASE_OFFERED, LEASE_BOUND, LEASE_DECLINED };

/* Ids that begin with this are the table's own: of what was declined. */
#define LEASE_NOBODY 0

struct lease_client {
	char owner[LEASE_OWNER_SIZE];
	uint8_t length;
	uint8_t id[LEASE_CLIENT_MAX];
};

struct lease {
	struct lease_client client;
	uint64_t address;
	uint64_t until; /* seconds; of a past one, when it ended */
	enum lease_state state;
	uint8_t mac[MAC_SIZE];      /* zero where it is not known */
	char host[LEASE_HOST_SIZE]; /* what the client calls itself; "": nothing */
};

#endif
