/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/mac.h"

#include <stdio.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(const char *text, uint8_t mac[MAC_SIZE])
{
	uint8_t parsed[MAC_SIZE];

	if (strnlen(text, MAC_TEXT_SIZE) != MAC_TEXT_SIZE - 1)
		return false;
	for (unsigned i = 0; i < MAC_SIZE; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < MAC_SIZE - 1 && text[3 * i + 2] != ':'))
			return false;
		parsed[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(mac, parsed, MAC_SIZE);
	return true;
}

char *mac_format(const uint8_t mac[MAC_SIZE], char text[MAC_TEXT_SIZE])
{
	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return text;
}
