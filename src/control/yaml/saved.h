/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which text a configuration file has, so that `vsw config save` writes over nothing that nobody
 * has read: vswd remembers the digest of what it read, and a file that was saved says in its first
 * line, a comment, what the rest was then. Pure; any thread.
 */
#ifndef VSW_CONTROL_YAML_SAVED_H
#define VSW_CONTROL_YAML_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "0123456789abcdef" */
#define SAVED_DIGEST_SIZE 17

/* Tells texts apart; no protection against whoever means to deceive. */
void saved_digest(const char *text, size_t length, char digest[SAVED_DIGEST_SIZE]);

/* The configuration as it is saved, with that first line. To be freed; NULL where memory is
 * short. */
char *saved_text(const char *configuration);

/* True where the text is as it was saved: no person has touched it since. */
bool saved_untouched(const char *text, size_t length);

#endif
