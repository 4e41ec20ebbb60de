/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/common.h"
#include "base/fd.h"
#include "host/guard.h"

/* From Linux 6.5 on. Whoever has it has USO as well, which came with 6.2. */
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif

_Static_assert(sizeof(struct virtio_net_hdr) == PACKET_SOCKET_HEADER, "what PACKET_VNET_HDR gives");

/* Room in a slot beside a frame: struct tpacket2_hdr, an address, the header of virtio-net, a
 * tag. */
#define SLOT_OVERHEAD 128u
/* Slots for frames of usual size, and for jumbo frames; 2 MiB and 4 MiB in all. Whatever is longer
 * takes a system call of its own, which pays off where a frame stands for many. */
#define SLOT_SMALL    2048u
#define SLOTS_SMALL   1024u
#define SLOT_JUMBO    16384u
#define SLOTS_JUMBO   256u
/* The kernel's unit of allocation. */
#define BLOCK_SIZE    65536u
/* Long frames that wait in either direction: some 240 of 64 KiB, a burst of a few flows. */
#define BUFFER_BYTES  (16 << 20)

static int open_socket(struct error *error)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int status = -errno;

	if (fd >= 0)
		return fd;
	return error_set(error, status, "cannot open a packet socket: %s%s", strerror(-status),
		status == -EPERM ? " (it takes root, or the capability CAP_NET_RAW)"
		: status == -EAFNOSUPPORT
			? " (the kernel has none, or AF_PACKET is not among the unit's "
			  "RestrictAddressFamilies)"
			: "");
}

/* All that must hold before the first frame comes. */
static int set_options(struct packet_socket *packet, struct error *error)
{
	const struct {
		int name, value;
		const char *words;
	} options[] = {
		{PACKET_VERSION, TPACKET_V2, "TPACKET_V2"},
		{PACKET_VNET_HDR, 1, "PACKET_VNET_HDR"},
		{PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING"},
		{PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH"},
	};
	int header = PACKET_SOCKET_HEADER, bytes = BUFFER_BYTES;

	for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
		if (setsockopt(packet->fd, SOL_PACKET, options[i].name, &options[i].value,
			    sizeof(options[i].value)) < 0)
			return error_set_errno(
				error, -errno, "packet socket: %s", options[i].words);
	packet->udp = setsockopt(packet->fd, SOL_PACKET, PACKET_VNET_HDR_SZ, &header,
			      sizeof(header)) == 0;
	/* Without the privilege they are smaller, and fewer long frames wait. */
	if (setsockopt(packet->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(packet->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(packet->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(packet->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

static int make_ring(struct packet_socket *packet, struct error *error)
{
	bool jumbo = packet->link.mtu + ETH_HLEN + SLOT_OVERHEAD > SLOT_SMALL;
	struct tpacket_req request;

	packet->slot_size = jumbo ? SLOT_JUMBO : SLOT_SMALL;
	packet->slot_count = jumbo ? SLOTS_JUMBO : SLOTS_SMALL;
	request = (struct tpacket_req){
		.tp_block_size = BLOCK_SIZE,
		.tp_block_nr = packet->slot_size * packet->slot_count / BLOCK_SIZE,
		.tp_frame_size = packet->slot_size,
		.tp_frame_nr = packet->slot_count,
	};
	if (setsockopt(packet->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0)
		return error_set_errno(error, -errno, "packet socket: PACKET_RX_RING");
	return 0;
}

/* From here on frames come. */
static int start(struct packet_socket *packet, struct error *error)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)packet->link.index};
	struct packet_mreq all = {
		.mr_ifindex = (int)packet->link.index, .mr_type = PACKET_MR_PROMISC};

	if (bind(packet->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(
			error, -errno, "cannot listen at interface %s", packet->link.name);
	if (setsockopt(packet->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		return error_set_errno(
			error, -errno, "cannot make interface %s promiscuous", packet->link.name);
	return 0;
}

static int bring_up(const struct host_packet *request, struct link *link, struct error *error)
{
	const struct link_settings set = {.up = true};
	int status;

	if (!request->up || link->up)
		return 0;
	status = link_set(link->index, link->name, &set, error);
	if (status == 0)
		link_find(request->name, link);
	return status;
}

static int try_open(
	const struct host_packet *request, struct packet_socket *packet, struct error *error)
{
	int status = link_find(request->name, &packet->link);

	if (status == -ENODEV)
		return error_set(error, status, "there is no interface %s", request->name);
	if (status < 0)
		return error_set_errno(error, status, "cannot find interface %s", request->name);
	if (!packet->link.ethernet)
		return error_set(error, -EINVAL, "interface %s is no Ethernet", request->name);
	if (!request->shared) {
		status = link_check_unused(&packet->link, error);
		if (status < 0)
			return status;
	}
	status = packet->fd = open_socket(error);
	if (status >= 0 && !request->shared)
		status = packet->guard = host_guard_open(&packet->link, error);
	if (status >= 0)
		status = set_options(packet, error);
	if (status == 0)
		status = make_ring(packet, error);
	if (status == 0)
		status = start(packet, error);
	return status < 0 ? status : bring_up(request, &packet->link, error);
}

int host_packet_open(
	const struct host_packet *request, struct packet_socket *packet, struct error *error)
{
	struct netns_visit visit;
	int status = netns_enter(&visit, request->netns, error);

	if (status < 0)
		return status;
	memset(packet, 0, sizeof(*packet));
	packet->fd = packet->guard = -1;
	status = try_open(request, packet, error);
	if (status < 0)
		packet_socket_close(packet);
	netns_leave(&visit);
	return status;
}

int host_packet_change(const struct host_packet *request, struct error *error)
{
	struct netns_visit visit;
	struct link link;
	int status = netns_enter(&visit, request->netns, error);

	if (status < 0)
		return status;
	status = link_find(request->name, &link);
	if (status == 0)
		status = bring_up(request, &link, error);
	else
		error_set_errno(error, status, "cannot find interface %s", request->name);
	netns_leave(&visit);
	return status;
}

int host_packet_look(const struct host_packet *request, struct link *link)
{
	return host_packet_look_index(request, 0, link);
}

int host_packet_look_index(const struct host_packet *request, unsigned index, struct link *link)
{
	struct netns_visit visit;
	struct error error;
	int status = netns_enter(&visit, request->netns, &error);

	if (status < 0)
		return status;
	status = index ? link_find_index(index, link) : link_find(request->name, link);
	netns_leave(&visit);
	return status;
}

bool packet_socket_here(const struct packet_socket *packet)
{
	struct sockaddr_ll address = {0};
	socklen_t size = sizeof(address);

	/* The kernel takes the interface away from the socket, and never gives it back. */
	return getsockname(packet->fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.sll_ifindex == (int)packet->link.index;
}

void packet_socket_close(struct packet_socket *packet)
{
	/* The guard goes last: no moment in which both we and the stack are asked. */
	fd_close(&packet->fd);
	fd_close(&packet->guard);
}
