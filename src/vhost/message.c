/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/message.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <string.h>

#include "base/cursor.h"

#define REPLIES       VHOST_ROW_REPLIES
#define REPLIES_IF    VHOST_ROW_REPLIES_IF_NEGOTIATED
#define NO_FD         VHOST_VRING_NO_FD
#define OFFER         VHOST_ROW_OFFER_SUFFICES
#define RING          VHOST_ROW_RING_STATE
#define RING_FD       VHOST_ROW_RING_FD
#define SHMEM_REGIONS 256

/* The payload's size may differ by a message's version, or grow by elements. Without FDS() no
 * descriptor may come along. */
#define SIZE(n)                   .size_minimum = (n), .size_maximum = (n)
#define SIZES(low, high)          .size_minimum = (low), .size_maximum = (high)
#define SIZE_STEP(low, high, one) SIZES(low, high), .size_step = (one)
#define FDS(low, high)            .fds_minimum = (low), .fds_maximum = (high)
#define NEEDS(protocol, virtio)   .protocol_feature = (protocol), .feature = (virtio)
#define ALWAYS                    NEEDS(-1, -1)
#define PROTOCOL(name)            NEEDS(VHOST_PROTOCOL_##name, -1)
#define IOMMU                     VIRTIO_F_ACCESS_PLATFORM
#define ROW(id, ...)              [VHOST_USER_##id] = {.name = #id, __VA_ARGS__}
#define BACKEND_ROW(id, ...)      [VHOST_USER_BACKEND_##id] = {.name = #id, __VA_ARGS__}

_Static_assert(sizeof(struct vhost_header) == 12, "wire format");
_Static_assert(sizeof(struct vhost_region) == 32, "wire format");
_Static_assert(offsetof(struct vhost_memory_table, regions) == 8, "wire format");
_Static_assert(offsetof(struct vhost_memory_slot, region) == 8, "wire format");
_Static_assert(sizeof(struct vhost_ring_address) == 40, "wire format");
_Static_assert(sizeof(struct vhost_log_area) == 16, "wire format");

/* Sizes of payloads that we only pass over: configuration space (offset, size, flags, bytes), the
 * inflight description (24 bytes with the padding that some leave out), an IOTLB entry (likewise).
 * After what must be negotiated: flags, then size and first u64 of a refusal. */
