/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lease as a line of text, for the journal that keeps leases over the end of the process: what
 * it says holds until a later line about the same address. Each line ends with a check of itself,
 * so one that a crash has cut, or something else has damaged, is told from a sound one:
 *
 *	STATE NETWORK ADDRESS UNTIL OWNER MAC CLIENT HOST CHECK
 *	bound blue 10.0.0.100 1767225600 vm1 52:54:00:00:00:01 02525400000001 web 1d2a90f3
 *
 * Pure; any thread.
 */
#ifndef VSW_SERVICE_LEASE_RECORD_H
#define VSW_SERVICE_LEASE_RECORD_H

#include <stddef.h>

#include "service/leases.h"

/* The longest line, its newline included. */
#define LEASE_RECORD_MAX 640u

struct lease_record {
	char network[LEASE_OWNER_SIZE];
	bool ipv6;
	uint8_t prefix[8]; /* of IPv6: the first half of the address */
	bool forgotten;    /* nothing is known of the address any more */
	struct lease lease;
};

/* Writes the line, with its newline and a zero behind it; its length without that. */
size_t lease_record_write(char line[LEASE_RECORD_MAX + 1], const struct lease_record *record);

/* Reads one; `length` is without the newline. False where it is not a sound one. */
bool lease_record_read(const char *line, size_t length, struct lease_record *record);

/* The address as text. */
#define LEASE_ADDRESS_TEXT_SIZE 46
void lease_record_address(const struct lease_record *record, char text[LEASE_ADDRESS_TEXT_SIZE]);

#endif
