/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static enum log_level threshold = LOG_LEVEL_INFO;
static const char *program_name;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_program(const char *program)
{
	program_name = program;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[2048];
	struct timespec now;
	struct tm calendar;
	size_t used;
	int n;
	va_list args;

	if (level > threshold)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &calendar);
	used = strftime(line, sizeof(line), "%H:%M:%S", &calendar);
	n = snprintf(line + used, sizeof(line) - used, ".%03ld %s%s%s: ", now.tv_nsec / 1000000,
		program_name ? program_name : "", program_name ? " " : "", level_names[level]);
	used += (size_t)n;
	va_start(args, format);
	n = vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	used = MIN(used + (size_t)MAX(n, 0), sizeof(line) - 2);
	line[used++] = '\n';
	/* A full or closed stderr must not stop the switch. */
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

bool log_limit_allows(struct log_limit *limit)
{
	uint64_t second = clock_now_ns() / NS_PER_SECOND;

	if (second != limit->second) {
		if (limit->held)
			log_warning("%u similar lines were held back", limit->held);
		limit->second = second;
		limit->written = 0;
		limit->held = 0;
	}
	if (limit->written < LOG_LIMIT_BURST) {
		limit->written++;
		return true;
	}
	limit->held++;
	return false;
}
