/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/style.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The largest number that is printed as it is. */
#define PLAIN_MAX 9999

static bool exact;
static const char *sort;

void style_set(bool with_all_digits, const char *column)
{
	exact = with_all_digits;
	sort = column;
}

const char *style_sort(bool *reversed)
{
	*reversed = sort && sort[0] == '-';
	return sort ? sort + *reversed : NULL;
}

const char *style_number(uint64_t number, char text[STYLE_NUMBER_SIZE])
{
	static const char units[] = "kMGTPE";
	uint64_t unit = 1000, thousandths;
	unsigned i = 0;

	if (exact || number <= PLAIN_MAX) {
		snprintf(text, STYLE_NUMBER_SIZE, "%" PRIu64, number);
		return text;
	}
	/* 999,500 and more would be rounded to 1000k. */
	while (units[i + 1] && number / unit >= 999 && number - 999 * unit >= unit / 2) {
		unit *= 1000;
		i++;
	}
	thousandths = number / (unit / 1000);
	snprintf(text, STYLE_NUMBER_SIZE, "%.*f%c",
		thousandths < 9995    ? 2
		: thousandths < 99950 ? 1
				      : 0,
		(double)number / (double)unit, units[i]);
	return text;
}
