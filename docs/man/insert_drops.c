/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * insert_drops: copies a manual page from stdin to stdout and puts the table of drop reasons in
 * place of the line "@DROP_REASONS@", so that the page names exactly the reasons that are counted.
 * Exit status 1 where there is no such line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet/drop.h"

/* scdoc takes underscores and asterisks for emphasis. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void print_drops(void)
{
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++) {
		printf("*%s*++\n", drop_descriptions[i].name);
		print_text(drop_descriptions[i].meaning);
		printf(".++\nWhat to do: ");
		print_text(drop_descriptions[i].advice);
		printf(".\n\n");
	}
}

int main(void)
{
	int status = EXIT_FAILURE;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) >= 0) {
		if (strcmp(line, "@DROP_REASONS@\n") == 0) {
			print_drops();
			status = EXIT_SUCCESS;
		} else {
			fputs(line, stdout);
		}
	}
	free(line);
	return status;
}
