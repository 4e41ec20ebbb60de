/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory port: a port inside the process, for tests and benchmarks. What the program pushes
 * comes out of receive() as if a VM had sent it; what the switch sends to the port is kept until
 * the program pops it.
 *
 *   program --push--> [ depth frames a queue ] --receive--> switch
 *   program <--pop--- [ depth frames ]         <--send----- switch
 *
 * Threads: one thread at a time pushes to a queue, one pops; they need not be the same, nor the
 * control thread. The worker's side follows the port contract. A frame that was pushed lies in its
 * slot until the batch is released; its slot is free after that.
 *
 * Full: push refuses; send drops and counts `receive-ring-full`. Order is kept in a queue, and
 * among the frames that one worker sends.
 */
#ifndef VSW_PORT_MEMORY_H
#define VSW_PORT_MEMORY_H

#include "base/error.h"
#include "port/port.h"

struct memory_port_options {
	unsigned queues;     /* 1 to PORT_QUEUE_MAX */
	unsigned depth;      /* frames in each ring, a power of two */
	uint32_t frame_size; /* bytes of the longest frame, at most PACKET_LENGTH_MAX */
	uint8_t abilities;   /* OFFLOAD_* that it takes undone */
	uint16_t mtu;        /* bytes of payload above Ethernet, 0: any */
	bool timed;          /* it does not notify: arm() answers PORT_TIMED */
};

/* `notifier` outlives the port; NULL where no worker pool visits it. The port is destroyed with
 * port->class->destroy(). NULL with *error filled on failure. */
struct port *memory_port_new(const struct port_notifier *notifier, const char *name, uint16_t index,
	const struct memory_port_options *options, struct error *error);

/* Gives the switch a frame of `length` bytes (any length, to test what refuses it). False where the
 * queue's ring is full or the frame longer than frame_size. */
bool memory_port_push(struct port *port, unsigned queue, const void *frame, uint32_t length);

/* Takes the oldest frame that the switch sent here: its length, 0 where there is none, -EMSGSIZE
 * for one longer than `size`, which is gone. */
int memory_port_pop(struct port *port, void *frame, uint32_t size);

/* Frames pushed that the switch has not finished with. Any thread. */
unsigned memory_port_pending(const struct port *port);

#endif
