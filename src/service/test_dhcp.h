/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's messages for tests, made by hand: the other half of dhcp_message.h, which does not
 * share its text.
 */
#ifndef VSW_SERVICE_TEST_DHCP_H
#define VSW_SERVICE_TEST_DHCP_H

#include <stdint.h>
#include <string.h>

#include "packet/headers.h"
#include "service/datagram.h"

struct test_dhcp {
	uint8_t bytes[1024];
	size_t length;
};

static const uint8_t test_dhcp_mac[MAC_SIZE] = {0x52, 0x54, 0, 0, 0, 1};

static inline void test_dhcp_add(
	struct test_dhcp *message, uint8_t code, const void *bytes, uint8_t length)
{
	message->bytes[message->length++] = code;
	message->bytes[message->length++] = length;
	if (length)
		memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

static inline void test_dhcp_add_u32(struct test_dhcp *message, uint8_t code, uint32_t value)
{
	uint8_t bytes[4];

	store_be32(bytes, value);
	test_dhcp_add(message, code, bytes, 4);
}

/* type 0: BOOTP. */
static inline void test_dhcp_begin(struct test_dhcp *message, uint8_t type)
{
	memset(message, 0, sizeof(*message));
	memcpy(message->bytes, "\x01\x01\x06\x00\x11\x22\x33\x44", 8);
	memcpy(message->bytes + 28, test_dhcp_mac, MAC_SIZE);
	memcpy(message->bytes + 236, "\x63\x82\x53\x63", 4);
	message->length = 240;
	if (type)
		test_dhcp_add(message, 53, &type, 1);
}

static inline void test_dhcp_end(struct test_dhcp *message)
{
	message->bytes[message->length++] = 255;
}

/* The frame of a client without an address. */
static inline size_t test_dhcp_frame(
	uint8_t *frame, size_t room, const struct test_dhcp *message, uint32_t source)
{
	struct datagram datagram = {
		.source_port = 68,
		.destination_port = 67,
		.payload = message->bytes,
		.length = message->length,
	};

	memcpy(datagram.source_mac, test_dhcp_mac, MAC_SIZE);
	memset(datagram.destination_mac, 0xff, MAC_SIZE);
	store_be32(datagram.source, source);
	store_be32(datagram.destination, UINT32_MAX);
	return datagram_write(frame, room, &datagram);
}

/* An option's value in a reply, and its length through *length; NULL: it is not there. */
static inline const uint8_t *test_dhcp_option(
	const uint8_t *message, size_t size, uint8_t code, size_t *length)
{
	for (size_t at = 240; at + 1 < size && message[at] != 255;) {
		if (message[at] == 0) {
			at++;
			continue;
		}
		if (message[at] == code) {
			*length = message[at + 1];
			return message + at + 2;
		}
		at += 2u + message[at + 1];
	}
	return NULL;
}

#endif
