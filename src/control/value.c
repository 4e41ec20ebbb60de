/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "base/number.h"
#include "packet/mac.h"

/* Room for one more element in an array that has `count` of them; it doubles at powers of two. */
static void *grow(void *array, unsigned count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * (size_t)count : 1, size);
}

int value_names_add(struct value_names *names, const char *name)
{
	char(*grown)[MODEL_NAME_SIZE] = grow(names->of, names->count, sizeof(*names->of));

	if (!grown)
		return -ENOMEM;
	names->of = grown;
	snprintf(grown[names->count++], sizeof(*grown), "%s", name);
	return 0;
}

int value_addresses_add(struct value_addresses *addresses, const struct value_address *address)
{
	struct value_address *grown = grow(addresses->of, addresses->count, sizeof(*addresses->of));

	if (!grown)
		return -ENOMEM;
	addresses->of = grown;
	grown[addresses->count++] = *address;
	return 0;
}

int value_texts_add(struct value_texts *texts, const char *text)
{
	char(*grown)[VALUE_TEXT_SIZE] = grow(texts->of, texts->count, sizeof(*texts->of));

	if (!grown)
		return -ENOMEM;
	texts->of = grown;
	snprintf(grown[texts->count++], sizeof(*grown), "%s", text);
	return 0;
}

int value_forwards_add(struct value_forwards *forwards, const struct value_forward *forward)
{
	struct value_forward *grown = grow(forwards->of, forwards->count, sizeof(*forwards->of));

	if (!grown)
		return -ENOMEM;
	forwards->of = grown;
	grown[forwards->count++] = *forward;
	return 0;
}

/* By what is forwarded, not where to. */
static int compare_forwards(const void *a, const void *b)
{
	const struct value_forward *x = a, *y = b;

	return x->udp != y->udp ? (int)x->udp - (int)y->udp : (int)x->port - (int)y->port;
}

void value_forwards_sort(struct value_forwards *forwards)
{
	if (forwards->count)
		qsort(forwards->of, forwards->count, sizeof(*forwards->of), compare_forwards);
}

