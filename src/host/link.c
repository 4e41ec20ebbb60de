/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/common.h"
#include "base/fd.h"
#include "host/link_private.h"
#include "host/netlink.h"
#include "host/netns.h"

/* Bytes of changes that may wait to be read: some hundred interfaces that come at once. */
#define WATCH_BYTES (1 << 20)

/* What the kernel says of an interface that is a TAP. */
static int take_tun_attribute(const struct nlattr *attribute, void *argument)
{
	struct link *link = argument;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_TUN_TYPE:
		if (mnl_attr_validate(attribute, MNL_TYPE_U8) == 0)
			link->tap = mnl_attr_get_u8(attribute) == IFF_TAP;
		break;
	case IFLA_TUN_MULTI_QUEUE:
		if (mnl_attr_validate(attribute, MNL_TYPE_U8) == 0)
			link->multi_queue = mnl_attr_get_u8(attribute);
		break;
	case IFLA_TUN_NUM_QUEUES:
	case IFLA_TUN_NUM_DISABLED_QUEUES:
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			link->queues += mnl_attr_get_u32(attribute);
		break;
	}
	return MNL_CB_OK;
}

static int take_info_attribute(const struct nlattr *attribute, void *argument)
{
	struct link *link = argument;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_INFO_KIND:
		if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			snprintf(link->kind, sizeof(link->kind), "%s", mnl_attr_get_str(attribute));
		break;
	case IFLA_INFO_DATA:
		/* The kind stands before its data. */
		if (strcmp(link->kind, "tun") == 0)
			mnl_attr_parse_nested(attribute, take_tun_attribute, link);
		break;
	}
	return MNL_CB_OK;
}

static int take_attribute(const struct nlattr *attribute, void *argument)
{
	struct link *link = argument;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attribute));
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			link->mtu = mnl_attr_get_u32(attribute);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attribute) == MAC_SIZE)
			memcpy(link->mac, mnl_attr_get_payload(attribute), MAC_SIZE);
		break;
	case IFLA_CARRIER:
		if (mnl_attr_validate(attribute, MNL_TYPE_U8) == 0)
			link->carrier = mnl_attr_get_u8(attribute);
		break;
	case IFLA_MASTER:
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			link->master = mnl_attr_get_u32(attribute);
		break;
	case IFLA_LINK:
		if (mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			link->lower = mnl_attr_get_u32(attribute);
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attribute, take_info_attribute, link);
		break;
	}
	return MNL_CB_OK;
}

/* Of one that stands on another only if both are here; the ends of a pair do not. */
static int take_place(const struct nlattr *attribute, void *argument)
{
	struct link *link = argument;

	if (mnl_attr_get_type(attribute) == IFLA_LINK_NETNSID || strcmp(link->kind, "veth") == 0 ||
		strcmp(link->kind, "netkit") == 0)
		link->lower = 0;
	return MNL_CB_OK;
}

void link_take(const struct nlmsghdr *message, void *argument)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct link *link = argument;

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	memset(link, 0, sizeof(*link));
	link->index = (unsigned)header->ifi_index;
	link->up = header->ifi_flags & IFF_UP;
	link->ethernet = header->ifi_type == ARPHRD_ETHER;
	mnl_attr_parse(message, sizeof(*header), take_attribute, link);
	mnl_attr_parse(message, sizeof(*header), take_place, link);
}

