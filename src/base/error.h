/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reason in words, for errors that a person will read. A function that takes a `struct error *`
 * returns 0 or a negative errno, and on failure has filled the text: what is wrong and where,
 * no trailing newline. The text is valid UTF-8 whatever it was made of, also where its size cut it.
 * The caller owns the struct (usually on its stack); NULL is allowed.
 */
#ifndef VSW_BASE_ERROR_H
#define VSW_BASE_ERROR_H

#include "base/common.h"

struct error {
	char text[1024];
};

/* Fills *error (truncating at its size) and returns `code`, so that failing is one statement. */
int error_set(struct error *error, int code, const char *format, ...) PRINTF(3, 4);

/* As error_set(), with ": strerror(code)" appended; code is a negative errno. */
int error_set_errno(struct error *error, int code, const char *format, ...) PRINTF(3, 4);

/* Puts "prefix: " in front of what *error says already. */
void error_prefix(struct error *error, const char *format, ...) PRINTF(2, 3);

#endif
