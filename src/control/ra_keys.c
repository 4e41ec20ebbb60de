/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/ra_keys.h"

#include <string.h>

#include "control/value.h"

const char *ra_check_address(const char *text)
{
	struct value_address address;

	return !value_address_parse(text, VALUE_PREFIX, &address) && address.ipv6 &&
			       address.length == 128
		       ? NULL
		       : "is not an IPv6 address such as fd00::1";
}

const char *ra_check_prefix(const char *text)
{
	struct value_address prefix;

	return !value_address_parse(text, VALUE_PREFIX, &prefix) && prefix.ipv6 && prefix.length
		       ? NULL
		       : "is not a prefix of IPv6 such as fd00:1::/32";
}

void ra_read_prefix(const char *text, uint8_t prefix[16], uint8_t *length)
{
	struct value_address address = {0};

	value_address_parse(text, VALUE_PREFIX, &address);
	memcpy(prefix, address.bytes, 16);
	*length = (uint8_t)address.length;
}
