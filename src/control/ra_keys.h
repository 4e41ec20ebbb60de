/* SPDX-License-Identifier: BSD-3-Clause */
/* The texts of a network's keys of IPv6: what they may be, and what they mean. Pure; any thread. */
#ifndef VSW_CONTROL_RA_KEYS_H
#define VSW_CONTROL_RA_KEYS_H

#include <stdint.h>

/* Items of the lists: what an advertisement has room for (service/ra.h). */
#define RA_KEYS_DNS_MAX    8
#define RA_KEYS_SEARCH_MAX 3
#define RA_KEYS_ROUTES_MAX 16

/* As schema_key.check: NULL, or what is wrong. */
const char *ra_check_address(const char *text);
const char *ra_check_prefix(const char *text);

/* Reads what ra_check_prefix() accepts. */
void ra_read_prefix(const char *text, uint8_t prefix[16], uint8_t *length);

#endif
