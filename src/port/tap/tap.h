/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TAP port: a network interface of the host, or of a network namespace, is a member of a
 * network. We are the program behind the TAP; its other side is the kernel's network stack.
 *
 *   guest's memory --writev--> TAP --> the kernel's stack       (one copy, the kernel's)
 *   guest's memory <----------- TAP <-- the kernel's stack      (read into buffers of ours that are
 *                                                               reused)
 *
 * Where the kernel has vhost-net, that is in between: port/tap/vhost.h.
 *
 * What the kernel and we leave undone (checksums, segments) is told in the virtio-net header in
 * front of each frame, and is believed no more than a guest's: virtio_net/offload.h.
 *
 * The port is the interface of its name in the namespace of its name, and nothing else. Where that
 * is renamed, moved or deleted by somebody else the port is away: frames to it are dropped
 * (receiver-not-ready), its carrier is off, and the status says why. It comes back with an
 * interface of that name, set as the port's settings are then; one that was deleted is made again
 * by the next tap_port_change(). A namespace that is deleted is let go of, and where there is one
 * of its name again, within about a second, the interface is made in it.
 *
 * Settings that the namespace undoes, or does not allow, are the port's problem and no more: frames
 * pass all the same.
 *
 * Threads: as the port contract says. send() may be called by several workers at once for one
 * queue; the kernel takes their frames in any order, each worker's in its own.
 */
#ifndef VSW_PORT_TAP_TAP_H
#define VSW_PORT_TAP_TAP_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/error.h"
#include "host/tap.h"
#include "port/port.h"

/* Queues of a port: each is a flow's way to one worker. */
#define TAP_PORT_QUEUES_MAX 64

/* Whether the kernel's vhost-net carries the frames. */
enum tap_port_vhost {
	TAP_PORT_VHOST_AUTO, /* where there is one of use */
	TAP_PORT_VHOST_ON,   /* or there is no port */
	TAP_PORT_VHOST_OFF,
};

/* How a port begins. */
enum tap_port_start {
	TAP_PORT_ALL,      /* with all that it shall have, or not at all */
	TAP_PORT_RESTORED, /* in any case but want of memory: what cannot be had is its problem */
};

/*
 * Makes the interface or attaches to it (host/tap.h; `offload` is ours to set). NULL with *error
 * and, where that is not NULL, *failed filled where it cannot be had. The port is destroyed with
 * port->class->destroy(), and with it an interface that we made and that shall not persist. Control
 * thread.
 */
struct port *tap_port_new(struct event_base *base, const struct port_notifier *notifier,
	const char *name, uint16_t index, const struct host_tap *settings,
	enum tap_port_vhost vhost, enum tap_port_start start, enum tap_setting *failed,
	struct error *error);

/*
 * Makes the interface what `settings` says, which may differ from before in mac, mtu, up, persist
 * and addresses; what somebody else has changed or deleted is put right, and said in the log: 1
 * then. While the interface is away this waits for its return: 0. -errno with *error and *failed
 * filled where what differs from before cannot be had; nothing has changed then. Control thread.
 */
int tap_port_change(struct port *port, const struct host_tap *settings, enum tap_setting *failed,
	struct error *error);

/* The change in which this port was made, or changed last, has failed: gives the interface back
 * what it was like before. settings: those of before; NULL: the port is to be destroyed. Control
 * thread. */
void tap_port_undo(struct port *port, const struct host_tap *settings);

enum tap_port_state {
	TAP_PORT_RUNNING, /* frames pass */
	TAP_PORT_DOWN,    /* the interface is not up */
	TAP_PORT_AWAY,    /* it is not there: `problem` says why */
};

extern const char *const tap_port_state_names[];

struct tap_port_status {
	enum tap_port_state state;
	const char *problem;  /* NULL: none */
	unsigned problem_age; /* seconds */
	unsigned ifindex;     /* 0: none */
	bool carrier;         /* as the interface shows it */
	unsigned mtu;         /* of the interface; 0: unknown */
	uint8_t mac[MAC_SIZE];
	bool found;       /* the interface was there before the port */
	uint8_t offloads; /* OFFLOAD_* that the kernel and we leave to each other */
	const char *io;   /* "vhost-net", "io_uring" or "plain" */
	uint64_t returns; /* how often it came back */
};

/* An address that the interface has for good, given by its port or by somebody else: who has it is
 * reached through the port. False where there is none, or the interface is not up. Asks the kernel.
 * Control thread. */
bool tap_port_address(const struct port *port, struct link_address *address);

/* Control thread. */
void tap_port_status(const struct port *port, struct tap_port_status *status);

#endif
