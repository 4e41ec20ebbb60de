/* SPDX-License-Identifier: BSD-3-Clause */
/* Who uses an interface: link_check_unused(). */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "host/link.h"
#include "host/link_private.h"
#include "host/netlink.h"

/* A search for what uses the interface `link`; found: words. */
struct use {
	const struct link *link;
	struct error found;
};

static void take_upper(const struct nlmsghdr *message, void *argument)
{
	struct use *use = argument;
	struct link other = {0};

	link_take(message, &other);
	if (other.lower == use->link->index && other.index != use->link->index)
		error_set(&use->found, 0, "interface %s carries %s", use->link->name, other.name);
}

static int take_first_address(const struct nlattr *attribute, void *argument)
{
	const struct nlattr **first = argument;
	unsigned type = mnl_attr_get_type(attribute);

	/* Where there is an IFA_LOCAL it is this end's, and the other attribute the other's. */
	if (type == IFA_LOCAL || (type == IFA_ADDRESS && !*first))
		*first = attribute;
	return MNL_CB_OK;
}

static void take_address(const struct nlmsghdr *message, void *argument)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *address = NULL;
	char text[INET6_ADDRSTRLEN] = "";
	struct use *use = argument;

	if (message->nlmsg_type != RTM_NEWADDR ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	/* Each link has one of its own in IPv6. */
	if (header->ifa_index != use->link->index ||
		(header->ifa_family == AF_INET6 && header->ifa_scope == RT_SCOPE_LINK))
		return;
	mnl_attr_parse(message, sizeof(*header), take_first_address, &address);
	if (address &&
		mnl_attr_get_payload_len(address) == (header->ifa_family == AF_INET6 ? 16 : 4))
		inet_ntop(header->ifa_family, mnl_attr_get_payload(address), text, sizeof(text));
	error_set(&use->found, 0, "interface %s has the address %s/%u", use->link->name, text,
		header->ifa_prefixlen);
}

static void forget(void *argument)
{
	struct use *use = argument;

	*use->found.text = '\0';
}

/* All interfaces, or all addresses, of the namespace. */
static int ask_all(uint16_t type, netlink_take *take, struct use *use)
{
	static const struct ifinfomsg any_link;
	static const struct ifaddrmsg any_address;
	struct netlink_list list = {.type = type,
		.header = &any_address,
		.header_size = sizeof(any_address),
		.take = take,
		.restart = forget,
		.owner = use};

	if (type == RTM_GETLINK) {
		list.header = &any_link;
		list.header_size = sizeof(any_link);
	}
	return netlink_list(&list);
}

int link_check_unused(const struct link *link, struct error *error)
{
	struct use use = {.link = link};
	struct link master = {0};
	int status = 0;

	if (link->master) {
		link_find_index(link->master, &master);
		return error_set(error, -EBUSY, "interface %s is a member of %s", link->name,
			*master.name ? master.name : "another");
	}
	status = ask_all(RTM_GETLINK, take_upper, &use);
	if (status == 0 && !*use.found.text)
		status = ask_all(RTM_GETADDR, take_address, &use);
	if (status < 0)
		return error_set_errno(
			error, status, "cannot tell who uses interface %s", link->name);
	if (*use.found.text)
		return error_set(error, -EBUSY, "%s", use.found.text);
	return 0;
}
