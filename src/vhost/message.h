/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user messages: their numbers, their bytes, and the one table that says what each may carry.
 *
 * A message is a header of 12 bytes, a payload, and file descriptors that travel beside the first
 * byte. All numbers are in the machine's byte order (the peer is on the same host). This file knows
 * every message of the specification by name; which of them we act upon is the business of the
 * backend and the frontend. Nothing here has state, allocates, or touches a descriptor, except for
 * vhost_message_close_fds(). Any thread.
 *
 * The table is the only place that states sizes, descriptor counts and what must be negotiated:
 * a new message is a new row. Checks are made here, at full width, before any handler runs.
 *
 * Specification: QEMU's docs/interop/vhost-user.rst; section names are given where they help.
 */
#ifndef VSW_VHOST_MESSAGE_H
#define VSW_VHOST_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/reaper.h"
#include "virtio/feature_bits.h"

#define BIT64(n) (1ULL << (n))

/* Virtio feature bit that a backend offers where it knows protocol features at all. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30

/* Requests of the frontend. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_IOTLB_MSG = 22,
	VHOST_USER_SET_VRING_ENDIAN = 23,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_CREATE_CRYPTO_SESSION = 26,
	VHOST_USER_CLOSE_CRYPTO_SESSION = 27,
	VHOST_USER_POSTCOPY_ADVISE = 28,
	VHOST_USER_POSTCOPY_LISTEN = 29,
	VHOST_USER_POSTCOPY_END = 30,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_GPU_SET_SOCKET = 33,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_VRING_KICK = 35,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
	VHOST_USER_GET_SHARED_OBJECT = 41,
	VHOST_USER_SET_DEVICE_STATE_FD = 42,
	VHOST_USER_CHECK_DEVICE_STATE = 43,
	VHOST_USER_GET_SHMEM_CONFIG = 44,
	VHOST_USER_REQUEST_END
};

/* Requests of the backend, on a channel of their own. */
enum vhost_user_backend_request {
	VHOST_USER_BACKEND_IOTLB_MSG = 1,
	VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2,
	VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG = 3,
	VHOST_USER_BACKEND_VRING_CALL = 4,
	VHOST_USER_BACKEND_VRING_ERR = 5,
	VHOST_USER_BACKEND_SHARED_OBJECT_ADD = 6,
	VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE = 7,
	VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP = 8,
	VHOST_USER_BACKEND_SHMEM_MAP = 9,
	VHOST_USER_BACKEND_SHMEM_UNMAP = 10,
	VHOST_USER_BACKEND_REQUEST_END
};

enum vhost_protocol_feature {
	VHOST_PROTOCOL_MQ = 0,
	VHOST_PROTOCOL_LOG_SHMFD = 1,
	VHOST_PROTOCOL_RARP = 2,
	VHOST_PROTOCOL_REPLY_ACK = 3,
	VHOST_PROTOCOL_NET_MTU = 4,
	VHOST_PROTOCOL_BACKEND_REQ = 5,
	VHOST_PROTOCOL_CROSS_ENDIAN = 6,
	VHOST_PROTOCOL_CRYPTO_SESSION = 7,
	VHOST_PROTOCOL_PAGEFAULT = 8,
	VHOST_PROTOCOL_CONFIG = 9,
	VHOST_PROTOCOL_BACKEND_SEND_FD = 10,
	VHOST_PROTOCOL_HOST_NOTIFIER = 11,
	VHOST_PROTOCOL_INFLIGHT_SHMFD = 12,
	VHOST_PROTOCOL_RESET_DEVICE = 13,
	VHOST_PROTOCOL_INBAND_NOTIFICATIONS = 14,
	VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PROTOCOL_STATUS = 16,
	VHOST_PROTOCOL_XEN_MMAP = 17,
	VHOST_PROTOCOL_SHARED_OBJECT = 18,
	VHOST_PROTOCOL_DEVICE_STATE = 19,
	VHOST_PROTOCOL_GET_VRING_BASE_INFLIGHT = 20,
	VHOST_PROTOCOL_GPA_ADDRESSES = 21,
	VHOST_PROTOCOL_SHMEM = 22,
	VHOST_PROTOCOL_GET_VRING_BASE_SKIP_DRAIN = 23,
	VHOST_PROTOCOL_END
};

/* Header flags: bits 0-1 are the version, always 1. */
#define VHOST_MESSAGE_VERSION      0x1u
#define VHOST_MESSAGE_VERSION_MASK 0x3u
#define VHOST_MESSAGE_REPLY        0x4u
#define VHOST_MESSAGE_NEED_REPLY   0x8u

/* Bit 8 of the payload of SET_VRING_KICK, _CALL and _ERR: no descriptor comes along. */
#define VHOST_VRING_NO_FD 0x100u

/* Largest payload that we read: twice what the largest known message (2056 bytes) needs. */
#define VHOST_PAYLOAD_MAX 4096

/* The specification's bound on the descriptors of one message, and on the regions of
 * SET_MEM_TABLE. */
#define VHOST_MESSAGE_FDS_MAX 8

struct vhost_header {
	uint32_t id;
	uint32_t flags;
	uint32_t size; /* of the payload, bytes */
};

/* A region of guest memory, as in SET_MEM_TABLE and ADD_MEM_REG. */
struct vhost_region {
	uint64_t guest_address; /* guest physical */
	uint64_t size;          /* bytes */
	uint64_t user_address;  /* where the frontend has it mapped: only a name to us */
	uint64_t mmap_offset;   /* where the region begins in its file, bytes */
};

