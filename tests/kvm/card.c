/* SPDX-License-Identifier: BSD-3-Clause */
#include "card.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "layout.h"

#define BUFFER (1u << BUFFER_SHIFT) /* bytes */

/* Seconds in which the switch answers. */
#define PATIENCE 5

static void lay_out(const struct card *card, unsigned ring)
{
	uint64_t at = RING_AT(card->number, ring);
	struct vring_desc *descriptors = (void *)(card->vm->memory + at);
	struct vring_avail *available = (void *)(card->vm->memory + at + AVAILABLE);

	for (uint16_t i = 0; i < RING_SIZE; i++) {
		descriptors[i] = (struct vring_desc){
			.addr = BUFFERS_AT(card->number, ring) + (uint64_t)i * BUFFER,
			.len = ring == 0 ? BUFFER : HEADER + FRAME,
			.flags = ring == 0 ? VRING_DESC_F_WRITE : 0,
		};
		available->ring[i] = i;
	}
	/* The guest sleeps until a frame has come, not until one was sent. */
	if (ring == 1)
		available->flags = VRING_AVAIL_F_NO_INTERRUPT;
	else
		available->idx = RING_SIZE;
}

int card_open(struct card *card, const struct kvm_vm *vm, unsigned number, struct error *error)
{
	*card = (struct card){.number = number,
		.vm = vm,
		.socket = -1,
		.kick_fds = {-1, -1},
		.call_fds = {-1, -1}};
	for (unsigned ring = 0; ring < 2; ring++) {
		lay_out(card, ring);
		card->kick_fds[ring] = eventfd(0, EFD_CLOEXEC);
		card->call_fds[ring] = eventfd(0, EFD_CLOEXEC);
		if (card->kick_fds[ring] < 0 || card->call_fds[ring] < 0)
			return error_set_errno(error, -errno, "eventfd");
	}
	return 0;
}

static int on_negotiated(void *owner, uint64_t features, unsigned queue_pairs, struct error *error)
{
	struct card *card = owner;

	for (unsigned ring = 0; ring < 2; ring++) {
		uint64_t at = (uintptr_t)card->vm->memory + RING_AT(card->number, ring);

		card->frontend.rings[ring] = (struct vhost_frontend_ring){.size = RING_SIZE,
			.descriptor = at,
			.available = at + AVAILABLE,
			.used = at + USED,
			.kick_fd = card->kick_fds[ring],
			.call_fd = card->call_fds[ring]};
	}
	return 0;
}

static void on_change(void *owner)
{
}

static void on_failed(void *owner, const struct error *error)
{
	struct card *card = owner;

	card->failure = *error;
}

static const struct vhost_frontend_ops ops = {
	.negotiated = on_negotiated,
	.running = on_change,
	.stopped = on_change,
	.failed = on_failed,
};

static int send_message(const struct card *card, const struct vhost_message *message)
{
	uint8_t bytes[sizeof(message->header) + VHOST_PAYLOAD_MAX];
	struct iovec piece = {bytes, vhost_message_encode(message, bytes)};
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(sizeof(message->fds))];
	} control = {.bytes = {0}};
	struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};

	if (message->fd_count) {
		control.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int) * message->fd_count),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), message->fds, sizeof(int) * message->fd_count);
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * message->fd_count);
	}
	return sendmsg(card->socket, &header, MSG_NOSIGNAL) == (ssize_t)piece.iov_len ? 0 : -EIO;
}

static int receive_message(const struct card *card, struct vhost_message *message)
{
	uint8_t bytes[sizeof(message->header)];
	struct error error;

	memset(message, 0, sizeof(*message));
	if (recv(card->socket, bytes, sizeof(bytes), MSG_WAITALL) != (ssize_t)sizeof(bytes) ||
		vhost_header_decode(&message->header, bytes, &error) < 0)
		return -EIO;
	if (message->header.size && recv(card->socket, message->payload.bytes, message->header.size,
					    MSG_WAITALL) != (ssize_t)message->header.size)
		return -EIO;
	return 0;
}

/* Both sides' turns until the rings run. */
static int negotiate(struct card *card)
{
	struct vhost_frontend *frontend = &card->frontend;
	struct vhost_message message;

	for (;;) {
		while (vhost_frontend_next(frontend, &message))
			if (send_message(card, &message) < 0)
				return -EIO;
		if (frontend->state == VHOST_FRONTEND_RUNNING)
			return 0;
		if (frontend->state == VHOST_FRONTEND_FAILED || receive_message(card, &message) < 0)
			return -EIO;
		vhost_frontend_handle(frontend, &message);
	}
}

int card_connect(struct card *card, const char *path, struct error *error)
{
	struct vhost_frontend_config config = {
		.features = BIT64(VIRTIO_F_VERSION_1) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES),
		.features_required = BIT64(VIRTIO_F_VERSION_1),
		.protocol_features = BIT64(VHOST_PROTOCOL_REPLY_ACK) | BIT64(VHOST_PROTOCOL_STATUS),
		.queue_pairs = 1,
		.region_count = 1,
		.regions[0] = {.guest_address = 0,
			.size = GUEST_SIZE,
			.user_address = (uintptr_t)card->vm->memory},
		.region_fds[0] = card->vm->memory_fd,
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE};

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
		sizeof(address.sun_path))
		return error_set(error, -ENAMETOOLONG, "%s: too long", path);
	card->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (card->socket < 0 ||
		setsockopt(card->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) <
			0 ||
		connect(card->socket, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(error, -errno, "%s", path);
	vhost_frontend_init(&card->frontend, &config, &ops, card);
	if (negotiate(card) < 0)
		return error_set(error, -EIO, "%s: %s", path,
			card->failure.text[0] ? card->failure.text : "the switch does not answer");
	return 0;
}

void card_close(struct card *card)
{
	fd_close(&card->socket);
	for (unsigned ring = 0; ring < 2; ring++) {
		fd_close(&card->kick_fds[ring]);
		fd_close(&card->call_fds[ring]);
	}
}
