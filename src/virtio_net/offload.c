/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio_net/offload.h"

#include "packet/checksum.h"
#include "packet/headers.h"
#include "packet/parse.h"

/* Which feature stands for which offload, on either side. */
static const struct {
	uint8_t offloads;
	uint8_t request; /* feature bits: the guest may ask us for it */
	uint8_t ability; /* the guest can take it from us */
} features_of[] = {
	{OFFLOAD_CHECKSUM, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM},
	{OFFLOAD_TCP4, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4},
	{OFFLOAD_TCP6, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6},
	{OFFLOAD_ECN, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_GUEST_ECN},
	{OFFLOAD_UDP4, VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO4},
	{OFFLOAD_UDP6, VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO6},
	{OFFLOAD_FRAGMENT, VIRTIO_NET_F_HOST_UFO, VIRTIO_NET_F_GUEST_UFO},
};

/* Which kind of packet each request is for: 5.1.6.2. */
static const struct {
	uint8_t gso_type;
	uint8_t l4_protocol;
	uint16_t ether_type;
	uint8_t offload;
} segmentations[] = {
	{VIRTIO_NET_HDR_GSO_TCPV4, IPPROTO_TCP, ETH_P_IP, OFFLOAD_TCP4},
	{VIRTIO_NET_HDR_GSO_TCPV6, IPPROTO_TCP, ETH_P_IPV6, OFFLOAD_TCP6},
	{VIRTIO_NET_HDR_GSO_UDP_L4, IPPROTO_UDP, ETH_P_IP, OFFLOAD_UDP4},
	{VIRTIO_NET_HDR_GSO_UDP_L4, IPPROTO_UDP, ETH_P_IPV6, OFFLOAD_UDP6},
	{VIRTIO_NET_HDR_GSO_UDP, IPPROTO_UDP, ETH_P_IP, OFFLOAD_FRAGMENT},
	{VIRTIO_NET_HDR_GSO_UDP, IPPROTO_UDP, ETH_P_IPV6, OFFLOAD_FRAGMENT},
};

static uint8_t offloads_of(uint64_t features, bool request)
{
	uint8_t offloads = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(features_of); i++) {
		unsigned bit = request ? features_of[i].request : features_of[i].ability;

		if (features >> bit & 1)
			offloads |= features_of[i].offloads;
	}
	/* Everything else depends on the checksum (5.1.3.1). */
	return offloads & OFFLOAD_CHECKSUM ? offloads : 0;
}

uint8_t net_offload_requests(uint64_t features)
{
	return offloads_of(features, true);
}

uint8_t net_offload_abilities(uint64_t features)
{
	return offloads_of(features, false);
}

/* What stands between IP and transport header. */
struct path {
	bool fragment; /* this is one: its transport header is not the whole datagram's */
	bool routed;   /* the pseudo header has another destination than the IP header */
};

static struct path inspect_path(const struct packet *packet)
{
	const uint8_t *ip = packet->head + packet->l3_offset;
	unsigned offset = packet->l3_offset + IPV6_HEADER;
	uint8_t next = ip[IPV6_NEXT_HEADER];
	struct path path = {.fragment = false, .routed = false};

