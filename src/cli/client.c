/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/unreachable.h"
#include "control/rpc/control_path.h"

/* Seconds without a byte from the daemon: it answers in milliseconds. After the first it is said;
 * one that still works at a large change is waited for. */
#define NOTICE   2
#define PATIENCE 30

/* A connected socket whose calls wait for NOTICE at most, or -1 with errno. */
static int dial_path(const char *path)
{
	const struct timeval notice = {.tv_sec = NOTICE};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* connect() waits, too: where the queue of who listens is full. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &notice, sizeof(notice));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &notice, sizeof(notice));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fd_close(&fd);
	return fd;
}

/* Who may not open the full socket may be allowed to look: *looks. */
static int dial(const char *path, bool *looks)
{
	char read_only[PATH_MAX];
	struct error error;
	int fd = dial_path(path);
	int cause = errno;

	*looks = false;
	if (fd < 0 && cause == EACCES) {
		control_path_read_only(path, read_only);
		fd = dial_path(read_only);
		*looks = fd >= 0;
	}
	if (fd < 0) {
		unreachable_explain(path, cause, &error);
		fprintf(stderr, "vsw: %s\n", error.text);
	}
	return fd;
}

/* NOTICE has passed without a byte. True where it is worth to wait on. */
static bool notice_silence(int fd, const char *control, unsigned waited)
{
	pid_t peer = unreachable_peer(fd);
	const char *what = "";

	if (unreachable_stopped(peer, &what)) {
		fprintf(stderr, "vsw: vswd at %s (pid %d) does not answer: %s\n", control,
			(int)peer, what);
		return false;
	}
	if (waited == NOTICE)
		fprintf(stderr,
			"vsw: vswd at %s (pid %d) has not answered for %d s; waiting up to %d s\n",
			control, (int)peer, NOTICE, PATIENCE);
	if (waited < PATIENCE)
		return true;
	fprintf(stderr, "vsw: vswd at %s (pid %d) does not answer\n", control, (int)peer);
	return false;
}

/* 0, or -1 after a message. */
static int send_line(int fd, const char *control, const char *line)
{
	const char *parts[] = {line, "\n"};
	unsigned waited = 0;

	for (unsigned i = 0; i < 2; i++) {
		size_t left = strlen(parts[i]);

		while (left) {
			ssize_t n = send(fd, parts[i], left, MSG_NOSIGNAL);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && errno == EAGAIN &&
				notice_silence(fd, control, waited += NOTICE))
				continue;
			if (n <= 0) {
				if (errno != EAGAIN)
					fprintf(stderr, "vsw: vswd at %s takes no request: %s\n",
						control, strerror(errno));
				return -1;
			}
			parts[i] += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/* What recv() says, with as much patience as there is; 0 or less after a message. */
static ssize_t receive_some(int fd, const char *control, char *bytes, size_t size)
{
	for (unsigned waited = NOTICE;; waited += NOTICE) {
		ssize_t n;

		do
			n = recv(fd, bytes, size, 0);
		while (n < 0 && errno == EINTR);
		if (n > 0)
			return n;
		if (n < 0 && errno == EAGAIN && notice_silence(fd, control, waited))
			continue;
		if (n == 0 || errno != EAGAIN)
			fprintf(stderr, "vsw: vswd at %s gives no answer: %s\n", control,
				n < 0 ? strerror(errno) : "it closed the connection");
		return -1;
	}
}

/* Reads to the first newline into a string to be freed; NULL, after a message, where there is
 * none. */
static char *receive_line(int fd, const char *control)
{
	size_t size = 65536;
	size_t used = 0;
	char *line = malloc(size);

	while (line) {
		ssize_t n = receive_some(fd, control, line + used, size - used - 1);
		char *end;

		if (n <= 0)
			break;
		line[used + (size_t)n] = '\0';
		end = strchr(line + used, '\n');
		if (end) {
			*end = '\0';
			return line;
		}
		used += (size_t)n;
		if (size - used < 2) {
			char *grown = realloc(line, size *= 2);

			if (!grown)
				break;
			line = grown;
		}
	}
	free(line);
	return NULL;
}

/* looks: the request went to the socket that only shows. of_file: what is wrong is so in a file,
 * whose name stands in front. */
static void print_error(const json_t *error, const char *control, bool looks, bool of_file)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_t *lines = json_object_get(error, "data");
	const json_t *line;
	struct error who;
	size_t i;

	if (json_is_array(lines)) {
		json_array_foreach (lines, i, line)
			fprintf(stderr, "%s%s\n", of_file ? "" : "vsw: ", json_string_value(line));
		return;
	}
	fprintf(stderr, "vsw: %s\n", message ? message : "refused without a reason");
	if (looks && json_integer_value(json_object_get(error, "code")) == CONTROL_ONLY_SHOWS) {
		unreachable_who_may(control, &who);
		fprintf(stderr, "vsw: permission denied: %s: %s\n", control, who.text);
	}
}

static char *exchange(const char *control, const char *request, bool *looks)
{
	char *reply = NULL;
	int fd = dial(control, looks);

	if (fd < 0)
		return NULL;
	if (send_line(fd, control, request) == 0)
		reply = receive_line(fd, control);
	fd_close(&fd);
	return reply;
}

json_t *client_call(const char *control, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", 1, "method", method);
	json_t *result = NULL;
	json_t *reply = NULL;
	bool looks = false;
	char *text;
	char *line;

	if (params)
		json_object_set_new(request, "params", params);
	text = json_dumps(request, JSON_COMPACT);
	line = text ? exchange(control, text, &looks) : NULL;
	if (line) {
		reply = json_loads(line, 0, NULL);
		result = json_object_get(reply, "result");
		if (json_object_get(reply, "error"))
			print_error(json_object_get(reply, "error"), control, looks,
				strcmp(method, "config.edit") != 0);
		else if (!result)
			fprintf(stderr, "vsw: what answers at %s is not vswd\n", control);
		json_incref(result);
	}
	json_decref(reply);
	json_decref(request);
	free(text);
	free(line);
	return result;
}
