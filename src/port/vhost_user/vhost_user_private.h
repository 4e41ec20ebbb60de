/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the vhost-user port: what its control side (vhost_user.c, vhost_user_rings.c) and its data
 * side (vhost_user_data.c) share. Nobody else includes this.
 *
 * A queue pair has two rings. vhost ring 2n is the guest's receiveq: we *send* into it. Ring 2n + 1
 * is its transmitq: we *receive* from it.
 *
 * Who writes what: every field is the control thread's, but for the inside of a ring while it is
 * RUNNING (`receive` non-NULL, or the pair listed in `senders`): then it is the worker's, or the
 * holder of the pair's lock. The control thread changes a ring only while it is not, and a grace
 * period has passed. What a ring logs is the exception: it is replaced while the ring runs (a
 * queue_log is never changed once a worker can see it).
 */
#ifndef VSW_PORT_VHOST_USER_VHOST_USER_PRIVATE_H
#define VSW_PORT_VHOST_USER_VHOST_USER_PRIVATE_H

#include "base/bell.h"
#include "base/log.h"
#include "base/spinlock.h"
#include "port/ring_places.h"
#include "port/vhost_user/ring_state.h"
#include "port/vhost_user/vhost_user.h"
#include "vhost/backend.h"
#include "vhost/endpoint.h"
#include "virtio/dirty_log.h"
#include "virtio_net/device.h"

struct vhost_user_ring {
	struct net_device_queue queue;
	struct bell bell; /* the call eventfd, borrowed from the backend; -1: the driver polls */
	enum ring_state state;
	uint32_t next; /* base at which to go on; kept while no worker uses it */
	bool resumed;  /* goes on from a record, for which descriptors may have been written */
	bool broken;   /* written by its thread while it runs: the control thread has been told */
	struct queue_log logs[2]; /* one that queue.log may point to, and its successor */
};

struct vhost_user_pair {
	/* Receiving: one worker. */
	struct net_device_queue *receive CACHE_ALIGNED; /* published; NULL: nothing to receive */
	struct vhost_user_ring receive_ring;
	bool polled;    /* the frontend gave no kick descriptor; constant while published */
	int watched_fd; /* kick descriptor that the worker's epoll knows, or -1 */

	/* Sending: any worker, under the lock. */
	struct spinlock lock CACHE_ALIGNED;
	struct vhost_user_ring send_ring;
};

/* The pairs whose receiveq takes frames. Immutable once published. */
struct vhost_user_senders {
	unsigned count;
	struct vhost_user_senders
		*retired; /* control thread: the next of those that may still be read */
	uint16_t pairs[];
};

/* Why a port does not do what its VM's owner expects, and what ends it. What stands further down is
 * the cause of what stands further up, and stays in view. */
enum vhost_user_problem_kind {
	VHOST_USER_PROBLEM_NONE,
	VHOST_USER_PROBLEM_LEFT,    /* the connection broke: until rings run */
	VHOST_USER_PROBLEM_REFUSED, /* a message: until rings run */
	VHOST_USER_PROBLEM_RING,    /* out of service: until each that is was started anew */
	VHOST_USER_PROBLEM_MEMORY,  /* not shared: until it is, or another VMM is here */
	/* a VM was promised what the port has no more: until rings run */
	VHOST_USER_PROBLEM_PROMISE,
};

struct vhost_user_problem {
	enum vhost_user_problem_kind kind;
	struct error text;
	uint64_t since; /* ns, monotonic */
};

struct vhost_user_port {
	struct port port;
	struct vhost_user_pair *pairs;      /* [port.queue_count] */
	struct vhost_user_senders *senders; /* published; NULL: no VM takes frames */
	struct vhost_user_senders *retired; /* replaced, and freed after the next grace period */
	int attention_fd;                   /* a worker writes it when a ring has failed */

