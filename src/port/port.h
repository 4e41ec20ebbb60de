/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port contract: what every kind of port offers to the workers and to the control thread.
 *
 * Life of a port (control thread):
 *
 *   created --published to workers--> in service --unpublished, grace period--> destroyed
 *
 * Workers call receive/release/arm/disarm of a queue only on the one worker that the queue is
 * assigned to; send may be called by any worker (and the control thread, for frames of our own) at
 * any time: it locks per receive ring. expect is a hint that any worker may give before that. A
 * port whose far end is away (no VM) stays in service: receive yields nothing and send counts
 * drops.
 */
#ifndef VSW_PORT_PORT_H
#define VSW_PORT_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/counters.h"
#include "packet/packet.h"

/* Characters of a port's name, with the terminating zero: room for a UUID with a prefix. */
#define PORT_NAME_SIZE 64
/* Queue pairs of a port: what DPDK, QEMU and the vhost-user protocol agree on. */
#define PORT_QUEUE_MAX 128

struct port;

/* What a queue answers when its worker wants to sleep on it. */
enum port_arm {
	PORT_ARMED,   /* notifications are on: its watched descriptor will tell */
	PORT_PENDING, /* work came in meanwhile: visit it again now */
	PORT_TIMED,   /* it has no notification: visit it again in PORT_TIMED_NS */
};

/* How long frames may lie in a queue whose peer does not notify ("poll" in SET_VRING_KICK). */
#define PORT_TIMED_NS 1000000

struct port_class {
	const char *type; /* as in the configuration: "vhost-user" */
	/* The far end runs inside of send(): when that returns there may be an answer to be
	 * received, before any notification of it. */
	bool answers;

	/* Fills the empty batch with up to frames_max frames that came in on `queue`, notes where
	 * their bytes were too many for one visit, and in pieces_used what it has done, for frames
	 * that it drops, too. Counts ingress drops of its own in the queue's rx counters.
	 * Worker. */
	void (*receive)(struct port *port, unsigned queue, struct packet_batch *batch);
	/* Gives back what the last receive() took; the batch's packets are dead. Worker. */
	void (*release)(struct port *port, unsigned queue, struct packet_batch *batch);
	/* Sends the packets of `mask`, copying them; counts sent and dropped ones in tx
	 * counters. */
	void (*send)(struct port *port, struct packet_batch *batch, uint64_t mask);
	/* Frames are about to be sent, probably: asks for the cache lines that this will need.
	 * Takes no lock and changes nothing. May be NULL. Any worker. */
	void (*expect)(struct port *port);
	/* Turns notifications of a queue on before sleeping / off before polling. Worker. */
	enum port_arm (*arm)(struct port *port, unsigned queue);
	void (*disarm)(struct port *port, unsigned queue);

	/* Frees everything; the port is out of service. Control thread. */
	void (*destroy)(struct port *port);
};

/* Counters of a queue pair. rx: from the VM into the switch, written by the worker that the queue
 * is assigned to. tx: towards the VM, written under the lock of its receive ring. */
struct port_queue_counters {
	struct counters rx;
	struct counters tx;
	/* what the worker has spent on what came in; the worker writes it, now and then */
	uint64_t worker_cycles;
};

/*
 * How a port tells the workers which descriptors announce work. Implemented by worker/, called on
 * the control thread. A watched descriptor is unwatched before it is closed.
 */
struct port_notifier {
	void *owner;
	/* Wake the queue's worker whenever fd (an eventfd) is written. 0 or -errno. */
	int (*watch)(void *owner, struct port *port, unsigned queue, int fd);
	void (*unwatch)(void *owner, struct port *port, unsigned queue, int fd);
	/* Visit the port's queues now: something changed (a ring started, say). */
	void (*poke)(void *owner, struct port *port);
};

struct port {
	const struct port_class *class;
	char name[PORT_NAME_SIZE];
	uint16_t index;                       /* in the topology */
	uint16_t queue_count;                 /* queue pairs that workers visit */
	struct port_queue_counters *counters; /* [queue_count], owned */
	struct port_totals *bases; /* [queue_count], owned; control thread; NULL: never reset */
};

/* What show says of counters: the figures since port_reset_totals(), or since the port was opened.
 * The counters themselves are their writers' and only rise. Control thread. */
struct port_totals {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t worker_cycles;
	uint64_t drops[DROP_REASON_COUNT];
};
/* Of one queue pair; of all together. */
void port_queue_totals(const struct port *port, unsigned queue, struct port_totals *totals);
void port_totals(const struct port *port, struct port_totals *totals);
/* The figures start at zero again. 0, or -ENOMEM (then they go on). */
int port_reset_totals(struct port *port);

/* For the kinds' constructors and destructors: fills the common part; 0 or -ENOMEM. */
int port_init(struct port *port, const struct port_class *class, const char *name, uint16_t index,
	uint16_t queue_count);
void port_fini(struct port *port);

#endif
