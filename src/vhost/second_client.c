/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/second_client.h"

#include <errno.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/common.h"

static void on_event(evutil_socket_t fd, short what, void *argument)
{
	struct second_client *client = argument;

	client->gone(client->owner);
}

static unsigned next_hold(struct second_client *client)
{
	if (client->count && clock_now_ns() - client->last >= VHOST_HOLD_FORGET_MS * NS_PER_MS)
		client->count = 0;
	if (client->count++ == 0)
		client->hold_ms = VHOST_HOLD_FIRST_MS;
	else
		client->hold_ms = MIN(2 * client->hold_ms, VHOST_HOLD_LAST_MS);
	return client->hold_ms;
}

int second_client_hold(struct second_client *client, struct event_base *base, int fd,
	void (*gone)(void *owner), void *owner, bool *announce)
{
	unsigned ms = next_hold(client);
	const struct timeval hold = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	*announce = (client->count & (client->count - 1)) == 0;
	client->fd = fd;
	client->gone = gone;
	client->owner = owner;
	/* Not when it can be read: it has sent a message that nobody answers. */
	client->event = event_new(base, fd, EV_CLOSED, on_event, client);
	if (client->event && event_add(client->event, &hold) == 0)
		return 0;
	if (client->event)
		event_free(client->event);
	client->event = NULL;
	return -ENOMEM;
}

int second_client_take(struct second_client *client)
{
	event_free(client->event);
	client->event = NULL;
	client->last = clock_now_ns();
	return client->fd;
}
