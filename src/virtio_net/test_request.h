/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames with a request for an offload, as a correct guest makes them, from a few parameters: what
 * tests start from.
 */
#ifndef VSW_VIRTIO_NET_TEST_REQUEST_H
#define VSW_VIRTIO_NET_TEST_REQUEST_H

#include "virtio_net/test_offload.h"

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
	uint8_t gso_type;        /* with VIRTIO_NET_HDR_GSO_ECN */
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

static inline unsigned request_l4(const struct test_request *request, uint8_t *l4)
{
	unsigned size = request->protocol == IPPROTO_TCP ? 20 + 4 * request->tcp_words : 8;

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

/* Writes the frame and the header that goes with it; returns the frame's length. */
static inline unsigned request_build(
	const struct test_request *request, uint8_t *frame, struct virtio_net_hdr *header)
{
	unsigned l3 = request->tag ? 18 : 14;
	unsigned l4_header = request->protocol == IPPROTO_TCP ? 20 + 4 * request->tcp_words : 8;
	unsigned l4 = l3 + request_ip(request, frame + l3, l4_header + request->payload);
	unsigned field = request->protocol == IPPROTO_TCP ? 16 : 6;

	memset(frame, 0x02, 12);
	if (request->tag)
		store_be32(frame + 12, 0x81000005);
	store_be16(frame + l3 - 2, request->v6 ? 0x86dd : 0x0800);
	request_l4(request, frame + l4);
	for (unsigned i = 0; i < request->payload; i++)
		frame[l4 + l4_header + i] = (uint8_t)(i * 7 + (i >> 8) + 1);
	memset(frame + l4 + l4_header + request->payload, 0, request->padding);
	store_be16(frame + l4 + field, (uint16_t)dumb_pseudo(frame + l3, request->v6,
					       request->protocol, l4_header + request->payload));
	*header = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = request->gso_type,
		.hdr_len = request->gso_type ? (uint16_t)(l4 + l4_header) : 0,
		.gso_size = request->gso_size,
		.csum_start = (uint16_t)l4,
		.csum_offset = (uint16_t)field,
	};
	return l4 + l4_header + request->payload + request->padding;
}

#endif
