/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends one packet with a virtio-net header through ingress and egress of virtio_net/offload.h,
 * finishing it in software where the receiver cannot, and requires that all that leaves is
 * consistent, whatever came in. For the property test and the fuzz target; a fault aborts.
 */
#ifndef VSW_VIRTIO_NET_TEST_OFFLOAD_H
#define VSW_VIRTIO_NET_TEST_OFFLOAD_H

#include "packet/checksum.h"
#include "packet/egress.h"
#include "packet/parse.h"
#include "packet/test_verify.h"
#include "packet/vlan.h"
#include "virtio_net/offload.h"

#define TEST_TAIL_MAX 64

/* A packet as a port makes it: the head copied, the tail in pieces of the sender's memory. */
struct test_packet {
	struct packet packet;
	struct iovec tail[TEST_TAIL_MAX], tail_before[TEST_TAIL_MAX];
	uint8_t head[PACKET_HEADROOM + PACKET_HEAD_SIZE];
	uint8_t frame[VERIFY_FRAME_SIZE]; /* the sender's */
};

/* What became of it. */
struct test_outcome {
	bool accepted;
	uint8_t needs; /* after ingress */
	unsigned pieces;
};

/* Loads the first `length` bytes of test->frame; the tail is cut into pieces of these lengths, over
 * and over; the last piece takes what is left. */
static inline void test_packet_load(
	struct test_packet *test, unsigned length, const uint8_t *cuts, unsigned cut_count)
{
	unsigned at = MIN(length, PACKET_HEAD_SIZE), count = 0;

	test->packet = (struct packet){
		.head = test->head + PACKET_HEADROOM,
		.tail = test->tail,
		.length = length,
		.head_length = (uint16_t)at,
		.headroom = PACKET_PUSH_MAX,
		.network = NETWORK_NONE,
	};
	memcpy(test->packet.head, test->frame, at);
	while (at < length) {
		unsigned step = cut_count ? cuts[count % cut_count] * 8u : length;

		if (count == TEST_TAIL_MAX - 1 || step > length - at)
			step = length - at;
		test->tail[count++] = (struct iovec){.iov_base = test->frame + at, .iov_len = step};
		at += step;
	}
	test->packet.tail_count = (uint16_t)count;
	memcpy(test->tail_before, test->tail, sizeof(test->tail));
}

/* The header toward the receiver says exactly what the frame is. */
static inline void check_header(
	const struct packet *packet, const struct verified *found, uint8_t abilities)
{
	static const struct {
		uint8_t needs, gso_type;
	} types[] = {{OFFLOAD_TCP4, 1}, {OFFLOAD_TCP6, 4}, {OFFLOAD_UDP, 5}, {OFFLOAD_FRAGMENT, 3}};
	struct virtio_net_hdr header;
	uint8_t gso_type = 0;

	memset(&header, 0xff, sizeof(header));
	net_offload_header(packet, &header);
	require(!(packet->offload.needs & ~abilities));
	require(header.flags == (packet->offload.needs ? 1 : 0));
	require(header.csum_start == (header.flags ? found->l4 : 0));
	require(header.csum_offset == (!header.flags                           ? 0
					      : found->protocol == IPPROTO_TCP ? 16
									       : 6));
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (packet->offload.needs & types[i].needs)
			gso_type = types[i].gso_type;
	require((header.gso_type & 0x7f) == gso_type);
	require(!gso_type == !header.gso_size && !gso_type == !header.hdr_len);
	if (gso_type) {
		require(header.hdr_len == found->l4 + found->l4_header);
		require(header.gso_size < found->l4_length);
	}
	if (header.gso_type & 0x80)
		require(abilities & OFFLOAD_ECN && (gso_type == 1 || gso_type == 4));
}

/* One piece of a TCP packet or of datagrams: its header is the packet's but for what must
 * differ. */
static inline void check_piece_headers(const uint8_t *whole, const struct verified *original,
	const uint8_t *frame, const struct verified *found, unsigned index, unsigned done)
{
	const uint8_t *before = whole + original->l4, *after = frame + found->l4;
	uint8_t flags;
	bool last = done + found->l4_length - found->l4_header ==
		    original->l4_length - original->l4_header;

	require(found->l3 == original->l3 && found->l4 == original->l4 && !found->fragment);
	require(found->protocol == original->protocol);
	require(!memcmp(whole, frame, found->l3));
	require(found->v6 || found->identification == (uint16_t)(original->identification + index));
	if (found->protocol == IPPROTO_UDP) {
		require(!memcmp(before, after, 4));
		return;
	}
	flags = (uint8_t)(before[13] & ~(index ? 0x80 : 0) & ~(last ? 0 : 0x09));
	require(load_be32(after + 4) == load_be32(before + 4) + done);
	require(after[13] == flags);
	require(!memcmp(before, after, 4) && !memcmp(before + 8, after + 8, 5));
	require(!memcmp(before + 14, after + 14, 2));
	require(!memcmp(before + 18, after + 18, found->l4_header - 18));
}

