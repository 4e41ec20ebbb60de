/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/edge.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/fd.h"

bool edge_seen(int watch)
{
	struct epoll_event event;

	return epoll_wait(watch, &event, 1, 0) == 1;
}

int edge_watch(int eventfd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int watch = epoll_create1(EPOLL_CLOEXEC);
	int status;

	if (watch < 0)
		return -errno;
	if (epoll_ctl(watch, EPOLL_CTL_ADD, eventfd, &event) < 0) {
		status = -errno;
		fd_close(&watch);
		return status;
	}
	/* An eventfd that holds something is an event from the beginning. */
	edge_seen(watch);
	return watch;
}
