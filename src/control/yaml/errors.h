/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The faults of a configuration, a line each, in the order of the file's lines. CONFIG_ERROR_MAX
 * are kept, others only counted: more nobody reads at once. The caller owns them. Any thread.
 */
#ifndef VSW_CONTROL_YAML_ERRORS_H
#define VSW_CONTROL_YAML_ERRORS_H

#include <stdbool.h>

#include "base/common.h"

#define CONFIG_ERROR_MAX  50
#define CONFIG_TOTAL_SIZE 64

struct config_errors {
	unsigned count; /* faults found; lines[] holds the first CONFIG_ERROR_MAX of them */
	char *lines[CONFIG_ERROR_MAX];
	unsigned at[CONFIG_ERROR_MAX]; /* lines of the file; 0: of none */
};

/* Adds one line, behind those that stand before it in the file; when there are CONFIG_ERROR_MAX
 * before it, it is only counted, and without memory it is NULL. */
void config_errors_add_at(struct config_errors *errors, unsigned at, const char *format, ...)
	PRINTF(3, 4);
/* The same for what is in no line. */
#define config_errors_add(errors, ...) config_errors_add_at(errors, 0, __VA_ARGS__)

/* How many there are, for the end of the list: "errors: 3"; false where there is one at most, which
 * is plain to see. */
bool config_errors_total(const struct config_errors *errors, char text[CONFIG_TOTAL_SIZE]);
void config_errors_fini(struct config_errors *errors);

#endif
