/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsw: shows and changes a running vswd. Exit status: 0 done, 1 refused (or nobody to ask), 2 wrong
 * usage.
 */
#include <stdio.h>
#include <string.h>

#include "base/common.h"
#include "cli/options.h"
#include "cli/style.h"
#include "cli/usage.h"

/* The options that are given and not among the allowed ones: the lowest of them; 0: none. */
static unsigned misplaced(const struct command_line *line, const struct command *command)
{
	unsigned others = line->given & ~command->options;

	return others & -others;
}

/* The options that are needed and missing: the lowest of them; 0: none. */
static unsigned missing(const struct command_line *line, const struct command *command)
{
	unsigned others = command->required & ~line->given;

	return others & -others;
}

/* Checks the words behind the command's own. 0 or an exit status. */
static int check_arguments(const struct command_line *line, const struct command *command)
{
	bool several = command->argument && strstr(command->argument, "...");
	unsigned most = several ? UINT32_MAX : command->argument ? 1 : 0;

	if (!line->argument && command->argument && command->argument[0] != '[')
		return usage_wrong(command, "%.*s is missing", (int)strcspn(command->argument, "."),
			command->argument);
	if (line->argument_count > most)
		return usage_wrong(command, "unexpected argument '%s'", line->arguments[most]);
	return 0;
}

static int run(struct command_line *line, unsigned word_count, char **words)
{
	unsigned used;
	const struct command *command = command_find(word_count, words, &used);
	int status;

	if (!command)
		return usage_unknown(word_count, words);
	line->argument_count = word_count - used;
	line->arguments = words + used;
	line->argument = line->argument_count ? words[used] : NULL;
	if (misplaced(line, command))
		return usage_wrong(command, "it takes no option %s",
			options_name(misplaced(line, command), false));
	if (missing(line, command))
		return usage_wrong(command, "the option %s is missing",
			options_name(missing(line, command), true));
	status = check_arguments(line, command);
	if (status != 0)
		return status;
	if (line->json && line->given & (COMMAND_SORT | COMMAND_EXACT))
		return usage_wrong(command, "--sort and --exact are for tables, not for --json");
	style_set(line->given & COMMAND_EXACT, line->sort);
	return command->run(line);
}

int main(int argc, char **argv)
{
	struct command_line line = {.control = COMMAND_CONTROL_PATH, .memory = "1G"};
	unsigned word_count;
	char **words;

	if (!options_parse(&line, argc, argv, &word_count, &words))
		return COMMAND_WRONG;
	if (line.version) {
		printf("vsw (virtswitch) %s\n", VSW_VERSION);
		return COMMAND_DONE;
	}
	if (word_count && strcmp(words[0], "help") == 0)
		return usage_help(word_count - 1, words + 1);
	if (line.help)
		return usage_help(word_count, words);
	if (!word_count) {
		usage_print(stderr);
		return COMMAND_WRONG;
	}
	return run(&line, word_count, words);
}
