/* SPDX-License-Identifier: BSD-3-Clause */
#include "service/datagram.h"

#include <string.h>

#include "packet/checksum.h"
#include "packet/headers.h"

/* Offsets of it, and what we send: nobody routes it. */
#define IPV4_TTL       8
#define IPV6_HOP_LIMIT 7
#define TTL            64

#define VERSION_4 0x45 /* and a header without options */
#define VERSION_6 0x60

/* Whether the checksum of a transport header and its payload is right. */
static bool is_intact(uint16_t pseudo, const uint8_t *l4, size_t length)
{
	struct checksum sum = {0};

	checksum_add(&sum, l4, length);
	return checksum_plus(checksum_fold(&sum), pseudo) == 0xffff;
}

/* `length` bytes from the UDP header on; behind the datagram there may be padding. */
static bool read_udp(
	const uint8_t *ip, const uint8_t *udp, size_t length, struct datagram *datagram)
{
	uint16_t claimed, pseudo;

	if (length < UDP_HEADER)
		return false;
	claimed = load_be16(udp + UDP_LENGTH);
	if (claimed < UDP_HEADER || claimed > length)
		return false;
	pseudo = datagram->ipv6 ? checksum_pseudo_ipv6(ip, IPPROTO_UDP, claimed)
				: checksum_pseudo_ipv4(ip, IPPROTO_UDP, claimed);
	if ((datagram->ipv6 || load_be16(udp + UDP_CHECKSUM)) && !is_intact(pseudo, udp, claimed))
		return false;
	datagram->source_port = load_be16(udp + L4_SOURCE_PORT);
	datagram->destination_port = load_be16(udp + L4_DESTINATION_PORT);
	datagram->payload = udp + UDP_HEADER;
	datagram->length = claimed - UDP_HEADER;
	return true;
}

static bool read_ipv4(const uint8_t *ip, size_t length, struct datagram *datagram)
{
	struct checksum sum = {0};
	size_t header, total;

	if (length < IPV4_HEADER || ip[IPV4_VERSION_IHL] >> 4 != 4)
		return false;
	header = (ip[IPV4_VERSION_IHL] & 0x0fu) * 4;
	total = load_be16(ip + IPV4_TOTAL_LENGTH);
	if (header < IPV4_HEADER || total < header || total > length ||
		ip[IPV4_PROTOCOL] != IPPROTO_UDP ||
		load_be16(ip + IPV4_FRAGMENT) & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET))
		return false;
	checksum_add(&sum, ip, header);
	if (checksum_fold(&sum) != 0xffff)
		return false;
	memcpy(datagram->source, ip + IPV4_SOURCE, 4);
	memcpy(datagram->destination, ip + IPV4_DESTINATION, 4);
	return read_udp(ip, ip + header, total - header, datagram);
}

static bool read_ipv6(const uint8_t *ip, size_t length, struct datagram *datagram)
{
	size_t payload;

	if (length < IPV6_HEADER || ip[0] >> 4 != 6)
		return false;
	payload = load_be16(ip + IPV6_PAYLOAD_LENGTH);
	if (payload > length - IPV6_HEADER || ip[IPV6_NEXT_HEADER] != IPPROTO_UDP)
		return false;
	datagram->ipv6 = true;
	memcpy(datagram->source, ip + IPV6_SOURCE, 16);
	memcpy(datagram->destination, ip + IPV6_DESTINATION, 16);
	return read_udp(ip, ip + IPV6_HEADER, payload, datagram);
}

bool datagram_read(const uint8_t *frame, size_t length, struct datagram *datagram)
{
	*datagram = (struct datagram){0};
	if (length < ETHERNET_HEADER)
		return false;
	memcpy(datagram->source_mac, frame + ETHERNET_SOURCE, MAC_SIZE);
	memcpy(datagram->destination_mac, frame + ETHERNET_DESTINATION, MAC_SIZE);
	switch (load_be16(frame + ETHERNET_TYPE)) {
	case ETH_P_IP:
		return read_ipv4(frame + ETHERNET_HEADER, length - ETHERNET_HEADER, datagram);
	case ETH_P_IPV6:
		return read_ipv6(frame + ETHERNET_HEADER, length - ETHERNET_HEADER, datagram);
	default:
		return false;
	}
}

static void write_udp(uint8_t *udp, const struct datagram *datagram, uint16_t pseudo)
{
	uint16_t length = (uint16_t)(UDP_HEADER + datagram->length), checksum;
	struct checksum sum = {0};

	store_be16(udp + L4_SOURCE_PORT, datagram->source_port);
	store_be16(udp + L4_DESTINATION_PORT, datagram->destination_port);
	store_be16(udp + UDP_LENGTH, length);
	store_be16(udp + UDP_CHECKSUM, 0);
	memcpy(udp + UDP_HEADER, datagram->payload, datagram->length);
	checksum_add(&sum, udp, length);
	checksum = (uint16_t)~checksum_plus(checksum_fold(&sum), pseudo);
	/* Zero says that there is none. */
	store_be16(udp + UDP_CHECKSUM, checksum ? checksum : 0xffff);
}

static void write_ipv4(uint8_t *ip, const struct datagram *datagram)
{
	uint16_t length = (uint16_t)(UDP_HEADER + datagram->length);

	memset(ip, 0, IPV4_HEADER);
	ip[IPV4_VERSION_IHL] = VERSION_4;
	store_be16(ip + IPV4_TOTAL_LENGTH, (uint16_t)(IPV4_HEADER + length));
	ip[IPV4_TTL] = TTL;
	ip[IPV4_PROTOCOL] = IPPROTO_UDP;
	memcpy(ip + IPV4_SOURCE, datagram->source, 4);
	memcpy(ip + IPV4_DESTINATION, datagram->destination, 4);
	checksum_ipv4_header(ip, IPV4_HEADER);
	write_udp(ip + IPV4_HEADER, datagram, checksum_pseudo_ipv4(ip, IPPROTO_UDP, length));
}

static void write_ipv6(uint8_t *ip, const struct datagram *datagram)
{
	uint16_t length = (uint16_t)(UDP_HEADER + datagram->length);

	memset(ip, 0, IPV6_HEADER);
	ip[0] = VERSION_6;
	store_be16(ip + IPV6_PAYLOAD_LENGTH, length);
	ip[IPV6_NEXT_HEADER] = IPPROTO_UDP;
	ip[IPV6_HOP_LIMIT] = TTL;
	memcpy(ip + IPV6_SOURCE, datagram->source, 16);
	memcpy(ip + IPV6_DESTINATION, datagram->destination, 16);
	write_udp(ip + IPV6_HEADER, datagram, checksum_pseudo_ipv6(ip, IPPROTO_UDP, length));
}

size_t datagram_write(uint8_t *frame, size_t room, const struct datagram *datagram)
{
	size_t headers = ETHERNET_HEADER + UDP_HEADER +
			 (datagram->ipv6 ? IPV6_HEADER : IPV4_HEADER);

	if (datagram->length > UINT16_MAX - IPV4_HEADER - UDP_HEADER ||
		headers + datagram->length > room)
		return 0;
	memcpy(frame + ETHERNET_DESTINATION, datagram->destination_mac, MAC_SIZE);
	memcpy(frame + ETHERNET_SOURCE, datagram->source_mac, MAC_SIZE);
	store_be16(frame + ETHERNET_TYPE, datagram->ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (datagram->ipv6)
		write_ipv6(frame + ETHERNET_HEADER, datagram);
	else
		write_ipv4(frame + ETHERNET_HEADER, datagram);
	return headers + datagram->length;
}
