/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/saved.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define FIRST_LINE "# Written by 'vsw config save' ("
#define LINE_END   ").\n"

void saved_digest(const char *text, size_t length, char digest[SAVED_DIGEST_SIZE])
{
	snprintf(digest, SAVED_DIGEST_SIZE, "%016" PRIx64, (uint64_t)XXH3_64bits(text, length));
}

char *saved_text(const char *configuration)
{
	char digest[SAVED_DIGEST_SIZE], *text;

	saved_digest(configuration, strlen(configuration), digest);
	return asprintf(&text, FIRST_LINE "%s" LINE_END "%s", digest, configuration) < 0 ? NULL
											 : text;
}

bool saved_untouched(const char *text, size_t length)
{
	const size_t first = strlen(FIRST_LINE), end = strlen(LINE_END);
	const size_t before = first + SAVED_DIGEST_SIZE - 1 + end;
	char digest[SAVED_DIGEST_SIZE];

	if (length < before || memcmp(text, FIRST_LINE, first) != 0 ||
		memcmp(text + before - end, LINE_END, end) != 0)
		return false;
	saved_digest(text + before, length - before, digest);
	return memcmp(text + first, digest, SAVED_DIGEST_SIZE - 1) == 0;
}
