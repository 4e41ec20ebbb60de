/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port's frames may claim to be: the configuration's `mac`, `ip` and `trusted`, in the form
 * in which security.h compares them. Immutable once a topology that holds it is published.
 */
#ifndef VSW_FORWARD_SECURITY_RULES_H
#define VSW_FORWARD_SECURITY_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* Addresses and prefixes of a port: they are compared one after the other, for each frame. */
#define SECURITY_ADDRESS_MAX 64

struct security_ipv4 {
	uint32_t address; /* host order, masked */
	uint32_t mask;
};

struct security_ipv6 {
	uint64_t address[2]; /* host order, masked; the first half first */
	uint64_t mask[2];
};

struct security_rules {
	bool has_mac;
	uint8_t mac[6];
	bool has_addresses;    /* the lists below are all that the port may use */
	bool link_local_bound; /* some are within fe80::/10: then no others from there */
	bool trusted;          /* may be a router and a DHCP server */
	unsigned ipv4_count;
	unsigned ipv6_count;
	struct security_ipv4 ipv4[SECURITY_ADDRESS_MAX];
	struct security_ipv6 ipv6[SECURITY_ADDRESS_MAX];
};

/* Adds a prefix of 0 to 32 / 0 to 128 bits to those that the port may use. The address is in the
 * order of the wire. False where the list is full. */
bool security_allow_ipv4(struct security_rules *rules, const uint8_t address[4], unsigned length);
bool security_allow_ipv6(struct security_rules *rules, const uint8_t address[16], unsigned length);

/* True where the address is in the list; IPv6 in the order of the wire. */
bool security_lists_ipv4(const struct security_rules *rules, uint32_t address);
bool security_lists_ipv6(const struct security_rules *rules, const uint8_t address[16]);

#endif
