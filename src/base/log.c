/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

/* Bytes of a line, its newline included, and of the one that says how many were lost. Both together
 * are within PIPE_BUF, so that a pipe takes all of it or nothing. */
#define LINE_SIZE   2048
#define NOTICE_SIZE 128

static enum log_level threshold = LOG_LEVEL_INFO;
static const char *program_name;

/* Where lines go; the lock guards all of it. */
static struct {
	pthread_mutex_t lock;
	bool chosen;
	bool journal;  /* the far end is journald: it knows the time, and wants the priority */
	int given;     /* borrowed; shared with others */
	int own;       /* the same pipe or terminal, non-blocking; -1: written through `given` */
	uint64_t lost; /* lines since the start */
	uint64_t untold;
	size_t tail_length; /* what of a line did not fit: a terminal or socket takes pieces */
	char tail[NOTICE_SIZE + LINE_SIZE];
} output = {.lock = PTHREAD_MUTEX_INITIALIZER, .own = -1};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* Of syslog(3), as journald reads it at the beginning of a line: <3> error to <7> debug. */
static const char level_priorities[] = {
	[LOG_LEVEL_ERROR] = '3',
	[LOG_LEVEL_WARNING] = '4',
	[LOG_LEVEL_INFO] = '6',
	[LOG_LEVEL_DEBUG] = '7',
};

bool log_enabled(enum log_level level)
{
	return level <= log_get_level();
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&threshold, level, __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return __atomic_load_n(&threshold, __ATOMIC_RELAXED);
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (unsigned i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_program(const char *program)
{
	program_name = program;
}

/* Opens the same pipe or terminal once more: this description's flags are ours alone, where
 * O_NONBLOCK on the one that we were given would hit everybody who shares it. */
static int open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* True where the file is the stream that systemd connected to its journal, as it says itself:
 * JOURNAL_STREAM=DEVICE:INODE, systemd.exec(5). */
static bool is_journal(const struct stat *file)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];

	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)file->st_dev, (uintmax_t)file->st_ino);
	return stream && strcmp(stream, ours) == 0;
}

/* With the lock held. */
static void choose_output(int fd)
{
	struct stat file = {0};

	fd_close(&output.own);
	output.chosen = true;
	output.given = fd;
	output.tail_length = 0;
	output.journal = false;
	if (fstat(fd, &file) < 0)
		return;
	output.journal = is_journal(&file);
	if (S_ISFIFO(file.st_mode) || S_ISCHR(file.st_mode))
		output.own = open_again(fd);
}

void log_set_output(int fd)
{
	pthread_mutex_lock(&output.lock);
	choose_output(fd);
	pthread_mutex_unlock(&output.lock);
}

/*
 * What a write that must not wait could write. A pipe or terminal that cannot be opened again (of
 * another user, say) is asked first: a pipe that has room has it for a whole line (PIPE_BUF),
 * unless another process fills it in between.
 */
static ssize_t write_some(const char *bytes, size_t length)
{
	struct pollfd room = {.fd = output.given, .events = POLLOUT};
	ssize_t n;

	if (output.own >= 0)
		return write(output.own, bytes, length);
	n = send(output.given, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0 || errno != ENOTSOCK)
		return n;
	return poll(&room, 1, 0) == 1 ? write(output.given, bytes, length) : -1;
}

/* Writes the end of a line of which only the beginning fitted. True where nothing is left of it. */
static bool write_tail(void)
{
	while (output.tail_length) {
		ssize_t n = write_some(output.tail, output.tail_length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		output.tail_length -= (size_t)n;
		memmove(output.tail, output.tail + n, output.tail_length);
	}
	return true;
}

/* Writes a line now, whatever of it must wait for the next one; false where none of it fits. */
static bool put_line(const char *line, size_t length)
{
	ssize_t n;

	if (!write_tail())
		return false;
	do
		n = write_some(line, length);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	output.tail_length = length - (size_t)n;
	memcpy(output.tail, line + n, output.tail_length);
	return true;
}

/* "DATE TIME program level: " in line[size]; the length. */
static size_t make_prefix(char *line, size_t size, enum log_level level)
{
	struct timespec now;
	struct tm calendar;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &calendar);
	used = strftime(line, size, "%Y-%m-%d %H:%M:%S", &calendar);
	return used + (size_t)snprintf(line + used, size - used,
			      ".%03ld %s%s%s: ", now.tv_nsec / 1000000,
			      program_name ? program_name : "", program_name ? " " : "",
			      level_names[level]);
}

/* The text with what belongs in front of it, and a newline, in line[size]; the length. */
static size_t make_line(
	char *line, size_t size, enum log_level level, const char *text, size_t length)
{
	size_t used;

	if (output.journal)
		used = (size_t)snprintf(line, size, "<%c>", level_priorities[level]);
	else
		used = make_prefix(line, size, level);
	used += text_print(line + used, size - 1 - used, text, length);
	line[used++] = '\n';
	return used;
}

/* In front of the first line that fits again: what was lost. */
static size_t make_notice(char *line)
{
	char text[NOTICE_SIZE];
	int n = snprintf(text, sizeof(text), "%llu lines were lost: nobody read the log",
		(unsigned long long)output.untold);

	return make_line(line, NOTICE_SIZE, LOG_LEVEL_WARNING, text, (size_t)n);
}

void log_write(enum log_level level, const char *format, ...)
{
	char text[LINE_SIZE];
	char line[NOTICE_SIZE + LINE_SIZE];
	size_t notice = 0;
	size_t length;
	va_list args;
	int n;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	length = MIN((size_t)MAX(n, 0), sizeof(text) - 1);
	pthread_mutex_lock(&output.lock);
	if (!output.chosen)
		choose_output(STDERR_FILENO);
	if (output.untold)
		notice = make_notice(line);
	length = notice + make_line(line + notice, LINE_SIZE, level, text, length);
	if (put_line(line, length)) {
		output.untold = 0;
	} else {
		output.untold++;
		__atomic_fetch_add(&output.lost, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&output.lock);
}

uint64_t log_lost(void)
{
	return __atomic_load_n(&output.lost, __ATOMIC_RELAXED);
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
	if (limit->written < (limit->burst ? limit->burst : LOG_LIMIT_BURST)) {
		limit->written++;
		return true;
	}
	limit->held++;
	return false;
}
