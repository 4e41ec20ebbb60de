/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queues of an attached TAP: which way their frames go, and who is woken by them. The control
 * thread's, while no worker knows them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "port/tap/tap_private.h"

/* For tests, and for whoever suspects the kernel: VSW_TAP_IO=plain. */
static bool wants_more_than_plain(void)
{
	const char *word = getenv("VSW_TAP_IO");

	return !word || strcmp(word, "plain") != 0;
}

/* The first port says for all how frames are read and written. */
static void say_io(const char *reason)
{
	static bool said;

	if (said)
		return;
	said = true;
	if (reason)
		log_info("TAP ports use readv and writev: %s", reason);
	else
		log_info("TAP ports use io_uring");
}

/* Likewise, whether the kernel carries them, and why not. */
static void say_vhost(const char *reason)
{
	static bool said;

	if (said)
		return;
	said = true;
	if (reason)
		log_info("TAP ports do without vhost-net: %s", reason);
	else
		log_info("TAP ports use vhost-net");
}

/* Rings for both directions, or none. */
static void open_rings(struct tap_port *tap, struct tap_queue *queue)
{
	struct error error = {.text = "switched off by VSW_TAP_IO"};

	if (wants_more_than_plain()) {
		queue->reader = frame_io_ring_new(queue->fd, &error);
		queue->writer = queue->reader ? frame_io_ring_new(queue->fd, &error) : NULL;
	}
	if (!queue->writer) {
		frame_io_ring_free(queue->reader);
		queue->reader = NULL;
	}
	tap->io = queue->writer ? "io_uring" : "plain";
	say_io(queue->writer ? NULL : error.text);
}

static void failed_event(evutil_socket_t fd, short what, void *argument)
{
	tap_port_failed(argument);
}

/* A device of its own, where one is wanted and to be had. */
static int open_vhost(struct tap_port *tap, struct tap_queue *queue, struct error *error)
{
	bool must = tap->vhost == TAP_PORT_VHOST_ON;
	struct error why;
	int status;

	if (tap->vhost == TAP_PORT_VHOST_OFF || (!must && !wants_more_than_plain()))
		return 0;
	status = tap_vhost_new(&queue->vhost, queue->fd, &why);
	if (status < 0 && must)
		return error_set(error, status, "%s", why.text);
	say_vhost(status < 0 ? why.text : NULL);
	if (status < 0)
		return 0;
	tap->io = "vhost-net";
	queue->failed = event_new(tap->base, tap_vhost_error_fd(queue->vhost), EV_READ | EV_PERSIST,
		failed_event, tap);
	if (!queue->failed || event_add(queue->failed, NULL) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	return 0;
}

int tap_queue_open(struct tap_port *tap, unsigned index, struct error *error)
{
	struct tap_queue *queue = &tap->queues[index];
	int status;

	queue->fd = tap->tap.fds[index];
	status = open_vhost(tap, queue, error);
	if (status < 0)
		return status;
	if (!queue->vhost)
		open_rings(tap, queue);
	if (!tap->notifier)
		return 0;
	queue->watched_fd = queue->vhost ? tap_vhost_call_fd(queue->vhost) : queue->fd;
	status = tap->notifier->watch(tap->notifier->owner, &tap->port, index, queue->watched_fd);
	if (status < 0)
		return error_set_errno(error, status, "cannot watch TAP %s", tap->tap.name);
	queue->watched = true;
	return 0;
}

void tap_queue_close(struct tap_port *tap, unsigned index)
{
	struct tap_queue *queue = &tap->queues[index];

	if (queue->watched)
		tap->notifier->unwatch(tap->notifier->owner, &tap->port, index, queue->watched_fd);
	queue->watched = false;
	if (queue->failed)
		event_free(queue->failed);
	queue->failed = NULL;
	tap_vhost_free(queue->vhost);
	queue->vhost = NULL;
	frame_io_ring_free(queue->reader);
	frame_io_ring_free(queue->writer);
	queue->reader = queue->writer = NULL;
	queue->fd = -1;
}
