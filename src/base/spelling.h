/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Did you mean ...?": whether a word is probably another one with a slip in it. Pure; any thread.
 */
#ifndef VSW_BASE_SPELLING_H
#define VSW_BASE_SPELLING_H

#include "base/common.h"

/* Words longer than this are never close to another one. */
#define SPELLING_MAX 64

/* Letters to be changed, added, left out or exchanged with their neighbour to make one of the
 * other; UINT_MAX where one is longer than SPELLING_MAX. */
unsigned spelling_distance(const char *a, const char *b);

/* Keeps in *best the candidate that is closest to the word, if it is close: one slip in a short
 * word, two in one of more than four letters. *best is NULL at first. */
void spelling_consider(const char *word, const char *candidate, const char **best);

#endif
