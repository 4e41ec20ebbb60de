/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

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

int netlink_ask(struct netlink *netlink, struct nlmsghdr *question, netlink_take *take, void *owner)
{
	unsigned port = mnl_socket_get_portid(netlink->socket);
	struct taker taker = {take, owner};
	int status;

	if (mnl_socket_sendto(netlink->socket, question, question->nlmsg_len) < 0)
		return -errno;
	/* Until the acknowledgement, which every question asks for. */
	do {
		ssize_t length = mnl_socket_recvfrom(
			netlink->socket, netlink->buffer, sizeof(netlink->buffer));

		if (length < 0)
			return -errno;
		status = mnl_cb_run(netlink->buffer, (size_t)length, netlink->sequence, port,
			on_message, &taker);
	} while (status > MNL_CB_STOP);
	return status < 0 ? -errno : 0;
}
