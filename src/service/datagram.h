/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP in a whole Ethernet frame, read and made: what DHCP of both versions needs. RFC 768, 791,
 * 8200. What is read must be one whole, sound datagram: not a fragment, no IPv6 extension headers,
 * lengths that fit each other and the frame, and a checksum that is right (of IPv4 it may be
 * missing). Nothing here has state; any thread.
 */
#ifndef VSW_SERVICE_DATAGRAM_H
#define VSW_SERVICE_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/mac.h"

/* In front of the payload, of IPv6. */
#define DATAGRAM_HEADERS_MAX (14u + 40u + 8u)

struct datagram {
	uint8_t source_mac[MAC_SIZE], destination_mac[MAC_SIZE];
	bool ipv6;
	uint8_t source[16], destination[16]; /* as on the wire; of IPv4 the first four */
	uint16_t source_port, destination_port;
	const uint8_t *payload; /* within the frame that was read */
	size_t length;          /* of the payload */
};

/* False where the frame is something else; *datagram is to be ignored then. */
bool datagram_read(const uint8_t *frame, size_t length, struct datagram *datagram);

/* Makes the frame; its length, or 0 where it does not fit the room. The payload may not overlap
 * with the frame. */
size_t datagram_write(uint8_t *frame, size_t room, const struct datagram *datagram);

#endif
