/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/common.h"

static const char usage_text[] =
	"usage: vswd --config FILE [--control PATH] [--log-level LEVEL] [--check]\n"
	"       vswd -h | -V\n"
	"\n"
	"The virtswitch daemon: a virtual switch for the VMs of this host.\n"
	"\n"
	"  -c, --config FILE      the configuration, see virtswitch.yaml(5)\n"
	"      --control PATH     the socket that vsw(8) talks to\n"
	"                         (default " OPTIONS_CONTROL_PATH ")\n"
	"      --check            only check the configuration\n"
	"      --log-level LEVEL  error, warning, info (default) or debug\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"It stays in the foreground and logs to stderr. SIGHUP reads the configuration again.\n";

static enum options_result wrong(const char *reason)
{
	if (reason)
		fprintf(stderr, "vswd: %s\n", reason);
	fprintf(stderr, "See 'vswd --help'.\n");
	return OPTIONS_WRONG;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	enum { CONTROL = 256, CHECK, LEVEL };
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"control", required_argument, NULL, CONTROL},
		{"check", no_argument, NULL, CHECK},
		{"log-level", required_argument, NULL, LEVEL},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	*options = (struct options){.control = OPTIONS_CONTROL_PATH, .level = LOG_LEVEL_INFO};
	while ((c = getopt_long(argc, argv, "c:hV", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case CONTROL:
			options->control = optarg;
			break;
		case CHECK:
			options->check = true;
			break;
		case LEVEL:
			if (!log_level_parse(optarg, &options->level)) {
				fprintf(stderr,
					"vswd: '%s' is not a log level: " LOG_LEVEL_WORDS "\n",
					optarg);
				return wrong(NULL);
			}
			break;
		case 'h':
			fputs(usage_text, stdout);
			return OPTIONS_DONE;
		case 'V':
			printf("vswd (virtswitch) %s\n", VSW_VERSION);
			return OPTIONS_DONE;
		default:
			return wrong(NULL); /* getopt has said what is wrong */
		}
	}
	if (optind < argc)
		return wrong("takes no arguments but options");
	if (!options->config)
		return wrong("--config FILE is missing");
	return OPTIONS_RUN;
}
