/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TAP port from inside: tap.c, queue.c and presence.c are the control thread's, data.c and
 * vhost_data.c the workers'.
 *
 *   attach() --> here <--review()--> away
 *     ^                               |    the interface is renamed or moved: kept, without carrier
 *     '------ retry, look ------------'    it is deleted, or its namespace is: detach()
 *
 *
 * `live` is what workers see: the queues, while the interface is there. To change anything of it
 * the control thread takes it back, waits a grace period, changes it and publishes it again, as it
 * is done with the rings of guests.
 */
#ifndef VSW_PORT_TAP_PRIVATE_H
#define VSW_PORT_TAP_PRIVATE_H

#include "base/spinlock.h"
#include "frame_io/frame_io.h"
#include "host/tap_change.h"
#include "packet/egress.h"
#include "port/interface.h"
#include "port/tap/tap.h"
#include "port/tap/vhost.h"

/* Bytes of the header in front of a frame: with the number of buffers, which a TAP leaves alone, so
 * that what follows is aligned as in a guest's. */
#define TAP_HEADER_SIZE 12

/* Room for the longest frame and for one byte more, by which a longer one is known; a distance that
 * spreads the first bytes of frames over a cache's sets. */
#define TAP_FRAME_MAX   (PACKET_LENGTH_MAX + 1)
#define TAP_ROOM_STRIDE (65536 + 21 * CACHE_LINE)

_Static_assert(PACKET_HEADROOM + TAP_FRAME_MAX <= TAP_ROOM_STRIDE, "a frame and its headroom fit");
_Static_assert(PACKET_BATCH <= FRAME_IO_MAX, "a batch is one call");

struct tap_queue {
	/* Of the worker that visits it, while published. */
	int fd;
	struct tap_vhost *vhost;      /* carries all frames; NULL: they are read and written */
	struct frame_io_ring *reader; /* NULL: each read by itself */
	uint8_t *rooms;               /* [PACKET_BATCH] of TAP_ROOM_STRIDE bytes */
	struct frame_io_window window;
	uint32_t longest; /* bytes of the longest frame of the last visit that had any */
	/* clock_cycles() when it was found empty; 0: it may have frames, as who sends says, too */
	uint64_t empty_since;
	bool watched; /* the control thread's, as what follows */
	int watched_fd;
	struct event *failed; /* vhost has; NULL: without one */

	/* Of whoever sends. */
	struct frame_io_ring *writer CACHE_ALIGNED; /* under writing; NULL: each write by itself */
	struct spinlock writing;  /* only ever tried: who finds it taken does without */
	struct spinlock counting; /* of the tx counters; of sending, too, with vhost */
};

struct tap_port {
	struct port port;
	struct tap_queue
		*live;     /* [port.queue_count] for workers, NULL while the interface is away */
	uint8_t requests;  /* OFFLOAD_* that the kernel may ask us for; changed while not live */
	uint8_t abilities; /* and that it takes from us */
	uint32_t frame_length_max; /* by its MTU; written by the control thread at any time */

	/* The control thread's. */
	const struct port_notifier *notifier;
	struct event_base *base;
	enum tap_port_vhost vhost; /* wanted */
	struct host_tap settings;
	struct tap tap; /* open while `opened` */
	bool opened;
	bool carried;             /* and the queues are open */
	bool make;                /* the interface is to be made where it is not there */
	struct tap_queue *queues; /* [port.queue_count] */
	struct port_interface interface;
	struct event *retry;   /* pending: no attempt to attach again before */
	unsigned failed_index; /* of the interface that the last such attempt was about */
	uint64_t failed_ns;    /* when vhost-net failed last */
	unsigned retry_ms;     /* before the next such attempt; 0: the last one succeeded */
	struct link link;      /* the interface, as last seen */
	enum tap_port_state state;
	struct tap_change change; /* the last one; its `problem` is what is not set now */
	uint64_t returns;
	const char *io;
};

static inline struct tap_port *tap_port(const struct port *port)
{
	return container_of(port, struct tap_port, port);
}

enum tap_attach {
	TAP_ATTACH_FIRST,    /* made where it is not there; who has it is waited for a moment */
	TAP_ATTACH_MAKE,     /* made where it is not there */
	TAP_ATTACH_EXISTING, /* not made */
};

/* tap.c: gets the interface and readies its queues, which are not published yet. 0, or -errno and
 * what failed in tap->tap.failed. */
int tap_port_attach(struct tap_port *tap, enum tap_attach how, struct error *error);
void tap_port_detach(struct tap_port *tap);

/* Opens all queues of the attached interface, or none; and closes them. 0 or -errno. */
int tap_port_carry(struct tap_port *tap, struct error *error);
void tap_port_put_down(struct tap_port *tap);

/* queue.c: chooses the way of an attached queue's frames, and has its worker woken. 0, or -errno:
 * tap_queue_close(), which is harmless for one that is closed, is due all the same. */
int tap_queue_open(struct tap_port *tap, unsigned index, struct error *error);
void tap_queue_close(struct tap_port *tap, unsigned index);

/* presence.c: vhost-net has failed one of them. */
void tap_port_failed(struct tap_port *tap);

/* From when on workers see the queues, and no worker does any more. */
void tap_port_publish(struct tap_port *tap);
void tap_port_unpublish(struct tap_port *tap);

extern const struct port_interface_ops tap_port_interface_ops; /* of presence.c */

/* Looks how things are, and does what follows. */
void tap_port_review(struct tap_port *tap);

/* Timers of presence.c. 0 or -ENOMEM. */
int tap_port_start_timers(struct tap_port *tap);

void tap_port_receive(struct port *port, unsigned queue, struct packet_batch *batch);
void tap_port_release(struct port *port, unsigned queue, struct packet_batch *batch);
void tap_port_send(struct port *port, struct packet_batch *batch, uint64_t mask);
enum port_arm tap_port_arm(struct port *port, unsigned queue);
void tap_port_disarm(struct port *port, unsigned queue);

#endif
