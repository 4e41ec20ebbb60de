/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/router.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/netlink.h"
#include "host/setting.h"

#define FOLDER   "/run/netns"
#define OURS     "/proc/thread-self/ns/net"
/* So that the pair never is what makes a packet too long. */
#define VETH_MTU 65535

bool host_netns_exists(const char *name)
{
	struct error error;
	int fd = netns_open(name, &error);
	bool exists = fd >= 0;

	fd_close(&fd);
	return exists;
}

/* As `ip netns` does, so that the name is seen in other mount namespaces, too. */
static int prepare_folder(struct error *error)
{
	if (mkdir(FOLDER, 0755) < 0 && errno != EEXIST)
		return error_set_errno(error, -errno, "cannot create '" FOLDER "'");
	if (mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL || mount(FOLDER, FOLDER, "none", MS_BIND | MS_REC, NULL) < 0 ||
		mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) < 0)
		return error_set_errno(error, -errno,
			"cannot make '" FOLDER "' a place for network namespaces (it takes root)");
	return 0;
}

/* From within the namespace. */
static int set_loopback(struct error *error)
{
	const struct link_settings up = {.up = true};
	struct link link;
	int status = link_find("lo", &link);

	if (status < 0)
		return error_set_errno(error, status, "no loopback interface");
	status = link_set(link.index, "lo", &up, error);
	return MIN(status, 0);
}

static int make_and_name(const char *path, struct error *error)
{
	struct netns_visit visit = {.home = open(OURS, O_RDONLY | O_CLOEXEC)};
	int status = 0;

	if (visit.home < 0)
		return error_set_errno(error, -errno, "cannot open our network namespace");
	if (unshare(CLONE_NEWNET) < 0) {
		status = error_set_errno(error, -errno, "cannot make a network namespace");
		fd_close(&visit.home);
		return status;
	}
	if (mount(OURS, path, "none", MS_BIND, NULL) < 0)
		status = error_set_errno(error, -errno, "cannot name a network namespace %s", path);
	if (status == 0)
		status = set_loopback(error);
	netns_leave(&visit);
	return status;
}

int host_netns_make(const char *name, struct error *error)
{
	char path[NETNS_NAME_SIZE + sizeof(FOLDER)];
	int status = prepare_folder(error);
	int fd;

	if (status < 0)
		return status;
	netns_path(name, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0)
		return error_set_errno(error, -errno, "cannot name a network namespace %s", path);
	fd_close(&fd);
	status = make_and_name(path, error);
	if (status < 0)
		host_netns_remove(name);
	return status;
}

void host_netns_remove(const char *name)
{
	char path[NETNS_NAME_SIZE + sizeof(FOLDER)];

	netns_path(name, path, sizeof(path));
	umount2(path, MNT_DETACH);
	unlink(path);
}

static int enable(bool own, bool ipv6, struct error *error)
{
	static const char all6[] = "/proc/sys/net/ipv6/conf/all/forwarding";
	int status = host_setting_write("/proc/sys/net/ipv4/ip_forward", '1', error);

	if (status < 0 || !ipv6)
		return status;
	if (own) {
		status = host_setting_write(
			"/proc/sys/net/ipv6/conf/default/accept_ra", '0', error);
		if (status == 0)
			status = host_setting_write(
				"/proc/sys/net/ipv6/conf/default/accept_dad", '0', error);
	} else if (host_setting_read(all6) == '0') {
		status = host_setting_keep_learning(error);
	}
	return status < 0 ? status : host_setting_write(all6, '1', error);
}

int host_forwarding_enable(const char *netns, bool own, bool ipv6, struct error *error)
{
	struct netns_visit visit;
	int status = netns_enter(&visit, netns, error);

	if (status < 0)
		return status;
	status = enable(own, ipv6, error);
	netns_leave(&visit);
	return status;
}