	if (packet->ether_type == ETH_P_IP) {
		path.fragment = load_be16(ip + IPV4_FRAGMENT) &
				(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
		return path;
	}
	/* packet_parse() has followed the same chain to the transport header within the head. */
	while (offset < packet->l4_offset) {
		const uint8_t *extension = packet->head + offset;

		if (next == IPPROTO_FRAGMENT) {
			path.fragment = true;
			return path;
		}
		path.routed |= next == IPPROTO_ROUTING && extension[IPV6_SEGMENTS_LEFT];
		offset += next == IPPROTO_AH ? (extension[1] + 2u) * 4 : (extension[1] + 1u) * 8;
		next = extension[0];
	}
	return path;
}

/* Bytes of the transport header with its options: 0 where they are not all in the head. */
static unsigned l4_header_size(const struct packet *packet)
{
	const uint8_t *l4 = packet->head + packet->l4_offset;
	unsigned size = UDP_HEADER;

	if (packet->l4_protocol == IPPROTO_TCP)
		size = (l4[TCP_DATA_OFFSET] >> 4) * 4u;
	return packet->l4_offset + size <= packet->head_length ? size : 0;
}

/* Checks a request to complete the checksum, and makes the field what it has to be. */
static bool rebuild_checksum(const struct virtio_net_hdr *header, struct packet *packet)
{
	uint8_t *l3 = packet->head + packet->l3_offset;
	uint8_t *l4 = packet->head + packet->l4_offset;
	uint8_t protocol = packet->l4_protocol;
	uint32_t length;
	unsigned size;
	struct path path;
	uint16_t pseudo;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return false;
	if (header->csum_start != packet->l4_offset ||
		header->csum_offset != checksum_l4_offset(protocol))
		return false;
	path = inspect_path(packet);
	length = packet_l4_length(packet);
	size = l4_header_size(packet);
	if (path.fragment || length > packet->length - packet->l4_offset || size > length ||
		size < (protocol == IPPROTO_TCP ? TCP_HEADER : UDP_HEADER))
		return false;
	if (protocol == IPPROTO_UDP && load_be16(l4 + UDP_LENGTH) != length)
		return false;

	packet->offload.needs = OFFLOAD_CHECKSUM;
	packet->offload.l4_header = (uint8_t)size;
	/* Only the sender knows where a packet with a routing header will end up. */
	if (path.routed)
		return true;
	pseudo = packet->ether_type == ETH_P_IP
			 ? checksum_pseudo_ipv4(l3, protocol, (uint16_t)length)
			 : checksum_pseudo_ipv6(l3, protocol, length);
	store_be16(l4 + checksum_l4_offset(protocol), pseudo);
	return true;
}

/* The offload that a gso_type (without the ECN bit) asks for; 0 where it does not fit the
 * packet. */
static uint8_t segmentation(uint8_t gso_type, const struct packet *packet)
{
	for (unsigned i = 0; i < ARRAY_SIZE(segmentations); i++)
		if (segmentations[i].gso_type == gso_type &&
			segmentations[i].l4_protocol == packet->l4_protocol &&
			segmentations[i].ether_type == packet->ether_type)
			return segmentations[i].offload;
	return 0;
}

/* IPv6 fragments begin right behind the IPv6 header; where other headers come between, the cutting
 * would have to tell those that are repeated from those that are not. */
static bool can_fragment(const struct packet *packet)
{
	return packet->ether_type == ETH_P_IP ||
	       packet->l4_offset == packet->l3_offset + IPV6_HEADER;
}

/* Whether `payload` bytes may be cut into pieces of `size`: see offload.h. */
static bool size_is_fair(uint8_t needs, uint32_t payload, uint16_t size)
{
	if (needs & OFFLOAD_TCP)
		return size >= OFFLOAD_TCP_SIZE_MIN ||
		       payload <= (uint32_t)size * OFFLOAD_TCP_SHORT_MAX;
	if (needs & OFFLOAD_FRAGMENT)
		return size >= OFFLOAD_FRAGMENT_SIZE_MIN;
	return payload <= (uint32_t)size * OFFLOAD_DATAGRAMS_MAX;
}

/* Checks a request for segmentation of a packet whose checksum request is in order. */
static bool rebuild_segmentation(
	const struct virtio_net_hdr *header, uint8_t requests, struct packet *packet)
{
	uint8_t gso_type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint8_t needs = segmentation(gso_type, packet);
	uint32_t payload = packet_l4_length(packet);
	uint16_t size = header->gso_size;

	if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
		(!(needs & OFFLOAD_TCP) || !(requests & OFFLOAD_ECN)))
		return false;
	if (!(needs & requests) || !size)
		return false;
	if (needs & OFFLOAD_FRAGMENT) {
		size &= (uint16_t) ~(FRAGMENT_UNIT - 1);
		if (!size || !can_fragment(packet))
			return false;
	} else {
		payload -= packet->offload.l4_header;
	}
	/* What makes one piece is that piece. */
	if (payload <= size)
		return true;
	if (!size_is_fair(needs, payload, size))
		return false;
	if (needs & OFFLOAD_TCP && packet->head[packet->l4_offset + TCP_FLAGS] & TCP_CWR)
		needs |= OFFLOAD_ECN;
	packet->offload.needs |= needs;
	packet->offload.gso_size = size;
	return true;
}

bool net_offload_rebuild(
	const struct virtio_net_hdr *header, uint8_t requests, struct packet *packet)
{
	bool ok;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || !(requests & OFFLOAD_CHECKSUM))
		return false;
	packet_parse(packet);
	ok = rebuild_checksum(header, packet) &&
	     (header->gso_type == VIRTIO_NET_HDR_GSO_NONE ||
		     rebuild_segmentation(header, requests, packet));
	if (unlikely(!ok))
		packet->offload = (struct offload){0};
	return ok;
}

void net_offload_describe(const struct packet *packet, struct virtio_net_hdr *header)
{
	const struct offload *offload = &packet->offload;

	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = packet->l4_offset;
	header->csum_offset = (uint16_t)checksum_l4_offset(packet->l4_protocol);
	if (!(offload->needs & OFFLOAD_SEGMENT))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(segmentations); i++)
		if (segmentations[i].offload & offload->needs)
			header->gso_type = segmentations[i].gso_type;
	if (offload->needs & OFFLOAD_ECN)
		header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	header->hdr_len = (uint16_t)(packet->l4_offset + offload->l4_header);
	header->gso_size = offload->gso_size;
}
