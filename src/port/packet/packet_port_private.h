/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet port from inside: packet_port.c is the control thread's, receive.c and send.c are the
 * workers'.
 *
 * `live` is what workers see: the queue, while frames pass. To change anything of it the control
 * thread takes it back, waits a grace period, changes it and publishes it again, as it is done with
 * the rings of guests.
 */
#ifndef VSW_PORT_PACKET_PACKET_PORT_PRIVATE_H
#define VSW_PORT_PACKET_PACKET_PORT_PRIVATE_H

#include "base/spinlock.h"
#include "packet/egress.h"
#include "port/interface.h"
#include "port/packet/packet_port.h"

/* Room for the longest frame's tail and for one byte more, by which a longer one is known; a
 * distance that spreads the first bytes of tails over a cache's sets. */
#define PACKET_TAIL_SIZE   (PACKET_LENGTH_MAX - PACKET_HEAD_SIZE + 1)
#define PACKET_TAIL_STRIDE (65536 + 21 * CACHE_LINE)

struct packet_queue {
	/* Of the worker that visits it, while published. */
	int fd;
	uint8_t *ring; /* [slot_count] of slot_size bytes; the kernel's and ours */
	uint32_t slot_size, slot_count;
	uint32_t next;  /* slot to be looked at */
	uint32_t first; /* of those that receive() has taken and release() gives back */
	uint8_t *tails; /* [PACKET_BATCH] of PACKET_TAIL_STRIDE bytes: of frames beyond a slot */

	/* Of whoever sends. */
	struct spinlock counting CACHE_ALIGNED; /* of the tx counters */
};

struct packet_port {
	struct port port;
	struct packet_queue *live; /* &queue for workers, NULL while no frames pass */
	uint8_t offloads;          /* OFFLOAD_* of both directions; changed while not live */
	uint32_t frame_length_max; /* by its MTU; written by the control thread at any time */
	struct packet_queue queue;

	/* The control thread's. */
	const struct port_notifier *notifier;
	struct host_packet settings;
	struct packet_socket socket; /* open while `opened` */
	bool opened;
	bool watched; /* the queue's descriptor, by the notifier */
	bool unseen;  /* since we are in this namespace */
	struct port_interface interface;
	struct event *retry;   /* pending: no attempt to open again before */
	unsigned failed_index; /* of the interface that the last such attempt was about */
	unsigned retry_ms;     /* before the next such attempt; 0: the last one succeeded */
	struct link link;      /* the interface, as last seen */
	enum packet_port_state state;
	uint64_t returns;
};

static inline struct packet_port *packet_port(const struct port *port)
{
	return container_of(port, struct packet_port, port);
}

void packet_port_receive(struct port *port, unsigned queue, struct packet_batch *batch);
void packet_port_release(struct port *port, unsigned queue, struct packet_batch *batch);
void packet_port_send(struct port *port, struct packet_batch *batch, uint64_t mask);
enum port_arm packet_port_arm(struct port *port, unsigned queue);
void packet_port_disarm(struct port *port, unsigned queue);

#endif
