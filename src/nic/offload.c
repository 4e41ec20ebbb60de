/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/offload.h"

#include "base/common.h"
#include "driver/device.h"
#include "host/tap.h"

/* What each thing is called: at the TAP, in the direction of the backend, from there, in a
 * header. */
static const struct {
	unsigned tap;
	unsigned host, guest; /* feature bits */
	uint8_t kind;
} kinds[] = {
	{TUN_F_TSO4, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_HDR_GSO_TCPV4},
	{TUN_F_TSO6, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_HDR_GSO_TCPV6},
	{TUN_F_USO4, VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_HDR_GSO_UDP_L4},
	{TUN_F_USO6, VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO6, VIRTIO_NET_HDR_GSO_UDP_L4},
};

static bool has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

uint64_t offload_features(unsigned tap_offloads)
{
	uint64_t features = 0;

	if (!(tap_offloads & TUN_F_CSUM))
		return 0;
	features = BIT64(VIRTIO_NET_F_CSUM) | BIT64(VIRTIO_NET_F_GUEST_CSUM);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (tap_offloads & kinds[i].tap)
			features |= BIT64(kinds[i].host) | BIT64(kinds[i].guest);
	if (tap_offloads & TUN_F_TSO_ECN)
		features |= BIT64(VIRTIO_NET_F_HOST_ECN) | BIT64(VIRTIO_NET_F_GUEST_ECN);
	return features;
}

unsigned offload_to_tap(uint64_t features)
{
	unsigned offloads = TUN_F_CSUM;

	/* Who cuts writes checksums. */
	if (!has(features, VIRTIO_NET_F_CSUM))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (has(features, kinds[i].host))
			offloads |= kinds[i].tap;
	if (has(features, VIRTIO_NET_F_HOST_ECN) && offloads & (TUN_F_TSO4 | TUN_F_TSO6))
		offloads |= TUN_F_TSO_ECN;
	return offloads;
}

static struct offload_rules rules(
	uint64_t features, bool to_backend, uint16_t mtu, uint32_t frame_max)
{
	struct offload_rules rules = {
		.checksum = has(features, to_backend ? VIRTIO_NET_F_CSUM : VIRTIO_NET_F_GUEST_CSUM),
		.ecn = has(features, to_backend ? VIRTIO_NET_F_HOST_ECN : VIRTIO_NET_F_GUEST_ECN),
		.segment_max = mtu,
		.frame_max = frame_max,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (has(features, to_backend ? kinds[i].host : kinds[i].guest))
			rules.kinds |= 1u << kinds[i].kind;
	return rules;
}

struct offload_rules offload_rules_to_backend(uint64_t features, uint16_t mtu, uint32_t frame_max)
{
	return rules(features, true, mtu, frame_max);
}

struct offload_rules offload_rules_to_tap(uint64_t features, uint16_t mtu, uint32_t frame_max)
{
	return rules(features, false, mtu, frame_max);
}

static bool segments_fit(
	const struct offload_rules *rules, const struct virtio_net_hdr *header, uint32_t length)
{
	uint8_t kind = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	if (kind > VIRTIO_NET_HDR_GSO_UDP_L4 || !(rules->kinds & 1u << kind))
		return false;
	if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
		(!rules->ecn || kind == VIRTIO_NET_HDR_GSO_UDP_L4))
		return false;
	return header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && header->gso_size > 0 &&
	       header->gso_size <= rules->segment_max && length <= DRIVER_SEGMENT_MAX;
}

bool offload_check(const struct offload_rules *rules, const struct virtio_net_hdr *header,
	uint32_t length, struct virtio_net_hdr *checked)
{
	const struct virtio_net_hdr given = *header;

	/* Nothing else is meant for the other side: that a checksum was found right (DATA_VALID) it
	 * sees for itself. */
	*checked = (struct virtio_net_hdr){
		.flags = given.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
	};
	if (checked->flags) {
		if (!rules->checksum ||
			(uint32_t)given.csum_start + given.csum_offset + sizeof(uint16_t) > length)
			return false;
		checked->csum_start = given.csum_start;
		checked->csum_offset = given.csum_offset;
	}
	if (given.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return length <= rules->frame_max;
	checked->gso_type = given.gso_type;
	checked->gso_size = given.gso_size;
	checked->hdr_len = (uint16_t)MIN((uint32_t)given.hdr_len, length);
	return segments_fit(rules, &given, length);
}