/* clang-format off */
const struct vhost_message_row vhost_message_table[VHOST_USER_REQUEST_END] = {
	ROW(GET_FEATURES,          SIZE(0), ALWAYS, REPLIES, 8, 0),
	ROW(SET_FEATURES,          SIZE(8), ALWAYS),
	ROW(SET_OWNER,             SIZE(0), ALWAYS),
	ROW(RESET_OWNER,           SIZE(0), ALWAYS),
	ROW(SET_MEM_TABLE,         SIZE_STEP(8, 264, 32), FDS(0, 8), ALWAYS),
	ROW(SET_LOG_BASE,          SIZE_STEP(8, 16, 8), FDS(0, 1), PROTOCOL(LOG_SHMFD), REPLIES_IF,
	                           8, 1),
	ROW(SET_LOG_FD,            SIZE(0), FDS(1, 1), ALWAYS),
	ROW(SET_VRING_NUM,         SIZE(8), ALWAYS, RING),
	ROW(SET_VRING_ADDR,        SIZE(40), ALWAYS, RING),
	ROW(SET_VRING_BASE,        SIZE(8), ALWAYS, RING),
	ROW(GET_VRING_BASE,        SIZE(8), ALWAYS, REPLIES | RING, 8, 0),
	ROW(SET_VRING_KICK,        SIZE(8), FDS(0, 1), ALWAYS, RING_FD),
	ROW(SET_VRING_CALL,        SIZE(8), FDS(0, 1), ALWAYS, RING_FD),
	ROW(SET_VRING_ERR,         SIZE(8), FDS(0, 1), ALWAYS, RING_FD),
	ROW(GET_PROTOCOL_FEATURES, SIZE(0), ALWAYS, REPLIES, 8, 0),
	ROW(SET_PROTOCOL_FEATURES, SIZE(8), ALWAYS),
	ROW(GET_QUEUE_NUM,         SIZE(0), PROTOCOL(MQ), REPLIES | OFFER, 8, 0),
	ROW(SET_VRING_ENABLE,      SIZE(8), ALWAYS, RING),
	ROW(SEND_RARP,             SIZE(8), PROTOCOL(RARP), OFFER),
	ROW(NET_SET_MTU,           SIZE(8), PROTOCOL(NET_MTU), OFFER),
	ROW(SET_BACKEND_REQ_FD,    SIZE(0), FDS(1, 1), PROTOCOL(BACKEND_REQ), OFFER),
	ROW(IOTLB_MSG,             SIZES(26, 32), NEEDS(-1, IOMMU), REPLIES, 8, 1),
	ROW(SET_VRING_ENDIAN,      SIZE(8), PROTOCOL(CROSS_ENDIAN), RING),
	ROW(GET_CONFIG,            SIZES(12, 268), PROTOCOL(CONFIG), REPLIES, 0, 0),
	ROW(SET_CONFIG,            SIZES(12, 268), PROTOCOL(CONFIG)),
	ROW(CREATE_CRYPTO_SESSION, SIZES(8, 4096), PROTOCOL(CRYPTO_SESSION), REPLIES, 0, 0),
	ROW(CLOSE_CRYPTO_SESSION,  SIZE(8), PROTOCOL(CRYPTO_SESSION)),
	ROW(POSTCOPY_ADVISE,       SIZE(0), PROTOCOL(PAGEFAULT), REPLIES, 0, 0),
	ROW(POSTCOPY_LISTEN,       SIZE(0), PROTOCOL(PAGEFAULT)),
	ROW(POSTCOPY_END,          SIZE(0), PROTOCOL(PAGEFAULT), REPLIES, 8, 1),
	ROW(GET_INFLIGHT_FD,       SIZE_STEP(20, 24, 4), PROTOCOL(INFLIGHT_SHMFD), REPLIES, 24, 0),
	ROW(SET_INFLIGHT_FD,       SIZE_STEP(20, 24, 4), FDS(1, 1), PROTOCOL(INFLIGHT_SHMFD)),
	ROW(GPU_SET_SOCKET,        SIZE(0), FDS(1, 1), ALWAYS),
	ROW(RESET_DEVICE,          SIZE(0), PROTOCOL(RESET_DEVICE), OFFER),
	ROW(VRING_KICK,            SIZE(8), PROTOCOL(INBAND_NOTIFICATIONS), RING),
	ROW(GET_MAX_MEM_SLOTS,     SIZE(0), PROTOCOL(CONFIGURE_MEM_SLOTS), REPLIES, 8, 0),
	ROW(ADD_MEM_REG,           SIZE(40), FDS(1, 1), PROTOCOL(CONFIGURE_MEM_SLOTS)),
	ROW(REM_MEM_REG,           SIZE(40), FDS(0, 1), PROTOCOL(CONFIGURE_MEM_SLOTS)),
	ROW(SET_STATUS,            SIZE(8), PROTOCOL(STATUS)),
	ROW(GET_STATUS,            SIZE(0), PROTOCOL(STATUS), REPLIES, 8, 0),
	ROW(GET_SHARED_OBJECT,     SIZE(16), PROTOCOL(SHARED_OBJECT), REPLIES, 0, 0),
	ROW(SET_DEVICE_STATE_FD,   SIZE(8), FDS(1, 1), PROTOCOL(DEVICE_STATE), REPLIES, 8,
	                           NO_FD | 1),
	ROW(CHECK_DEVICE_STATE,    SIZE(0), PROTOCOL(DEVICE_STATE), REPLIES, 8, 1),
	ROW(GET_SHMEM_CONFIG,      SIZE(0), PROTOCOL(SHMEM), REPLIES, 8 + 8 * SHMEM_REGIONS, 0),
};

