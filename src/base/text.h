/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that others wrote, or that was cut to fit: made valid UTF-8 for JSON, and harmless for a log
 * or a terminal. Stateless; any thread.
 */
#ifndef VSW_BASE_TEXT_H
#define VSW_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The character at the beginning of text[0..left-1]: its length in bytes, 1 to 4, and *code. 0
 * where no valid character of UTF-8 begins there (RFC 3629: no overlong form, no surrogate, at most
 * U+10FFFF).
 */
size_t text_character(const char *text, size_t left, uint32_t *code);

/* Makes a string valid UTF-8 in place: a character that its end cuts in two is dropped, any other
 * byte that belongs to none becomes '?'. */
void text_mend(char *text);

/*
 * Copies text[0..length-1] in a form that is safe to print: characters stay as they are, but
 * controls, what changes the direction of text, and bytes that are no characters, whose bytes
 * become \xNN. At most size - 1 bytes, cut between characters, and a terminating zero (size >= 1).
 * Returns the length.
 */
size_t text_print(char *to, size_t size, const char *text, size_t length);

#endif
