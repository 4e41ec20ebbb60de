/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backend of one vhost-user connection: messages in, replies and calls of the port's operations
 * out. It has no socket, maps no memory and knows no time; the shell (vhost/endpoint.h) brings the
 * bytes and the port (the owner) does what the messages ask. One thread, the control thread.
 *
 * A session:
 *
 *   init -> NEGOTIATING  features, protocol features, memory, ring sizes and addresses arrive, in
 *                        any order the frontend likes, and any of them more than once
 *        -> each ring:   stopped <-> started (SET_VRING_KICK / GET_VRING_BASE)
 *                        disabled <-> enabled (SET_VRING_ENABLE), independent of the former
 *        -> close
 *
 * Only the port's ring_update() with VHOST_RING_START and ring_stop() move a ring between stopped
 * and started, and they alternate strictly for each ring: a started ring is always stopped before
 * it starts again, and before the backend is closed.
 *
 * What a bad message costs. A message that breaks the format (payload size, descriptor count, ring
 * index, descriptors that are no eventfds, version) closes the connection: the peer cannot be
 * followed. One that is well formed but cannot be granted (features that were not offered, memory
 * that does not map, a message not negotiated or not implemented) is refused: a non-zero
 * acknowledgement where the frontend asked for one, and the session goes on. Nothing aborts.
 *
 * Descriptors. vhost_backend_handle() leaves no descriptor of the message open but the kick, call
 * and error eventfds it stored, and those that a memory operation took.
 *
 * Changing what a running ring is made of. SET_VRING_NUM, SET_VRING_BASE or SET_FEATURES with a
 * value that differs from the present one stops the rings concerned first (ring_stop()); the
 * frontend starts them with its next SET_VRING_KICK. With the same value they change nothing.
 *
 * Dirty logging (live migration). It is switched on and off while rings run, and never stops one:
 * SET_FEATURES with a value that differs in VHOST_F_LOG_ALL alone, SET_VRING_ADDR with other log
 * fields alone, SET_LOG_BASE and SET_LOG_FD only change what is logged, and where. Each is in force
 * when the message has been handled. SET_LOG_BASE needs LOG_SHMFD and then always has a reply: a
 * u64, 0 where the log is in force. A log survives resets; it ends with the connection, or with the
 * next one.
 *
 * Ring count. GET_QUEUE_NUM is answered with 2 x pairs, because some frontends read it as a number
 * of rings. QEMU reads it as a number of *pairs*, and so may have twice as many rings as that.
 * Hence indices below vhost_backend_ring_limit() = min(4 x pairs, VHOST_RING_MAX) are accepted in
 * messages, but only rings of the port's pairs ever start: beyond them SET_VRING_KICK starts
 * nothing (QEMU sends it for rings that its guest does not use), and SET_VRING_ENABLE with 1 closes
 * the connection and says why.
 *
 * Resets. SET_STATUS 0 and RESET_DEVICE stop every ring and forget its size, addresses, kick and
 * call eventfds, and the acked features. RESET_DEVICE also disables the rings and zeroes their
 * bases; SET_STATUS 0 keeps the bases, because QEMU, pausing a guest, sends it before it asks for
 * them. Both keep the memory table, the protocol features and the error eventfds: a frontend with
 * memory slots sends only differences afterwards, and sets the error eventfds once a connection.
 */
#ifndef VSW_VHOST_BACKEND_H
#define VSW_VHOST_BACKEND_H

#include "base/error.h"
#include "vhost/message.h"

/* Rings of a device: 128 pairs, all that the 8 bits of SET_VRING_KICK can name. */
#define VHOST_RING_MAX 256

/* Most memory slots that can be configured (CONFIGURE_MEM_SLOTS). */
#define VHOST_MEMORY_SLOTS_MAX 64

