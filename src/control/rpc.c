/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <grp.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "control/show.h"
#include "vhost/listen.h"

#define RPC_PARSE_ERROR     (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_NO_METHOD       (-32601)

/* A free place has no buffer. */
struct rpc_client {
	struct rpc *rpc;
	struct bufferevent *buffer;
	bool finished; /* it will send no more; it may still read its last reply */
};

struct rpc {
	struct runtime *runtime;
	struct evconnlistener *listener;
	char *path;
	struct vhost_socket_file file;
	struct rpc_client clients[RPC_CLIENT_MAX];
};

static json_t *make_error(int code, const char *text, json_t *data)
{
	json_t *error = json_pack("{s:i, s:s}", "code", code, "message", text);

	if (data)
		json_object_set(error, "data", data);
	return error;
}

/* Carries out a well-formed request. Its result, or NULL with *error (a new reference). */
static json_t *call(struct runtime *runtime, const char *name, const json_t *params, json_t **error)
{
	const struct show_method *method = show_find(name);
	struct show_failure failure = {.code = SHOW_REFUSED};
	json_t *result;

	if (!method) {
		*error = make_error(RPC_NO_METHOD, "no such method", NULL);
		return NULL;
	}
	result = method->call(runtime, params, &failure);
	if (!result)
		*error = make_error(failure.code, failure.error.text, failure.lines);
	json_decref(failure.lines);
	return result;
}

/* A reply object, or NULL for a notification. */
static json_t *answer_request(struct runtime *runtime, const json_t *request)
{
	const json_t *params = json_object_get(request, "params");
	const json_t *version = json_object_get(request, "jsonrpc");
	const json_t *method = json_object_get(request, "method");
	json_t *id = json_object_get(request, "id");
	bool valid_id = !id || json_is_string(id) || json_is_number(id) || json_is_null(id);
	json_t *error = NULL;
	json_t *result = NULL;
	json_t *reply;

	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0 ||
		!json_is_string(method) || !valid_id) {
		error = make_error(RPC_INVALID_REQUEST, "not a JSON-RPC 2.0 request", NULL);
		id = valid_id && id ? id : json_null();
	} else if (params && !json_is_object(params)) {
		error = make_error(SHOW_BAD_PARAMS, "params must be an object", NULL);
	} else {
		result = call(runtime, json_string_value(method), params, &error);
	}
	if (!id) {
		json_decref(result);
		json_decref(error);
		return NULL;
	}
	reply = json_pack("{s:s, s:O}", "jsonrpc", "2.0", "id", id);
	json_object_set_new(reply, error ? "error" : "result", error ? error : result);
	return reply;
}

char *rpc_answer(struct runtime *runtime, const char *line, size_t length)
{
	json_error_t fault;
	json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &fault);
	json_t *reply = NULL;
	char *text = NULL;
	char *with_newline = NULL;

	if (!request)
		reply = json_pack("{s:s, s:n, s:o}", "jsonrpc", "2.0", "id", "error",
			make_error(RPC_PARSE_ERROR, fault.text, NULL));
	else
		reply = answer_request(runtime, request);
	if (reply)
		text = json_dumps(reply, JSON_COMPACT);
	if (text && asprintf(&with_newline, "%s\n", text) < 0)
		with_newline = NULL;
	free(text);
	json_decref(reply);
	json_decref(request);
	return with_newline;
}

static void client_close(struct rpc_client *client)
{
	if (client->buffer)
		bufferevent_free(client->buffer);
	client->buffer = NULL;
}

/* Answers the requests that have come in, one at a time: while a reply waits to go out, the rest
 * wait too, and so a client that does not read costs one reply of memory. */
static void client_serve(struct rpc_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->buffer);
	struct evbuffer *output = bufferevent_get_output(client->buffer);

	while (evbuffer_get_length(output) == 0) {
		size_t length;
		char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF);
		char *reply;

		if (!line)
			break;
		reply = rpc_answer(client->rpc->runtime, line, length);
		if (reply)
			evbuffer_add(output, reply, strlen(reply));
		free(reply);
		free(line);
	}
	if (evbuffer_get_length(output))
		return;
	if (evbuffer_get_length(input) >= RPC_LINE_MAX) {
		log_limited(LOG_LEVEL_WARNING, "control: a request of more than %u bytes",
			RPC_LINE_MAX);
		client_close(client);
	} else if (client->finished) {
		client_close(client);
	}
}

