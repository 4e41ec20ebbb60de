/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/usage.h"

#include <stdarg.h>
#include <string.h>

#include "base/spelling.h"
#include "cli/options.h"

/* "port show", in text[size]. */
static void format_name(const struct command *command, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", command->object, command->verb ? " " : "",
		command->verb ? command->verb : "");
}

/* "lease del ADDRESS --network NAME", in text[size]: what must be said, options as well. */
static void format_words(const struct command *command, char *text, size_t size)
{
	char name[64];

	format_name(command, name, sizeof(name));
	snprintf(text, size, "%s%s%s", name, command->argument ? " " : "",
		command->argument ? command->argument : "");
	for (unsigned bit = 0; bit < COMMAND_OPTION_COUNT; bit++)
		if (command->required >> bit & 1)
			snprintf(text + strlen(text), size - strlen(text), " %s",
				options_name(1u << bit, true));
}

/* A line for each command, or for those of an object: the command with its argument, and what it
 * does. */
static void print_commands(FILE *out, const char *object)
{
	char words[96];
	size_t width = 0;

	for (unsigned i = 0; i < command_count; i++) {
		format_words(&command_table[i], words, sizeof(words));
		width = MAX(width, strlen(words));
	}
	for (unsigned i = 0; i < command_count; i++) {
		if (object && strcmp(command_table[i].object, object) != 0)
			continue;
		format_words(&command_table[i], words, sizeof(words));
		fprintf(out, "  vsw %-*s  %s\n", (int)width, words, command_table[i].help);
	}
}

void usage_print(FILE *out)
{
	fprintf(out, "usage: vsw [-j] [--control PATH] COMMAND\n\n");
	print_commands(out, NULL);
	fprintf(out, "\n");
	options_print(out, 0, true);
	fprintf(out, "\n'vsw help COMMAND' and 'vsw COMMAND -h' show the options of a command.\n");
}

static void print_one(const struct command *command)
{
	char name[64];

	format_name(command, name, sizeof(name));
	printf("usage: vsw %s%s", name, command->options & ~command->required ? " [OPTIONS]" : "");
	for (unsigned bit = 0; bit < COMMAND_OPTION_COUNT; bit++)
		if (command->required >> bit & 1)
			printf(" %s", options_name(1u << bit, true));
	printf("%s%s\n\n%s\n\n", command->argument ? " " : "",
		command->argument ? command->argument : "", command->help);
	options_print(stdout, command->options, true);
}

int usage_help(unsigned word_count, char *const *words)
{
	unsigned used;
	const struct command *command = command_find(word_count, words, &used);

	if (!word_count) {
		usage_print(stdout);
		return COMMAND_DONE;
	}
	if (command) {
		print_one(command);
		return COMMAND_DONE;
	}
	if (!command_object_known(words[0]) || word_count > 1)
		return usage_unknown(word_count, words);
	print_commands(stdout, words[0]);
	printf("\n'vsw help %s VERB' shows the options of one of them.\n", words[0]);
	return COMMAND_DONE;
}

/* The object, or the verb of this one, that was probably meant. */
static const char *meant_by(const char *word, const char *object)
{
	const char *meant = NULL;

	for (unsigned i = 0; i < command_count; i++) {
		const struct command *command = &command_table[i];

		if (!object)
			spelling_consider(word, command->object, &meant);
		else if (command->verb && strcmp(command->object, object) == 0)
			spelling_consider(word, command->verb, &meant);
	}
	return meant;
}

static void print_verbs(const char *object)
{
	const char *separator = "";

	for (unsigned i = 0; i < command_count; i++) {
		if (strcmp(command_table[i].object, object) != 0)
			continue;
		fprintf(stderr, "%s%s", separator, command_table[i].verb);
		separator = ", ";
	}
}

int usage_unknown(unsigned word_count, char *const *words)
{
	bool known = command_object_known(words[0]);
	const char *meant = known ? NULL : meant_by(words[0], NULL);

	if (!known) {
		fprintf(stderr, "vsw: '%s' is not a vsw command", words[0]);
	} else if (word_count > 1) {
		meant = meant_by(words[1], words[0]);
		fprintf(stderr, "vsw: '%s %s' is not a vsw command", words[0], words[1]);
	} else {
		fprintf(stderr, "vsw: '%s' needs a verb: ", words[0]);
		print_verbs(words[0]);
	}
	if (meant) {
		fprintf(stderr, ": did you mean '%s%s%s'?\n", known ? words[0] : "",
			known ? " " : "", meant);
		return COMMAND_WRONG;
	}
	if (known && word_count > 1) {
		fprintf(stderr, "; verbs: ");
		print_verbs(words[0]);
	}
	if (known)
		fprintf(stderr, ". See 'vsw help %s'.\n", words[0]);
	else
		fprintf(stderr, ". See 'vsw --help'.\n");
	return COMMAND_WRONG;
}

int usage_wrong(const struct command *command, const char *format, ...)
{
	char name[64];
	va_list args;

	format_name(command, name, sizeof(name));
	fprintf(stderr, "vsw %s: ", name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ". See 'vsw %s -h'.\n", name);
	return COMMAND_WRONG;
}
