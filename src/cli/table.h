/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text in columns, each as wide as its widest cell. A title that begins with '>' makes its column
 * flush right (numbers). Titles are bold where stdout is a terminal. Running out of memory ends the
 * program: there is nothing better to do for a tool that prints.
 *
 * Rows are sorted by the column that style.h names: what has a number from the largest to the
 * smallest, text by the alphabet, and what has no number among numbers comes last. A column that
 * the table has not ends the program with status 2, before anything is printed.
 */
#ifndef VSW_CLI_TABLE_H
#define VSW_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"

#define TABLE_COLUMN_MAX 12

struct table_cell {
	char *text;
	double number; /* what it sorts by; NAN: there is none */
};

struct table {
	const char *titles[TABLE_COLUMN_MAX];
	unsigned column_count;
	struct table_cell *cells; /* row after row */
	unsigned cell_count;
	bool fixed; /* the rows keep their order: a second table below the one that is sorted */
};

/* titles: a list that ends with NULL; borrowed. */
void table_init(struct table *table, const char *const titles[]);

/* The next cell of the row that is being filled; rows fill one after another. */
void table_add(struct table *table, const char *format, ...) PRINTF(2, 3);

/* Likewise, with a number: a whole one as style_number() prints it, and one with a decimal. */
void table_add_number(struct table *table, uint64_t number);
void table_add_real(struct table *table, double number);

/* What the cell that was added last sorts by. */
void table_rank(struct table *table, double number);

/* Prints to stdout and frees. Without rows only the titles appear. */
void table_print(struct table *table);

#endif