int link_find(const char *name, struct link *link)
{
	struct nlmsghdr *question;
	struct netlink netlink;
	int status;

	memset(link, 0, sizeof(*link));
	status = netlink_open(&netlink);
	if (status < 0)
		return status;
	question = netlink_begin(&netlink, RTM_GETLINK, 0);
	mnl_nlmsg_put_extra_header(question, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(question, IFLA_IFNAME, name);
	status = netlink_ask(&netlink, question, link_take, link);
	netlink_close(&netlink);
	/* The kernel finds an interface by each name that it has (altname): that is not it. */
	if (status == 0 && (!link->index || strcmp(link->name, name) != 0)) {
		memset(link, 0, sizeof(*link));
		return -ENODEV;
	}
	return status;
}

int link_find_index(unsigned index, struct link *link)
{
	struct nlmsghdr *question;
	struct ifinfomsg *header;
	struct netlink netlink;
	int status;

	memset(link, 0, sizeof(*link));
	status = netlink_open(&netlink);
	if (status < 0)
		return status;
	question = netlink_begin(&netlink, RTM_GETLINK, 0);
	header = mnl_nlmsg_put_extra_header(question, sizeof(*header));
	header->ifi_index = (int)index;
	status = netlink_ask(&netlink, question, link_take, link);
	netlink_close(&netlink);
	return status < 0 || link->index == index ? status : -ENODEV;
}

/* One question about an interface; says what was wanted where the answer is no. */
static int ask_for(struct netlink *netlink, struct nlmsghdr *question, const char *name,
	const char *what, struct error *error)
{
	int status = netlink_ask(netlink, question, NULL, NULL);

	if (status < 0)
		return error_set_errno(error, status, "cannot set the %s of %s%s", what, name,
			status == -EPERM ? " (it takes root, or the capability CAP_NET_ADMIN)"
					 : "");
	return 0;
}

/* Each setting by itself, so that the error names it. */
static int set_all(struct netlink *netlink, unsigned index, const char *name,
	const struct link_settings *settings, struct error *error)
{
	const char *const what[] = {"MTU", "MAC address", "state"};
	const bool wanted[] = {
		settings->mtu > 0, settings->has_mac, settings->up || settings->down};

	for (unsigned i = 0; i < ARRAY_SIZE(what); i++) {
		struct nlmsghdr *question = netlink_begin(netlink, RTM_NEWLINK, 0);
		struct ifinfomsg *header = mnl_nlmsg_put_extra_header(question, sizeof(*header));
		int status;

		if (!wanted[i])
			continue;
		header->ifi_index = (int)index;
		if (i == 0)
			mnl_attr_put_u32(question, IFLA_MTU, settings->mtu);
		else if (i == 1)
			mnl_attr_put(question, IFLA_ADDRESS, MAC_SIZE, settings->mac);
		else
			header->ifi_change = IFF_UP;
		if (i == 2 && settings->up)
			header->ifi_flags = IFF_UP;
		status = ask_for(netlink, question, name, what[i], error);
		if (status < 0)
			return status;
	}
	return 0;
}

int link_set(
	unsigned index, const char *name, const struct link_settings *settings, struct error *error)
{
	struct netlink netlink;
	int status = netlink_open(&netlink);

	if (status < 0)
		return error_set_errno(error, status, "cannot open a netlink socket");
	status = set_all(&netlink, index, name, settings, error);
	netlink_close(&netlink);
	return status;
}

static int ask_address(unsigned index, const struct link_address *address, bool add)
{
	struct netlink netlink;
	struct nlmsghdr *question;
	struct ifaddrmsg *header;
	size_t size = address->ipv6 ? 16 : 4;
	int status = netlink_open(&netlink);

	if (status < 0)
		return status;
	question = netlink_begin(
		&netlink, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	header = mnl_nlmsg_put_extra_header(question, sizeof(*header));
	header->ifa_family = address->ipv6 ? AF_INET6 : AF_INET;
	header->ifa_prefixlen = address->length;
	header->ifa_index = index;
	mnl_attr_put(question, IFA_LOCAL, size, address->bytes);
	mnl_attr_put(question, IFA_ADDRESS, size, address->bytes);
	status = netlink_ask(&netlink, question, NULL, NULL);
	netlink_close(&netlink);
	return status;
}

static int change_address(unsigned index, const char *name, const struct link_address *address,
	bool add, struct error *error)
{
	int status = ask_address(index, address, add);
	char text[INET6_ADDRSTRLEN];

	if (status == 0)
		return 0;
	if (status == (add ? -EEXIST : -EADDRNOTAVAIL))
		return 1;
	inet_ntop(address->ipv6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
	return error_set_errno(error, status, "cannot %s %s/%u %s %s", add ? "give" : "take", text,
		address->length, add ? "to" : "from", name);
}

int link_add_address(
	unsigned index, const char *name, const struct link_address *address, struct error *error)
{
	return change_address(index, name, address, true, error);
}

int link_remove_address(
	unsigned index, const char *name, const struct link_address *address, struct error *error)
{
	return change_address(index, name, address, false, error);
}

/* While the addresses of all interfaces are told. */
struct collection {
	unsigned index; /* of the interface whose are wanted */
	struct link_address *addresses;
	unsigned count, maximum;
};

static int take_address_attribute(const struct nlattr *attribute, void *argument)
{
	struct link_address *address = argument;
	unsigned size = mnl_attr_get_payload_len(attribute);

	/* Of a link between two ends the own address is IFA_LOCAL; IPv6 has IFA_ADDRESS only. */
	if (mnl_attr_get_type(attribute) == (address->ipv6 ? IFA_ADDRESS : IFA_LOCAL) &&
		size == (address->ipv6 ? 16 : 4))
		memcpy(address->bytes, mnl_attr_get_payload(attribute), size);
	return MNL_CB_OK;
}

static void take_address(const struct nlmsghdr *message, void *argument)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	struct collection *collection = argument;
	struct link_address address = {0};

	if (message->nlmsg_type != RTM_NEWADDR ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
		header->ifa_index != collection->index || !(header->ifa_flags & IFA_F_PERMANENT) ||
		(header->ifa_family != AF_INET && header->ifa_family != AF_INET6) ||
		(header->ifa_family == AF_INET6 && header->ifa_scope == RT_SCOPE_LINK))
		return;
	address.ipv6 = header->ifa_family == AF_INET6;
	address.length = header->ifa_prefixlen;
	mnl_attr_parse(message, sizeof(*header), take_address_attribute, &address);
	if (collection->count < collection->maximum)
		collection->addresses[collection->count] = address;
	collection->count++;
}

static void forget(void *argument)
{
	struct collection *collection = argument;

	collection->count = 0;
}

int link_addresses(unsigned index, struct link_address *addresses, unsigned maximum)
{
	struct collection collection = {index, addresses, 0, maximum};
	const struct ifaddrmsg header = {.ifa_index = index};
	const struct netlink_list list = {.type = RTM_GETADDR,
		.header = &header,
		.header_size = sizeof(header),
		.limited = true,
		.take = take_address,
		.restart = forget,
		.owner = &collection};
	int status = netlink_list(&list);

	return status < 0 ? status : (int)collection.count;
}

static int open_watch(struct error *error)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int bytes = WATCH_BYTES;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return error_set_errno(error, -errno, "cannot open a netlink socket");
	/* Without the privilege it is smaller, and more is missed when much happens at once. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int status = -errno;

		fd_close(&fd);
		return error_set_errno(error, status, "cannot watch network interfaces");
	}
	return fd;
}

int link_watch_open(const char *netns, uint64_t *identity, struct error *error)
{
	struct netns_visit visit;
	int status = netns_enter(&visit, netns, error);

	if (status < 0)
		return status;
	*identity = netns_identity();
	status = open_watch(error);
	netns_leave(&visit);
	return status;
}

/* All messages of one datagram. */
static void read_changes(const char *buffer, ssize_t length,
	void (*changed)(void *owner, const struct link_change *change), void *owner)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	int left = (int)length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		struct link_change change = {.gone = message->nlmsg_type == RTM_DELLINK};

		link_take(message, &change.link);
		if (change.link.index)
			changed(owner, &change);
	}
}

/* Messages read at once: others may send to the socket without end, and what is left is told
 * again. */
#define WATCH_MESSAGES 64

int link_watch_read(
	int watch, void (*changed)(void *owner, const struct link_change *change), void *owner)
{
	char buffer[8192] __attribute__((aligned(8)));

	for (unsigned i = 0; i < WATCH_MESSAGES; i++) {
		struct sockaddr_nl from = {0};
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(
			watch, buffer, sizeof(buffer), MSG_TRUNC, (struct sockaddr *)&from, &size);
		const struct link_change missed = {.missed = true};

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (length < 0 && errno != ENOBUFS)
			return -errno;
		/* Others may send to the socket, too; only the kernel's word counts. */
		if (length >= 0 && from.nl_pid != 0)
			continue;
		if (length < 0 || (size_t)length > sizeof(buffer))
			changed(owner, &missed);
		else
			read_changes(buffer, length, changed, owner);
	}
	return 0;
}
