/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC addresses: six bytes in the order of the wire, or a number whose most significant of 48 bits
 * was first on the wire. Text is "52:54:00:12:34:56". Nothing here has state or allocates.
 */
#ifndef VSW_PACKET_MAC_H
#define VSW_PACKET_MAC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_SIZE      6
/* "xx:xx:xx:xx:xx:xx" and its zero */
#define MAC_TEXT_SIZE 18
#define MAC_BROADCAST UINT64_C(0xffffffffffff)
/* The group bit of a MAC address as a number: set in multicast and broadcast addresses. */
#define MAC_GROUP_BIT (UINT64_C(1) << 40)
/* 01:80:c2:00:00:00 to :0f never pass a bridge (IEEE 802.1Q, table 8-1). */
#define MAC_RESERVED  UINT64_C(0x0180c2000000)

/* Reads exactly "xx:xx:xx:xx:xx:xx" (hexadecimal, either case). False, mac untouched, otherwise. */
bool mac_parse(const char *text, uint8_t mac[MAC_SIZE]);

/* Writes lower-case text and returns it. */
char *mac_format(const uint8_t mac[MAC_SIZE], char text[MAC_TEXT_SIZE]);

static inline uint64_t mac_to_u64(const uint8_t mac[MAC_SIZE])
{
	uint64_t number = 0;

	for (unsigned i = 0; i < MAC_SIZE; i++)
		number = number << 8 | mac[i];
	return number;
}

static inline void mac_from_u64(uint64_t number, uint8_t mac[MAC_SIZE])
{
	for (unsigned i = MAC_SIZE; i-- > 0; number >>= 8)
		mac[i] = (uint8_t)number;
}

/* True for broadcast too. */
static inline bool mac_is_multicast(const uint8_t mac[MAC_SIZE])
{
	return mac[0] & 1;
}

static inline bool mac_is_zero(const uint8_t mac[MAC_SIZE])
{
	return mac_to_u64(mac) == 0;
}

static inline bool mac_equal(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE])
{
	return memcmp(a, b, MAC_SIZE) == 0;
}

#endif