/* Cuts the packet and puts its pieces together again. whole: the packet's frame. */
static inline unsigned check_pieces(struct packet *packet, const uint8_t *whole,
	const struct verified *original, struct egress *egress, uint8_t abilities)
{
	static uint8_t frame[VERIFY_FRAME_SIZE], together[VERIFY_FRAME_SIZE];
	static struct egress_room room;
	bool fragments = packet->offload.needs & OFFLOAD_FRAGMENT;
	bool complete = !(abilities & OFFLOAD_CHECKSUM);
	unsigned headers = fragments ? 0 : original->l4_header;
	unsigned done = 0, index = 0, longest = 0;
	unsigned what = VERIFY_IP_CHECKSUM | (complete ? VERIFY_COMPLETE : VERIFY_PARTIAL);
	uint32_t identification = 0;
	struct packet *piece;

	while ((piece = egress_next(egress, &room))) {
		unsigned length = verify_flatten(piece, frame), payload;
		struct verified found = verify_frame(frame, length, what);

		payload = found.l4_length - headers;
		longest = MAX(longest, length);
		require(index < OFFLOAD_PIECES_MAX && payload);
		require(done + payload <= original->l4_length - headers);
		require(payload == packet->offload.gso_size ||
			done + payload == original->l4_length - headers);
		memcpy(together + done, frame + found.l4 + headers, payload);
		if (fragments) {
			identification = index ? identification : found.identification;
			require(found.identification == identification);
			require(found.fragment && found.fragment_offset == done);
			require(found.more_fragments == (done + payload < original->l4_length));
			require(!piece->offload.needs);
		} else {
			check_piece_headers(whole, original, frame, &found, index, done);
			check_header(piece, &found, abilities);
			require(!piece->offload.needs == complete);
		}
		done += payload;
		index++;
	}
	require(done == original->l4_length - headers);
	require(index > 1 && longest == segment_frame_length(packet));
	if (fragments) {
		require(dumb_sum(dumb_pseudo(whole + original->l3, original->v6, IPPROTO_UDP,
					 original->l4_length),
				together, original->l4_length) == 0xffff);
		store_be16(together + 6, load_be16(whole + original->l4 + 6));
	}
	require(!memcmp(together, whole + original->l4 + headers, done));
	return index;
}

/* The way out, to a receiver with these abilities. */
static inline unsigned check_egress(struct test_packet *test, uint8_t abilities)
{
	static uint8_t whole[VERIFY_FRAME_SIZE];
	const struct egress_limits limits = {PACKET_LENGTH_MAX, abilities};
	struct packet *packet = &test->packet;
	uint8_t missing = packet->offload.needs & (uint8_t)~abilities;
	unsigned length = verify_flatten(packet, whole);
	struct verified found = verify_frame(
		whole, length, packet->offload.needs ? VERIFY_PARTIAL : VERIFY_COMPLETE);
	unsigned pieces = 1;
	struct egress egress;

	require(egress_as_is(packet, &limits) == !missing);
	require(egress_begin(&egress, packet, &limits) == DROP_REASON_COUNT);
	if (missing && packet->offload.needs & OFFLOAD_SEGMENT) {
		pieces = check_pieces(packet, whole, &found, &egress, abilities);
	} else {
		require(egress_next(&egress, NULL) == packet && !egress_next(&egress, NULL));
		if (missing) {
			verify_flatten(packet, whole);
			found = verify_frame(whole, length, VERIFY_COMPLETE);
			require(!packet->offload.needs);
		}
		check_header(packet, &found, abilities);
	}
	require(!memcmp(test->tail_before, test->tail, sizeof(test->tail)));
	return pieces;
}

/*
 * The whole way of a loaded packet. tag: a VLAN tag is taken off, or put on where there is none,
 * between ingress and egress.
 */
static inline struct test_outcome test_offload(struct test_packet *test,
	const struct virtio_net_hdr *header, uint8_t requests, uint8_t abilities, bool tag)
{
	struct packet *packet = &test->packet;
	struct test_outcome outcome = {.pieces = 1};

	outcome.accepted = net_offload_receive(header, requests, packet);
	outcome.needs = packet->offload.needs;
	require(outcome.accepted || !outcome.needs);
	require(!(outcome.needs & ~(requests | OFFLOAD_ECN)));
	if (!outcome.needs)
		return outcome;
	require(outcome.needs & OFFLOAD_CHECKSUM && header->flags & 1);
	require(!(outcome.needs & OFFLOAD_SEGMENT) == !packet->offload.gso_size);
	if (tag && packet->l3_offset == VLAN_HEADER)
		require(packet_vlan_pop(packet));
	else if (tag)
		require(packet_vlan_push(packet, 10));
	outcome.pieces = check_egress(test, abilities);
	/* What was flooded to one receiver is still good for the next one. */
	check_egress(test, (uint8_t)(abilities & OFFLOAD_CHECKSUM ? 0 : ~0u));
	return outcome;
}

#endif
