/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	if (error) {
		va_start(args, format);
		vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
		text_mend(error->text);
	}
	return code;
}

int error_set_errno(struct error *error, int code, const char *format, ...)
{
	va_list args;
	size_t used;

	if (error) {
		va_start(args, format);
		vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
		used = strlen(error->text);
		snprintf(error->text + used, sizeof(error->text) - used, ": %s", strerror(-code));
		text_mend(error->text);
	}
	return code;
}

void error_prefix(struct error *error, const char *format, ...)
{
	char prefix[256];
	char rest[sizeof(error->text)];
	va_list args;

	if (!error)
		return;
	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
	memcpy(rest, error->text, sizeof(rest));
	/* The text may lose its end; the place of the fault, which comes first, is what matters. */
	if (snprintf(error->text, sizeof(error->text), "%s: %s", prefix, rest) < 0)
		error->text[0] = '\0';
	text_mend(error->text);
}
