/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/dhcp_keys.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "control/value.h"

/* Options that have keys of their own, or that the server makes by itself. */
static const uint8_t taken_options[] = {0, 1, 3, 6, 12, 15, 26, 42, 50, 51, 52, 53, 54, 55, 56, 57,
	58, 59, 61, 66, 67, 80, 82, 119, 121, 249, 255};

static bool parse_address(const char *text, uint32_t *address)
{
	struct in_addr parsed;

	if (inet_pton(AF_INET, text, &parsed) != 1)
		return false;
	*address = ntohl(parsed.s_addr);
	return true;
}

/* Somebody's: not 0.0.0.0, no group and no broadcast. */
static bool is_host(uint32_t address)
{
	return address && address >> 28 < 0xe;
}

const char *dhcp_check_address(const char *text)
{
	uint32_t address;

	return parse_address(text, &address) && is_host(address)
		       ? NULL
		       : "is not an IPv4 address such as 10.0.0.1";
}

uint32_t dhcp_read_address(const char *text)
{
	uint32_t address = 0;

	parse_address(text, &address);
	return address;
}

uint32_t dhcp_ipv4(const struct value_address *address)
{
	const uint8_t *bytes = address->bytes;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* PREFIX=ROUTER. False where it is not that. */
static bool parse_route(const char *text, struct value_address *prefix, uint32_t *router)
{
	size_t length = strcspn(text, "=");
	char copy[VALUE_ADDRESS_TEXT_SIZE];

	if (!text[length] || length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	/* The default route is the gateway's affair. */
	return !value_address_parse(copy, VALUE_PREFIX, prefix) && !prefix->ipv6 &&
	       prefix->length && parse_address(text + length + 1, router);
}

const char *dhcp_check_route(const char *text)
{
	struct value_address prefix;
	uint32_t router;

	return parse_route(text, &prefix, &router) ? NULL
						   : "is not a route of IPv4: a prefix such as "
						     "10.1.0.0/16, not all of them, and "
						     "its router's address";
}

unsigned dhcp_read_route(const char *text, uint8_t route[9])
{
	struct value_address prefix = {0};
	uint32_t router = 0;
	unsigned bytes;

	parse_route(text, &prefix, &router);
	bytes = (prefix.length + 7) / 8;
	router = htonl(router);
	route[0] = (uint8_t)prefix.length;
	memcpy(route + 1, prefix.bytes, bytes);
	memcpy(route + 1 + bytes, &router, sizeof(router));
	return 1 + bytes + (unsigned)sizeof(router);
}

/* What a value is being put into. */
struct value_bytes {
	uint8_t *bytes; /* [DHCP_OPTION_VALUE_MAX] */
	unsigned length;
	bool full;
};

static void put(struct value_bytes *value, uint8_t byte)
{
	if (value->length == DHCP_OPTION_VALUE_MAX)
		value->full = true;
	else
		value->bytes[value->length++] = byte;
}

static void put_number(struct value_bytes *value, uint32_t number, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		put(value, (uint8_t)(number >> 8 * i));
}

/* 0x0102...: pairs of digits. */
static bool parse_hex(const char *text, struct value_bytes *value)
{
	size_t length = strlen(text);

	if (!length || length % 2 || text[strspn(text, "0123456789abcdefABCDEF")])
		return false;
	for (size_t i = 0; i < length; i += 2) {
		const char digits[3] = {text[i], text[i + 1], '\0'};

		put(value, (uint8_t)strtoul(digits, NULL, 16));
	}
	return true;
}

/* u8:5, u16:1500, u32:600. */
static bool parse_number(const char *text, unsigned bytes, struct value_bytes *value)
{
	unsigned number;

	if (!value_number_parse(text, &number) || strlen(text) > 10 ||
		(bytes < 4 && number >> 8 * bytes))
		return false;
	put_number(value, number, bytes);
	return true;
}

/* Addresses with blanks between them; false where one is something else: then it is a text. */
static bool parse_addresses(const char *text, struct value_bytes *value)
{
	char copy[VALUE_TEXT_SIZE], *rest = copy, *item;
	uint32_t address;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((item = strsep(&rest, " "))) {
		if (!parse_address(item, &address))
			return false;
		put_number(value, address, sizeof(address));
	}
	return true;
}

static bool parse_value(const char *text, struct value_bytes *value)
{
	if (strncmp(text, "0x", 2) == 0)
		return parse_hex(text + 2, value);
	if (strncmp(text, "u8:", 3) == 0)
		return parse_number(text + 3, 1, value);
	if (strncmp(text, "u16:", 4) == 0)
		return parse_number(text + 4, 2, value);
	if (strncmp(text, "u32:", 4) == 0)
		return parse_number(text + 4, 4, value);
	if (strncmp(text, "text:", 5) == 0)
		text += 5;
	else if (parse_addresses(text, value))
		return true;
	value->length = 0;
	for (; *text; text++)
		put(value, (uint8_t)*text);
	return true;
}

static bool parse_option(const char *text, unsigned *number, struct value_bytes *value)
{
	size_t length = strcspn(text, "=");
	char copy[8];

	if (!text[length] || length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return value_number_parse(copy, number) && *number < 255 &&
	       parse_value(text + length + 1, value) && !value->full;
}

const char *dhcp_check_option(const char *text)
{
	uint8_t bytes[DHCP_OPTION_VALUE_MAX];
	struct value_bytes value = {.bytes = bytes};
	unsigned number;

	if (!parse_option(text, &number, &value))
		return "is not an option: a number from 1 to 254, and 0x and hexadecimal digits, "
		       "addresses, u8:, u16: or u32: and a number, or a text";
	if (memchr(taken_options, (int)number, sizeof(taken_options)))
		return "is an option that has a key of its own, or that the server fills in";
	return NULL;
}

uint8_t dhcp_read_option(const char *text, uint8_t bytes[DHCP_OPTION_VALUE_MAX], unsigned *length)
{
	struct value_bytes value = {.bytes = bytes};
	unsigned number = 0;

	parse_option(text, &number, &value);
	*length = value.length;
	return (uint8_t)number;
}

const char *dhcp_check_file(const char *text)
{
	return *text ? NULL : "is empty";
}

bool dhcp_server_is_alone(const struct model_network *network)
{
	return !network->gateway.length ||
	       (network->dhcp.server.length &&
		       dhcp_ipv4(&network->dhcp.server) != dhcp_ipv4(&network->gateway));
}

uint32_t dhcp_server_address(const struct model_network *network)
{
	struct value_address first;

	if (network->dhcp.server.length)
		return dhcp_ipv4(&network->dhcp.server);
	if (network->gateway.length)
		return dhcp_ipv4(&network->gateway);
	value_prefix_first(&network->subnet, &first);
	return dhcp_ipv4(&first);
}

bool dhcp_range(const struct model_network *network, uint32_t *from, uint32_t *to)
{
	uint32_t subnet = dhcp_ipv4(&network->subnet);
	uint32_t mask = UINT32_MAX << (32 - network->subnet.length);

	if (network->dhcp.range.count == 2) {
		*from = dhcp_read_address(network->dhcp.range.of[0]);
		*to = dhcp_read_address(network->dhcp.range.of[1]);
	} else {
		/* All but the network's own address and the broadcast. */
		*from = subnet + 1;
		*to = MIN((subnet | ~mask) - 1, *from + DHCP_RANGE_MAX - 1);
	}
	return *from <= *to;
}
