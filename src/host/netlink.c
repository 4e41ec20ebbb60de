/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

/* The kernel has answered before its call returns, so this is long. */
#define ANSWER_NS NS_PER_SECOND

struct taker {
	netlink_take *take;
	void *owner;
};

int netlink_open(struct netlink *netlink)
{
	netlink->sequence = 0;
	netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!netlink->socket)
		return -errno;
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int status = -errno;

		netlink_close(netlink);
		return status;
	}
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	netlink->socket = NULL;
}

struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *question;

	memset(netlink->buffer, 0, sizeof(netlink->buffer));
	question = mnl_nlmsg_put_header(netlink->buffer);
	question->nlmsg_type = type;
	question->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	question->nlmsg_seq = ++netlink->sequence;
	return question;
}

void netlink_limit_dumps(struct netlink *netlink)
{
	int yes = 1;

	mnl_socket_setsockopt(netlink->socket, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
}

static int on_message(const struct nlmsghdr *message, void *argument)
{
	const struct taker *taker = argument;

	if (taker->take)
		taker->take(message, taker->owner);
	return MNL_CB_OK;
}

ssize_t netlink_receive(int fd, void *buffer, size_t size)
{
	uint64_t end = clock_now_ns() + ANSWER_NS;

	/* The clock counts for strangers, too, who may send without end. */
	for (uint64_t now = 0; now < end; now = clock_now_ns()) {
		uint64_t left = now ? end - now : ANSWER_NS;
		struct pollfd look = {.fd = fd, .events = POLLIN};
		struct sockaddr_nl from = {0};
		socklen_t from_size = sizeof(from);
		ssize_t length = recvfrom(fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC,
			(struct sockaddr *)&from, &from_size);

		if (length >= 0 && from.nl_pid == 0)
			return (size_t)length <= size ? length : -EMSGSIZE;
		if (length >= 0 || errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -errno;
		if (poll(&look, 1, (int)(left / NS_PER_MS) + 1) < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

int netlink_ask(struct netlink *netlink, struct nlmsghdr *question, netlink_take *take, void *owner)
{
	unsigned port = mnl_socket_get_portid(netlink->socket);
	int fd = mnl_socket_get_fd(netlink->socket);
	struct taker taker = {take, owner};
	int status;

	if (mnl_socket_sendto(netlink->socket, question, question->nlmsg_len) < 0)
		return -errno;
	/* Until the acknowledgement, which every question asks for. */
	do {
		ssize_t length = netlink_receive(fd, netlink->buffer, sizeof(netlink->buffer));

		if (length < 0)
			return (int)length;
		status = mnl_cb_run(netlink->buffer, (size_t)length, netlink->sequence, port,
			on_message, &taker);
	} while (status > MNL_CB_STOP);
	return status < 0 ? -errno : 0;
}

static int list_once(const struct netlink_list *list)
{
	struct nlmsghdr *question;
	struct netlink netlink;
	int status = netlink_open(&netlink);

	if (status < 0)
		return status;
	question = netlink_begin(&netlink, list->type, NLM_F_DUMP);
	memcpy(mnl_nlmsg_put_extra_header(question, list->header_size), list->header,
		list->header_size);
	if (list->limited)
		netlink_limit_dumps(&netlink);
	status = netlink_ask(&netlink, question, list->take, list->owner);
	netlink_close(&netlink);
	return status;
}

#define LIST_TRIES 32

int netlink_list(const struct netlink_list *list)
{
	int status = -EINTR;

	/* The kernel marks a list during which something changed: NLM_F_DUMP_INTR. */
	for (unsigned i = 0; status == -EINTR && i < LIST_TRIES; i++) {
		list->restart(list->owner);
		status = list_once(list);
	}
	return status;
}
