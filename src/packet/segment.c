/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/segment.h"

#include <string.h>

#include "packet/checksum.h"
#include "packet/headers.h"

static bool fragments(const struct packet *packet)
{
	return packet->offload.needs & OFFLOAD_FRAGMENT;
}

/* Bytes at the start of the packet that each piece repeats: of fragments only the first one has the
 * transport header, which is payload to IP. */
static uint16_t repeated_headers(const struct packet *packet)
{
	return (uint16_t)(packet->l4_offset + (fragments(packet) ? 0 : packet->offload.l4_header));
}

/* Bytes that each piece has in addition. */
static unsigned added_headers(const struct packet *packet)
{
	return fragments(packet) && packet->ether_type == ETH_P_IPV6 ? IPV6_EXTENSION : 0;
}

uint32_t segment_frame_length(const struct packet *packet)
{
	uint32_t cut;

	if (!(packet->offload.needs & OFFLOAD_SEGMENT))
		return packet->length;
	cut = repeated_headers(packet) + added_headers(packet) + packet->offload.gso_size;
	return MIN(cut, packet->length + added_headers(packet));
}

unsigned segment_count(const struct packet *packet)
{
	uint32_t total = packet_l4_length(packet) + packet->l4_offset - repeated_headers(packet);
	uint32_t size = packet->offload.gso_size;

	return (total + size - 1) / size;
}

/* Fragments of two datagrams of one sender must not have the same one within the minute that a
 * receiver waits for the rest (RFC 8200, 4.5). Written by any worker. */