	struct vhost_endpoint *endpoint;
	struct vhost_backend backend; /* of the present connection */
	struct guest_memory *memory;
	struct guest_quota *quota; /* of what the VMM has mapped: memory and log */
	struct dirty_log *log;     /* SET_LOG_BASE; NULL: none yet */
	/* vhost_user_bells.c */
	struct bells bells;
	struct bell log_bell; /* SET_LOG_FD */
	struct event *bell_timer;
	struct vhost_user_errand *errand; /* for the reaper */
	bool errand_sent;                 /* and not looked at since */
	unsigned bell_turn;               /* the bell that is looked at first */
	unsigned quick_signals;           /* in a row, of those that were owed */
	unsigned quick_needed;            /* for the eventfds to be trusted again */
	bool owed_logged;
	uint64_t calls_until; /* ns: when bells_call() has made up for what it sent at once */

	const struct port_notifier *notifier;
	struct event *attention;
	struct event *memory_check; /* armed where a driver's memory or buffers should come */
	int first_kick; /* watches the kick descriptor of ring 0 from its start to a kick, or -1 */
	struct event *first_kick_event; /* NULL, too, while no driver is ready to kick */
	bool kicked;                    /* ring 0, since it was started */
	struct vhost_user_problem problem;
	struct error logged; /* the last problem that was, when (ns), and of which connection */
	uint64_t logged_at, logged_connection;
	struct vhost_user_options options;
	char *socket;
	char *places_folder;        /* options.places_folder */
	struct ring_places *places; /* opened by the first packed ring; NULL: none */
	bool places_tried;          /* in this session */
	bool ending;       /* rings stop without their frontend being told where they stand */
	uint16_t told_mtu; /* NET_SET_MTU; 0: not told */
	struct log_limit log_limit; /* of the lines that the peer causes */
	struct log_limit
		problem_limit; /* of those that say what is wrong: others do not use it up */
	struct log_limit
		debug_limit; /* of those of the debug level, several for each of its messages */
	uint64_t connections;
	uint64_t ring_errors;
};

static inline struct vhost_user_port *vhost_user_port(const struct port *port)
{
	return container_of(port, struct vhost_user_port, port);
}

/* The ring with a vhost index. */
static inline struct vhost_user_ring *vhost_user_ring(struct vhost_user_port *vhost, unsigned index)
{
	struct vhost_user_pair *pair = &vhost->pairs[index / 2];

	return index % 2 ? &pair->receive_ring : &pair->send_ring;
}

/* vhost_user_rings.c: the backend's operations on rings and memory, see vhost/backend.h. */
int vhost_user_memory_set(void *owner, const struct vhost_region *regions, unsigned count, int *fds,
	struct error *error);
int vhost_user_memory_add(
	void *owner, const struct vhost_region *region, int *fd, struct error *error);
int vhost_user_memory_remove(void *owner, const struct vhost_region *region, struct error *error);
int vhost_user_ring_update(void *owner, unsigned index, unsigned changes, struct error *error);
uint32_t vhost_user_ring_stop(void *owner, unsigned index);

/* vhost_user_place.c: where rings stand. */

/*
 * Has ring->next say where a ring goes on that lies at `parts` and was asked to at ring->next. A
 * split ring at rest owes its driver nothing, so its used index, which lies in the guest's memory,
 * is the place; the base of a frontend that kept none (0, over a ring that a predecessor of ours
 * served) or of a device that died is not. A packed ring has no such index, and a frontend whose
 * switch died repeats where the ring began: our record decides when it starts. False, and a line in
 * the log, where nobody knows: serving the ring would write into buffers that the guest has taken
 * back.
 */
bool vhost_user_place_find(struct vhost_user_port *vhost, unsigned index,
	const struct device_ring_parts *parts, bool starts);

/* Has a packed ring that was just set up note how far it is. */
void vhost_user_place_keep(struct vhost_user_port *vhost, unsigned index);

/* Logs as dirty what finding the place has written, once the ring knows its log. */
void vhost_user_place_log(struct vhost_user_port *vhost, unsigned index);