static void client_readable(struct bufferevent *buffer, void *argument)
{
	client_serve(argument);
}

/* The reply is out: the next request's turn. */
static void client_drained(struct bufferevent *buffer, void *argument)
{
	client_serve(argument);
}

static void client_event(struct bufferevent *buffer, short what, void *argument)
{
	struct rpc_client *client = argument;

	if (what & BEV_EVENT_EOF) {
		client->finished = true;
		client_serve(client);
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		log_limited(LOG_LEVEL_WARNING, "control: a client does not read its reply");
	client_close(client);
}

static void accept_client(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int length, void *argument)
{
	const struct timeval stall = {.tv_sec = RPC_STALL_SECONDS};
	struct rpc *rpc = argument;
	struct rpc_client *client = NULL;

	for (unsigned i = 0; i < RPC_CLIENT_MAX && !client; i++)
		if (!rpc->clients[i].buffer)
			client = &rpc->clients[i];
	if (client)
		client->buffer = bufferevent_socket_new(
			evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->buffer) {
		log_limited(LOG_LEVEL_WARNING, "control: more than %u clients", RPC_CLIENT_MAX);
		fd_close(&fd);
		return;
	}
	client->rpc = rpc;
	client->finished = false;
	bufferevent_setcb(client->buffer, client_readable, client_drained, client_event, client);
	bufferevent_setwatermark(client->buffer, EV_READ, 0, RPC_LINE_MAX);
	bufferevent_set_timeouts(client->buffer, NULL, &stall);
	bufferevent_enable(client->buffer, EV_READ | EV_WRITE);
}

/* Out of descriptors, say: waiting a moment is all that helps, and not to log every turn. */
static void accept_failed(struct evconnlistener *listener, void *argument)
{
	log_limited(LOG_LEVEL_WARNING, "control: cannot accept a client: %s", strerror(errno));
}

/* Gives the socket to the group before the group may use it. */
static int open_to_group(const char *path, const char *group, struct error *error)
{
	const struct group *entry = getgrnam(group);

	if (!entry)
		return error_set(error, -ENOENT, "this machine has no group '%s'", group);
	if (chown(path, (uid_t)-1, entry->gr_gid) < 0 || chmod(path, 0660) < 0)
		return error_set_errno(
			error, -errno, "%s: cannot give it to group '%s'", path, group);
	return 0;
}

struct rpc *rpc_new(struct event_base *base, struct runtime *runtime, const char *path,
	const char *group, struct error *error)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	int fd = -1;

	if (!rpc || !(rpc->path = strdup(path))) {
		error_set(error, -ENOMEM, "out of memory");
		goto free_rpc;
	}
	rpc->runtime = runtime;
	fd = vhost_socket_listen(path, *group ? 0600 : 0660, &rpc->file, error);
	if (fd < 0)
		goto free_rpc;
	if (*group && open_to_group(path, group, error) < 0)
		goto close_socket;
	/* Listens already: a backlog of 0 leaves it as it is. */
	rpc->listener = evconnlistener_new(
		base, accept_client, rpc, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!rpc->listener) {
		error_set(error, -ENOMEM, "out of memory");
		goto close_socket;
	}
	evconnlistener_set_error_cb(rpc->listener, accept_failed);
	return rpc;

close_socket:
	fd_close(&fd);
	vhost_socket_unlink(path, &rpc->file);
free_rpc:
	if (rpc)
		free(rpc->path);
	free(rpc);
	return NULL;
}

void rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	for (unsigned i = 0; i < RPC_CLIENT_MAX; i++)
		client_close(&rpc->clients[i]);
	evconnlistener_free(rpc->listener);
	vhost_socket_unlink(rpc->path, &rpc->file);
	free(rpc->path);
	free(rpc);
}