static int make_pair(const struct host_veth *request, struct error *error)
{
	int there = netns_open(request->netns, error);
	struct nlattr *info, *data, *peer;
	struct nlmsghdr *question;
	struct netlink netlink;
	int status;

	if (there < 0)
		return there;
	status = netlink_open(&netlink);
	if (status < 0) {
		fd_close(&there);
		return error_set_errno(error, status, "cannot open a netlink socket");
	}
	question = netlink_begin(&netlink, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_nlmsg_put_extra_header(question, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(question, IFLA_IFNAME, request->name);
	mnl_attr_put_u32(question, IFLA_MTU, VETH_MTU);
	info = mnl_attr_nest_start(question, IFLA_LINKINFO);
	mnl_attr_put_strz(question, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(question, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(question, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(question, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(question, IFLA_IFNAME, request->peer);
	mnl_attr_put_u32(question, IFLA_MTU, VETH_MTU);
	mnl_attr_put_u32(question, IFLA_NET_NS_FD, (uint32_t)there);
	mnl_attr_nest_end(question, peer);
	mnl_attr_nest_end(question, data);
	mnl_attr_nest_end(question, info);
	status = netlink_ask(&netlink, question, NULL, NULL);
	netlink_close(&netlink);
	fd_close(&there);
	if (status == 0 || (status == -EEXIST && request->known))
		return 0;
	if (status == -EEXIST)
		return error_set(
			error, status, "interface %s is there, and not ours", request->name);
	return error_set_errno(error, status, "cannot make the pair of interfaces of a router");
}

static size_t address_size(const struct link_address *address)
{
	return address->ipv6 ? 16 : 4;
}

/* `to`: of length 0 for everything. */
static int change_route(
	bool add, const struct link_address *to, const struct link_address *via, unsigned interface)
{
	struct nlmsghdr *question;
	struct netlink netlink;
	struct rtmsg *header;
	int status = netlink_open(&netlink);

	if (status < 0)
		return status;
	question = netlink_begin(&netlink, add ? RTM_NEWROUTE : RTM_DELROUTE,
		add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	header = mnl_nlmsg_put_extra_header(question, sizeof(*header));
	header->rtm_family = via->ipv6 ? AF_INET6 : AF_INET;
	header->rtm_dst_len = to->length;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = RTPROT_STATIC;
	header->rtm_scope = RT_SCOPE_UNIVERSE;
	header->rtm_type = RTN_UNICAST;
	if (to->length)
		mnl_attr_put(question, RTA_DST, address_size(to), to->bytes);
	mnl_attr_put(question, RTA_GATEWAY, address_size(via), via->bytes);
	mnl_attr_put_u32(question, RTA_OIF, interface);
	status = netlink_ask(&netlink, question, NULL, NULL);
	netlink_close(&netlink);
	return status == -EEXIST ? 0 : status;
}

/* One end, in its namespace. */
static int set_end(const char *name, const struct link_address addresses[2], struct error *error)
{
	char path[80];
	struct link link;
	int status = link_find(name, &link);

	if (status < 0)
		return error_set_errno(error, status, "no interface %s", name);
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", name);
	if (host_setting_read(path) == '1')
		status = host_setting_write(path, '0', error);
	if (status == 0)
		status = host_setting_learn_nothing(name, error);
	for (unsigned i = 0; i < 2 && status >= 0; i++)
		if (addresses[i].length)
			status = link_add_address(link.index, name, &addresses[i], error);
	return MIN(status, 0); /* what was so already is the same to us */
}

static int link_up(const char *name, unsigned *index, struct error *error)
{
	const struct link_settings up = {.up = true};
	struct link link;
	int status = link_find(name, &link);

	if (status < 0)
		return error_set_errno(error, status, "no interface %s", name);
	*index = link.index;
	return link.up ? 0 : link_set(link.index, name, &up, error);
}

int host_link_up(const char *netns, const char *name, struct error *error)
{
	struct netns_visit visit;
	unsigned index = 0;
	int status = netns_enter(&visit, netns, error);

	if (status < 0)
		return status;
	status = link_up(name, &index, error);
	netns_leave(&visit);
	return status;
}

int host_veth_make(const struct host_veth *request, struct error *error)
{
	struct netns_visit visit;
	int status = make_pair(request, error);

	if (status == 0)
		status = set_end(request->name, request->here, error);
	if (status == 0)
		status = netns_enter(&visit, request->netns, error);
	if (status < 0)
		return status;
	status = set_end(request->peer, request->there, error);
	netns_leave(&visit);
	return status;
}

int host_veth_open(const struct host_veth *request, struct error *error)
{
	struct netns_visit visit;
	unsigned index = 0;
	int status = link_up(request->name, &index, error);

	if (status == 0)
		status = netns_enter(&visit, request->netns, error);
	if (status < 0)
		return status;
	status = link_up(request->peer, &index, error);
	for (unsigned i = 0; i < 2 && status == 0; i++) {
		const struct link_address everything = {.ipv6 = request->here[i].ipv6};

		if (!request->here[i].length)
			continue;
		status = change_route(true, &everything, &request->here[i], index);
		if (status < 0)
			error_set_errno(error, status, "cannot route through %s", request->peer);
	}
	netns_leave(&visit);
	return status;
}

void host_veth_remove(const char *name)
{
	struct nlmsghdr *question;
	struct netlink netlink;

	if (netlink_open(&netlink) < 0)
		return;
	question = netlink_begin(&netlink, RTM_DELLINK, 0);
	mnl_nlmsg_put_extra_header(question, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(question, IFLA_IFNAME, name);
	netlink_ask(&netlink, question, NULL, NULL);
	netlink_close(&netlink);
}

int host_route_add(const struct host_route *route, struct error *error)
{
	unsigned interface = if_nametoindex(route->interface);
	int status = interface ? change_route(true, &route->to, &route->via, interface) : -ENODEV;

	return status < 0
		       ? error_set_errno(error, status, "cannot route through %s", route->interface)
		       : 0;
}

void host_route_remove(const struct host_route *route)
{
	unsigned interface = if_nametoindex(route->interface);

	if (interface)
		change_route(false, &route->to, &route->via, interface);
}
