/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/endpoint.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/host.h"
#include "vhost/connection.h"
#include "vhost/second_client.h"

/* Pause after accept() failed for want of descriptors: without it the event loop would spin. */
#define ACCEPT_PAUSE_MS 200

/* Until a patient server tries again to listen. */
#define LISTEN_PAUSE_MS 1000

/* Until the reaper tries again to have a thread. */
#define REAPER_PAUSE_MS 200

static const struct host_access default_access = {
	.mode = 0660,
	.owner = HOST_AS_MADE,
	.group = HOST_AS_MADE,
};

struct vhost_endpoint {
	struct event_base *base;
	enum vhost_mode mode;
	struct host_socket socket;
	char *name;
	const struct vhost_endpoint_ops *ops;
	void *owner;
	struct vhost_connection *connection; /* NULL: waiting for a peer */
	struct reaper *reaper;               /* closes what peers sent, and their sockets */
	struct event *reaper_timer;          /* pending while its jobs have no thread */

	/* Server mode. */
	int listen_fd; /* -1: it cannot be had (yet), `problem` says why */
	struct error problem;
	uint64_t problem_since; /* ns */
	bool full_logged;       /* since the reaper is full */
	struct event *acceptable;
	struct second_client second; /* while one is held, nobody else is accepted */

	/* Client mode: `timer` is pending exactly while there is no connection. Server mode:
	 * pending while accepting is paused, while there is nothing to accept at (patient), or when
	 * the held one may be served. */
	struct event *timer;
	unsigned delay_ms;
	bool failure_logged;
	struct log_limit log_limit; /* of the lines that peers cause here */
	uint64_t connected_at;      /* ns */
	int peer_pid;               /* of the present connection */

	unsigned busy; /* callbacks that still use the endpoint */
	bool closing;  /* vhost_endpoint_close() came while busy */
};

/* Ends a connection that was not wanted; the client learns of it now. */
static void turn_away(struct vhost_endpoint *endpoint, int fd)
{
	shutdown(fd, SHUT_RDWR);
	reaper_close(endpoint->reaper, &fd);
}

static void endpoint_free(struct vhost_endpoint *endpoint)
{
	if (second_client_held(&endpoint->second))
		turn_away(endpoint, second_client_take(&endpoint->second));
	if (endpoint->acceptable)
		event_free(endpoint->acceptable);
	if (endpoint->timer)
		event_free(endpoint->timer);
	if (endpoint->listen_fd >= 0)
		host_socket_remove(&endpoint->socket);
	if (endpoint->reaper)
		reaper_on_stall(endpoint->reaper, NULL, NULL);
	if (endpoint->reaper_timer)
		event_free(endpoint->reaper_timer);
	/* Clients that nobody accepted may have sent descriptors already. */
	reaper_close(endpoint->reaper, &endpoint->listen_fd);
	reaper_free(endpoint->reaper);
	free(endpoint->name);
	free(endpoint);
}

static void endpoint_enter(struct vhost_endpoint *endpoint)
{
	endpoint->busy++;
}

/* True where the endpoint still lives. */
static bool endpoint_leave(struct vhost_endpoint *endpoint)
{
	bool closing = endpoint->closing;

	if (--endpoint->busy == 0 && closing)
		endpoint_free(endpoint);
	return !closing;
}

static void timer_start(struct vhost_endpoint *endpoint, unsigned ms)
{
	const struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(endpoint->timer, &delay);
}

/* A peer that went at once will do so again: only a connection that lasted starts the delay
 * afresh. */
static void dial_later(struct vhost_endpoint *endpoint)
{
	if (endpoint->connected_at &&
		clock_now_ns() - endpoint->connected_at >= VHOST_DIAL_LAST_MS * NS_PER_MS)
		endpoint->delay_ms = 0;
	endpoint->connected_at = 0;
	endpoint->delay_ms = endpoint->delay_ms == 0
				     ? VHOST_DIAL_FIRST_MS
				     : MIN(2 * endpoint->delay_ms, VHOST_DIAL_LAST_MS);
	timer_start(endpoint, endpoint->delay_ms);
}

