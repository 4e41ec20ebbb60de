/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"

/* What --watch takes, in seconds. */
#define WATCH_SECONDS     1
#define WATCH_SECONDS_MIN 0.1
#define WATCH_SECONDS_MAX 86400

/* What getopt returns for the row of this number. */
#define FIRST_KEY 256

/* Where a value goes in struct command_line; of options without one nowhere. */
#define NOWHERE SIZE_MAX

struct option_row {
	const char *name;
	char letter;
	const char *value; /* "SIZE"; "[SECONDS]" where it may be left out; NULL: it takes none */
	unsigned option;   /* enum command_option; 0: every command takes it */
	size_t target;
	const char *help;
};

static const struct option_row rows[] = {
	{"json", 'j', NULL, 0, NOWHERE, "print JSON"},
	{"control", 0, "PATH", 0, offsetof(struct command_line, control),
		"the socket of vswd (default " COMMAND_CONTROL_PATH ")"},
	{"help", 'h', NULL, 0, NOWHERE, "help, also of one command"},
	{"version", 'V', NULL, 0, NOWHERE, "the version of vsw"},
	{"statistics", 's', NULL, COMMAND_STATISTICS, NOWHERE,
		"with counters; of workers: cycles a frame by stage"},
	{"reset", 0, NULL, COMMAND_RESET, NOWHERE, "and start the figures again"},
	{"vmm", 0, "VMM", COMMAND_VMM, offsetof(struct command_line, vmm),
		"qemu, libvirt, cloud-hypervisor or vsw-nic"},
	{"memory", 0, "SIZE", COMMAND_MEMORY, offsetof(struct command_line, memory),
		"of the VM, such as 512M (default 1G)"},
	{"qemu", 0, "BINARY", COMMAND_QEMU, offsetof(struct command_line, qemu),
		"the QEMU that will be started"},
	{"vmm-version", 0, "X.Y", COMMAND_VERSION, offsetof(struct command_line, vmm_version),
		"or its version"},
	{"force", 0, NULL, COMMAND_FORCE, NOWHERE,
		"even where somebody is cut off, or an edited file overwritten"},
	{"watch", 0, "[SECONDS]", COMMAND_WATCH, NOWHERE, "again and again, with rates"},
	{"sort", 0, "COLUMN", COMMAND_SORT, offsetof(struct command_line, sort),
		"sort by this column; -COLUMN: the other way round"},
	{"exact", 0, NULL, COMMAND_EXACT, NOWHERE, "all digits instead of k, M and G"},
	{"port", 0, "NAME", COMMAND_PORT, offsetof(struct command_line, port),
		"only what is of this port"},
	{"network", 0, "NAME", COMMAND_NETWORK, offsetof(struct command_line, network),
		"only what is in this network"},
	{"state", 0, "STATE", COMMAND_STATE, offsetof(struct command_line, state),
		"only ports in this state, such as running"},
};

const char *options_name(enum command_option option, bool with_value)
{
	static char name[48];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].option == option)
			snprintf(name, sizeof(name), "--%s%s%s", rows[i].name,
				with_value && rows[i].value ? " " : "",
				with_value && rows[i].value ? rows[i].value : "");
	return name;
}

void options_print(FILE *out, unsigned options, bool everywhere)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct option_row *row = &rows[i];
		char words[48];

		if (row->option ? !(row->option & options) : !everywhere)
			continue;
		snprintf(words, sizeof(words), "--%s%s%s", row->name, row->value ? " " : "",
			row->value ? row->value : "");
		fprintf(out, "  %c%c%c %-20s  %s\n", row->letter ? '-' : ' ',
			row->letter ? row->letter : ' ', row->letter ? ',' : ' ', words, row->help);
	}
}

/* The seconds behind --watch: what getopt found behind a sign, else the next word where it is a
 * number. */
static bool read_seconds(struct command_line *line, int argc, char **argv)
{
	const char *text = optarg;
	char *end;

	line->watch = WATCH_SECONDS;
	if (!text && optind < argc && argv[optind][strspn(argv[optind], "0123456789.")] == '\0' &&
		*argv[optind])
		text = argv[optind++];
	if (!text) {
		line->watch_word = optind < argc ? argv[optind] : NULL;
		return true;
	}
	line->watch = strtod(text, &end);
	if (*end == '\0' && line->watch >= WATCH_SECONDS_MIN && line->watch <= WATCH_SECONDS_MAX)
		return true;
	fprintf(stderr, "vsw: --watch: '%s' is not a number of seconds (0.1 to 86400)\n", text);
	return false;
}

/* Takes one option over; false after a message. */
static bool take(struct command_line *line, const struct option_row *row, int argc, char **argv)
{
	line->given |= row->option;
	if (row->target != NOWHERE)
		*(const char **)((char *)line + row->target) = optarg;
	if (row->option == COMMAND_WATCH)
		return read_seconds(line, argc, argv);
	if (strcmp(row->name, "json") == 0)
		line->json = true;
	if (strcmp(row->name, "help") == 0)
		line->help = true;
	if (strcmp(row->name, "version") == 0)
		line->version = true;
	return true;
}

static void fill(struct option known[ARRAY_SIZE(rows) + 1])
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		known[i] = (struct option){
			.name = rows[i].name,
			.has_arg = !rows[i].value            ? no_argument
				   : rows[i].value[0] == '[' ? optional_argument
							     : required_argument,
			.val = FIRST_KEY + (int)i,
		};
	}
	known[ARRAY_SIZE(rows)] = (struct option){0};
}

bool options_parse(
	struct command_line *line, int argc, char **argv, unsigned *word_count, char ***words)
{
	struct option known[ARRAY_SIZE(rows) + 1];
	int key;

	fill(known);
	while ((key = getopt_long(argc, argv, "jhVs", known, NULL)) != -1) {
		unsigned i = key >= FIRST_KEY ? (unsigned)(key - FIRST_KEY) : 0;

		if (key == '?') {
			fprintf(stderr, "See 'vsw --help'.\n"); /* getopt has said what is wrong */
			return false;
		}
		while (key < FIRST_KEY && rows[i].letter != key)
			i++;
		if (!take(line, &rows[i], argc, argv))
			return false;
	}
	*word_count = (unsigned)(argc - optind);
	*words = argv + optind;
	return true;
}
