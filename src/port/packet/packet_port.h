/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet port: an interface that is there already (a NIC, a veth, the TAP of a program) is a
 * member of a network. We sit at the kernel's side of it:
 *
 *   guest's memory --sendmmsg--> interface --> wire, namespace, or the VMM of a TAP
 *   guest's memory <--- ring of the packet socket <--- interface
 *
 * The kernel copies what comes into slots of a ring that we map, so reading a short frame takes no
 * system call; a longer one (segments that the kernel has merged, or not cut yet) is read by one of
 * its own. What the two sides leave undone (checksums, segments) is told in the virtio-net header
 * in front of each frame, and is believed no more than a guest's: virtio_net/offload.h. A tag that
 * the kernel has taken off is put back before anything looks at the frame.
 *
 * The port is the interface of its name in the namespace of its name, and nothing else. Where that
 * is renamed, moved or deleted the port is away: frames to it are dropped (receiver-not-ready), and
 * the status says why. It comes back with an interface of that name; where the name of the
 * namespace leads to another one, within about a second, with the interface there. While it is not
 * up, or has no carrier, frames to it are dropped as well.
 *
 * Threads: as the port contract says. send() may be called by several workers at once; the kernel
 * takes their frames in any order, each worker's in its own.
 */
#ifndef VSW_PORT_PACKET_PACKET_PORT_H
#define VSW_PORT_PACKET_PACKET_PORT_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/error.h"
#include "host/packet.h"
#include "port/port.h"

/*
 * Opens the interface (host/packet.h). NULL with *error filled where it cannot be had; restored: in
 * any case but want of memory, and what cannot be had is its problem, and tried for. The port is
 * destroyed with port->class->destroy(); the interface stays as it is, and is the host's again.
 * Control thread.
 */
struct port *packet_port_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct host_packet *settings, bool restored,
	struct error *error);

/* Settings that differ from before in `up` only; brings the interface up where that is wanted, also
 * where somebody else has taken it down. 0, or -errno with *error filled. Control thread. */
int packet_port_change(struct port *port, const struct host_packet *settings, struct error *error);

enum packet_port_state {
	PACKET_PORT_RUNNING,    /* frames pass */
	PACKET_PORT_NO_CARRIER, /* nothing is at the interface's other end */
	PACKET_PORT_DOWN,       /* the interface is not up */
	PACKET_PORT_AWAY,       /* it is not there: `problem` says why */
};

extern const char *const packet_port_state_names[];

struct packet_port_status {
	enum packet_port_state state;
	const char *problem;  /* NULL: none */
	unsigned problem_age; /* seconds */
	unsigned ifindex;     /* 0: none */
	bool carrier;         /* as the interface shows it */
	unsigned mtu;         /* of the interface; 0: unknown */
	uint8_t mac[MAC_SIZE];
	bool guarded;     /* the host's stack gets nothing of what comes */
	uint8_t offloads; /* OFFLOAD_* that the kernel and we leave to each other */
	uint64_t returns; /* how often it came back */
};

/* Control thread. */
void packet_port_status(const struct port *port, struct packet_port_status *status);

#endif
