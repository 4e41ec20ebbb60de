/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dumb judge of frames for tests: reads a whole frame as a receiver would, with no code of the
 * switch but the header offsets, and says what it found; what is wrong aborts the test.
 */
#ifndef VSW_PACKET_TEST_VERIFY_H
#define VSW_PACKET_TEST_VERIFY_H

#include <stdio.h>
#include <stdlib.h>

#include "packet/headers.h"
#include "packet/packet.h"

#define VERIFY_FRAME_SIZE (PACKET_LENGTH_MAX + 512u)

/* What a frame must be. */
#define VERIFY_IP_CHECKSUM 0x01u /* the IPv4 header's checksum is right */
#define VERIFY_COMPLETE    0x02u /* the transport checksum is right */
#define VERIFY_PARTIAL     0x04u /* it would be, after completion */

struct verified {
	unsigned l3, l4; /* offsets; l4: of what follows IP and its extension headers */
	uint8_t protocol;
	bool v6, routed, fragment;
	unsigned fragment_offset;
	bool more_fragments;
	uint32_t identification;
	unsigned l4_length; /* bytes, from the IP header */
	unsigned l4_header;
};

static inline void require_at(bool condition, const char *text, int line)
{
	if (condition)
		return;
	fprintf(stderr, "line %d: %s does not hold\n", line, text);
	abort();
}
#define require(condition) require_at(condition, #condition, __LINE__)

/* The sum of big-endian words, one after the other. */
static inline uint32_t dumb_sum(uint32_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline uint32_t dumb_pseudo(const uint8_t *ip, bool v6, uint8_t protocol, unsigned l4_length)
{
	uint8_t tail[8] = {0};

	store_be32(tail, l4_length);
	tail[7] = protocol;
	return v6 ? dumb_sum(dumb_sum(0, ip + 8, 32), tail, 8)
		  : dumb_sum(dumb_sum(0, ip + 12, 8), tail, 8);
}

/* Copies the frame that a packet is to `bytes` (VERIFY_FRAME_SIZE). */
static inline unsigned verify_flatten(const struct packet *packet, uint8_t *bytes)
{
	unsigned length = packet->head_length;

	require(packet->length < VERIFY_FRAME_SIZE);
	memcpy(bytes, packet->head, length);
	for (unsigned i = 0; i < packet->tail_count; i++) {
		require(length + packet->tail[i].iov_len <= packet->length);
		if (packet->tail[i].iov_len)
			memcpy(bytes + length, packet->tail[i].iov_base, packet->tail[i].iov_len);
		length += (unsigned)packet->tail[i].iov_len;
	}
	require(length == packet->length);
	return length;
}

static inline void verify_ipv6_chain(const uint8_t *frame, unsigned length, struct verified *found)
{
	for (;;) {
		const uint8_t *extension = frame + found->l4;
		uint8_t next = found->protocol;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
			next != IPPROTO_AH && next != IPPROTO_FRAGMENT)
			return;
		require(found->l4 + 8 <= length);
		found->protocol = extension[0];
		if (next == IPPROTO_FRAGMENT) {
			found->fragment = true;
			found->fragment_offset = load_be16(extension + 2) & 0xfff8u;
			found->more_fragments = extension[3] & 1;
			found->identification = load_be32(extension + 4);
			found->l4 += 8;
			return;
		}
		found->routed |= next == IPPROTO_ROUTING && extension[3];
		found->l4 += next == IPPROTO_AH ? (extension[1] + 2u) * 4 : (extension[1] + 1u) * 8;
	}
}

static inline void verify_ip(
	const uint8_t *frame, unsigned length, unsigned what, struct verified *found)
{
	const uint8_t *ip = frame + found->l3;
	unsigned end;

	if (found->v6) {
		require(found->l3 + 40 <= length && ip[0] >> 4 == 6);
		end = found->l3 + 40 + load_be16(ip + 4);
		found->protocol = ip[6];
		found->l4 = found->l3 + 40;
		verify_ipv6_chain(frame, length, found);
	} else {
		require(found->l3 + 20 <= length && ip[0] >> 4 == 4);
		end = found->l3 + load_be16(ip + 2);
		found->protocol = ip[9];
		found->l4 = found->l3 + (ip[0] & 15u) * 4;
		found->fragment_offset = (load_be16(ip + 6) & 0x1fffu) * 8;
		found->more_fragments = load_be16(ip + 6) & 0x2000u;
		found->fragment = found->fragment_offset || found->more_fragments;
		found->identification = load_be16(ip + 4);
		if (what & VERIFY_IP_CHECKSUM)
			require(dumb_sum(0, ip, found->l4 - found->l3) == 0xffff);
	}
	require(end <= length && found->l4 <= end);
	found->l4_length = end - found->l4;
}

/* Judges the transport header and payload of a whole packet. */
static inline void verify_l4(const uint8_t *frame, unsigned what, struct verified *found)
{
	const uint8_t *l4 = frame + found->l4;
	bool tcp = found->protocol == IPPROTO_TCP;
	unsigned field = tcp ? 16 : 6;
	uint32_t pseudo = dumb_pseudo(
		frame + found->l3, found->v6, found->protocol, found->l4_length);

	require(tcp || found->protocol == IPPROTO_UDP);
	require(found->l4_length >= (tcp ? 20u : 8u));
	found->l4_header = tcp ? (l4[12] >> 4) * 4u : 8;
	require(found->l4_header <= found->l4_length);
	if (!tcp)
		require(load_be16(l4 + 4) == found->l4_length);
	if (found->routed)
		return;
	if (what & VERIFY_COMPLETE) {
		require(dumb_sum(pseudo, l4, found->l4_length) == 0xffff);
		require(tcp || load_be16(l4 + field));
	}
	if (what & VERIFY_PARTIAL)
		require(load_be16(l4 + field) % 0xffff == pseudo % 0xffff);
}

/* Judges an IP frame of TCP or UDP, or a fragment of one. */
static inline struct verified verify_frame(const uint8_t *frame, unsigned length, unsigned what)
{
	struct verified found = {.l3 = 14};
	uint16_t type;

	require(length >= 14);
	type = load_be16(frame + 12);
	if (type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200 ||
		type == 0x9300) {
		found.l3 = 18;
		require(length >= 18);
		type = load_be16(frame + 16);
	}
	require(type == 0x0800 || type == 0x86dd);
	found.v6 = type == 0x86dd;
	verify_ip(frame, length, what, &found);
	if (!found.fragment)
		verify_l4(frame, what, &found);
	return found;
}

#endif
