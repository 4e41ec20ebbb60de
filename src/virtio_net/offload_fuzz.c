/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any frame with any virtio-net header, between guests with any features. All that
 * leaves, whole or cut into pieces, is judged as a receiver would.
 *
 *	[requests][abilities][bits: tag, built][3 tail cuts] and then either of
 *	[virtio_net_hdr][frame]                             bytes as they are
 *	[test_request][virtio_net_hdr ^][headers ^ ...]      a correct request, with bytes spoilt
 */
#include "base/cursor.h"
#include "virtio_net/test_request.h"

#define BIT_TAG   1u
#define BIT_BUILT 2u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A receiver's or sender's offloads are of a negotiated set: nothing without the checksum. */
static uint8_t negotiated(uint8_t offloads)
{
	return offloads & OFFLOAD_CHECKSUM ? offloads & 0x7f : 0;
}

static struct test_request read_request(struct cursor *cursor)
{
	uint8_t bits = cursor_u8(cursor);

	return (struct test_request){
		.tag = bits & 1,
		.v6 = bits & 2,
		.protocol = bits & 4 ? IPPROTO_TCP : IPPROTO_UDP,
		.tcp_flags = cursor_u8(cursor),
		.ip_words = cursor_u8(cursor) % 11,
		.extension = cursor_u8(cursor),
		.extension_units = cursor_u8(cursor) % 12,
		.tcp_words = cursor_u8(cursor) % 11,
		/* Long frames take long. */
		.payload = cursor_be16(cursor) % (bits & 8 ? 65000u : 1000u),
		.padding = cursor_u8(cursor) % 64,
		.gso_type = cursor_u8(cursor),
		.gso_size = cursor_be16(cursor),
	};
}

static size_t build_frame(
	struct cursor *cursor, struct test_packet *test, struct virtio_net_hdr *header)
{
	struct test_request request = read_request(cursor);
	size_t length = request_build(&request, test->frame, header);

	for (size_t i = 0; i < sizeof(*header); i++)
		((uint8_t *)header)[i] ^= cursor_u8(cursor);
	for (size_t i = ETHERNET_TYPE; i < length && cursor_left(cursor); i++)
		test->frame[i] ^= cursor_u8(cursor);
	return MIN(length, (size_t)PACKET_LENGTH_MAX);
}

static size_t read_frame(
	struct cursor *cursor, struct test_packet *test, struct virtio_net_hdr *header)
{
	size_t length;

	if (!cursor_copy(cursor, header, sizeof(*header)))
		return 0;
	length = MIN(cursor_left(cursor), (size_t)PACKET_LENGTH_MAX);
	memcpy(test->frame, cursor_take(cursor, length), length);
	return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct test_packet test;
	struct cursor cursor = cursor_new(data, size);
	struct virtio_net_hdr header;
	uint8_t requests = negotiated(cursor_u8(&cursor));
	uint8_t abilities = negotiated(cursor_u8(&cursor));
	uint8_t bits = cursor_u8(&cursor);
	uint8_t cuts[3];
	size_t length;

	cursor_copy(&cursor, cuts, sizeof(cuts));
	length = bits & BIT_BUILT ? build_frame(&cursor, &test, &header)
				  : read_frame(&cursor, &test, &header);
	if (length < ETHERNET_HEADER)
		return 0;
	test_packet_load(&test, (unsigned)length, cuts, sizeof(cuts));
	test_offload(&test, &header, requests, abilities, bits & BIT_TAG);
	return 0;
}
