/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What it takes for the kernel to route for us: a network namespace with a name, forwarding in it,
 * and a pair of interfaces (veth) that connects it with ours. Namespaces are named where `ip netns`
 * has its own (/run/netns), so operators can enter them by name.
 *
 * Acts: host.h. What is there already, as after a crash, is taken as it is and completed.
 * Control thread: the acts enter namespaces.
 */
#ifndef VSW_HOST_ROUTER_H
#define VSW_HOST_ROUTER_H

#include "host/link.h"
#include "host/netns.h"

/* True where a namespace of that name is there. */
bool host_netns_exists(const char *name);

/* Makes the namespace, with its loopback up. 0, or -errno and the reason: -EEXIST where something
 * of that name is there. */
int host_netns_make(const char *name, struct error *error);

/* Takes the name away; the namespace goes when nothing is in it any more. */
void host_netns_remove(const char *name);

/*
 * Lets the kernel of that namespace forward. own: it is ours alone, so addresses need not be asked
 * for (no duplicate detection), and nothing is learned from router advertisements. Else interfaces
 * by which a default route was learned from them go on learning. What is as wanted is not touched.
 * 0, or -errno and what could not be set.
 */
int host_forwarding_enable(const char *netns, bool own, bool ipv6, struct error *error);

/* Brings up an interface of that namespace. 0, or -errno and what could not be done. */
int host_link_up(const char *netns, const char *name, struct error *error);

/* One end here, one in another namespace, each with an IPv4 and, unless their length is 0, an IPv6
 * address. */
struct host_veth {
	char name[LINK_NAME_SIZE], peer[LINK_NAME_SIZE];
	char netns[NETNS_NAME_SIZE];           /* of the peer */
	bool known;                            /* it may be there, and is ours then */
	struct link_address here[2], there[2]; /* of one network each */
};

/* Makes the pair, which is down. 0, or -errno and what could not be done: -EEXIST where one of that
 * name is there that is not known. */
int host_veth_make(const struct host_veth *request, struct error *error);
/* Brings it up, and makes the peer's namespace send everything unknown to our end. 0, or -errno and
 * what could not be done. */
int host_veth_open(const struct host_veth *request, struct error *error);
void host_veth_remove(const char *name);

/* Our namespace sends what is for the network to the peer's address, or no longer. */
struct host_route {
	struct link_address to, via;
	char interface[LINK_NAME_SIZE];
};
int host_route_add(const struct host_route *route, struct error *error);
void host_route_remove(const struct host_route *route);

#endif
