/* SPDX-License-Identifier: BSD-3-Clause */
/* What every command that shows something does: ask, choose, add rates, print; once, or again and
 * again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/filter.h"
#include "cli/rates.h"

void command_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}

/* Above each look at a terminal, which is cleared first; elsewhere looks are set apart by an empty
 * line. */
static void print_heading(bool first)
{
	char text[64];
	time_t now = time(NULL);
	struct tm calendar;

	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	else if (!first)
		putchar('\n');
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &calendar));
	printf("%s\n", text);
}

/* Makes the text in it fit for a terminal: a VMM, or root of a namespace, has named some of it. */
static void make_printable(json_t *value)
{
	const char *text = json_string_value(value);
	const char *key;
	json_t *part;
	size_t i;

	if (text) {
		size_t length = json_string_length(value), size = 4 * length + 1;
		char *printable = malloc(size);

		if (printable)
			text_print(printable, size, text, length);
		json_string_set(value, printable ? printable : "?");
		free(printable);
	}
	json_array_foreach (value, i, part)
		make_printable(part);
	json_object_foreach (value, key, part)
		make_printable(part);
}

static void print_result(
	const struct command_line *line, json_t *result, void (*print)(const json_t *))
{
	if (line->json) {
		command_print_json(result);
		return;
	}
	make_printable(result);
	print(result);
}

static void rest(double seconds)
{
	struct timespec time = {.tv_sec = (time_t)seconds};

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	nanosleep(&time, NULL);
}

/* Shows the answer until the daemon has none or nobody reads any more; never COMMAND_DONE. */
static int watch(const struct command_line *line, const char *method, json_t *params,
	void (*print)(const json_t *))
{
	json_t *before = NULL, *result;
	uint64_t then = 0, now;

	for (; (result = client_call(line->control, method, json_incref(params)));
		before = result) {
		json_t *shown = json_deep_copy(result);

		now = clock_now_ns();
		rates_add(shown, before, (double)(now - then) / NS_PER_SECOND);
		filter_apply(shown, line);
		if (!line->json)
			print_heading(!before);
		print_result(line, shown, print);
		json_decref(shown);
		json_decref(before);
		then = now;
		if (fflush(stdout) != 0)
			break;
		rest(line->watch);
	}
	if (!before && line->argument && line->argument == line->watch_word)
		fprintf(stderr,
			"vsw: the '%s' behind --watch is a name: seconds are a number, such as 2\n",
			line->argument);
	json_decref(before);
	return COMMAND_REFUSED;
}

int command_ask(const struct command_line *line, const char *method, json_t *params,
	void (*print)(const json_t *result))
{
	int status = filter_check(line);
	json_t *result;

	if (status != COMMAND_DONE) {
		json_decref(params);
		return status;
	}
	if (line->given & COMMAND_WATCH) {
		status = watch(line, method, params, print);
		json_decref(params);
		return status;
	}
	result = client_call(line->control, method, params);
	if (!result)
		return COMMAND_REFUSED;
	filter_apply(result, line);
	print_result(line, result, print);
	json_decref(result);
	return COMMAND_DONE;
}
