/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One port of the load generator: a link to a backend (driver/link.h) with a device whose rings are
 * the generator's (bench/ring.h).
 *
 *   WAITING   no connection; client sockets keep trying
 *   -> SETTING UP  connected
 *   -> RUNNING     rings exist and may be used; all receive buffers are with the backend
 *   -> WAITING     the backend went or refused something: the rings are gone
 *   RUNNING -> STOPPED  bench_port_stop(), in order
 *
 * Changes happen inside the event loop only, and are told to the owner by changed(): between two
 * runs of the loop rings stay as they are.
 *
 * Thread: the one that runs the event base; the generator is the same one.
 */
#ifndef VSW_BENCH_PORT_H
#define VSW_BENCH_PORT_H

#include "bench/options.h"
#include "bench/ring.h"
#include "driver/link.h"

struct event_base;

struct bench_port_ops {
	/* The port began or ceased to run, or stopped. */
	void (*changed)(void *owner);
};

struct bench_port {
	const struct bench_options *options;
	const struct bench_port_ops *ops;
	void *owner;
	unsigned number;
	char name[16];
	uint64_t mac;         /* the first of its addresses */
	uint64_t features;    /* agreed */
	uint32_t header_size; /* of virtio, bytes */
	uint32_t stamp_at;    /* from a buffer's beginning to the stamp of the frame in it */
	bool mergeable;
	bool running;
	bool stopped;
	bool refused;             /* the backend cannot do what the options ask for */
	unsigned queue_pairs;     /* agreed; at most what was asked for */
	struct bench_ring *rings; /* [2 * queue_pairs]: receive, transmit, receive, ... */
	int *kick_fds;            /* of the same, borrowed from the device */
	struct error failure;     /* why it last ceased to run; empty: it never did */
	struct driver_link link;
};

/* The longest frame of these options, bytes. */
uint32_t bench_frame_max(const struct bench_options *options);

/* Opens the socket of options->ports[number]; `base` NULL: no socket. NULL, and the error, where
 * that is not possible. */
struct bench_port *bench_port_open(struct event_base *base, const struct bench_options *options,
	unsigned number, const struct bench_port_ops *ops, void *owner, struct error *error);

/* For a port without a socket: the device and its rings, with all features that were asked for. */
int bench_port_set_up(struct bench_port *port, struct error *error);

/* Asks for an orderly stop of a running port. */
void bench_port_stop(struct bench_port *port);

/* NULL is accepted. */
void bench_port_close(struct bench_port *port);

#endif
