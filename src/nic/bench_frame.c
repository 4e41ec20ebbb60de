/* SPDX-License-Identifier: BSD-3-Clause */
#include "nic/bench_frame.h"

/* The pattern of a frame begins at an offset that its seed says, below this. */
#define PATTERN_STARTS 65536

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
	header[IPV4_PROTOCOL] = IPPROTO_UDP;
	/* 198.18.0.0/15 is for benchmarks (RFC 2544); one bit says which end. */
	store_be32(header + IPV4_SOURCE, 0xc6120000u | spec->source_port);
	store_be32(header + IPV4_DESTINATION, 0xc6120000u | spec->destination_port);
	store_be16(header + IPV4_CHECKSUM, header_checksum(header));
}

void bench_frame_build(uint8_t *frame, const struct bench_frame_spec *spec)
{
	uint64_t start = spec->seed % PATTERN_STARTS;
	uint64_t word = seed_word(start);
	uint8_t *udp = frame + ETHERNET_HEADER + IPV4_HEADER;

	make_pattern();
	bench_frame_set_macs(frame, spec->destination, spec->source);
	store_be16(frame + ETHERNET_TYPE, ETH_P_IP);
	build_ipv4(frame + ETHERNET_HEADER, spec);
	store_be16(udp + L4_SOURCE_PORT, BENCH_FLOW_PORT);
	store_be16(udp + L4_DESTINATION_PORT, 9); /* discard */
	store_be16(udp + UDP_LENGTH, (uint16_t)(spec->length - ETHERNET_HEADER - IPV4_HEADER));
	store_be16(udp + UDP_CHECKSUM, 0);
	memset(frame + BENCH_FRAME_STAMP, 0, BENCH_FRAME_SEED - BENCH_FRAME_STAMP);
	frame[BENCH_FRAME_TAG] = (uint8_t)~bench_tag(0, spec->length);
	memcpy(frame + BENCH_FRAME_SEED, &word, sizeof(word));
	memcpy(frame + BENCH_FRAME_PATTERN, pattern + start, spec->length - BENCH_FRAME_PATTERN);
}

void bench_frame_build_announcement(uint8_t *frame, uint64_t source)
{
	memset(frame, 0, BENCH_FRAME_MIN);
	bench_frame_set_macs(frame, MAC_BROADCAST, source);
	store_be16(frame + ETHERNET_TYPE, BENCH_ANNOUNCE_TYPE);
}

bool bench_frame_verify(const uint8_t *frame, uint32_t length, uint32_t stream)
{
	uint32_t flow = stream & ((1u << BENCH_STREAM_FLOW_BITS) - 1);
	const uint8_t *ip = frame + ETHERNET_HEADER;
	const uint8_t *udp = ip + IPV4_HEADER;
	uint64_t word, start;

	if (length < BENCH_FRAME_MIN || length > BENCH_FRAME_MAX)
		return false;
	make_pattern();
	memcpy(&word, frame + BENCH_FRAME_SEED, sizeof(word));
	start = word % PATTERN_STARTS;
	return load_be16(frame + ETHERNET_TYPE) == ETH_P_IP && ip[IPV4_VERSION_IHL] == 0x45 &&
	       load_be16(ip + IPV4_TOTAL_LENGTH) == length - ETHERNET_HEADER &&
	       ip[IPV4_PROTOCOL] == IPPROTO_UDP &&
	       load_be16(ip + IPV4_CHECKSUM) == header_checksum(ip) &&
	       load_be16(udp + L4_SOURCE_PORT) == (uint16_t)(BENCH_FLOW_PORT + flow) &&
	       load_be16(udp + L4_DESTINATION_PORT) == 9 &&
	       load_be16(udp + UDP_LENGTH) == length - ETHERNET_HEADER - IPV4_HEADER &&
	       load_be16(udp + UDP_CHECKSUM) == 0 && word == seed_word(start) &&
	       memcmp(frame + BENCH_FRAME_PATTERN, pattern + start, length - BENCH_FRAME_PATTERN) ==
		       0;
}

bool bench_frame_is_foreign(const uint8_t *frame, uint32_t length)
{
	return length < ETHERNET_HEADER || load_be16(frame + ETHERNET_TYPE) != ETH_P_IP ||
	       length < ETHERNET_HEADER + IPV4_HEADER ||
	       load_be16(frame + ETHERNET_HEADER + IPV4_SOURCE) != 0xc612;
}