/* The ring stops, and stands at ring->next. */
void vhost_user_place_stop(struct vhost_user_port *vhost, unsigned index);

/* vhost_user_log.c: the backend's operations on the dirty log. */
int vhost_user_log_set(void *owner, uint64_t size, uint64_t offset, int *fd, struct error *error);
void vhost_user_log_update(void *owner);

/*
 * Has ring `index`, set up over the present memory, log what the frontend wants of it. What it
 * logged before may be in use until a grace period has passed, and must not change again before
 * that. 0, or -errno with a reason: the frontend wants writes logged where the log has no place.
 */
int vhost_user_log_ring(struct vhost_user_port *vhost, unsigned index, struct error *error);

/*
 * vhost_user_problem.c. Whatever is refused, broken or out of service is said here, in words that
 * name what mends it: one warning in the log, within the port's limit and not again for a while
 * where it repeats, and in the port's status until it is over.
 */
void vhost_user_problem(struct vhost_user_port *vhost, enum vhost_user_problem_kind kind,
	const char *format, ...) PRINTF(3, 4);

/* The connection has ended, and the log says why. */
void vhost_user_problem_left(struct vhost_user_port *vhost, const char *reason);

/* Forgets a problem of this kind. */
void vhost_user_problem_over(struct vhost_user_port *vhost, enum vhost_user_problem_kind kind);

/* A ring was started or enabled: where a pair of them runs, what was refused before is over. */
void vhost_user_problem_served(struct vhost_user_port *vhost);

/* Forgets what is over. To be called when a message was handled, or a connection begins. */
void vhost_user_problem_review(struct vhost_user_port *vhost);

/* Fills the status's state and problem. */
void vhost_user_problem_status(
	const struct vhost_user_port *vhost, struct vhost_user_status *status);

/* Queue pairs that are started and enabled. */
unsigned vhost_user_running_pairs(const struct vhost_user_port *vhost);

/* Ring 0 was started, or has another kick descriptor: see from now on whether the guest kicks it. /
 * A message was handled: kicks before the driver is ready are not the guest's. / Ring 0 was
 * stopped. */
void vhost_user_watch_first_kick(struct vhost_user_port *vhost);
void vhost_user_heed_first_kick(struct vhost_user_port *vhost);
void vhost_user_unwatch_first_kick(struct vhost_user_port *vhost);

/* vhost_user_bells.c: signals that are owed. attend() is told of them. */
int vhost_user_bells_init(struct vhost_user_port *vhost, struct event_base *base);
void vhost_user_bells_fini(struct vhost_user_port *vhost);
void vhost_user_bells_attend(struct vhost_user_port *vhost);
/* Signals a guest because of a message of its frontend's, of which there may be any number: what is
 * more than a frontend has reason for is owed, like any signal that is slow. */
void vhost_user_bells_call(struct vhost_user_port *vhost, struct bell *bell);
/* The session is over: nothing is owed any more. */
void vhost_user_bells_forget(struct vhost_user_port *vhost);

/* A driver started: see in a while whether its memory is what the guest sees. / Now. */
void vhost_user_expect_memory(struct vhost_user_port *vhost);
void vhost_user_memory_check(struct vhost_user_port *vhost);

/* Takes failed rings out of service until their next start; counts and reports them. */
void vhost_user_attend(struct vhost_user_port *vhost);

/* vhost_user_data.c: the operations of the class that workers call. */
void vhost_user_receive(struct port *port, unsigned queue, struct packet_batch *batch);
void vhost_user_release(struct port *port, unsigned queue, struct packet_batch *batch);
void vhost_user_send(struct port *port, struct packet_batch *batch, uint64_t mask);
void vhost_user_expect(struct port *port);
enum port_arm vhost_user_arm(struct port *port, unsigned queue);
void vhost_user_disarm(struct port *port, unsigned queue);

#endif
