/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071): partial sums over bytes wherever they lie, and finishing the
 * transport checksum of a packet whose sender left it to us.
 *
 * A struct checksum is a running sum; pieces may have any length and begin anywhere, also in the
 * middle of a 16-bit word. Results are numbers as they stand in a header: for store_be16(). Each
 * byte is read once, so a tail that its owner changes meanwhile yields a wrong sum for that owner's
 * packet and nothing worse. Nothing here fails or allocates; any thread.
 */
#ifndef VSW_PACKET_CHECKSUM_H
#define VSW_PACKET_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/headers.h"
#include "packet/packet.h"

struct checksum {
	uint64_t sum; /* of 16-bit words in the machine's order, not folded */
	bool odd;     /* so many bytes were added that the next one is the second of a word */
};

/* Adds `length` bytes; at most 2^32 in all. */
void checksum_add(struct checksum *checksum, const void *bytes, size_t length);

/* The sum so far, folded into 16 bits and not inverted: what a field of a packet whose checksum is
 * to be completed by others holds. */
uint16_t checksum_fold(const struct checksum *checksum);

/* The checksum: the folded sum, inverted. */
static inline uint16_t checksum_finish(const struct checksum *checksum)
{
	return (uint16_t)~checksum_fold(checksum);
}

/* One's complement addition of two folded sums, or of a folded sum and a 16-bit field. */
static inline uint16_t checksum_plus(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)(sum + (sum >> 16));
}

/* The folded sum where a 16-bit field that it covers changes (RFC 1624). */
static inline uint16_t checksum_change(uint16_t sum, uint16_t from, uint16_t to)
{
	return checksum_plus(checksum_plus(sum, (uint16_t)~from), to);
}

/* The folded sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1). ip: an IPv4 or IPv6 header
 * with its addresses. length: bytes of the transport header and payload. */
uint16_t checksum_pseudo_ipv4(const uint8_t *ip, uint8_t protocol, uint16_t length);
uint16_t checksum_pseudo_ipv6(const uint8_t *ip, uint8_t protocol, uint32_t length);

/* Writes the checksum of the IPv4 header of `size` bytes at ip. */
void checksum_ipv4_header(uint8_t *ip, unsigned size);

/* Where the checksum field lies within a TCP or UDP header. */
static inline unsigned checksum_l4_offset(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
}

/*
 * The bytes of transport header and payload that the IP header of a parsed packet with l4_offset !=
 * 0 claims; more than the packet has, or 0, where it lies. What follows them is padding.
 */
uint32_t packet_l4_length(const struct packet *packet);

/*
 * The complete transport checksum of a parsed packet of TCP or UDP whose checksum field holds the
 * sum of the pseudo header; for UDP never zero.
 */
uint16_t packet_l4_checksum(const struct packet *packet);

/*
 * Finishes the checksum of a packet that needs OFFLOAD_CHECKSUM and no segmentation, in place: the
 * field in the head becomes complete, and the need is gone, for all further receivers too.
 */
void packet_checksum_complete(struct packet *packet);

#endif
