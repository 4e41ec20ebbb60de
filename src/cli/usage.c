/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/usage.h"

#include <stdarg.h>
#include <string.h>

#include "cli/options.h"

/* "port show", in text[size]. */
static void format_name(const struct command *command, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", command->object, command->verb ? " " : "",
		command->verb ? command->verb : "");
}

/* One line: the command with its argument, and what it does. */
static void print_command(FILE *out, const struct command *command)
{
	char name[64], words[96];

	format_name(command, name, sizeof(name));
	snprintf(words, sizeof(words), "%s%s%s", name, command->argument ? " " : "",
		command->argument ? command->argument : "");
	fprintf(out, "  vsw %-22s  %s\n", words, command->help);
}

void usage_print(FILE *out)
{
	fprintf(out, "usage: vsw [-j] [--control PATH] COMMAND\n\n");
	for (unsigned i = 0; i < command_count; i++)
		print_command(out, &command_table[i]);
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
	for (unsigned i = 0; i < command_count; i++)
		if (strcmp(command_table[i].object, words[0]) == 0)
			print_command(stdout, &command_table[i]);
	printf("\n'vsw help %s VERB' shows the options of one of them.\n", words[0]);
	return COMMAND_DONE;
}

int usage_unknown(unsigned word_count, char *const *words)
{
	const char *separator = "";

	if (!command_object_known(words[0])) {
		fprintf(stderr, "vsw: '%s' is not a vsw command. See 'vsw --help'.\n", words[0]);
		return COMMAND_WRONG;
	}
	if (word_count > 1)
		fprintf(stderr, "vsw: '%s %s' is not a vsw command; verbs: ", words[0], words[1]);
	else
		fprintf(stderr, "vsw: '%s' needs a verb: ", words[0]);
	for (unsigned i = 0; i < command_count; i++) {
		if (strcmp(command_table[i].object, words[0]) != 0)
			continue;
		fprintf(stderr, "%s%s", separator, command_table[i].verb);
		separator = ", ";
	}
	fprintf(stderr, ". See 'vsw help %s'.\n", words[0]);
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
