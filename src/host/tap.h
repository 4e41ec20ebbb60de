/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP interface whose program's side we are: Ethernet frames, one descriptor a queue. One that is
 * not there is made, and is gone when it is closed; one that is there is attached to, and stays.
 *
 *   host_tap_open() -> without carrier -> tap_set_carrier(true) <-> (false) -> tap_close()
 *
 * The kernel hands a frame to one of the attached queues, chosen by flow; a queue that is detached
 * gets none. Without offloads the kernel has finished checksums and segments. With them a header of
 * virtio-net stands in front of each frame, in both directions, and says what is left to do; what
 * the kernel may leave undone is nothing, until tap_set_offloads().
 *
 * One read or write of a queue's descriptor is one frame; the descriptors never block. host_*() are
 * acts that take privilege and name something of the host; tap_*() need the descriptors only. One
 * thread.
 */
#ifndef VSW_HOST_TAP_H
#define VSW_HOST_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if_tun.h>

#include "base/error.h"
#include "host/link.h"
#include "host/netns.h"

/* From Linux 6.2 on; Debian 12's headers are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* As many as the kernel gives one interface. */
#define TAP_QUEUES_MAX         256
/* Addresses that we give one. */
#define HOST_TAP_ADDRESSES_MAX 16

/* What is wanted. */
struct host_tap {
	char name[LINK_NAME_SIZE];
	char netns[NETNS_NAME_SIZE]; /* netns_enter() */
	unsigned queues;             /* 1..TAP_QUEUES_MAX */
	bool offload;                /* a header in front of frames */
	bool persist;                /* it shall stay when it is closed */
	bool existing;               /* it shall not be made where it is not there */
	bool gateway;                /* of VMs: nothing is learned from its other side */
	bool at_once; /* what another program has is an error at once: nobody is waited for */
	struct link_settings set;
	unsigned address_count;
	struct link_address addresses[HOST_TAP_ADDRESSES_MAX];
};

/* What of a request cannot be had. */
enum tap_setting {
	TAP_SETTING_NAME,
	TAP_SETTING_NETNS,
	TAP_SETTING_QUEUES,
	TAP_SETTING_MTU,
	TAP_SETTING_MAC,
	TAP_SETTING_UP,
	TAP_SETTING_PERSIST,
	TAP_SETTING_ADDRESS,
};

/* What was given to an interface, and what is given back to it; host/tap_change.h. */
struct tap_given {
	unsigned mtu;          /* that it had before; 0: none was given */
	bool has_mac;          /* one was given */
	uint8_t mac[MAC_SIZE]; /* before that */
	bool persist;
	unsigned address_count;
	struct link_address addresses[HOST_TAP_ADDRESSES_MAX];
};

/* What there is. */
struct tap {
	char name[LINK_NAME_SIZE];
	struct link link; /* the interface, as it was when it was opened */
	uint64_t netns;   /* netns_identity() of that */
	bool found;       /* it was there before */
	unsigned queues;
	unsigned offloads;       /* TUN_F_* that the kernel has; 0: no header in front of frames */
	uint32_t header_size;    /* bytes of that header */
	int fds[TAP_QUEUES_MAX]; /* [queues], -1 beyond */
	bool attached[TAP_QUEUES_MAX]; /* frames may come out of fds[i] */
	struct tap_given given;
	enum tap_setting failed; /* of one that could not be opened: why */
};

/* Makes the interface or attaches to it; it has no carrier, and is not set. 0, or -errno and what
 * could not be done: one of another kind has that name, another program has it, the privilege is
 * missing, ... tap_close() is due only after success. */
int host_tap_open(const struct host_tap *request, struct tap *tap, struct error *error);

/* What the interface of that name in that namespace is now. 0 or -errno: -ENODEV where there is
 * none. */
int host_tap_look(const struct host_tap *request, struct link *link);

/* The first address that the interface of that name in that namespace has for good, whoever gave
 * it: link_addresses(). 0 or -errno: -ENODEV where there is none, or no interface. */
int host_tap_address(const struct host_tap *request, struct link_address *address);

/* Where the interface of an open TAP is now. */
enum tap_place {
	TAP_HERE,    /* as it was opened */
	TAP_RENAMED, /* it has another name */
	TAP_MOVED,   /* it is in another namespace */
	TAP_DELETED,
};

/* name: of LINK_NAME_SIZE characters; filled with the present name, "" where there is no
 * interface. */
enum tap_place tap_find(const struct tap *tap, char name[LINK_NAME_SIZE]);

/* Shows the link as up or down. 0 or -errno. */
int tap_set_carrier(const struct tap *tap, bool carrier);

/* Uses the first `queues` (at least 1) of the interface's queues and detaches the others. An
 * interface with one queue has nothing to change. 0, or -errno and the reason. */
int tap_use_queues(struct tap *tap, unsigned queues, struct error *error);

/* With offloads: what the kernel may leave undone from now on (of tap->offloads), and the size of
 * the header. Frames that wait already are as they are. 0, or -errno and the reason. */
int tap_set_offloads(struct tap *tap, unsigned offloads, uint32_t header_size, struct error *error);

void tap_close(struct tap *tap);

#endif