/* What the frontend has asked of one ring. Written by the backend only. */
struct vhost_ring {
	uint32_t size; /* descriptors, 1..32768; 0 = not set */
	uint32_t base; /* SET_VRING_BASE's payload, or what ring_stop() returned; raw 32 bits */
	bool address_set;
	uint32_t address_flags;               /* VHOST_VRING_F_LOG */
	uint64_t descriptor, used, available; /* user addresses; not checked here */
	uint64_t log;                         /* guest physical */
	/* Non-blocking eventfds or -1. Owned here; the port borrows them between its ring_update()
	 * calls. */
	int kick_fd, call_fd, error_fd;
	bool polled;       /* SET_VRING_KICK said: no descriptor, poll */
	bool started;      /* between ring_update(START) and ring_stop() */
	bool enable_asked; /* the last SET_VRING_ENABLE; see vhost_ring_enabled() */
};

/* What changed; ring_update() gets the union. VHOST_RING_START comes with all others set. */
enum vhost_ring_change {
	VHOST_RING_ADDRESS = 1,
	VHOST_RING_BASE = 2,
	VHOST_RING_KICK = 4,
	VHOST_RING_CALL = 8,
	VHOST_RING_ENABLE = 16,
	VHOST_RING_SIZE = 32,
	VHOST_RING_ERROR = 64,
	VHOST_RING_START = 128,
	VHOST_RING_MEMORY = 256, /* the memory table was replaced: translate the addresses again */
	VHOST_RING_LOG = 512, /* address_flags or log, but not the addresses, of SET_VRING_ADDR */
};

/* What the port does. All are required. `owner` is the pointer given to vhost_backend_init(). */
struct vhost_backend_ops {
	/* Features acked by SET_FEATURES, a subset of those offered (bit 30 included); 0 at a
	 * reset. Called on every change but log_update()'s, while no ring is started. */
	void (*features_set)(void *owner, uint64_t features);

	/* Replaces the memory table. fds[i] belongs to regions[i]; the callee takes what it keeps
	 * with fd_take(), the rest is closed. Sizes and overlaps were checked, files were not. 0,
	 * or
	 * -errno and a reason: then the old table stays in force.
	 * A ring_update(MEMORY) follows for each started ring; until it returns that ring goes on
	 * with the old mapping, which must therefore still be there. */
	int (*memory_set)(void *owner, const struct vhost_region *regions, unsigned count, int *fds,
		struct error *error);
	/* Adds one region; *fd as above. ring_update(MEMORY) calls follow. */
	int (*memory_add)(
		void *owner, const struct vhost_region *region, int *fd, struct error *error);
	/* Removes the region of that guest address, user address and size. ring_update(MEMORY)
	 * calls follow; a ring that lay in the region is then expected to fail, and is stopped. */
	int (*memory_remove)(void *owner, const struct vhost_region *region, struct error *error);

	/* SET_LOG_BASE: writes to guest memory are to be logged in `size` bytes at `offset` of *fd,
	 * which the callee may take. While rings run; after it returns nobody writes to the log
	 * before this one. 0, or -errno and a reason: then that one stays in force. */
	int (*log_set)(void *owner, uint64_t size, uint64_t offset, int *fd, struct error *error);
	/* VHOST_F_LOG_ALL in `features`, or `log_fd`, changed while rings run. In force when this
	 * returns; an old log_fd stays open until then. */
	void (*log_update)(void *owner);

	/* rings[index] changed in `changes`. Called for started rings, and with VHOST_RING_START
	 * for the one that starts now. A descriptor that was replaced stays open until this
	 * returns. After START, KICK and CALL the guest is signalled once: an interrupt may have
	 * been lost while nobody served the ring, or have gone to the old descriptor.
	 * 0, or -errno and a reason that names the ring ("ring 2: ..."): with START
	 * the ring counts as never started, otherwise ring_stop() follows. */
	int (*ring_update)(void *owner, unsigned index, unsigned changes, struct error *error);

	/* Stops a started ring. After it returns the data plane neither touches the guest's memory
	 * for it nor signals. Returns the base to report (raw 32 bits). The ring's descriptors are
	 * closed after it returns. */
	uint32_t (*ring_stop)(void *owner, unsigned index);