bool value_forwards_has(const struct value_forwards *forwards, const struct value_forward *forward)
{
	for (unsigned i = 0; i < forwards->count; i++)
		if (compare_forwards(&forwards->of[i], forward) == 0)
			return true;
	return false;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int compare_addresses(const void *a, const void *b)
{
	const struct value_address *x = a;
	const struct value_address *y = b;
	int order = (int)x->ipv6 - (int)y->ipv6;

	if (!order)
		order = memcmp(x->bytes, y->bytes, sizeof(x->bytes));
	return order ? order : (int)x->length - (int)y->length;
}

void value_names_sort(struct value_names *names)
{
	if (names->count)
		qsort(names->of, names->count, sizeof(*names->of), compare_names);
}

void value_addresses_sort(struct value_addresses *addresses)
{
	if (addresses->count)
		qsort(addresses->of, addresses->count, sizeof(*addresses->of), compare_addresses);
}

bool value_names_has(const struct value_names *names, const char *name)
{
	for (unsigned i = 0; i < names->count; i++)
		if (strcmp(names->of[i], name) == 0)
			return true;
	return false;
}

bool value_addresses_has(
	const struct value_addresses *addresses, const struct value_address *address)
{
	for (unsigned i = 0; i < addresses->count; i++)
		if (compare_addresses(&addresses->of[i], address) == 0)
			return true;
	return false;
}

bool value_number_parse(const char *text, unsigned *number)
{
	uint64_t value;

	if (!number_parse(text, &value))
		return false;
	*number = (unsigned)MIN(value, UINT_MAX);
	return true;
}

void value_mac_format(const uint8_t mac[6], char text[VALUE_MAC_TEXT_SIZE])
{
	mac_format(mac, text);
}

bool value_mac_parse(const char *text, uint8_t mac[6])
{
	return mac_parse(text, mac);
}

static unsigned address_bits(const struct value_address *address)
{
	return address->ipv6 ? 128 : 32;
}

void value_address_format(const struct value_address *address, enum value_host_bits host_bits,
	char text[VALUE_ADDRESS_TEXT_SIZE])
{
	size_t used;

	inet_ntop(
		address->ipv6 ? AF_INET6 : AF_INET, address->bytes, text, VALUE_ADDRESS_TEXT_SIZE);
	used = strlen(text);
	if (host_bits == VALUE_INTERFACE || address->length < address_bits(address))
		snprintf(text + used, VALUE_ADDRESS_TEXT_SIZE - used, "/%u", address->length);
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
static bool has_bits(const struct value_address *address, unsigned from)
{
	for (unsigned bit = from; bit < address_bits(address); bit++)
		if (address->bytes[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

bool value_prefix_holds(const struct value_address *prefix, const struct value_address *address)
{
	if (!prefix->length || !address->length || prefix->ipv6 != address->ipv6 ||
		address->length < prefix->length)
		return false;
	for (unsigned bit = 0; bit < prefix->length; bit++)
		if ((prefix->bytes[bit / 8] ^ address->bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

void value_prefix_first(const struct value_address *prefix, struct value_address *address)
{
	*address = *prefix;
	address->length = address_bits(prefix);
	address->bytes[address->length / 8 - 1] |= 1;
}

bool value_prefix_reserves(const struct value_address *prefix, const struct value_address *address)
{
	unsigned ones = 0, bits = address_bits(prefix) - prefix->length;

	for (unsigned bit = prefix->length; bit < address_bits(prefix); bit++)
		ones += (address->bytes[bit / 8] & 0x80 >> bit % 8) != 0;
	return ones == 0 || (!prefix->ipv6 && ones == bits);
}

static bool is_multicast(const struct value_address *address)
{
	return address->ipv6 ? address->bytes[0] == 0xff : (address->bytes[0] & 0xf0) == 0xe0;
}

/* What is wrong with it as the address of an interface. */
static const char *check_interface(const struct value_address *address)
{
	if (!has_bits(address, 0))
		return "is the unspecified address";
	/* Two addresses, or one, are a network without an address of its own. */
	if (address->length + 1 < address_bits(address) && !has_bits(address, address->length))
		return "is the address of the network itself, not of an interface in it";
	return NULL;
}

const char *value_address_parse(
	const char *text, enum value_host_bits host_bits, struct value_address *address)
{
	char copy[VALUE_ADDRESS_TEXT_SIZE];
	char *slash;

	*address = (struct value_address){.ipv6 = strchr(text, ':')};
	if (strlen(text) >= sizeof(copy))
		return "is too long for an IP address";
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (inet_pton(address->ipv6 ? AF_INET6 : AF_INET, copy, address->bytes) != 1)
		return host_bits == VALUE_INTERFACE
			       ? "is not an IP address with the length of its network, such as "
				 "10.0.0.1/24 or fd00::1/64"
			       : "is not an IP address or prefix such as 10.0.0.1, 10.1.0.0/16 or "
				 "fd00::1";
	if (host_bits == VALUE_INTERFACE && !slash)
		return "needs the length of its network, such as 10.0.0.1/24 or fd00::1/64";
	address->length = address_bits(address);
	if (slash && !parse_length(slash + 1, address_bits(address), &address->length))
		return address->ipv6 ? "needs a prefix length from 0 to 128 behind '/'"
				     : "needs a prefix length from 0 to 32 behind '/'";
	if (host_bits == VALUE_PREFIX && has_bits(address, address->length))
		return "has bits set behind its prefix: an address and its network are two things";
	if (address->length && is_multicast(address))
		return "is a multicast address";
	if (host_bits == VALUE_INTERFACE)
		return check_interface(address);
	if (address->length == address_bits(address) && !has_bits(address, 0))
		return "is the unspecified address";
	return NULL;
}

void value_forward_format(const struct value_forward *forward, char text[VALUE_FORWARD_TEXT_SIZE])
{
	bool bracketed = strchr(forward->target, ':');

	snprintf(text, VALUE_FORWARD_TEXT_SIZE, "%s/%u=%s%s%s:%u", forward->udp ? "udp" : "tcp",
		forward->port, bracketed ? "[" : "", forward->target, bracketed ? "]" : "",
		forward->target_port);
}

/* A port of TCP or UDP, with nothing behind it. */
static bool parse_port(const char *text, unsigned *port)
{
	return value_number_parse(text, port) && *text != '0' && *port >= 1 && *port <= 65535;
}

const char *value_forward_parse(const char *text, struct value_forward *forward)
{
	static const char wrong[] = "is no forwarding of a port such as tcp/8080=vm1:80";
	char copy[VALUE_FORWARD_TEXT_SIZE];
	char *equals, *colon, *target;
	size_t length;

	*forward = (struct value_forward){.udp = strncmp(text, "udp/", 4) == 0};
	if (strlen(text) >= sizeof(copy) || (!forward->udp && strncmp(text, "tcp/", 4) != 0))
		return wrong;
	strcpy(copy, text);
	equals = strchr(copy, '=');
	colon = equals ? strrchr(equals, ':') : NULL;
	if (!colon)
		return wrong;
	*equals = *colon = '\0';
	target = equals + 1;
	if (!parse_port(copy + 4, &forward->port) || !parse_port(colon + 1, &forward->target_port))
		return "names a port that is none: 1 to 65535";
	length = strlen(target);
	if (length > 2 && target[0] == '[' && target[length - 1] == ']') {
		target[length - 1] = '\0';
		target++;
	}
	if (!*target || strlen(target) >= sizeof(forward->target))
		return wrong;
	strcpy(forward->target, target);
	return NULL;
}