struct vhost_memory_table {
	uint32_t count;
	uint32_t padding;
	struct vhost_region regions[VHOST_MESSAGE_FDS_MAX];
};

struct vhost_memory_slot { /* ADD_MEM_REG, REM_MEM_REG */
	uint64_t padding;
	struct vhost_region region;
};

struct vhost_ring_state {
	uint32_t index;
	uint32_t number;
};

struct vhost_ring_address {
	uint32_t index;
	uint32_t flags;
	uint64_t descriptor; /* user addresses, all three */
	uint64_t used;
	uint64_t available;
	uint64_t log; /* guest physical */
};

struct vhost_log_area {       /* SET_LOG_BASE where LOG_SHMFD was negotiated */
	uint64_t size;        /* bytes */
	uint64_t mmap_offset; /* where the log begins in its file, bytes */
};

union vhost_payload {
	uint64_t number;
	struct vhost_ring_state state;
	struct vhost_ring_address address;
	struct vhost_memory_table memory;
	struct vhost_memory_slot slot;
	struct vhost_log_area log;
	uint8_t bytes[VHOST_PAYLOAD_MAX];
};

/*
 * One message in memory. The descriptors of a received message belong to whoever holds it and must
 * be closed or taken (fd_take()); those of a message to be sent are borrowed from the sender.
 */
struct vhost_message {
	struct vhost_header header;
	unsigned fd_count; /* of fds[], <= VHOST_MESSAGE_FDS_MAX */
	unsigned fds_lost; /* more came than fit, or the kernel dropped some: already closed */
	int fds[VHOST_MESSAGE_FDS_MAX];
	struct reaper *reaper; /* closes them; borrowed; NULL: at once */
	union vhost_payload payload;
};

/* Flags of a row. */
enum {
	/* The message has a reply of its own, so REPLY_ACK adds none. */
	VHOST_ROW_REPLIES = 1,
	/* It has one only where the row's protocol feature was negotiated. */
	VHOST_ROW_REPLIES_IF_NEGOTIATED = 2,
	/* It is enough that the backend offers the protocol feature; it need not be acked. */
	VHOST_ROW_OFFER_SUFFICES = 4,
	/* The payload's first 32 bits are a ring index. */
	VHOST_ROW_RING_STATE = 8,
	/* The payload's u64 is a ring index in bits 0-7 and VHOST_VRING_NO_FD. */
	VHOST_ROW_RING_FD = 16,
};

/* What a message may carry, and what must have been agreed before it may be sent. */
struct vhost_message_row {
	const char *name;      /* NULL: no such message */
	uint16_t size_minimum; /* of the request's payload, bytes */
	uint16_t size_maximum;
	uint16_t size_step; /* payload grows by this many bytes an element; 0: any size between */
	uint8_t fds_minimum;
	uint8_t fds_maximum;
	int8_t protocol_feature; /* bit that must be negotiated, -1: none */
	int8_t feature;          /* virtio feature bit that must be acked, -1: none */
	uint8_t flags;           /* VHOST_ROW_* */
	/* How a message that has its own reply is refused: a payload of so many bytes, zero but for
	 * its first u64. A frontend that waits for the reply then goes on. */
	uint16_t refusal_size;
	uint64_t refusal_value;
};

/* Indexed by enum vhost_user_request and enum vhost_user_backend_request. */
extern const struct vhost_message_row vhost_message_table[VHOST_USER_REQUEST_END];
extern const struct vhost_message_row vhost_backend_message_table[VHOST_USER_BACKEND_REQUEST_END];

/* The row of a request of the frontend; NULL for a number that the specification does not know. */
const struct vhost_message_row *vhost_message_row(uint32_t id);

/* "GET_FEATURES"; "unknown" where there is no such request. */
const char *vhost_message_name(uint32_t id);

/* "mrg_rxbuf", "version_1", ...; NULL for a bit without a name. Virtio feature bits, 0-63. */
const char *vhost_feature_name(unsigned bit);

/* "mq", "reply_ack", ...; NULL for a bit without a name. Protocol feature bits, 0-63. */
const char *vhost_protocol_feature_name(unsigned bit);

/*
 * Reads a header of 12 bytes. 0, or -EPROTO with the reason: version is not 1, or a payload larger
 * than VHOST_PAYLOAD_MAX is announced. Section "Header".
 */
int vhost_header_decode(struct vhost_header *header, const uint8_t bytes[12], struct error *error);

/*
 * Checks a request's payload size and descriptor count against its row. An unknown id passes: what
 * it may carry is not ours to say. 0, or -EPROTO with the reason.
 */
int vhost_message_check(const struct vhost_message *message, struct error *error);

/* Writes header and payload to `bytes` (room for 12 + VHOST_PAYLOAD_MAX). Returns their length. */
size_t vhost_message_encode(const struct vhost_message *message, uint8_t *bytes);

/*
 * Begins a message with flags VERSION | `flags`, `size` bytes of zeroed payload and no descriptors.
 * The rest of the payload is left as it is: nobody may read it.
 */
void vhost_message_init(struct vhost_message *message, uint32_t id, uint32_t flags, uint32_t size);

/* Closes every descriptor that was not taken (-1) and sets the count to zero. */
void vhost_message_close_fds(struct vhost_message *message);

#endif
