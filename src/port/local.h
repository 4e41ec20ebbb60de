/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local port: how frames reach the control thread, where the services are (service/), and how
 * those of the services come back. A port of the contract whose far end is the control thread.
 *
 *	workers --send--> [ ring ] --local_port_receive()--> control thread
 *	 worker <--receive-- [ ring ] <--local_port_send()-- control thread
 *
 * With each frame goes, towards the control thread, the network that it belongs to and the port
 * where it came in. Frames are whole then: untagged, checksums complete, not to be cut. Back, it is
 * either sent into a named network from the local port itself, which is in all of them, without
 * that anybody learns where its source is; or as if it had come in on another port, with all that
 * is checked and learned there, but not counted there. The local port is no member of any network:
 * nothing is flooded to it, and what reaches it was sent by rule (forward/topology.h).
 *
 * Frames of any length up to the longest pass in both directions. Towards the control thread a port
 * may have LOCAL_QUOTA_BYTES in the ring, and never more than what is free beside LOCAL_FIRST_BYTES
 * for each port: one guest cannot fill it, and however many try, the first frames of another have
 * room. What does not fit is dropped and counted as `local-busy`, here, in either direction.
 *
 * Threads: receive/release/arm/disarm and send as the contract says; everything below on the
 * control thread. Order is kept among the frames that one thread sends.
 */
#ifndef VSW_PORT_LOCAL_H
#define VSW_PORT_LOCAL_H

#include "base/error.h"
#include "packet/drop.h"
#include "port/port.h"

/* Of the rings, what is taken up by frames that wait; memory is used only where they do. */
#define LOCAL_IN_BYTES    (4u << 20)
#define LOCAL_OUT_BYTES   (1u << 20)
#define LOCAL_QUOTA_BYTES (128u << 10)
#define LOCAL_FIRST_BYTES 1024u
/* What the first frames of so many ports leave of the ring is for all. */
#define LOCAL_PORTS_MAX   2048u

/* A frame that came in for the control thread. */
struct local_frame {
	const uint8_t *bytes; /* good within the call that hands it over */
	uint32_t length;
	uint16_t network; /* index */
	uint16_t port;    /* index of the port where it came in */
};

/* port_max: every port's index is below, and it is at most LOCAL_PORTS_MAX. `notifier` outlives
 * the port; NULL where no worker pool visits it. Destroyed with port->class->destroy(). NULL
 * with *error filled on failure. */
struct port *local_port_new(const struct port_notifier *notifier, uint16_t index, unsigned port_max,
	struct error *error);

/* An eventfd, the port's, that is readable while local_port_receive() has something to do. */
int local_port_event(const struct port *port);

/* Hands over up to `max` frames, oldest first; returns how many. Where that was not all, the
 * eventfd stays readable. */
unsigned local_port_receive(struct port *port, unsigned max,
	void (*handle)(void *owner, const struct local_frame *frame), void *owner);

/* Sends a frame (Ethernet, untagged) of up to PACKET_LENGTH_MAX bytes into a network, from the
 * local port. False where it was dropped, and counted. */
bool local_port_send(struct port *port, uint16_t network, const void *frame, uint32_t length);

/* The same, as if the frame, tagged as a guest would have to, had come in on the port `from`. */
bool local_port_send_as(struct port *port, uint16_t from, const void *frame, uint32_t length);

/* Counts a frame that was handed over and comes to nothing, where that has a reason. */
void local_port_refuse(struct port *port, enum drop_reason reason);

/* Drops what is in the rings from and as the port `index`: it is gone, no worker sees it any
 * more, and its index may become another's. */
void local_port_forget(struct port *port, uint16_t index);

#endif
