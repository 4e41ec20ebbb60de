/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How numbers and tables are printed, as --exact and --sort say: set once, before anything is
 * printed, and read by everything that prints.
 *
 * Numbers are for people: up to 9999 as they are, above that three digits and one of k, M, G, T, P,
 * E, which stand for powers of 1000, as ip(8) prints rates. With --exact all digits.
 */
#ifndef VSW_CLI_STYLE_H
#define VSW_CLI_STYLE_H

#include <stdbool.h>
#include <stdint.h>

#define STYLE_NUMBER_SIZE 32

/* sort: a column's title, with '-' in front for the other way round, or NULL; borrowed. */
void style_set(bool exact, const char *sort);

/* The column to sort by without its sign, or NULL; *reversed as the sign says. */
const char *style_sort(bool *reversed);

/* The number as text. */
const char *style_number(uint64_t number, char text[STYLE_NUMBER_SIZE]);

#endif
