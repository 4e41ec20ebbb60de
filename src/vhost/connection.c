/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define HEADER_SIZE sizeof(struct vhost_header)

/* A message that waits for the socket to take it. */
struct outgoing {
	struct vhost_message message;
	struct outgoing *next;
};

struct vhost_connection {
	int fd;
	const char *name; /* borrowed */
	const struct vhost_connection_ops *ops;
	void *owner;
	struct event *readable;
	struct event *writable;
	struct event *deadline;
	struct event *held;    /* pending while nothing is read, because the reaper is full */
	struct reaper *reaper; /* shared: the owner may go first, from inside an operation */

	/* The message that is arriving; `received` counts its bytes, header included. */
	struct vhost_message incoming;
	size_t received;
	uint8_t header[HEADER_SIZE];

	struct outgoing *queue_head;
	struct outgoing **queue_tail;
	unsigned queue_length;
	size_t sent; /* bytes of the head's message that the socket has taken */

	bool busy;   /* inside the event loop's callback: do not free now */
	bool closed; /* by the owner, while busy */
	/* Sending failed: the event loop tells the owner. */
	struct error failure;
	bool failed;
};

static void connection_free(struct vhost_connection *connection)
{
	struct outgoing *outgoing;

	while ((outgoing = connection->queue_head)) {
		connection->queue_head = outgoing->next;
		free(outgoing);
	}
	vhost_message_close_fds(&connection->incoming);
	if (connection->held)
		event_free(connection->held);
	if (connection->deadline)
		event_free(connection->deadline);
	if (connection->writable)
		event_free(connection->writable);
	if (connection->readable)
		event_free(connection->readable);
	/* The peer learns of it now. What lies in the socket unread may hold descriptors, too. */
	if (connection->fd >= 0)
		shutdown(connection->fd, SHUT_RDWR);
	reaper_close(connection->reaper, &connection->fd);
	reaper_free(connection->reaper);
	free(connection);
}

void vhost_connection_close(struct vhost_connection *connection)
{
	if (!connection)
		return;
	if (connection->busy)
		connection->closed = true;
	else
		connection_free(connection);
}

/* Ends the connection for a reason of the peer's. Only from the event loop, and the last act
 * there. */
static void connection_end(struct vhost_connection *connection, const struct error *reason)
{
	connection->busy = true;
	if (!connection->closed)
		connection->ops->closed(connection->owner, reason);
	connection_free(connection);
}

static void incoming_reset(struct vhost_connection *connection)
{
	connection->received = 0;
	connection->incoming.fd_count = 0;
	connection->incoming.fds_lost = 0;
	connection->incoming.reaper = connection->reaper;
	for (unsigned i = 0; i < VHOST_MESSAGE_FDS_MAX; i++)
		connection->incoming.fds[i] = -1;
}

/* Keeps the descriptors that fit the message, closes the others and counts them as lost. */
static void collect_fds(struct vhost_connection *connection, struct msghdr *header)
{
	struct vhost_message *incoming = &connection->incoming;
	int fds[VHOST_RECEIVE_FDS_MAX];
	size_t count;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control;
		control = CMSG_NXTHDR(header, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		count = MIN(count, VHOST_RECEIVE_FDS_MAX);
		memcpy(fds, CMSG_DATA(control), count * sizeof(int));
		for (size_t i = 0; i < count; i++) {
			if (incoming->fd_count < VHOST_MESSAGE_FDS_MAX) {
				incoming->fds[incoming->fd_count++] = fds[i];
			} else {
				reaper_close(connection->reaper, &fds[i]);
				incoming->fds_lost++;
			}
		}
	}
	if (header->msg_flags & MSG_CTRUNC)
		incoming->fds_lost++;
}

