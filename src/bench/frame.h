/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames of the load generator: Ethernet, IPv4, UDP, and a payload that shows on arrival what
 * became of it. Built once in a transmit buffer; per frame only the stamp changes.
 *
 *   offset  0  Ethernet, IPv4 (checksum right), UDP (no checksum)       42 bytes
 *          42  stamp: sequence (4), stream (4), tag (2)                 10
 *          52  seed of the pattern (8)
 *          60  the pattern
 *
 * The stamp ends at 52, so that with the 12 bytes of the virtio header in front everything that
 * changes, and everything that the cheap check reads, is in a buffer's first cache line.
 *
 * A *segment* is TCP instead, as a Linux guest leaves it to the device to cut (TSO): the header has
 * the timestamp option, its checksum is that of the pseudo header only, and the stamp stands at 66.
 * The virtio header in front says how to cut, and says the same on arrival.
 *
 * A *stream* is a sequence of frames that must arrive in order: a flow of a sending port. The tag
 * covers stamp and length: a frame mixed up with another, cut short or grown does not pass. The
 * pattern covers the rest, for the full verification.
 *
 * Stateless but for the pattern, which the first build or verification makes. One thread.
 */
#ifndef VSW_BENCH_FRAME_H
#define VSW_BENCH_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/common.h"
#include "packet/headers.h"
#include "packet/mac.h"

#define BENCH_FRAME_STAMP   42
#define BENCH_SEGMENT_STAMP 66

/* From the beginning of the stamp. */
#define BENCH_STAMP_TAG     8
#define BENCH_STAMP_SEED    10
#define BENCH_STAMP_PATTERN 18

/* Ethernet's minimum without its checksum; the longest that an IPv4 length allows. */
#define BENCH_FRAME_MIN 60
#define BENCH_FRAME_MAX (ETHERNET_HEADER + 65535)

/* What segments are to be cut into: the payload that an MTU of 1500 leaves. What fits into one such
 * piece needs no cutting. */
#define BENCH_SEGMENT_GSO_SIZE 1448
#define BENCH_SEGMENT_MIN      (BENCH_SEGMENT_STAMP + BENCH_SEGMENT_GSO_SIZE + 1)

/* A stream is the number of the sending port and that of the flow. */
#define BENCH_STREAM_FLOW_BITS 20
#define BENCH_FLOWS_MAX        (1u << BENCH_STREAM_FLOW_BITS)

/* What a port announces itself with: an Ethernet type for local experiments (IEEE 802). */
#define BENCH_ANNOUNCE_TYPE 0x88b5

struct bench_frame_spec {
	/* BENCH_FRAME_MIN (BENCH_SEGMENT_MIN) .. BENCH_FRAME_MAX, without checksum */
	uint32_t length;
	bool segment;
	uint64_t destination; /* MAC addresses as numbers */
	uint64_t source;
	/* the sending and the receiving port's numbers, for the IP addresses */
	uint16_t source_port;
	uint16_t destination_port;
	uint32_t seed; /* any number: frames with different ones have different payload */
};

/* Writes a whole frame, with flow 0 and an invalid stamp. */
void bench_frame_build(uint8_t *frame, const struct bench_frame_spec *spec);

/* Writes a broadcast of BENCH_FRAME_MIN bytes by which a switch learns `source`. */
void bench_frame_build_announcement(uint8_t *frame, uint64_t source);

/* Writes the virtio header (NET_HEADER_LEGACY_SIZE bytes) that goes in front of a segment. */
void bench_segment_build_header(uint8_t *header);

/* True where the header of an arrived segment says what that one said. Its hdr_len, which is a hint
 * only, may be any. */
bool bench_segment_check_header(const uint8_t *header);

/* The source port of a flow is BENCH_FLOW_PORT + its number, modulo 2^16. */
#define BENCH_FLOW_PORT 1024

ALWAYS_INLINE uint32_t bench_stream(unsigned port, unsigned flow)
{
	return (uint32_t)port << BENCH_STREAM_FLOW_BITS | flow;
}

ALWAYS_INLINE uint16_t bench_tag(uint64_t word, uint32_t length)
{
	return (uint16_t)((word + length) * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

/* Where a frame's stamp begins. */
ALWAYS_INLINE uint32_t bench_frame_stamp_at(bool segment)
{
	return segment ? BENCH_SEGMENT_STAMP : BENCH_FRAME_STAMP;
}

/* Makes the built frame whose stamp begins there number `sequence` of a stream. */
ALWAYS_INLINE void bench_frame_stamp(
	uint8_t *stamp, uint32_t sequence, uint32_t stream, uint32_t length)
{
	uint64_t word = (uint64_t)stream << 32 | sequence;
	uint16_t tag = bench_tag(word, length);

	memcpy(stamp, &word, sizeof(word));
	memcpy(stamp + BENCH_STAMP_TAG, &tag, sizeof(tag));
}

ALWAYS_INLINE void bench_frame_set_flow(uint8_t *frame, unsigned flow)
{
	store_be16(frame + ETHERNET_HEADER + IPV4_HEADER + L4_SOURCE_PORT,
		(uint16_t)(BENCH_FLOW_PORT + flow));
}

ALWAYS_INLINE void bench_frame_set_macs(uint8_t *frame, uint64_t destination, uint64_t source)
{
	uint64_t first = __builtin_bswap64(destination << 16 | source >> 32);
	uint32_t second = __builtin_bswap32((uint32_t)source);

	memcpy(frame, &first, sizeof(first));
	memcpy(frame + 8, &second, sizeof(second));
}

/*
 * The cheap check of a frame of `length` bytes whose stamp begins there (BENCH_STAMP_SEED bytes are
 * readable): true where the tag fits; then *sequence and *stream are filled.
 */
ALWAYS_INLINE bool bench_frame_check(
	const uint8_t *stamp, uint32_t length, uint32_t *sequence, uint32_t *stream)
{
	uint64_t word;
	uint16_t tag;

	memcpy(&word, stamp, sizeof(word));
	memcpy(&tag, stamp + BENCH_STAMP_TAG, sizeof(tag));
	*sequence = (uint32_t)word;
	*stream = (uint32_t)(word >> 32);
	return tag == bench_tag(word, length);
}

/* The full check of a frame whose tag fits: every other byte but the MAC addresses. */
bool bench_frame_verify(const uint8_t *frame, uint32_t length, uint32_t stream, bool segment);

/* True for an announcement, or any other frame that is none of ours (by its Ethernet type). */
bool bench_frame_is_foreign(const uint8_t *frame, uint32_t length);

#endif
