/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model.h"

int model_port_add_address(struct model_port *port, const struct model_address *address)
{
	struct model_address *grown = reallocarray(
		port->addresses, (size_t)port->address_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	port->addresses = grown;
	grown[port->address_count++] = *address;
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	const struct model_address *x = a;
	const struct model_address *y = b;
	int order = (int)x->ipv6 - (int)y->ipv6;

	if (!order)
		order = memcmp(x->bytes, y->bytes, sizeof(x->bytes));
	return order ? order : (int)x->length - (int)y->length;
}

void model_sort_addresses(struct model_port *port)
{
	if (port->address_count)
		qsort(port->addresses, port->address_count, sizeof(*port->addresses),
			compare_addresses);
}

static unsigned address_bits(const struct model_address *address)
{
	return address->ipv6 ? 128 : 32;
}

void model_address_format(const struct model_address *address, char text[MODEL_ADDRESS_TEXT_SIZE])
{
	size_t used;

	inet_ntop(
		address->ipv6 ? AF_INET6 : AF_INET, address->bytes, text, MODEL_ADDRESS_TEXT_SIZE);
	used = strlen(text);
	if (address->length < address_bits(address))
		snprintf(text + used, MODEL_ADDRESS_TEXT_SIZE - used, "/%u", address->length);
}

/* One to three digits without leading zeros; at most `maximum`. */
static bool parse_length(const char *text, unsigned maximum, unsigned *length)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 3 || text[digits] || (text[0] == '0' && digits > 1))
		return false;
	*length = (unsigned)atoi(text);
	return *length <= maximum;
}

/* True where a bit from number `from` on is set. */
static bool has_bits(const struct model_address *address, unsigned from)
{
	for (unsigned bit = from; bit < address_bits(address); bit++)
		if (address->bytes[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

static bool is_multicast(const struct model_address *address)
{
	return address->ipv6 ? address->bytes[0] == 0xff : (address->bytes[0] & 0xf0) == 0xe0;
}

const char *model_address_parse(const char *text, struct model_address *address)
{
	char copy[MODEL_ADDRESS_TEXT_SIZE];
	char *slash;

	*address = (struct model_address){.ipv6 = strchr(text, ':')};
	if (strlen(text) >= sizeof(copy))
		return "is too long for an IP address";
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (inet_pton(address->ipv6 ? AF_INET6 : AF_INET, copy, address->bytes) != 1)
		return "is not an IP address or prefix such as 10.0.0.1, 10.1.0.0/16 or fd00::1";
	address->length = address_bits(address);
	if (slash && !parse_length(slash + 1, address_bits(address), &address->length))
		return address->ipv6 ? "needs a prefix length from 0 to 128 behind '/'"
				     : "needs a prefix length from 0 to 32 behind '/'";
	if (has_bits(address, address->length))
		return "has bits set behind its prefix: an address and its network are two things";
	if (address->length && is_multicast(address))
		return "is a multicast address";
	if (address->length == address_bits(address) && !has_bits(address, 0))
		return "is the unspecified address";
	return NULL;
}
