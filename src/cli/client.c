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
#include "control/rpc/control_path.h"

/* Seconds without a byte from the daemon: it answers in milliseconds, or hangs. */
#define PATIENCE 30

/* A connected socket, or -1 with errno. */
static int dial_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		fd_close(&fd);
	return fd;
}

/* Who may not open the full socket may be allowed to look. */
static int dial(const char *path)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	char read_only[PATH_MAX];
	int fd = dial_path(path);

	if (fd < 0 && errno == EACCES) {
		control_path_read_only(path, read_only);
		fd = dial_path(read_only);
		if (fd < 0)
			errno = EACCES;
	}
	if (fd < 0) {
		fprintf(stderr, "vsw: no vswd answers at %s: %s; %s\n", path, strerror(errno),
			errno == EACCES ? "only who may open the socket may ask"
					: "is it running?");
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int send_line(int fd, const char *line)
{
	const char *parts[] = {line, "\n"};

	for (unsigned i = 0; i < 2; i++) {
		size_t left = strlen(parts[i]);

		while (left) {
			ssize_t n = send(fd, parts[i], left, MSG_NOSIGNAL);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return -1;
			parts[i] += n;
			left -= (size_t)n;
		}
	}
	return 0;
}

/* Reads to the first newline into a string to be freed; NULL where there is none. */
static char *receive_line(int fd)
{
	size_t size = 65536;
	size_t used = 0;
	char *line = malloc(size);

	while (line) {
		ssize_t n = recv(fd, line + used, size - used - 1, 0);
		char *end;

		if (n < 0 && errno == EINTR)
			continue;
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

static void print_error(const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_t *lines = json_object_get(error, "data");
	const json_t *line;
	size_t i;

	if (json_is_array(lines)) {
		json_array_foreach (lines, i, line)
			fprintf(stderr, "%s\n", json_string_value(line));
	} else {
		fprintf(stderr, "vsw: %s\n", message ? message : "refused without a reason");
	}
}

static char *exchange(const char *control, const char *request)
{
	char *reply = NULL;
	int fd = dial(control);

	if (fd < 0)
		return NULL;
	if (send_line(fd, request) == 0)
		reply = receive_line(fd);
	if (!reply)
		fprintf(stderr, "vsw: vswd at %s gives no answer: %s\n", control,
			errno ? strerror(errno) : "it hung up");
	fd_close(&fd);
	return reply;
}

json_t *client_call(const char *control, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", 1, "method", method);
	json_t *result = NULL;
	json_t *reply = NULL;
	char *text;
	char *line;

	if (params)
		json_object_set_new(request, "params", params);
	text = json_dumps(request, JSON_COMPACT);
	errno = 0;
	line = text ? exchange(control, text) : NULL;
	if (line) {
		reply = json_loads(line, 0, NULL);
		result = json_object_get(reply, "result");
		if (json_object_get(reply, "error"))
			print_error(json_object_get(reply, "error"));
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