const struct vhost_message_row vhost_backend_message_table[VHOST_USER_BACKEND_REQUEST_END] = {
	BACKEND_ROW(IOTLB_MSG,               SIZES(26, 32), NEEDS(-1, IOMMU)),
	BACKEND_ROW(CONFIG_CHANGE_MSG,       SIZE(0), PROTOCOL(CONFIG)),
	BACKEND_ROW(VRING_HOST_NOTIFIER_MSG, SIZE(24), FDS(0, 1), PROTOCOL(HOST_NOTIFIER)),
	BACKEND_ROW(VRING_CALL,              SIZE(8), PROTOCOL(INBAND_NOTIFICATIONS), RING),
	BACKEND_ROW(VRING_ERR,               SIZE(8), PROTOCOL(INBAND_NOTIFICATIONS), RING),
	BACKEND_ROW(SHARED_OBJECT_ADD,       SIZE(16), PROTOCOL(SHARED_OBJECT)),
	BACKEND_ROW(SHARED_OBJECT_REMOVE,    SIZE(16), PROTOCOL(SHARED_OBJECT)),
	BACKEND_ROW(SHARED_OBJECT_LOOKUP,    SIZE(16), PROTOCOL(SHARED_OBJECT), REPLIES, 8, 1),
	BACKEND_ROW(SHMEM_MAP,               SIZE(40), FDS(1, 1), PROTOCOL(SHMEM)),
	BACKEND_ROW(SHMEM_UNMAP,             SIZE(40), PROTOCOL(SHMEM)),
};
/* clang-format on */

/* Virtio-net (0-23, 50-63), transport and ring features. Bits 26 and 30 are vhost-user's own. */
static const char *const feature_names[64] = {
	[VIRTIO_NET_F_CSUM] = "csum",
	[VIRTIO_NET_F_GUEST_CSUM] = "guest_csum",
	[VIRTIO_NET_F_CTRL_GUEST_OFFLOADS] = "ctrl_guest_offloads",
	[VIRTIO_NET_F_MTU] = "mtu",
	[VIRTIO_NET_F_MAC] = "mac",
	[VIRTIO_NET_F_GSO] = "gso",
	[VIRTIO_NET_F_GUEST_TSO4] = "guest_tso4",
	[VIRTIO_NET_F_GUEST_TSO6] = "guest_tso6",
	[VIRTIO_NET_F_GUEST_ECN] = "guest_ecn",
	[VIRTIO_NET_F_GUEST_UFO] = "guest_ufo",
	[VIRTIO_NET_F_HOST_TSO4] = "host_tso4",
	[VIRTIO_NET_F_HOST_TSO6] = "host_tso6",
	[VIRTIO_NET_F_HOST_ECN] = "host_ecn",
	[VIRTIO_NET_F_HOST_UFO] = "host_ufo",
	[VIRTIO_NET_F_MRG_RXBUF] = "mrg_rxbuf",
	[VIRTIO_NET_F_STATUS] = "status",
	[VIRTIO_NET_F_CTRL_VQ] = "ctrl_vq",
	[VIRTIO_NET_F_CTRL_RX] = "ctrl_rx",
	[VIRTIO_NET_F_CTRL_VLAN] = "ctrl_vlan",
	[VIRTIO_NET_F_CTRL_RX_EXTRA] = "ctrl_rx_extra",
	[VIRTIO_NET_F_GUEST_ANNOUNCE] = "guest_announce",
	[VIRTIO_NET_F_MQ] = "mq",
	[VIRTIO_NET_F_CTRL_MAC_ADDR] = "ctrl_mac_addr",
	[VIRTIO_F_NOTIFY_ON_EMPTY] = "notify_on_empty",
	[VHOST_F_LOG_ALL] = "log_all",
	[VIRTIO_F_ANY_LAYOUT] = "any_layout",
	[VIRTIO_RING_F_INDIRECT_DESC] = "indirect_desc",
	[VIRTIO_RING_F_EVENT_IDX] = "event_idx",
	[VHOST_USER_F_PROTOCOL_FEATURES] = "protocol_features",
	[VIRTIO_F_VERSION_1] = "version_1",
	[VIRTIO_F_ACCESS_PLATFORM] = "access_platform",
	[VIRTIO_F_RING_PACKED] = "ring_packed",
	[VIRTIO_F_IN_ORDER] = "in_order",
	[VIRTIO_F_ORDER_PLATFORM] = "order_platform",
	[VIRTIO_F_SR_IOV] = "sr_iov",
	[VIRTIO_F_NOTIFICATION_DATA] = "notification_data",
	[VIRTIO_F_NOTIF_CONFIG_DATA] = "notif_config_data",
	[VIRTIO_F_RING_RESET] = "ring_reset",
	[VIRTIO_F_ADMIN_VQ] = "admin_vq",
	[VIRTIO_NET_F_DEVICE_STATS] = "device_stats",
	[VIRTIO_NET_F_HASH_TUNNEL] = "hash_tunnel",
	[VIRTIO_NET_F_VQ_NOTF_COAL] = "vq_notf_coal",
	[VIRTIO_NET_F_NOTF_COAL] = "notf_coal",
	[VIRTIO_NET_F_GUEST_USO4] = "guest_uso4",
	[VIRTIO_NET_F_GUEST_USO6] = "guest_uso6",
	[VIRTIO_NET_F_HOST_USO] = "host_uso",
	[VIRTIO_NET_F_HASH_REPORT] = "hash_report",
	[VIRTIO_NET_F_GUEST_HDRLEN] = "guest_hdrlen",
	[VIRTIO_NET_F_RSS] = "rss",
	[VIRTIO_NET_F_RSC_EXT] = "rsc_ext",
	[VIRTIO_NET_F_STANDBY] = "standby",
	[VIRTIO_NET_F_SPEED_DUPLEX] = "speed_duplex",
};

