/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/frame.h"

#include <stddef.h>

#include "packet/checksum.h"
#include "virtio_net/header.h"

/* The pattern of a frame begins at an offset that its seed says, below this. */
#define PATTERN_STARTS 65536

#define DISCARD_PORT 9

/* The longest transport header here: TCP's with the timestamp option. */
#define L4_HEADER_MAX (BENCH_SEGMENT_STAMP - ETHERNET_HEADER - IPV4_HEADER)

static uint8_t pattern[PATTERN_STARTS + BENCH_FRAME_MAX];

static void make_pattern(void)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	if (pattern[0])
		return;
	for (size_t i = 0; i < sizeof(pattern); i++) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		pattern[i] = (uint8_t)(state * UINT64_C(2685821657736338717) >> 56);
	}
	/* Says that it is made; any byte serves as pattern. */
	pattern[0] = 1;
}

/* The eight bytes that stand in a frame for a seed: most of them only there to be checked. */
static uint64_t seed_word(uint64_t start)
{
	return (start + 1) * UINT64_C(0xd1342543de82ef95) << 16 | start;
}

static uint16_t header_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < IPV4_HEADER; i += 2)
		if (i != IPV4_CHECKSUM)
			sum += load_be16(header + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void build_ipv4(uint8_t *header, const struct bench_frame_spec *spec)
{
	memset(header, 0, IPV4_HEADER);
	header[IPV4_VERSION_IHL] = 0x45;
	store_be16(header + IPV4_TOTAL_LENGTH, (uint16_t)(spec->length - ETHERNET_HEADER));
	header[8] = 64; /* time to live */
	header[IPV4_PROTOCOL] = spec->segment ? IPPROTO_TCP : IPPROTO_UDP;
	/* 198.18.0.0/15 is for benchmarks (RFC 2544); one bit says which end. */
	store_be32(header + IPV4_SOURCE, 0xc6120000u | spec->source_port);
	store_be32(header + IPV4_DESTINATION, 0xc6120000u | spec->destination_port);
	store_be16(header + IPV4_CHECKSUM, header_checksum(header));
}

/* The transport header behind an IP header, before `length` bytes with itself. Returns its size. */
static unsigned build_l4(
	uint8_t *header, const uint8_t *ip, unsigned flow, uint16_t length, bool segment)
{
	/* An ordinary segment of an open connection: data offset, ACK, window; NOP, NOP,
	 * timestamps. */
	static const uint8_t tcp[L4_HEADER_MAX] = {[7] = 1,
		[11] = 1,
		[12] = 0x80,
		0x10,
		0xff,
		0xff,
		[20] = 1,
		1,
		8,
		10,
		[27] = 1,
		[31] = 1};

	if (segment) {
		memcpy(header, tcp, sizeof(tcp));
		store_be16(header + TCP_CHECKSUM, checksum_pseudo_ipv4(ip, IPPROTO_TCP, length));
	} else {
		store_be16(header + UDP_LENGTH, length);
		store_be16(header + UDP_CHECKSUM, 0);
	}
	store_be16(header + L4_SOURCE_PORT, (uint16_t)(BENCH_FLOW_PORT + flow));
	store_be16(header + L4_DESTINATION_PORT, DISCARD_PORT);
	return segment ? sizeof(tcp) : UDP_HEADER;
}

void bench_frame_build(uint8_t *frame, const struct bench_frame_spec *spec)
{
	uint64_t start = spec->seed % PATTERN_STARTS;
	uint64_t word = seed_word(start);
	uint8_t *ip = frame + ETHERNET_HEADER, *stamp = frame + bench_frame_stamp_at(spec->segment);

	make_pattern();
	bench_frame_set_macs(frame, spec->destination, spec->source);
	store_be16(frame + ETHERNET_TYPE, ETH_P_IP);
	build_ipv4(ip, spec);
	build_l4(ip + IPV4_HEADER, ip, 0, (uint16_t)(spec->length - ETHERNET_HEADER - IPV4_HEADER),
		spec->segment);
	memset(stamp, 0, BENCH_STAMP_SEED);
	stamp[BENCH_STAMP_TAG] = (uint8_t)~bench_tag(0, spec->length);
	memcpy(stamp + BENCH_STAMP_SEED, &word, sizeof(word));
	stamp += BENCH_STAMP_PATTERN;
	memcpy(stamp, pattern + start, spec->length - (size_t)(stamp - frame));
}

void bench_frame_build_announcement(uint8_t *frame, uint64_t source)
{
	memset(frame, 0, BENCH_FRAME_MIN);
	bench_frame_set_macs(frame, MAC_BROADCAST, source);
	store_be16(frame + ETHERNET_TYPE, BENCH_ANNOUNCE_TYPE);
}

static const struct virtio_net_hdr segment_header = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.hdr_len = BENCH_SEGMENT_STAMP,
	.gso_size = BENCH_SEGMENT_GSO_SIZE,
	.csum_start = ETHERNET_HEADER + IPV4_HEADER,
	.csum_offset = TCP_CHECKSUM,
};

void bench_segment_build_header(uint8_t *header)
{
	memcpy(header, &segment_header, sizeof(segment_header));
}

bool bench_segment_check_header(const uint8_t *header)
{
	struct virtio_net_hdr arrived;

	memcpy(&arrived, header, sizeof(arrived));
	arrived.hdr_len = segment_header.hdr_len;
	return memcmp(&arrived, &segment_header, sizeof(arrived)) == 0;
}

bool bench_frame_verify(const uint8_t *frame, uint32_t length, uint32_t stream, bool segment)
{
	uint32_t flow = stream & ((1u << BENCH_STREAM_FLOW_BITS) - 1);
	uint32_t stamp = bench_frame_stamp_at(segment), rest = stamp + BENCH_STAMP_PATTERN;
	const uint8_t *ip = frame + ETHERNET_HEADER;
	uint8_t l4[L4_HEADER_MAX];
	uint64_t word, start;
	unsigned size;

	if (length < (segment ? BENCH_SEGMENT_MIN : BENCH_FRAME_MIN) || length > BENCH_FRAME_MAX)
		return false;
	make_pattern();
	memcpy(&word, frame + stamp + BENCH_STAMP_SEED, sizeof(word));
	start = word % PATTERN_STARTS;
	size = build_l4(l4, ip, flow, (uint16_t)(length - ETHERNET_HEADER - IPV4_HEADER), segment);
	return load_be16(frame + ETHERNET_TYPE) == ETH_P_IP && ip[IPV4_VERSION_IHL] == 0x45 &&
	       load_be16(ip + IPV4_TOTAL_LENGTH) == length - ETHERNET_HEADER &&
	       ip[IPV4_PROTOCOL] == (segment ? IPPROTO_TCP : IPPROTO_UDP) &&
	       load_be16(ip + IPV4_CHECKSUM) == header_checksum(ip) &&
	       memcmp(ip + IPV4_HEADER, l4, size) == 0 && word == seed_word(start) &&
	       memcmp(frame + rest, pattern + start, length - rest) == 0;
}

bool bench_frame_is_foreign(const uint8_t *frame, uint32_t length)
{
	return length < ETHERNET_HEADER || load_be16(frame + ETHERNET_TYPE) != ETH_P_IP ||
	       length < ETHERNET_HEADER + IPV4_HEADER ||
	       load_be16(frame + ETHERNET_HEADER + IPV4_SOURCE) != 0xc612;
}