/* One recvmsg() of at most `room` bytes. Bytes read, 0 at the end of the stream, or -errno. */
static ssize_t receive(struct vhost_connection *connection, void *to, size_t room)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VHOST_RECEIVE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = to, .iov_len = room};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got;

	do {
		got = recvmsg(connection->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	collect_fds(connection, &header);
	return got;
}

/* Nothing is read until some of what the peer has sent could be closed. A deadline goes on. */
static void hold(struct vhost_connection *connection)
{
	const struct timeval pause = {.tv_usec = VHOST_HOLD_MS * 1000};

	event_del(connection->readable);
	event_add(connection->held, &pause);
}

/*
 * Reads on until the message is whole, the socket is empty, or the peer is to be left. Returns 1, 0
 * or
 * -errno with the reason. Never reads past the message, so descriptors stay with theirs.
 */
static int read_message(struct vhost_connection *connection, struct error *error)
{
	struct vhost_message *incoming = &connection->incoming;
	size_t whole = HEADER_SIZE;
	uint8_t *to;
	ssize_t got;

	for (;;) {
		if (connection->received >= HEADER_SIZE) {
			whole = HEADER_SIZE + incoming->header.size;
			to = incoming->payload.bytes + (connection->received - HEADER_SIZE);
		} else {
			to = connection->header + connection->received;
		}
		if (connection->received == whole)
			return 1;
		if (reaper_full(connection->reaper)) {
			log_limited(LOG_LEVEL_WARNING,
				"%s: held: %u descriptors that its peer sent cannot be closed yet",
				connection->name, reaper_pending(connection->reaper));
			hold(connection);
			return 0;
		}
		got = receive(connection, to, whole - connection->received);
		if (got == -EAGAIN)
			return 0;
		if (got == 0)
			return error_set(error, -ECONNRESET, "%s",
				connection->received ? "the peer closed within a message"
						     : VHOST_PEER_CLOSED);
		if (got < 0)
			return error_set_errno(error, (int)got, "receiving");
		connection->received += (size_t)got;
		if (connection->received == HEADER_SIZE &&
			vhost_header_decode(&incoming->header, connection->header, error) < 0)
			return -EPROTO;
	}
}

/* The deadline runs exactly while a message is incomplete, from its first byte. */
static void deadline_update(struct vhost_connection *connection)
{
	const struct timeval deadline = {.tv_sec = VHOST_MESSAGE_DEADLINE_MS / 1000,
		.tv_usec = VHOST_MESSAGE_DEADLINE_MS % 1000 * 1000};

	if (connection->received == 0)
		event_del(connection->deadline);
	else if (!event_pending(connection->deadline, EV_TIMEOUT, NULL))
		event_add(connection->deadline, &deadline);
}

static void on_held(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_connection *connection = argument;

	if (reaper_full(connection->reaper))
		hold(connection);
	else
		event_add(connection->readable, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_connection *connection = argument;
	const uint64_t begin = clock_now_ns();
	struct error error = {""};
	int status = 0;

	connection->busy = true;
	/* A message that changes many rings waits for the workers: there is a limit of time as
	 * well. */
	for (unsigned i = 0; i < VHOST_MESSAGES_PER_WAKE && !connection->closed &&
			     (i == 0 || clock_now_ns() - begin < VHOST_WAKE_NS);
		i++) {
		status = read_message(connection, &error);
		if (status <= 0)
			break;
		event_del(connection->deadline);
		connection->ops->message(connection->owner, &connection->incoming);
		vhost_message_close_fds(&connection->incoming);
		incoming_reset(connection);
	}
	connection->busy = false;
	if (connection->closed || status < 0)
		connection_end(connection, &error);
	else
		deadline_update(connection);
}

static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_connection *connection = argument;
	struct error error;

	error_set(&error, 0, "a message was not complete after %d ms", VHOST_MESSAGE_DEADLINE_MS);
	connection_end(connection, &error);
}

/* Sends what is left of the first message. 1 whole, 0 the socket is full, or -errno. */
static int send_head(struct vhost_connection *connection)
{
	const struct vhost_message *message = &connection->queue_head->message;
	uint8_t bytes[HEADER_SIZE + VHOST_PAYLOAD_MAX];
	size_t length = vhost_message_encode(message, bytes);
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VHOST_MESSAGE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {
		.iov_base = bytes + connection->sent, .iov_len = length - connection->sent};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (connection->sent == 0 && message->fd_count > 0) {
		size_t fds_size = sizeof(int) * message->fd_count;

		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(fds_size);
		CMSG_FIRSTHDR(&header)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&header)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&header)->cmsg_len = CMSG_LEN(fds_size);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), message->fds, fds_size);
	}
	do {
		sent = sendmsg(connection->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	connection->sent += (size_t)sent;
	return connection->sent == length;
}

static int send_queue(struct vhost_connection *connection)
{
	struct outgoing *outgoing;
	int status = 1;

	while ((outgoing = connection->queue_head) && (status = send_head(connection)) > 0) {
		connection->sent = 0;
		connection->queue_head = outgoing->next;
		if (!connection->queue_head)
			connection->queue_tail = &connection->queue_head;
		connection->queue_length--;
		free(outgoing);
	}
	if (status < 0)
		return status;
	if (connection->queue_head)
		event_add(connection->writable, NULL);
	else
		event_del(connection->writable);
	return 0;
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
	struct vhost_connection *connection = argument;
	int status = 0;

	if (!connection->failed)
		status = send_queue(connection);
	if (status < 0) {
		connection->failed = true;
		error_set_errno(&connection->failure, status, "sending");
	}
	if (connection->failed)
		connection_end(connection, &connection->failure);
}

/* The owner is told from the event loop, never from inside its own call. */
static int send_fail(struct vhost_connection *connection, int status, const char *text)
{
	connection->failed = true;
	if (status == -ENOBUFS)
		error_set(&connection->failure, status, "%s", text);
	else
		error_set_errno(&connection->failure, status, "%s", text);
	event_active(connection->writable, EV_WRITE, 0);
	return status;
}

int vhost_connection_send(struct vhost_connection *connection, const struct vhost_message *message)
{
	struct outgoing *outgoing;
	int status;

	if (connection->failed || connection->closed)
		return -EPIPE;
	if (connection->queue_length == VHOST_SEND_QUEUE_MAX)
		return send_fail(connection, -ENOBUFS, "the peer does not read its replies");
	outgoing = malloc(sizeof(*outgoing));
	if (!outgoing)
		return send_fail(connection, -ENOMEM, "sending");
	outgoing->message = *message;
	outgoing->next = NULL;
	*connection->queue_tail = outgoing;
	connection->queue_tail = &outgoing->next;
	connection->queue_length++;
	status = send_queue(connection);
	if (status < 0)
		return send_fail(connection, status, "sending");
	return 0;
}

struct vhost_connection *vhost_connection_new(struct event_base *base, int fd, const char *name,
	struct reaper *reaper, const struct vhost_connection_ops *ops, void *owner)
{
	struct vhost_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->fd = -1;
	connection->name = name;
	connection->reaper = reaper_share(reaper);
	connection->ops = ops;
	connection->owner = owner;
	connection->queue_tail = &connection->queue_head;
	incoming_reset(connection);
	connection->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, connection);
	connection->writable = event_new(base, fd, EV_WRITE, on_writable, connection);
	connection->deadline = event_new(base, -1, 0, on_deadline, connection);
	connection->held = event_new(base, -1, 0, on_held, connection);
	if (!connection->readable || !connection->writable || !connection->deadline ||
		!connection->held)
		goto free_connection;
	if (fd_set_nonblocking(fd) < 0 || event_add(connection->readable, NULL) < 0)
		goto free_connection;
	connection->fd = fd;
	return connection;

free_connection:
	connection_free(connection);
	errno = ENOMEM;
	return NULL;
}

bool vhost_connection_peer_gone(const struct vhost_connection *connection)
{
	struct pollfd poll_fd = {.fd = connection->fd, .events = POLLRDHUP};

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

int vhost_socket_peer_pid(int fd)
{
	struct ucred peer = {0};
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return 0;
	return peer.pid;
}
