/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/style.h"

/* As everywhere in vsw, see vsw(8). */
#define STATUS_WRONG_USAGE 2

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

static struct table_cell *next_cell(struct table *table)
{
	if (!(table->cell_count & (table->cell_count - 1)))
		table->cells = reallocarray(table->cells,
			table->cell_count ? 2 * (size_t)table->cell_count : 1,
			sizeof(*table->cells));
	if (!table->cells)
		end_without_memory();
	table->cells[table->cell_count] = (struct table_cell){.number = NAN};
	return &table->cells[table->cell_count++];
}

void table_add(struct table *table, const char *format, ...)
{
	struct table_cell *cell = next_cell(table);
	va_list args;

	va_start(args, format);
	if (vasprintf(&cell->text, format, args) < 0)
		end_without_memory();
	va_end(args);
}

void table_rank(struct table *table, double number)
{
	table->cells[table->cell_count - 1].number = number;
}

void table_add_number(struct table *table, uint64_t number)
{
	char text[STYLE_NUMBER_SIZE];

	table_add(table, "%s", style_number(number, text));
	table_rank(table, (double)number);
}

void table_add_real(struct table *table, double number)
{
	table_add(table, "%.1f", number);
	table_rank(table, number);
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

static void end_without_column(const struct table *table, const char *name)
{
	fprintf(stderr, "vsw: --sort: unknown column '%s'; columns:", name);
	for (unsigned i = 0; i < table->column_count; i++)
		fprintf(stderr, " %s", title(table, i));
	fputc('\n', stderr);
	exit(STATUS_WRONG_USAGE);
}

/* What rows are compared by while qsort() runs. */
struct order {
	const struct table *table;
	unsigned column;
	bool reversed;
};

/* Rows are numbers of rows: those with equal cells stay as they are. */
static int compare_rows(const void *a, const void *b, void *argument)
{
	const struct order *order = argument;
	const struct table *table = order->table;
	unsigned row_a = *(const unsigned *)a, row_b = *(const unsigned *)b;
	const struct table_cell *left = &table->cells[row_a * table->column_count + order->column];
	const struct table_cell *right = &table->cells[row_b * table->column_count + order->column];
	bool no_left = isnan(left->number), no_right = isnan(right->number);
	int result = 0;

	if (no_left != no_right)
		return no_left ? 1 : -1;
	if (!no_left)
		result = (left->number < right->number) - (left->number > right->number);
	else if (!is_right(table, order->column))
		result = strcmp(left->text, right->text);
	if (result == 0)
		return row_a < row_b ? -1 : 1;
	return order->reversed ? -result : result;
}

static void sort_rows(struct table *table)
{
	unsigned row_count = table->cell_count / table->column_count;
	unsigned *rows = calloc(row_count + 1, sizeof(*rows));
	struct table_cell *cells = calloc(table->cell_count + 1, sizeof(*cells));
	struct order order = {.table = table};
	const char *name = style_sort(&order.reversed);

	if (!rows || !cells)
		end_without_memory();
	while (strcasecmp(title(table, order.column), name) != 0)
		if (++order.column == table->column_count)
			end_without_column(table, name);
	for (unsigned i = 0; i < row_count; i++)
		rows[i] = i;
	qsort_r(rows, row_count, sizeof(*rows), compare_rows, &order);
	for (unsigned i = 0; i < table->cell_count; i++)
		cells[i] = table->cells[rows[i / table->column_count] * table->column_count +
					i % table->column_count];
	free(table->cells);
	free(rows);
	table->cells = cells;
}

void table_print(struct table *table)
{
	int widths[TABLE_COLUMN_MAX];
	bool bold = isatty(STDOUT_FILENO), reversed;

	if (!table->fixed && style_sort(&reversed))
		sort_rows(table);
	for (unsigned i = 0; i < table->column_count; i++)
		widths[i] = (int)strlen(title(table, i));
	for (unsigned i = 0; i < table->cell_count; i++) {
		int *width = &widths[i % table->column_count];

		*width = MAX(*width, (int)strlen(table->cells[i].text));
	}
	fputs(bold ? "\033[1m" : "", stdout);
	for (unsigned i = 0; i < table->column_count; i++)
		print_cell(table, i, title(table, i), widths);
	fputs(bold ? "\033[0m" : "", stdout);
	for (unsigned i = 0; i < table->cell_count; i++) {
		print_cell(table, i % table->column_count, table->cells[i].text, widths);
		free(table->cells[i].text);
	}
	free(table->cells);
	*table = (struct table){0};
}
