/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text in columns, each as wide as its widest cell. A title that begins with '>' makes its column
 * flush right (numbers). Titles are bold where stdout is a terminal. Running out of memory ends the
 * program: there is nothing better to do for a tool that prints.
 */
#ifndef VSW_CLI_TABLE_H
#define VSW_CLI_TABLE_H

#include <stdbool.h>

#include "base/common.h"

#define TABLE_COLUMN_MAX 12

struct table {
	const char *titles[TABLE_COLUMN_MAX];
	unsigned column_count;
	char **cells; /* row after row */
	unsigned cell_count;
};

/* titles: a list that ends with NULL; borrowed. */
void table_init(struct table *table, const char *const titles[]);

/* The next cell of the row that is being filled; rows fill one after another. */
void table_add(struct table *table, const char *format, ...) PRINTF(2, 3);

/* Prints to stdout and frees. Without rows only the titles appear. */
void table_print(struct table *table);

#endif