/* The connection is no more: waits for the next peer, then tells the owner, who may close us. */
static void endpoint_lost(struct vhost_endpoint *endpoint, const char *reason)
{
	endpoint->connection = NULL;
	if (endpoint->mode == VHOST_MODE_CLIENT)
		dial_later(endpoint);
	else if (second_client_held(&endpoint->second))
		timer_start(endpoint, 0);
	endpoint->ops->disconnected(endpoint->owner, reason);
}

static void on_message(void *owner, struct vhost_message *message)
{
	struct vhost_endpoint *endpoint = owner;

	endpoint->ops->message(endpoint->owner, message);
}

static void on_closed(void *owner, const struct error *reason)
{
	endpoint_lost(owner, reason->text);
}

static const struct vhost_connection_ops connection_ops = {
	.message = on_message,
	.closed = on_closed,
};

/* Takes the connected socket. The owner may close the endpoint from here. */
static int endpoint_connect(struct vhost_endpoint *endpoint, int fd)
{
	endpoint->connection = vhost_connection_new(
		endpoint->base, fd, endpoint->name, endpoint->reaper, &connection_ops, endpoint);
	if (!endpoint->connection) {
		reaper_close(endpoint->reaper, &fd);
		return -ENOMEM;
	}
	endpoint->connected_at = clock_now_ns();
	endpoint->peer_pid = vhost_socket_peer_pid(fd);
	endpoint->ops->connected(endpoint->owner);
	return 0;
}

/* A peer that was killed and is back already: its old socket's end has not had its turn yet. */
static void drop_gone_peer(struct vhost_endpoint *endpoint)
{
	if (!endpoint->connection || !vhost_connection_peer_gone(endpoint->connection))
		return;
	vhost_connection_close(endpoint->connection);
	endpoint_lost(endpoint, VHOST_PEER_CLOSED);
}

/* Takes no client for a while. */
static void accept_later(struct vhost_endpoint *endpoint)
{
	event_del(endpoint->acceptable);
	timer_start(endpoint, ACCEPT_PAUSE_MS);
}

static void resume_accepting(struct vhost_endpoint *endpoint)
{
	if (!second_client_held(&endpoint->second))
		event_add(endpoint->acceptable, NULL);
}

/* Its time is over, or it has hung up. */
static void second_gone(void *owner)
{
	struct vhost_endpoint *endpoint = owner;

	turn_away(endpoint, second_client_take(&endpoint->second));
	resume_accepting(endpoint);
}

static void hold_second(struct vhost_endpoint *endpoint, int fd)
{
	int pid = vhost_socket_peer_pid(fd);
	bool announce;

	if (second_client_hold(
		    &endpoint->second, endpoint->base, fd, second_gone, endpoint, &announce) < 0) {
		turn_away(endpoint, fd);
		return;
	}
	event_del(endpoint->acceptable);
	if (announce && log_limit_allows(&endpoint->log_limit))
		log_warning("%s: refused a second client (pid %d) at %s: there is one already (pid "
			    "%d); times: %u",
			endpoint->name, pid, endpoint->socket.path, endpoint->peer_pid,
			endpoint->second.count);
}

/* The first client is gone while a second one was held. */
static void serve_second(struct vhost_endpoint *endpoint)
{
	int fd;

	if (reaper_full(endpoint->reaper)) {
		timer_start(endpoint, ACCEPT_PAUSE_MS);
		return;
	}
	fd = second_client_take(&endpoint->second);
	endpoint_enter(endpoint);
	if (endpoint_connect(endpoint, fd) < 0 && log_limit_allows(&endpoint->log_limit))
		log_warning("%s: no memory for a client", endpoint->name);
	if (endpoint_leave(endpoint))
		resume_accepting(endpoint);
}