	/* NET_SET_MTU, 68..65535. 0, or -errno and a reason. */
	int (*mtu_set)(void *owner, uint16_t mtu, struct error *error);
	/* SEND_RARP: tell the network where this address is now. */
	void (*announce)(void *owner, const uint8_t mac[6]);
	/* SET_STATUS, as it will be read back (FEATURES_OK cleared where features were refused). */
	void (*status_set)(void *owner, uint8_t status);
};

struct vhost_backend_config {
	uint64_t features;          /* virtio features offered, with or without bit 30 */
	uint64_t protocol_features; /* offered; at most VHOST_BACKEND_PROTOCOL_FEATURES */
	unsigned queue_pairs;       /* 1..VHOST_RING_MAX / 2 */
	unsigned memory_slots;      /* 8..VHOST_MEMORY_SLOTS_MAX */
	struct reaper *reaper;      /* closes descriptors; borrowed; NULL: at once */
};

/* The protocol features that this backend implements. */
#define VHOST_BACKEND_PROTOCOL_FEATURES                                                            \
	(BIT64(VHOST_PROTOCOL_MQ) | BIT64(VHOST_PROTOCOL_LOG_SHMFD) | BIT64(VHOST_PROTOCOL_RARP) | \
		BIT64(VHOST_PROTOCOL_REPLY_ACK) | BIT64(VHOST_PROTOCOL_NET_MTU) |                  \
		BIT64(VHOST_PROTOCOL_RESET_DEVICE) | BIT64(VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS) |   \
		BIT64(VHOST_PROTOCOL_STATUS))

/* The state of one connection. Read it freely; only the functions below write. */
struct vhost_backend {
	const struct vhost_backend_ops *ops;
	void *owner;
	struct vhost_backend_config config;
	struct vhost_ring rings[VHOST_RING_MAX];
	unsigned ring_limit;        /* indices below this are accepted */
	uint64_t features;          /* acked, and in force */
	uint64_t protocol_features; /* acked */
	bool features_refused;      /* the last SET_FEATURES was: no ring starts until a good one */
	int log_fd;                 /* SET_LOG_FD: eventfd to be told of logging, or -1 */
	uint8_t status;             /* device status, VIRTIO 1.3 section 2.1 */
	unsigned region_count;
	struct vhost_region regions[VHOST_MEMORY_SLOTS_MAX];
	uint64_t reported; /* message ids already logged as refused; bit 63: unknown ones */
};

enum vhost_verdict {
	VHOST_ACCEPTED,
	VHOST_REFUSED, /* error text says why; the session goes on */
	VHOST_CLOSE,   /* error text says why; close the connection, then vhost_backend_close() */
};

/* What became of a message. `reply` is to be sent where has_reply is true. */
struct vhost_result {
	enum vhost_verdict verdict;
	bool log;           /* there is an error text, and it is news */
	bool repeated;      /* it was said of the same unimplemented or unknown message before */
	bool has_reply;     /* never with VHOST_CLOSE */
	struct error error; /* begins with the message's name */
	struct vhost_message reply;
};

/* Whether frames flow where the ring is started: always, where nobody could send
 * SET_VRING_ENABLE. */
bool vhost_ring_enabled(const struct vhost_backend *backend, unsigned index);

/* Rings that a frontend may name where it was offered `queue_pairs`. */
unsigned vhost_backend_ring_limit(unsigned queue_pairs);

/* Starts a session: the state after a connection was made. `ops` must outlive the backend. */
void vhost_backend_init(struct vhost_backend *backend, const struct vhost_backend_config *config,
	const struct vhost_backend_ops *ops, void *owner);

/* Handles one complete message and closes each of its descriptors that nobody took. */
void vhost_backend_handle(
	struct vhost_backend *backend, struct vhost_message *message, struct vhost_result *result);

/* Ends a session: stops every started ring, closes every descriptor. Memory stays the port's. */
void vhost_backend_close(struct vhost_backend *backend);

#endif
