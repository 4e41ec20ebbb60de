/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for tests: built by appending headers to a buffer, and loaded into a batch as a port does
 * it (private head, tail in pieces). Test code only; a frame that does not fit aborts the test.
 */
#ifndef VSW_PACKET_TEST_FRAMES_H
#define VSW_PACKET_TEST_FRAMES_H

#include <assert.h>
#include <string.h>

#include "packet/headers.h"
#include "packet/mac.h"
#include "packet/packet.h"

#define TEST_FRAME_SIZE 2048

struct test_frame {
	uint8_t bytes[TEST_FRAME_SIZE];
	size_t length;
};

/* Appends `length` bytes (zeroes where `bytes` is NULL) and returns where they begin. */
static inline uint8_t *frame_append(struct test_frame *frame, const void *bytes, size_t length)
{
	uint8_t *at = frame->bytes + frame->length;

	assert(frame->length + length <= sizeof(frame->bytes));
	if (bytes)
		memcpy(at, bytes, length);
	else
		memset(at, 0, length);
	frame->length += length;
	return at;
}

static inline void frame_be16(struct test_frame *frame, uint16_t value)
{
	store_be16(frame_append(frame, NULL, 2), value);
}

/* Empties the frame and begins it with two MAC addresses (numbers, see mac.h). */
static inline void frame_begin(struct test_frame *frame, uint64_t destination, uint64_t source)
{
	frame->length = 0;
	mac_from_u64(destination, frame_append(frame, NULL, MAC_SIZE));
	mac_from_u64(source, frame_append(frame, NULL, MAC_SIZE));
}

/* Appends a tag of some type; frame_type() or another tag comes next. */
static inline void frame_tag_of(struct test_frame *frame, uint16_t type, uint16_t tci)
{
	frame_be16(frame, type);
	frame_be16(frame, tci);
}

static inline void frame_tag(struct test_frame *frame, uint16_t tci)
{
	frame_tag_of(frame, ETH_P_8021Q, tci);
}

static inline void frame_type(struct test_frame *frame, uint16_t type)
{
	frame_be16(frame, type);
}

/* Appends an ARP packet for Ethernet and IPv4. */
static inline void frame_arp(struct test_frame *frame, uint16_t operation, uint64_t sender_mac,
	uint32_t sender_ip, uint32_t target_ip)
{
	uint8_t *arp = frame_append(frame, NULL, ARP_HEADER);

	store_be16(arp, 1);
	store_be16(arp + 2, ETH_P_IP);
	arp[ARP_HARDWARE_SIZE] = MAC_SIZE;
	arp[ARP_PROTOCOL_SIZE] = 4;
	store_be16(arp + ARP_OPERATION, operation);
	mac_from_u64(sender_mac, arp + ARP_SENDER_HARDWARE);
	store_be32(arp + ARP_SENDER_PROTOCOL, sender_ip);
	store_be32(arp + ARP_TARGET_PROTOCOL, target_ip);
}

/* Appends an IPv4 header; fragment: its flags and offset field; options: in words of 4 bytes. */
static inline void frame_ipv4(struct test_frame *frame, uint8_t protocol, uint32_t source,
	uint32_t destination, uint16_t fragment, unsigned options)
{
	uint8_t *ip = frame_append(frame, NULL, IPV4_HEADER + 4 * options);

	ip[IPV4_VERSION_IHL] = (uint8_t)(0x40 | (IPV4_HEADER / 4 + options));
	store_be16(ip + IPV4_FRAGMENT, fragment);
	ip[IPV4_PROTOCOL] = protocol;
	store_be32(ip + IPV4_SOURCE, source);
	store_be32(ip + IPV4_DESTINATION, destination);
}

/* Appends an IPv6 header; the addresses are fd00::source and fd00::destination. */
static inline void frame_ipv6(
	struct test_frame *frame, uint8_t next, uint32_t source, uint32_t destination)
{
	uint8_t *ip = frame_append(frame, NULL, IPV6_HEADER);

	ip[0] = 0x60;
	ip[IPV6_NEXT_HEADER] = next;
	ip[IPV6_SOURCE] = ip[IPV6_DESTINATION] = 0xfd;
	store_be32(ip + IPV6_SOURCE + 12, source);
	store_be32(ip + IPV6_DESTINATION + 12, destination);
}

/* Appends the two ports and zeroes up to `size` bytes: a TCP or UDP header and its payload. */
static inline void frame_ports(
	struct test_frame *frame, uint16_t source, uint16_t destination, size_t size)
{
	uint8_t *l4 = frame_append(frame, NULL, size);

	store_be16(l4 + L4_SOURCE_PORT, source);
	store_be16(l4 + L4_DESTINATION_PORT, destination);
}

static inline void batch_begin(struct packet_batch *batch, uint16_t port)
{
	batch->count = 0;
	batch->pieces_used = 0;
	batch->port = port;
	batch->queue = 0;
}

/* Adds a frame to the batch: up to PACKET_HEAD_SIZE bytes copied, the rest as one tail piece that
 * stays in `bytes`. */
static inline struct packet *batch_add(struct packet_batch *batch, uint8_t *bytes, size_t length)
{
	unsigned i = batch->count++;
	struct packet *packet = &batch->packets[i];

	assert(i < PACKET_BATCH && length <= PACKET_LENGTH_MAX);
	*packet = (struct packet){
		.head = packet_buffer(batch, i),
		.length = (uint32_t)length,
		.head_length = (uint16_t)MIN(length, PACKET_HEAD_SIZE),
		.headroom = PACKET_PUSH_MAX,
		.network = NETWORK_NONE,
	};
	memcpy(packet->head, bytes, packet->head_length);
	if (length > PACKET_HEAD_SIZE) {
		packet->tail = &batch->pieces[batch->pieces_used++];
		packet->tail_count = 1;
		packet->tail[0] = (struct iovec){
			.iov_base = bytes + PACKET_HEAD_SIZE,
			.iov_len = length - PACKET_HEAD_SIZE,
		};
	}
	return packet;
}

#endif