static void accept_one(struct vhost_endpoint *endpoint)
{
	int fd;

	if (reaper_full(endpoint->reaper)) {
		if (!endpoint->full_logged && log_limit_allows(&endpoint->log_limit))
			log_warning(
				"%s: no client is accepted: %u descriptors of earlier ones cannot "
				"be "
				"closed yet",
				endpoint->name, reaper_pending(endpoint->reaper));
		endpoint->full_logged = true;
		accept_later(endpoint);
		return;
	}
	endpoint->full_logged = false;
	fd = accept4(endpoint->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
			return;
		if (log_limit_allows(&endpoint->log_limit))
			log_warning("%s: cannot accept at %s: %s", endpoint->name,
				endpoint->socket.path, strerror(errno));
		accept_later(endpoint);
		return;
	}
	endpoint_enter(endpoint);
	drop_gone_peer(endpoint);
	if (endpoint->closing) {
		turn_away(endpoint, fd);
	} else if (endpoint->connection) {
		hold_second(endpoint, fd);
	} else if (endpoint_connect(endpoint, fd) < 0) {
		if (log_limit_allows(&endpoint->log_limit))
			log_warning("%s: no memory for a client", endpoint->name);
	}
	endpoint_leave(endpoint);
}

static void on_acceptable(evutil_socket_t fd, short what, void *argument)
{
	accept_one(argument);
}

/* One attempt; says so in the log when the first fails, and when one succeeds after that. */
static void dial(struct vhost_endpoint *endpoint)
{
	struct error error;
	int fd = host_socket_connect(&endpoint->socket, &error);

	if (fd < 0) {
		if (!endpoint->failure_logged && log_limit_allows(&endpoint->log_limit))
			log_warning("%s: %s; retrying", endpoint->name, error.text);
		endpoint->failure_logged = true;
		dial_later(endpoint);
		return;
	}
	if (log_limit_allows(&endpoint->log_limit))
		log_info("%s: connected to %s (pid %d)", endpoint->name, endpoint->socket.path,
			vhost_socket_peer_pid(fd));
	endpoint->failure_logged = false;
	if (endpoint_connect(endpoint, fd) < 0)
		dial_later(endpoint);
}

/* Replaces the listening socket, of which there may be none yet. */
static int open_server(struct vhost_endpoint *endpoint, struct error *error)
{
	struct host_socket anew = endpoint->socket;
	struct event *acceptable;
	int fd = host_socket_listen(&anew, &anew.made, error);

	if (fd < 0)
		return fd;
	acceptable = event_new(endpoint->base, fd, EV_READ | EV_PERSIST, on_acceptable, endpoint);
	if (!acceptable ||
		(!second_client_held(&endpoint->second) && event_add(acceptable, NULL) < 0)) {
		if (acceptable)
			event_free(acceptable);
		host_socket_remove(&anew);
		fd_close(&fd);
		return error_set(error, -ENOMEM, "%s: no memory", endpoint->socket.path);
	}
	if (endpoint->acceptable)
		event_free(endpoint->acceptable);
	reaper_close(endpoint->reaper, &endpoint->listen_fd);
	endpoint->acceptable = acceptable;
	endpoint->listen_fd = fd;
	endpoint->socket.made = anew.made;
	return 0;
}

/* What cannot be had is tried again, until it can; said in the log once. */
static void listen_later(struct vhost_endpoint *endpoint, const struct error *problem)
{
	if (!endpoint->failure_logged)
		log_warning("%s: %s; retrying", endpoint->name, problem->text);
	endpoint->failure_logged = true;
	endpoint->problem = *problem;
	timer_start(endpoint, LISTEN_PAUSE_MS);
}

static void listen_again(struct vhost_endpoint *endpoint)
{
	struct error error;

	if (open_server(endpoint, &error) < 0)
		listen_later(endpoint, &error);
	else
		log_info("%s: listening at %s again", endpoint->name, endpoint->socket.path);
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_endpoint *endpoint = argument;

	if (endpoint->mode == VHOST_MODE_CLIENT)
		dial(endpoint);
	else if (endpoint->listen_fd < 0)
		listen_again(endpoint);
	else if (second_client_held(&endpoint->second) && !endpoint->connection)
		serve_second(endpoint);
	else
		resume_accepting(endpoint);
}

static void on_reaper_timer(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_endpoint *endpoint = argument;

	reaper_retry(endpoint->reaper);
}

/* The reaper's jobs have no thread. */
static void on_stall(void *argument)
{
	struct vhost_endpoint *endpoint = argument;
	const struct timeval pause = {.tv_usec = REAPER_PAUSE_MS * 1000};

	event_add(endpoint->reaper_timer, &pause);
}

int vhost_endpoint_open(struct event_base *base, const struct vhost_endpoint_config *config,
	const struct vhost_endpoint_ops *ops, void *owner, struct vhost_endpoint **result,
	struct error *error)
{
	struct vhost_endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int status;

