/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The third way of a TAP queue's frames: not by system calls of ours, but by the kernel's
 * vhost-net, of which we are the driver.
 *
 *   send:     head + tail --our copy--> buffers of ours --the kernel's thread--> TAP
 *   receive:  TAP --the kernel's thread--> buffers of ours: the head copied, the tail in place
 *
 * A queue has a device of its own (vhost/kernel.h) with one ring in each direction, split, in
 * memory of this process that nobody else has. Neither direction takes a system call but to wake
 * the kernel's thread where that sleeps; it wakes our worker only where that is about to sleep
 * (armed).
 *
 * Room: TAP_VHOST_RECEIVE and TAP_VHOST_SEND buffers, in chains of as many as a frame takes: 6.4
 * MiB a queue, which become resident as they are used. A full ring towards the kernel loses frames,
 * as a guest's does (receive-ring-full); towards us it makes the TAP's own queue fill.
 *
 * What the kernel's side writes is checked as any device's: where it breaks a ring's rules, or says
 * itself that it cannot go on (its error eventfd), nothing passes any more, and error_fd is
 * readable.
 *
 * Threads: new and free are the control thread's, while no worker knows the queue. receive,
 * release, arm and disarm are of the worker that visits the queue; send is anybody's under the
 * queue's lock.
 */
#ifndef VSW_PORT_TAP_VHOST_H
#define VSW_PORT_TAP_VHOST_H

#include "base/error.h"
#include "packet/egress.h"
#include "packet/packet.h"
#include "port/port.h"

/* Buffers, and descriptors, of each ring: of the size of a page and some, to spread their
 * beginnings over a cache's sets. */
#define TAP_VHOST_RECEIVE 512u
#define TAP_VHOST_SEND    1024u
#define TAP_VHOST_BUFFER  4160u

struct tap_vhost;

/* A device that carries the frames of this queue of a TAP, whose header in front of frames has
 * NET_HEADER_SIZE bytes. 0, or -errno with the reason: there is no vhost-net, or not one of use. */
int tap_vhost_new(struct tap_vhost **vhost, int tap_fd, struct error *error);

/* The kernel's thread is done with the TAP when this returns. NULL is allowed. */
void tap_vhost_free(struct tap_vhost *vhost);

/* An eventfd that is written when there are frames, after arm; to be watched for edges. */
int tap_vhost_call_fd(const struct tap_vhost *vhost);
/* An eventfd that is written when it has failed. */
int tap_vhost_error_fd(const struct tap_vhost *vhost);

/* As the port contract says. requests: OFFLOAD_* that the kernel may ask us for. */
void tap_vhost_receive(struct tap_vhost *vhost, uint8_t requests, struct packet_batch *batch,
	struct counters *counters);
void tap_vhost_release(struct tap_vhost *vhost);
enum port_arm tap_vhost_arm(struct tap_vhost *vhost);
void tap_vhost_disarm(struct tap_vhost *vhost);

/* Sends the packets of `mask` and counts them; true where tap_vhost_kick() is due, which needs no
 * lock. */
bool tap_vhost_send(struct tap_vhost *vhost, const struct egress_limits *limits,
	struct packet_batch *batch, uint64_t mask, struct counters *counters);
void tap_vhost_kick(const struct tap_vhost *vhost);

#endif
