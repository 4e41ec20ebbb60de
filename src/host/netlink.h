/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions to the kernel's routing socket (rtnetlink), for host/ only. A question is built in the
 * socket's buffer, asked, and answered before netlink_ask() returns: the kernel does not keep us
 * waiting. One thread.
 */
#ifndef VSW_HOST_NETLINK_H
#define VSW_HOST_NETLINK_H

#include <libmnl/libmnl.h>

/* Called for each message of the answer. */
typedef void netlink_take(const struct nlmsghdr *message, void *owner);

struct netlink {
	struct mnl_socket *socket;
	unsigned sequence;
	char buffer[8192]; /* as large as the kernel's messages get, without a dump's aggregation */
};

/* In the present namespace. 0 or -errno. */
int netlink_open(struct netlink *netlink);
void netlink_close(struct netlink *netlink);

/* Begins a question of this type (RTM_*) with these flags beside NLM_F_REQUEST, in the buffer. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);

/* Asks it. take: NULL where the answer is only yes or no. 0 or the kernel's -errno. */
int netlink_ask(
	struct netlink *netlink, struct nlmsghdr *question, netlink_take *take, void *owner);

#endif
