/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines on stderr: "DATE TIME PROGRAM LEVEL: text", or "<PRIORITY>text" where that is systemd's
 * journal, which has the rest. One line is one write, so lines of several threads do not
 * mix. Any thread but a worker on its frame path may log: the frame path counts, it never logs.
 *
 * Logging never waits for whoever reads: a line that does not fit into a full pipe, socket or
 * terminal is lost and counted, and the first line that fits again is preceded by how many were. A
 * file is written as files are.
 *
 * Lines are printable whatever they are made of: see text_print(). No newline of a peer begins
 * another.
 *
 * Lines caused by peers are limited: log_limited() lets a burst of LOG_LIMIT_BURST lines pass a
 * second for each call site and says how many it held back. What one peer of several causes has a
 * struct log_limit of that peer or port, so that none can hide another's lines.
 */
#ifndef VSW_BASE_LOG_H
#define VSW_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines a second that one log_limited() call site may write: enough to see what happens. */
#define LOG_LIMIT_BURST 10

/* Lines above this level are dropped. Any thread, at any time. Default: LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "info" or "debug", as operators type it, and back; false where it is none. */
#define LOG_LEVEL_WORDS "error, warning, info or debug"
const char *log_level_name(enum log_level level);
bool log_level_parse(const char *text, enum log_level *level);

/* The name in front of every line ("vswd"); the string must live for ever. NULL: none. */
void log_set_program(const char *program);

/* Where lines go: a descriptor, borrowed, whose flags are left alone, for others may share them.
 * Default: stderr, from the first line on. */
void log_set_output(int fd);

/* Lines that could not be written since the start. */
uint64_t log_lost(void);

void log_write(enum log_level level, const char *format, ...) PRINTF(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* State of one limited call site, port or peer; one thread writes it (the control thread). */
struct log_limit {
	uint64_t second; /* the second that `written` counts in */
	uint32_t written;
	uint32_t held;
	uint32_t burst; /* lines a second; 0: LOG_LIMIT_BURST */
};

/* True where lines of this level are written at all. */
bool log_enabled(enum log_level level);

/* Asked before each line; counts it. */
bool log_limit_allows(struct log_limit *limit);

#define log_limited(level, ...)                                                                    \
	do {                                                                                       \
		static struct log_limit log_limit_here;                                            \
		if (log_enabled(level) && log_limit_allows(&log_limit_here))                       \
			log_write(level, __VA_ARGS__);                                             \
	} while (0)

#endif