static const char *const protocol_feature_names[64] = {
	[VHOST_PROTOCOL_MQ] = "mq",
	[VHOST_PROTOCOL_LOG_SHMFD] = "log_shmfd",
	[VHOST_PROTOCOL_RARP] = "rarp",
	[VHOST_PROTOCOL_REPLY_ACK] = "reply_ack",
	[VHOST_PROTOCOL_NET_MTU] = "net_mtu",
	[VHOST_PROTOCOL_BACKEND_REQ] = "backend_req",
	[VHOST_PROTOCOL_CROSS_ENDIAN] = "cross_endian",
	[VHOST_PROTOCOL_CRYPTO_SESSION] = "crypto_session",
	[VHOST_PROTOCOL_PAGEFAULT] = "pagefault",
	[VHOST_PROTOCOL_CONFIG] = "config",
	[VHOST_PROTOCOL_BACKEND_SEND_FD] = "backend_send_fd",
	[VHOST_PROTOCOL_HOST_NOTIFIER] = "host_notifier",
	[VHOST_PROTOCOL_INFLIGHT_SHMFD] = "inflight_shmfd",
	[VHOST_PROTOCOL_RESET_DEVICE] = "reset_device",
	[VHOST_PROTOCOL_INBAND_NOTIFICATIONS] = "inband_notifications",
	[VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS] = "configure_mem_slots",
	[VHOST_PROTOCOL_STATUS] = "status",
	[VHOST_PROTOCOL_XEN_MMAP] = "xen_mmap",
	[VHOST_PROTOCOL_SHARED_OBJECT] = "shared_object",
	[VHOST_PROTOCOL_DEVICE_STATE] = "device_state",
	[VHOST_PROTOCOL_GET_VRING_BASE_INFLIGHT] = "get_vring_base_inflight",
	[VHOST_PROTOCOL_GPA_ADDRESSES] = "gpa_addresses",
	[VHOST_PROTOCOL_SHMEM] = "shmem",
	[VHOST_PROTOCOL_GET_VRING_BASE_SKIP_DRAIN] = "get_vring_base_skip_drain",
};

