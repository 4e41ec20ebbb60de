/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"

/* Bytes of the character that this byte leads; 0 where it leads none. */
static size_t length_of(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t text_character(const char *text, size_t left, uint32_t *code)
{
	/* The first code that needs so many bytes. */
	static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = left ? length_of((uint8_t)*text) : 0;

	if (length == 0 || length > left)
		return 0;
	*code = length == 1 ? (uint8_t)*text : (uint8_t)*text & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | ((uint8_t)text[i] & 0x3f);
	}
	if (*code < first[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

/* True where the rest of the string is the beginning of one character. */
static bool is_cut(const char *text, size_t left)
{
	if (left >= length_of((uint8_t)*text))
		return false;
	for (size_t i = 1; i < left; i++)
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return false;
	return true;
}

void text_mend(char *text)
{
	size_t left = strlen(text);

	while (left) {
		uint32_t code;
		size_t step = text_character(text, left, &code);

		if (step == 0 && is_cut(text, left)) {
			*text = '\0';
			return;
		}
		if (step == 0) {
			*text = '?';
			step = 1;
		}
		text += step;
		left -= step;
	}
}

/* Controls (ASCII's and U+0080 to U+009F), line and paragraph separators, and what turns the
 * direction of text, so that a line may look like another one. */
static bool printable(uint32_t code)
{
	return code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0x61c && code != 0xfeff &&
	       (code < 0x200b || code > 0x200f) && (code < 0x2028 || code > 0x202e) &&
	       (code < 0x2060 || code > 0x206f);
}

size_t text_print(char *to, size_t size, const char *text, size_t length)
{
	size_t used = 0;

	while (length) {
		uint32_t code;
		size_t step = text_character(text, length, &code);
		bool as_it_is = step && printable(code);

		step = MAX(step, 1);
		if (used + (as_it_is ? step : 4 * step) >= size)
			break;
		for (size_t i = 0; i < step && !as_it_is; i++)
			used += (size_t)snprintf(
				to + used, size - used, "\\x%02x", (uint8_t)text[i]);
		if (as_it_is) {
			memcpy(to + used, text, step);
			used += step;
		}
		text += step;
		length -= step;
	}
	to[used] = '\0';
	return used;
}
