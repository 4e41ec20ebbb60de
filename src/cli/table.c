/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void table_init(struct table *table, const char *const titles[])
{
	*table = (struct table){0};
	while (titles[table->column_count] && table->column_count < TABLE_COLUMN_MAX) {
		table->titles[table->column_count] = titles[table->column_count];
		table->column_count++;
	}
}

static void end_without_memory(void)
{
	fprintf(stderr, "vsw: out of memory\n");
	exit(EXIT_FAILURE);
}

void table_add(struct table *table, const char *format, ...)
{
	char *cell = NULL;
	va_list args;

	if (!(table->cell_count & (table->cell_count - 1)))
		table->cells = reallocarray(table->cells,
			table->cell_count ? 2 * (size_t)table->cell_count : 1, sizeof(char *));
	if (!table->cells)
		end_without_memory();
	va_start(args, format);
	if (vasprintf(&cell, format, args) < 0)
		end_without_memory();
	va_end(args);
	table->cells[table->cell_count++] = cell;
}

static bool is_right(const struct table *table, unsigned column)
{
	return table->titles[column][0] == '>';
}

static const char *title(const struct table *table, unsigned column)
{
	return table->titles[column] + is_right(table, column);
}

static void print_cell(
	const struct table *table, unsigned column, const char *text, const int *widths)
{
	bool last = column + 1 == table->column_count;

	if (is_right(table, column))
		printf("%*s", widths[column], text);
	else
		printf("%-*s", last ? 0 : widths[column], text);
	fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *table)
{
	int widths[TABLE_COLUMN_MAX];
	bool bold = isatty(STDOUT_FILENO);

	for (unsigned i = 0; i < table->column_count; i++)
		widths[i] = (int)strlen(title(table, i));
	for (unsigned i = 0; i < table->cell_count; i++) {
		int *width = &widths[i % table->column_count];

		*width = MAX(*width, (int)strlen(table->cells[i]));
	}
	fputs(bold ? "\033[1m" : "", stdout);
	for (unsigned i = 0; i < table->column_count; i++)
		print_cell(table, i, title(table, i), widths);
	fputs(bold ? "\033[0m" : "", stdout);
	for (unsigned i = 0; i < table->cell_count; i++) {
		print_cell(table, i % table->column_count, table->cells[i], widths);
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct table){0};
}
