/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/checksum.h"

#include <string.h>

#include "packet/headers.h"

/* Folds carries back until 16 bits are left. */
static uint16_t fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16 & UINT16_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * The sum of the bytes as 32-bit words, the last one filled with zeroes: its fold is that of the
 * 16-bit words. The halves of 64-bit loads are summed apart, so that no carry is lost and the
 * compiler can do several at once.
 */
static uint64_t sum_words(const uint8_t *bytes, size_t length)
{
	uint64_t low = 0, high = 0, word;
	size_t whole = length & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&word, bytes + i, 8);
		low += word & UINT32_MAX;
		high += word >> 32;
	}
	word = 0;
	memcpy(&word, bytes + whole, length - whole);
	return low + high + (word & UINT32_MAX) + (word >> 32);
}

void checksum_add(struct checksum *checksum, const void *bytes, size_t length)
{
	uint64_t sum = sum_words(bytes, length);

	/* From an odd place, the two bytes of every word have changed sides (RFC 1071, 2B). */
	if (unlikely(checksum->odd))
		sum = __builtin_bswap16(fold(sum));
	checksum->sum += sum;
	checksum->odd ^= length & 1;
}

uint16_t checksum_fold(const struct checksum *checksum)
{
	return __builtin_bswap16(fold(checksum->sum));
}

uint16_t checksum_pseudo_ipv4(const uint8_t *ip, uint8_t protocol, uint16_t length)
{
	uint64_t sum = (uint64_t)load_be32(ip + IPV4_SOURCE) + load_be32(ip + IPV4_DESTINATION);

	return fold(sum + protocol + length);
}

uint16_t checksum_pseudo_ipv6(const uint8_t *ip, uint8_t protocol, uint32_t length)
{
	struct checksum addresses = {0};

	checksum_add(&addresses, ip + IPV6_SOURCE, 2 * (IPV6_DESTINATION - IPV6_SOURCE));
	return fold((uint64_t)checksum_fold(&addresses) + protocol + length);
}

void checksum_ipv4_header(uint8_t *ip, unsigned size)
{
	struct checksum header = {0};

	store_be16(ip + IPV4_CHECKSUM, 0);
	checksum_add(&header, ip, size);
	store_be16(ip + IPV4_CHECKSUM, checksum_finish(&header));
}

uint32_t packet_l4_length(const struct packet *packet)
{
	const uint8_t *ip = packet->head + packet->l3_offset;
	uint32_t headers = (uint32_t)(packet->l4_offset - packet->l3_offset);
	uint32_t total = packet->ether_type == ETH_P_IP
				 ? load_be16(ip + IPV4_TOTAL_LENGTH)
				 : IPV6_HEADER + load_be16(ip + IPV6_PAYLOAD_LENGTH);

	return total > headers ? total - headers : 0;
}

uint16_t packet_l4_checksum(const struct packet *packet)
{
	uint32_t left = MIN(packet_l4_length(packet), packet->length - packet->l4_offset);
	uint32_t step = MIN(left, (uint32_t)packet->head_length - packet->l4_offset);
	struct checksum checksum = {0};
	uint16_t result;

	checksum_add(&checksum, packet->head + packet->l4_offset, step);
	for (const struct iovec *piece = packet->tail; left -= step; piece++) {
		step = (uint32_t)MIN((size_t)left, piece->iov_len);
		checksum_add(&checksum, piece->iov_base, step);
	}
	result = checksum_finish(&checksum);
	/* In UDP zero means "none" (RFC 768), and all ones is the same number. */
	return !result && packet->l4_protocol == IPPROTO_UDP ? UINT16_MAX : result;
}

void packet_checksum_complete(struct packet *packet)
{
	uint8_t *field = packet->head + packet->l4_offset + checksum_l4_offset(packet->l4_protocol);

	store_be16(field, packet_l4_checksum(packet));
	packet->offload.needs &= (uint8_t)~OFFLOAD_CHECKSUM;
}
