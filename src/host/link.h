/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network interfaces as the kernel shows them: what one is, how it is set, and a watch that tells
 * when one comes, changes or goes. Everything here concerns the present namespace of the calling
 * thread, where a watch stays once it is open.
 *
 * Control thread.
 */
#ifndef VSW_HOST_LINK_H
#define VSW_HOST_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "packet/mac.h"

/* Characters of an interface's name, with the terminating zero (IFNAMSIZ). */
#define LINK_NAME_SIZE 16

struct link {
	unsigned index; /* unique in the namespace */
	char name[LINK_NAME_SIZE];
	char kind[32];    /* "tun", "bridge", "veth"...; "" for hardware */
	bool tap;         /* of kind "tun", with Ethernet frames */
	bool multi_queue; /* of such: made for several queues */
	unsigned queues;  /* of such: that programs hold */
	bool ethernet;    /* frames with an Ethernet header, and no loopback */
	unsigned master;  /* index of the bridge, bond, ... that it is a member of; 0: none */
	unsigned lower;   /* index of the one that it stands on, as a VLAN does; 0: none here */
	unsigned mtu;
	uint8_t mac[MAC_SIZE];
	bool up;      /* by whoever administers it */
	bool carrier; /* and by what is at its other end */
};

/* An address with the length of its network, in bits. */
struct link_address {
	bool ipv6;
	uint8_t bytes[16]; /* as on the wire; of IPv4 the first four */
	uint8_t length;
};

/* The interface of this name, or index. 0, or -errno: -ENODEV where there is none. */
int link_find(const char *name, struct link *link);
int link_find_index(unsigned index, struct link *link);

/* 0 where the host's own stack makes no use of the interface: it is no member of another, none
 * stands on it, and it has no address but those that IPv6 gives to every link. -EBUSY and the use,
 * or another -errno, where it does. */
int link_check_unused(const struct link *link, struct error *error);

struct link_settings {
	unsigned mtu; /* 0: as it is */
	bool has_mac;
	uint8_t mac[MAC_SIZE];
	bool up;   /* false: as it is */
	bool down; /* false: as it is */
};

/* Changes the interface `index`, called `name`. 0, or -errno and what could not be set. */
int link_set(unsigned index, const char *name, const struct link_settings *settings,
	struct error *error);

/* Gives or takes an address. 0; 1 where it is there, or is not, already; or -errno. */
int link_add_address(
	unsigned index, const char *name, const struct link_address *address, struct error *error);
int link_remove_address(
	unsigned index, const char *name, const struct link_address *address, struct error *error);

/* The addresses of the interface that somebody has given it for good: no link's own, none that a
 * router or DHCP server lends. How many, the first `maximum` of them in addresses[]; or -errno. */
int link_addresses(unsigned index, struct link_address *addresses, unsigned maximum);

struct link_change {
	bool gone;        /* the interface left the namespace, or was deleted */
	bool missed;      /* changes were lost: look at everything; nothing else is set */
	struct link link; /* what is known of it; of one that is gone index and name */
};

/* Opens a watch: a descriptor that is readable when there are changes of interfaces in the
 * namespace of that name (netns_enter()), whose identity it fills in. It does not block. -errno and
 * the reason where there is none. */
int link_watch_open(const char *netns, uint64_t *identity, struct error *error);

/* Takes what happened, in order, and calls `changed` for each. 0, or -errno where the watch is of
 * no use any more. */
int link_watch_read(
	int watch, void (*changed)(void *owner, const struct link_change *change), void *owner);

#endif
