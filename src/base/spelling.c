/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/spelling.h"

#include <limits.h>
#include <string.h>

unsigned spelling_distance(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b);
	/* Of the matrix of all beginnings of both words, this row and the two before it. */
	unsigned rows[3][SPELLING_MAX + 1];

	if (m > SPELLING_MAX || n > SPELLING_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *last = rows[(i + 2) % 3];
		const unsigned *older = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned put = MIN(last[j], row[j - 1]) + 1;
			unsigned exchanged = last[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = MIN(put, exchanged);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], older[j - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

void spelling_consider(const char *word, const char *candidate, const char **best)
{
	unsigned limit = strlen(word) > 4 ? 2 : 1;
	unsigned distance = spelling_distance(word, candidate);

	if (*best)
		limit = MIN(limit, spelling_distance(word, *best) - 1);
	/* Of two letters one in common is chance. */
	if (distance <= limit && distance < strlen(word) && distance < strlen(candidate))
		*best = candidate;
}
