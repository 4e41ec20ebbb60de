/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet socket on an interface that is there: what the interface receives comes out of it, and
 * what is put into it the interface sends. Frames of others that go out there are not seen.
 *
 *   host_packet_open() -> packet_socket_here()? -> packet_socket_close()
 *
 * A header of virtio-net (struct virtio_net_hdr, PACKET_SOCKET_HEADER bytes) stands in front of
 * each frame, in both directions, and says what is left to do. What is received is in a ring of
 * slots (TPACKET_V2, packet(7)), to be mapped by the caller at offset 0; a frame that is longer
 * than a slot is marked TP_STATUS_COPY there, and read from the descriptor when its slot's turn
 * comes. An outer tag is in the slot, not in the frame. The interface is promiscuous while the
 * socket is open.
 *
 * The host's own stack gets nothing of what the interface receives meanwhile (guard.h), unless it
 * is shared. An interface that the stack makes use of is refused, unless it is shared.
 *
 * One thread; host_*() are acts that take privilege (CAP_NET_RAW, CAP_NET_ADMIN) and name something
 * of the host.
 */
#ifndef VSW_HOST_PACKET_H
#define VSW_HOST_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "host/link.h"
#include "host/netns.h"

#define PACKET_SOCKET_HEADER 10u

/* What is wanted. */
struct host_packet {
	char name[LINK_NAME_SIZE];
	char netns[NETNS_NAME_SIZE]; /* netns_enter() */
	bool up;                     /* it is brought up */
	bool shared;                 /* with the host's stack */
};

/* What there is. */
struct packet_socket {
	struct link link; /* the interface, as it was when it was opened */
	int fd;           /* does not block */
	int guard;        /* -1: shared */
	uint32_t slot_size, slot_count;
	bool udp; /* the kernel takes and gives datagrams to be cut (USO) */
};

/* 0, or -errno and what could not be done: there is no such interface (-ENODEV), it is in use
 * (-EBUSY), the privilege is missing... packet_socket_close() is due only after success. */
int host_packet_open(
	const struct host_packet *request, struct packet_socket *socket, struct error *error);

/* Brings the interface up where that is wanted and it is not. 0, or -errno and the reason. */
int host_packet_change(const struct host_packet *request, struct error *error);

/* What the interface of that name in that namespace is now. 0 or -errno: -ENODEV where there is
 * none. */
int host_packet_look(const struct host_packet *request, struct link *link);

/* The same of the one with that index, whatever it is called. */
int host_packet_look_index(const struct host_packet *request, unsigned index, struct link *link);

/* False where the interface was deleted or has left the namespace: the socket leads nowhere. */
bool packet_socket_here(const struct packet_socket *socket);

void packet_socket_close(struct packet_socket *socket);

#endif
