/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions to the kernel's routing socket (rtnetlink), for host/ only. A question is built in the
 * socket's buffer, asked, and answered before netlink_ask() returns: the kernel does not keep us
 * waiting. Others who may send to the socket (root of the namespace) are not heard. One thread.
 */
#ifndef VSW_HOST_NETLINK_H
#define VSW_HOST_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Called for each message of the answer. */
typedef void netlink_take(const struct nlmsghdr *message, void *owner);

struct netlink {
	struct mnl_socket *socket;
	unsigned sequence;
	/* As large as a message of the kernel gets, or a part of a dump. */
	char buffer[8192];
};

/* In the present namespace. 0 or -errno. */
int netlink_open(struct netlink *netlink);
void netlink_close(struct netlink *netlink);

/* Begins a question of this type (RTM_*) with these flags beside NLM_F_REQUEST, in the buffer. */
struct nlmsghdr *netlink_begin(struct netlink *netlink, uint16_t type, uint16_t flags);

/* The next datagram of the kernel at a socket of netlink; those of others are thrown away. Bytes,
 * or -errno: -ETIMEDOUT where there is none in a second. */
ssize_t netlink_receive(int fd, void *buffer, size_t size);

/* Asked for all of something the kernel tells only what the question's header names, where it is
 * not too old for that (Linux 4.20). */
void netlink_limit_dumps(struct netlink *netlink);

/* Asks it. take: NULL where the answer is only yes or no. 0 or the kernel's -errno. */
int netlink_ask(
	struct netlink *netlink, struct nlmsghdr *question, netlink_take *take, void *owner);

/*
 * Asks for all of something, in the present namespace: type (RTM_GET*), and the header of the
 * question; limited: netlink_limit_dumps(). Where something changes while the kernel lists it, the
 * list is worth nothing: `restart` forgets what was taken, and it is asked again. 0 or -errno.
 */
struct netlink_list {
	uint16_t type;
	const void *header;
	size_t header_size;
	bool limited;
	netlink_take *take;
	void (*restart)(void *owner);
	void *owner;
};

int netlink_list(const struct netlink_list *list);

#endif
