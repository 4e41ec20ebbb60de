/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The faults of a configuration, a line each. CONFIG_ERROR_MAX are kept, later ones only counted:
 * more nobody reads at once. The caller owns them. Any thread.
 */
#ifndef VSW_CONTROL_YAML_ERRORS_H
#define VSW_CONTROL_YAML_ERRORS_H

#include "base/common.h"

#define CONFIG_ERROR_MAX 50

struct config_errors {
	unsigned count; /* faults found; lines[] holds the first CONFIG_ERROR_MAX of them */
	char *lines[CONFIG_ERROR_MAX];
};

/* Adds one line; without memory, or when there are CONFIG_ERROR_MAX, it is only counted. */
void config_errors_add(struct config_errors *errors, const char *format, ...) PRINTF(2, 3);
void config_errors_fini(struct config_errors *errors);

#endif
