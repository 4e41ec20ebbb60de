/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsw: shows and changes a running vswd. Exit status: 0 done, 1 refused (or nobody to ask), 2 wrong
 * usage.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cli/command.h"

struct command {
	const char *object, *verb; /* verb: NULL for a command of one word */
	const char *argument;      /* "NAME", "[NAME]" (may be left out), or NULL */
	unsigned options;          /* enum command_option: allowed */
	unsigned required;         /* and those of them that must be given */
	int (*run)(const struct command_line *line);
	const char *synopsis;
	const char *help;
};

static const struct command commands[] = {
	{"show", NULL, NULL, 0, 0, command_show, "", "the switch in a few lines"},
	{"port", "show", "[NAME]", COMMAND_STATISTICS, 0, command_port_show, " [-s]",
		"ports, or all about one; -s: with counters"},
	{"port", "args", "NAME", COMMAND_VMM | COMMAND_MEMORY | COMMAND_QEMU | COMMAND_VERSION,
		COMMAND_VMM, command_port_args,
		" --vmm qemu|libvirt|cloud-hypervisor [--memory SIZE] [--qemu BINARY] "
		"[--vmm-version X.Y]",
		"how to attach a VM to this port"},
	{"fdb", "show", NULL, 0, 0, command_fdb_show, "", "MAC addresses and where they are"},
	{"network", "show", NULL, 0, 0, command_network_show, "", "networks and their ports"},
	{"worker", "show", NULL, COMMAND_STATISTICS | COMMAND_RESET, 0, command_worker_show,
		" [-s] [--reset]",
		"what the threads do; -s: cycles by stage; --reset: and count from zero"},
	{"drops", NULL, NULL, 0, 0, command_drops, "", "why frames were dropped, what to do"},
	{"config", "check", "FILE", 0, 0, command_config_check, "", "is this file correct?"},
	{"config", "diff", "FILE", 0, 0, command_config_diff, "", "what would it change?"},
	{"config", "apply", "FILE", COMMAND_FORCE, 0, command_config_apply, " [--force]",
		"make it the running one; --force: even where VMs are cut off"},
	{"config", "show", NULL, 0, 0, command_config_show, "", "the running configuration"},
};

static void print_usage(FILE *out)
{
	fprintf(out, "usage: vsw [-j] [--control PATH] COMMAND\n\n");
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *command = &commands[i];
		char words[160];

		snprintf(words, sizeof(words), "%s%s%s%s%s%s", command->object,
			command->verb ? " " : "", command->verb ? command->verb : "",
			command->argument ? " " : "", command->argument ? command->argument : "",
			command->synopsis);
		/* The help of a long command stands below it, in the same column. */
		fprintf(out, "  vsw %-24s", words);
		if (strlen(words) > 24)
			fprintf(out, "\n      %-24s", "");
		fprintf(out, "  %s\n", command->help);
	}
	fprintf(out, "\n  -j, --json       print JSON"
		     "\n      --control    the socket of vswd (default " COMMAND_CONTROL_PATH ")"
		     "\n      --help, --version\n");
}

static int wrong_usage(const char *what, const char *which)
{
	fprintf(stderr, "vsw: %s%s%s%s\nTry 'vsw help'.\n", what, which ? " '" : "",
		which ? which : "", which ? "'" : "");
	return COMMAND_WRONG;
}

/* The command that the words name; their number is stored. NULL after a message. */
static const struct command *find_command(int word_count, char **words, int *used)
{
	bool object_known = false;

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(words[0], command->object) != 0)
			continue;
		object_known = true;
		*used = command->verb ? 2 : 1;
		if (!command->verb || (word_count > 1 && strcmp(words[1], command->verb) == 0))
			return command;
	}
	if (!object_known)
		wrong_usage("no such command:", words[0]);
	else if (word_count > 1)
		wrong_usage("no such command:", words[1]);
	else
		wrong_usage("what about it?", words[0]);
	return NULL;
}

static int run_command(struct command_line *line, int word_count, char **words)
{
	int used = 0;
	const struct command *command = find_command(word_count, words, &used);
	int arguments = word_count - used;

	if (!command)
		return COMMAND_WRONG;
	if (line->given & ~command->options)
		return wrong_usage("an option that this command does not take", NULL);
	if (command->required & ~line->given)
		return wrong_usage("missing:", command->synopsis + 1);
	if (arguments > (command->argument ? 1 : 0))
		return wrong_usage("too much:", words[word_count - 1]);
	if (!arguments && command->argument && command->argument[0] != '[')
		return wrong_usage("missing:", command->argument);
	line->argument = arguments ? words[used] : NULL;
	return command->run(line);
}

int main(int argc, char **argv)
{
	enum { CONTROL = 256, RESET, VMM, MEMORY, QEMU, VMM_VERSION, FORCE, HELP, VERSION };
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},
		{"control", required_argument, NULL, CONTROL},
		{"statistics", no_argument, NULL, 's'},
		{"reset", no_argument, NULL, RESET},
		{"vmm", required_argument, NULL, VMM},
		{"memory", required_argument, NULL, MEMORY},
		{"qemu", required_argument, NULL, QEMU},
		{"vmm-version", required_argument, NULL, VMM_VERSION},
		{"force", no_argument, NULL, FORCE},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{0},
	};
	struct command_line line = {.control = COMMAND_CONTROL_PATH, .memory = "1G"};
	int c;

	while ((c = getopt_long(argc, argv, "js", known, NULL)) != -1) {
		switch (c) {
		case 'j':
			line.json = true;
			break;
		case CONTROL:
			line.control = optarg;
			break;
		case 's':
			line.given |= COMMAND_STATISTICS;
			break;
		case RESET:
			line.given |= COMMAND_RESET;
			break;
		case VMM:
			line.given |= COMMAND_VMM;
			line.vmm = optarg;
			break;
		case MEMORY:
			line.given |= COMMAND_MEMORY;
			line.memory = optarg;
			break;
		case QEMU:
			line.given |= COMMAND_QEMU;
			line.qemu = optarg;
			break;
		case VMM_VERSION:
			line.given |= COMMAND_VERSION;
			line.vmm_version = optarg;
			break;
		case FORCE:
			line.given |= COMMAND_FORCE;
			break;
		case HELP:
			print_usage(stdout);
			return COMMAND_DONE;
		case VERSION:
			printf("vsw (virtswitch) %s\n", VSW_VERSION);
			return COMMAND_DONE;
		default:
			fprintf(stderr, "Try 'vsw help'.\n"); /* getopt has said what is wrong */
			return COMMAND_WRONG;
		}
	}
	if (optind == argc) {
		print_usage(stderr);
		return COMMAND_WRONG;
	}
	if (strcmp(argv[optind], "help") == 0) {
		print_usage(stdout);
		return COMMAND_DONE;
	}
	return run_command(&line, argc - optind, argv + optind);
}
