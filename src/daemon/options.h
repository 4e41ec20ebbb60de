/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of vswd(8). Stateless; once, before anything else.
 */
#ifndef VSW_DAEMON_OPTIONS_H
#define VSW_DAEMON_OPTIONS_H

#include <stdbool.h>

#include "base/log.h"
#include "control/rpc/control_path.h"

#define OPTIONS_CONTROL_PATH CONTROL_PATH

struct options {
	const char *config;  /* path of the configuration file */
	const char *control; /* path of the control socket */
	enum log_level level;
	bool check; /* read the configuration, say what is wrong with it, and end */
};

enum options_result {
	OPTIONS_RUN,  /* go on */
	OPTIONS_DONE, /* --help or --version was asked for and printed: end with 0 */
	OPTIONS_WRONG /* wrong usage, said on stderr: end with 2 */
};

enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
