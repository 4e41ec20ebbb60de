/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void config_errors_add(struct config_errors *errors, const char *format, ...)
{
	char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	if (line && errors->count < CONFIG_ERROR_MAX)
		errors->lines[errors->count] = line;
	else
		free(line);
	errors->count++;
}

void config_errors_fini(struct config_errors *errors)
{
	for (unsigned i = 0; i < MIN(errors->count, CONFIG_ERROR_MAX); i++)
		free(errors->lines[i]);
	*errors = (struct config_errors){0};
}
