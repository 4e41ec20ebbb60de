/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that leave something for others to do, as a correct sender makes them, from a few
 * parameters: what tests start from. How the sender asks for it is virtio_net/test_request.h.
 */
#ifndef VSW_PACKET_TEST_REQUEST_H
#define VSW_PACKET_TEST_REQUEST_H

#include "packet/test_verify.h"

struct test_request {
	bool tag, v6;
	uint8_t protocol;
	uint8_t tcp_flags;
	unsigned ip_words; /* IPv4: words of 4 bytes of options */
	uint8_t extension; /* IPv6: the extension header before the transport header, 0 = none */
	uint8_t extension_units; /* and its length beyond 8 bytes, in units of 8 */
	unsigned tcp_words;      /* words of 4 bytes of TCP options */
	unsigned payload;        /* bytes */
	unsigned padding;        /* bytes behind the IP packet */
	uint8_t gso_type;        /* as the sender's header says it, with VIRTIO_NET_HDR_GSO_ECN */
	uint16_t gso_size;
};

static inline unsigned request_ipv6(
	const struct test_request *request, uint8_t *ip, unsigned l4_length)
{
	unsigned extension = request->extension ? 8 + 8u * request->extension_units : 0;

	memset(ip, 0, 40 + extension);
	ip[0] = 0x60;
	store_be16(ip + 4, (uint16_t)(extension + l4_length));
	ip[6] = request->extension ? request->extension : request->protocol;
	ip[7] = 64;
	ip[8] = ip[24] = 0xfd;
	ip[23] = 1;
	ip[39] = 2;
	if (extension) {
		ip[40] = request->protocol;
		ip[41] = request->extension_units;
	}
	return 40 + extension;
}

static inline unsigned request_ip(
	const struct test_request *request, uint8_t *ip, unsigned l4_length)
{
	if (!request->v6) {
		unsigned size = 20 + 4 * request->ip_words;

		memset(ip, 0, size);
		ip[0] = (uint8_t)(0x40 | size / 4);
		store_be16(ip + 2, (uint16_t)(size + l4_length));
		store_be16(ip + 4, 0xfffe);
		ip[8] = 64;
		ip[9] = request->protocol;
		store_be32(ip + 12, 0x0a000001);
		store_be32(ip + 16, 0x0a0000fe);
		store_be16(ip + 10, (uint16_t)~dumb_sum(0, ip, size));
		return size;
	}
	return request_ipv6(request, ip, l4_length);
}

static inline unsigned request_l4_header(const struct test_request *request)
{
	return request->protocol == IPPROTO_TCP ? 20 + 4 * request->tcp_words : 8;
}

static inline unsigned request_l4(const struct test_request *request, uint8_t *l4)
{
	unsigned size = request_l4_header(request);

	memset(l4, 0, size);
	store_be16(l4, 1000);
	store_be16(l4 + 2, 2000);
	if (request->protocol != IPPROTO_TCP) {
		store_be16(l4 + 4, (uint16_t)(8 + request->payload));
		return size;
	}
	store_be32(l4 + 4, 0xfffffff0);
	store_be32(l4 + 8, 0x01020304);
	l4[12] = (uint8_t)(size / 4 << 4);
	l4[13] = request->tcp_flags;
	store_be16(l4 + 14, 500);
	memset(l4 + 20, 1, size - 20);
	return size;
}

/* Where things are in the frame that was written. */
struct test_layout {
	unsigned l3, l4, l4_header, length;
	unsigned checksum; /* of the transport header, from l4 */
};

/* Writes the frame (VERIFY_FRAME_SIZE bytes). */
static inline struct test_layout request_frame(const struct test_request *request, uint8_t *frame)
{
	struct test_layout at = {
		.l3 = request->tag ? 18 : 14,
		.l4_header = request_l4_header(request),
		.checksum = request->protocol == IPPROTO_TCP ? 16 : 6,
	};

	at.l4 = at.l3 + request_ip(request, frame + at.l3, at.l4_header + request->payload);
	at.length = at.l4 + at.l4_header + request->payload + request->padding;
	memset(frame, 0x02, 12);
	if (request->tag)
		store_be32(frame + 12, 0x81000005);
	store_be16(frame + at.l3 - 2, request->v6 ? 0x86dd : 0x0800);
	request_l4(request, frame + at.l4);
	for (unsigned i = 0; i < request->payload; i++)
		frame[at.l4 + at.l4_header + i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	memset(frame + at.l4 + at.l4_header + request->payload, 0, request->padding);
	store_be16(frame + at.l4 + at.checksum,
		(uint16_t)dumb_pseudo(frame + at.l3, request->v6, request->protocol,
			at.l4_header + request->payload));
	return at;
}

#endif
