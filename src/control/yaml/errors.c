/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/yaml/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_errors_add_at(struct config_errors *errors, unsigned at, const char *format, ...)
{
	unsigned kept = MIN(errors->count, CONFIG_ERROR_MAX);
	unsigned place = kept;
	char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	while (place && errors->at[place - 1] > at)
		place--;
	errors->count++;
	if (place == CONFIG_ERROR_MAX) {
		free(line);
		return;
	}
	if (kept == CONFIG_ERROR_MAX)
		free(errors->lines[--kept]);
	memmove(&errors->lines[place + 1], &errors->lines[place],
		(kept - place) * sizeof(*errors->lines));
	memmove(&errors->at[place + 1], &errors->at[place], (kept - place) * sizeof(*errors->at));
	errors->lines[place] = line;
	errors->at[place] = at;
}

bool config_errors_total(const struct config_errors *errors, char text[CONFIG_TOTAL_SIZE])
{
	snprintf(text, CONFIG_TOTAL_SIZE, "errors: %u", errors->count);
	if (errors->count > CONFIG_ERROR_MAX)
		snprintf(text, CONFIG_TOTAL_SIZE, "errors: %u, of which these are the first %u",
			errors->count, CONFIG_ERROR_MAX);
	return errors->count > 1;
}

void config_errors_fini(struct config_errors *errors)
{
	for (unsigned i = 0; i < MIN(errors->count, CONFIG_ERROR_MAX); i++)
		free(errors->lines[i]);
	*errors = (struct config_errors){0};
}