	if (!endpoint)
		return error_set(error, -ENOMEM, "%s: no memory", config->path);
	endpoint->base = base;
	endpoint->mode = config->mode;
	endpoint->ops = ops;
	endpoint->owner = owner;
	endpoint->listen_fd = -1;
	endpoint->socket.access = config->access ? *config->access : default_access;
	endpoint->name = strdup(config->name);
	endpoint->timer = event_new(base, -1, 0, on_timer, endpoint);
	endpoint->reaper_timer = event_new(base, -1, 0, on_reaper_timer, endpoint);
	endpoint->reaper = reaper_new();
	if (endpoint->reaper && endpoint->reaper_timer)
		reaper_on_stall(endpoint->reaper, on_stall, endpoint);
	if (!endpoint->name || !endpoint->timer || !endpoint->reaper_timer || !endpoint->reaper)
		status = error_set(error, -ENOMEM, "%s: no memory", config->path);
	else
		status = host_socket_name(&endpoint->socket, config->path, error);
	if (status == 0 && config->mode == VHOST_MODE_SERVER) {
		status = open_server(endpoint, &endpoint->problem);
		if (status < 0 && config->patient) {
			endpoint->problem_since = clock_now_ns();
			listen_later(endpoint, &endpoint->problem);
			status = 0;
		} else if (status < 0) {
			*error = endpoint->problem;
		}
	}
	/* The first attempt, too, is the event loop's: the owner is never called from inside
	 * here. */
	if (status == 0 && config->mode == VHOST_MODE_CLIENT)
		timer_start(endpoint, 0);
	if (status < 0) {
		endpoint_free(endpoint);
		return status;
	}
	*result = endpoint;
	return 0;
}

bool vhost_endpoint_connected(const struct vhost_endpoint *endpoint)
{
	return endpoint->connection != NULL;
}

const char *vhost_endpoint_problem(const struct vhost_endpoint *endpoint, unsigned *age)
{
	if (endpoint->mode == VHOST_MODE_CLIENT || endpoint->listen_fd >= 0)
		return NULL;
	*age = (unsigned)((clock_now_ns() - endpoint->problem_since) / NS_PER_SECOND);
	return endpoint->problem.text;
}

int vhost_endpoint_peer_pid(const struct vhost_endpoint *endpoint)
{
	return endpoint->connection ? endpoint->peer_pid : 0;
}

int vhost_endpoint_send(struct vhost_endpoint *endpoint, const struct vhost_message *message)
{
	if (!endpoint->connection)
		return -ENOTCONN;
	return vhost_connection_send(endpoint->connection, message);
}

void vhost_endpoint_disconnect(struct vhost_endpoint *endpoint, const char *reason)
{
	if (!endpoint->connection)
		return;
	vhost_connection_close(endpoint->connection);
	endpoint_lost(endpoint, reason);
}

struct reaper *vhost_endpoint_reaper(const struct vhost_endpoint *endpoint)
{
	return endpoint->reaper;
}

void vhost_endpoint_close(struct vhost_endpoint *endpoint)
{
	if (!endpoint)
		return;
	vhost_connection_close(endpoint->connection);
	endpoint->connection = NULL;
	if (endpoint->busy) {
		endpoint->closing = true;
		return;
	}
	endpoint_free(endpoint);
}

int vhost_endpoint_renew(
	struct vhost_endpoint *endpoint, const struct host_access *access, struct error *error)
{
	const struct host_access before = endpoint->socket.access;
	int status;

	if (endpoint->mode == VHOST_MODE_CLIENT)
		return 0;
	endpoint->socket.access = *access;
	if (!host_socket_exists(&endpoint->socket)) {
		status = open_server(endpoint, error);
		status = status < 0 ? status : 1;
	} else {
		status = host_socket_set_access(&endpoint->socket, error);
	}
	if (status < 0)
		endpoint->socket.access = before;
	return status;
}

int vhost_endpoint_check(const char *path, struct error *error)
{
	struct host_socket socket;
	int status = host_socket_name(&socket, path, error);

	return status < 0 ? status : MIN(host_socket_probe(&socket, error), 0);
}
