/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/rpc.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/host.h"
#include "host/names.h"

/* A free place has no buffer. */
struct rpc_client {
	struct rpc *rpc;
	struct bufferevent *buffer;
	uint64_t active;           /* ns: when it came, or had its last request answered */
	bool privileged;           /* root, or this process's user */
	struct log_limit refusals; /* of one that is not */
	bool finished;             /* it will send no more; it may still read its last reply */
};

struct rpc {
	struct runtime *runtime;
	enum rpc_role role;
	struct event_base *base;
	struct evconnlistener *listener;
	struct host_socket socket;
	char *group; /* "": the process's own */
	struct rpc_client clients[RPC_CLIENT_MAX];
};

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
		reply = rpc_answer(client->rpc->runtime, client->rpc->role,
			client->privileged ? NULL : &client->refusals, line, length);
		client->active = clock_now_ns();
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

/* Nothing came for a long time: it must go, unless it waits for its reply to go out. */
static void client_idle(struct rpc_client *client)
{
	if (evbuffer_get_length(bufferevent_get_output(client->buffer)) == 0)
		client_close(client);
	else
		bufferevent_enable(client->buffer, EV_READ);
}

static void client_event(struct bufferevent *buffer, short what, void *argument)
{
	struct rpc_client *client = argument;

	if (what & BEV_EVENT_EOF) {
		client->finished = true;
		client_serve(client);
		return;
	}
	if (what & BEV_EVENT_READING && what & BEV_EVENT_TIMEOUT) {
		client_idle(client);
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		log_limited(LOG_LEVEL_WARNING, "control: a client does not read its reply");
	client_close(client);
}

/* SO_PEERCRED: who connected. */
static bool is_privileged(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/* The client among those of its kind that has been idle longest; NULL where none has been for
 * long. */
static struct rpc_client *find_idle(struct rpc *rpc, bool privileged, uint64_t now)
{
	struct rpc_client *oldest = NULL;

	for (unsigned i = 0; i < RPC_CLIENT_MAX; i++) {
		struct rpc_client *client = &rpc->clients[i];

		if (client->buffer && (privileged || !client->privileged) &&
			evbuffer_get_length(bufferevent_get_output(client->buffer)) == 0 &&
			now - client->active >= RPC_GRACE_SECONDS * NS_PER_SECOND &&
			(!oldest || client->active < oldest->active))
			oldest = client;
	}
	return oldest;
}

/* A place for a new client; NULL where there is none. */
static struct rpc_client *find_place(struct rpc *rpc, bool privileged)
{
	struct rpc_client *place = NULL;
	unsigned others = 0;

	for (unsigned i = 0; i < RPC_CLIENT_MAX; i++) {
		if (!rpc->clients[i].buffer)
			place = &rpc->clients[i];
		else
			others += !rpc->clients[i].privileged;
	}
	if (place && (privileged || others < RPC_CLIENT_MAX - RPC_ROOT_PLACES))
		return place;
	place = find_idle(rpc, privileged, clock_now_ns());
	if (place) {
		log_limited(LOG_LEVEL_WARNING,
			"control: too many clients: disconnected the one that was idle longest");
		client_close(place);
	}
	return place;
}

static void accept_client(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int length, void *argument)
{
	const struct timeval stall = {.tv_sec = RPC_STALL_SECONDS};
	const struct timeval idle = {.tv_sec = RPC_IDLE_SECONDS};
	struct rpc *rpc = argument;
	bool privileged = is_privileged(fd);
	struct rpc_client *client = find_place(rpc, privileged);

	if (client)
		client->buffer = bufferevent_socket_new(
			evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->buffer) {
		log_limited(LOG_LEVEL_WARNING, "control: more than %u clients",
			RPC_CLIENT_MAX - (privileged ? 0 : RPC_ROOT_PLACES));
		fd_close(&fd);
		return;
	}
	client->rpc = rpc;
	client->finished = false;
	client->privileged = privileged;
	client->refusals = (struct log_limit){0};
	client->active = clock_now_ns();
	bufferevent_setcb(client->buffer, client_readable, client_drained, client_event, client);
	bufferevent_setwatermark(client->buffer, EV_READ, 0, RPC_LINE_MAX);
	bufferevent_set_timeouts(client->buffer, &idle, &stall);
	bufferevent_enable(client->buffer, EV_READ | EV_WRITE);
}

/* Out of descriptors, say: waiting a moment is all that helps, and not to log every turn. */
static void accept_failed(struct evconnlistener *listener, void *argument)
{
	log_limited(LOG_LEVEL_WARNING, "control: cannot accept a client: %s", strerror(errno));
}

/* Who may connect, said in full: nothing of it comes from the folder. */
static int fill_access(const char *group, struct host_access *access, struct error *error)
{
	*access = (struct host_access){
		.mode = 0660,
		.owner = HOST_AS_MADE,
		.group = getegid(),
	};
	if (*group && !host_group(group, &access->group))
		return error_set(error, -ENOENT, "this machine has no group '%s'", group);
	return 0;
}

/* A listening socket that nobody else can replace, and *made, or -errno. */
static int open_socket(struct rpc *rpc, struct host_file *made, struct error *error)
{
	int status = fill_access(rpc->group, &rpc->socket.access, error);

	if (status < 0)
		return status;
	status = host_socket_listen(&rpc->socket, made, error);
	if (status == -EPERM)
		error_prefix(error, "%s: the control socket needs a folder of its own (--control)",
			rpc->socket.path);
	return status;
}

/* Opens the socket and listens at it, in place of where it listened before, if at all. 0 or
 * -errno. */
static int start_listening(struct rpc *rpc, struct error *error)
{
	struct host_socket anew = rpc->socket;
	struct evconnlistener *listener;
	int fd = open_socket(rpc, &anew.made, error);

	if (fd < 0)
		return fd;
	/* Listens already: a backlog of 0 leaves it as it is. */
	listener = evconnlistener_new(rpc->base, accept_client, rpc,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener) {
		fd_close(&fd);
		host_socket_remove(&anew);
		return error_set(error, -ENOMEM, "out of memory");
	}
	evconnlistener_set_error_cb(listener, accept_failed);
	if (rpc->listener)
		evconnlistener_free(rpc->listener);
	rpc->listener = listener;
	rpc->socket.made = anew.made;
	return 0;
}

int rpc_probe(const char *path, struct error *error)
{
	struct host_socket socket = {0};

	return host_socket_name(&socket, path, NULL) == 0 &&
			       host_socket_probe(&socket, error) == -EADDRINUSE
		       ? -EADDRINUSE
		       : 0;
}

struct rpc *rpc_new(struct event_base *base, struct runtime *runtime, enum rpc_role role,
	const char *path, const char *group, struct error *error)
{
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	int status = -ENOMEM;

	if (rpc) {
		rpc->base = base;
		rpc->runtime = runtime;
		rpc->role = role;
		rpc->socket.safe_folder = true;
		rpc->group = strdup(group);
	}
	if (!rpc || !rpc->group)
		error_set(error, -ENOMEM, "out of memory");
	else
		status = host_socket_name(&rpc->socket, path, error);
	if (status == 0)
		status = start_listening(rpc, error);
	if (status == 0)
		return rpc;
	if (rpc)
		free(rpc->group);
	free(rpc);
	return NULL;
}

int rpc_renew(struct rpc *rpc, struct error *error)
{
	int status;

	if (host_socket_exists(&rpc->socket))
		return 0;
	status = start_listening(rpc, error);
	return status < 0 ? status : 1;
}

void rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	for (unsigned i = 0; i < RPC_CLIENT_MAX; i++)
		client_close(&rpc->clients[i]);
	evconnlistener_free(rpc->listener);
	host_socket_remove(&rpc->socket);
	free(rpc->group);
	free(rpc);
}