static uint32_t next_identification(void)
{
	static uint32_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

void segment_begin(struct segmenter *segmenter, const struct packet *packet, bool complete)
{
	const uint8_t *l4 = packet->head + packet->l4_offset;
	uint32_t length = packet_l4_length(packet);
	uint16_t field = load_be16(l4 + checksum_l4_offset(packet->l4_protocol));

	*segmenter = (struct segmenter){
		.packet = packet,
		.complete = complete,
		.headers = repeated_headers(packet),
		.piece_size = packet->offload.gso_size,
		/* An IPv4 or UDP length fits 16 bits, an IPv6 one too: no jumbograms here. */
		.pseudo = checksum_change(field, (uint16_t)length, 0),
		.at = packet->tail,
	};
	segmenter->total = length + packet->l4_offset - segmenter->headers;
	if (fragments(packet)) {
		segmenter->checksum = packet_l4_checksum(packet);
		segmenter->identification = packet->ether_type == ETH_P_IPV6 ? next_identification()
									     : 0;
	}
}

void segment_end(struct segmenter *segmenter)
{
	/* In reverse order: the two may be the same iovec. */
	if (segmenter->last)
		*segmenter->last = segmenter->last_whole;
	if (segmenter->first)
		*segmenter->first = segmenter->first_whole;
	segmenter->first = NULL;
	segmenter->last = NULL;
}

/* Makes the next `length` (> 0) bytes of the packet's tail the tail of the piece. */
static void take_tail(struct segmenter *segmenter, struct packet *piece, size_t length)
{
	struct iovec *at = segmenter->at;

	/* Empty iovecs, and one that ended with the piece before. */
	while (segmenter->at_offset == at->iov_len) {
		segmenter->at_offset = 0;
		at++;
	}
	segmenter->first = at;
	segmenter->first_whole = *at;
	at->iov_base = (uint8_t *)at->iov_base + segmenter->at_offset;
	at->iov_len -= segmenter->at_offset;
	piece->tail = at;
	while (at->iov_len < length) {
		segmenter->at_offset = 0;
		length -= at->iov_len;
		at++;
	}
	segmenter->last = at;
	segmenter->last_whole = *at;
	at->iov_len = length;
	segmenter->at = at;
	segmenter->at_offset += length;
	piece->tail_count = (uint16_t)(at - piece->tail + 1);
}

/* Copies what the packet's private head holds of the piece's payload to `to`; returns its
 * length. */
static uint32_t copy_head_payload(const struct segmenter *segmenter, uint8_t *to, uint32_t length)
{
	const struct packet *packet = segmenter->packet;
	uint32_t begin = segmenter->headers + segmenter->done;

	if (begin >= packet->head_length)
		return 0;
	length = MIN(length, packet->head_length - begin);
	memcpy(to, packet->head + begin, length);
	return length;
}

/* Sets the lengths of the IP header; payload: bytes after it. */
static void edit_ip_length(struct packet *piece, uint32_t payload)
{
	uint8_t *ip = piece->head + piece->l3_offset;
	uint32_t headers = (uint32_t)(piece->l4_offset - piece->l3_offset);

	if (piece->ether_type == ETH_P_IP)
		store_be16(ip + IPV4_TOTAL_LENGTH, (uint16_t)(headers + payload));
	else
		store_be16(ip + IPV6_PAYLOAD_LENGTH, (uint16_t)(headers + payload - IPV6_HEADER));
}

static void edit_tcp(const struct segmenter *segmenter, uint8_t *tcp, bool last)
{
	store_be32(tcp + TCP_SEQUENCE, load_be32(tcp + TCP_SEQUENCE) + segmenter->done);
	if (segmenter->index)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/* Makes the repeated headers those of this piece, which carries `length` bytes: TCP and USO. */
static void edit_headers(
	const struct segmenter *segmenter, struct packet *piece, uint32_t length, bool last)
{
	uint8_t *ip = piece->head + piece->l3_offset;
	uint8_t *l4 = piece->head + piece->l4_offset;
	uint16_t l4_length = (uint16_t)(piece->offload.l4_header + length);

	edit_ip_length(piece, l4_length);
	if (piece->ether_type == ETH_P_IP) {
		store_be16(ip + IPV4_IDENTIFICATION,
			(uint16_t)(load_be16(ip + IPV4_IDENTIFICATION) + segmenter->index));
		checksum_ipv4_header(ip, (unsigned)(l4 - ip));
	}
	if (piece->l4_protocol == IPPROTO_TCP)
		edit_tcp(segmenter, l4, last);
	else
		store_be16(l4 + UDP_LENGTH, l4_length);
	store_be16(l4 + checksum_l4_offset(piece->l4_protocol),
		checksum_plus(segmenter->pseudo, l4_length));
	piece->offload = (struct offload){
		.needs = OFFLOAD_CHECKSUM,
		.l4_header = piece->offload.l4_header,
	};
}

/* Inserts a fragment header behind the IPv6 header, in front of the room for the payload. */
static void insert_fragment_header(
	const struct segmenter *segmenter, const struct packet *piece, uint16_t fragment)
{
	uint8_t *header = piece->head + piece->l4_offset;

	memset(header, 0, IPV6_EXTENSION);
	header[0] = IPPROTO_UDP;
	store_be16(header + IPV6_FRAGMENT, fragment);
	store_be32(header + IPV6_FRAGMENT_ID, segmenter->identification);
	piece->head[piece->l3_offset + IPV6_NEXT_HEADER] = IPPROTO_FRAGMENT;
}

/* The same for an IP fragment. */
static void edit_fragment(
	const struct segmenter *segmenter, struct packet *piece, uint32_t length, bool last)
{
	uint8_t *ip = piece->head + piece->l3_offset;

	edit_ip_length(piece, added_headers(segmenter->packet) + length);
	if (piece->ether_type == ETH_P_IP) {
		/* The sender asks for fragments, whatever it says about not making any. */
		store_be16(ip + IPV4_FRAGMENT, (uint16_t)(segmenter->done / FRAGMENT_UNIT |
							  (last ? 0 : IPV4_MORE_FRAGMENTS)));
		checksum_ipv4_header(ip, (unsigned)(piece->l4_offset - piece->l3_offset));
	} else {
		insert_fragment_header(segmenter, piece,
			(uint16_t)(segmenter->done | (last ? 0 : IPV6_MORE_FRAGMENTS)));
	}
	if (!segmenter->index)
		store_be16(piece->head + piece->l4_offset + added_headers(segmenter->packet) +
				   UDP_CHECKSUM,
			segmenter->checksum);
	piece->offload = (struct offload){0};
	piece->parsed = false;
}

bool segment_next(struct segmenter *segmenter, struct packet *piece, uint8_t *head)
{
	const struct packet *packet = segmenter->packet;
	unsigned headers = segmenter->headers + added_headers(packet);
	uint32_t length = MIN(segmenter->total - segmenter->done, (uint32_t)segmenter->piece_size);
	bool last = segmenter->done + length == segmenter->total;
	uint32_t private;

	segment_end(segmenter);
	if (!length)
		return false;

	*piece = *packet;
	memcpy(head, packet->head, segmenter->headers);
	private = copy_head_payload(segmenter, head + headers, length);
	piece->head = head;
	piece->head_length = (uint16_t)(headers + private);
	piece->headroom = 0; /* what the caller has before it is the caller's */
	piece->length = headers + length;
	piece->tail_count = 0;
	if (private < length)
		take_tail(segmenter, piece, length - private);
	if (fragments(packet))
		edit_fragment(segmenter, piece, length, last);
	else
		edit_headers(segmenter, piece, length, last);
	if (segmenter->complete && piece->offload.needs)
		packet_checksum_complete(piece);
	segmenter->done += length;
	segmenter->index++;
	return true;
}