const struct vhost_message_row *vhost_message_row(uint32_t id)
{
	if (id >= VHOST_USER_REQUEST_END || !vhost_message_table[id].name)
		return NULL;
	return &vhost_message_table[id];
}

const char *vhost_message_name(uint32_t id)
{
	const struct vhost_message_row *row = vhost_message_row(id);

	return row ? row->name : "unknown";
}

const char *vhost_feature_name(unsigned bit)
{
	return bit < ARRAY_SIZE(feature_names) ? feature_names[bit] : NULL;
}

const char *vhost_protocol_feature_name(unsigned bit)
{
	return bit < ARRAY_SIZE(protocol_feature_names) ? protocol_feature_names[bit] : NULL;
}

int vhost_header_decode(struct vhost_header *header, const uint8_t bytes[12], struct error *error)
{
	struct cursor cursor = cursor_new(bytes, sizeof(*header));

	cursor_copy(&cursor, header, sizeof(*header));
	if ((header->flags & VHOST_MESSAGE_VERSION_MASK) != VHOST_MESSAGE_VERSION)
		return error_set(error, -EPROTO, "message %u: version %u instead of 1", header->id,
			header->flags & VHOST_MESSAGE_VERSION_MASK);
	if (header->size > VHOST_PAYLOAD_MAX)
		return error_set(error, -EPROTO,
			"message %u (%s): payload of %u bytes, more than %u", header->id,
			vhost_message_name(header->id), header->size, VHOST_PAYLOAD_MAX);
	return 0;
}

static bool size_fits(const struct vhost_message_row *row, uint32_t size)
{
	if (size < row->size_minimum || size > row->size_maximum)
		return false;
	return row->size_step == 0 || (size - row->size_minimum) % row->size_step == 0;
}

int vhost_message_check(const struct vhost_message *message, struct error *error)
{
	const struct vhost_message_row *row = vhost_message_row(message->header.id);

	if (message->fds_lost)
		return error_set(error, -EPROTO, "more than %d descriptors, or some were lost",
			VHOST_MESSAGE_FDS_MAX);
	if (!row)
		return 0;
	if (!size_fits(row, message->header.size))
		return error_set(error, -EPROTO, "payload of %u bytes instead of %u%s",
			message->header.size, row->size_minimum,
			row->size_maximum > row->size_minimum ? " or more" : "");
	if (message->fd_count < row->fds_minimum || message->fd_count > row->fds_maximum)
		return error_set(error, -EPROTO, "%u descriptors instead of %u to %u",
			message->fd_count, row->fds_minimum, row->fds_maximum);
	return 0;
}

size_t vhost_message_encode(const struct vhost_message *message, uint8_t *bytes)
{
	size_t size = MIN(message->header.size, VHOST_PAYLOAD_MAX);

	memcpy(bytes, &message->header, sizeof(message->header));
	memcpy(bytes + sizeof(message->header), message->payload.bytes, size);
	return sizeof(message->header) + size;
}

void vhost_message_init(struct vhost_message *message, uint32_t id, uint32_t flags, uint32_t size)
{
	message->header.id = id;
	message->header.flags = VHOST_MESSAGE_VERSION | flags;
	message->header.size = size;
	message->fd_count = 0;
	message->fds_lost = 0;
	message->reaper = NULL;
	for (unsigned i = 0; i < VHOST_MESSAGE_FDS_MAX; i++)
		message->fds[i] = -1;
	memset(message->payload.bytes, 0, MIN(size, VHOST_PAYLOAD_MAX));
}

void vhost_message_close_fds(struct vhost_message *message)
{
	for (unsigned i = 0; i < message->fd_count; i++)
		reaper_close(message->reaper, &message->fds[i]);
	message->fd_count = 0;
}
