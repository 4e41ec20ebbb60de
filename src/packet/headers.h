/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shapes of the headers that the switch reads: sizes and field offsets in bytes, and big-endian
 * loads and stores that do not care about alignment. There are no struct overlays: a frame's bytes
 * may begin at any address, and an offset with a name cannot read more than it says.
 *
 * Nothing here checks a length. The caller has compared the offset plus the field with the private
 * head (packet_parse() does so, and states what its results guarantee). Ether types are ETH_P_* of
 * <linux/if_ether.h>, protocols IPPROTO_* of <netinet/in.h>.
 */
#ifndef VSW_PACKET_HEADERS_H
#define VSW_PACKET_HEADERS_H

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* IEEE 802.3: destination, source, type. A "type" below ETH_P_802_3_MIN is a length. */
#define ETHERNET_DESTINATION 0
#define ETHERNET_SOURCE      6
#define ETHERNET_TYPE        12
#define ETHERNET_HEADER      14

/* IEEE 802.1Q: the tag stands where the type would be: 0x8100, TCI, and then the type. */
#define VLAN_TAG           4
#define VLAN_TCI           14
#define VLAN_TYPE          16
#define VLAN_HEADER        (ETHERNET_HEADER + VLAN_TAG)
#define VLAN_ID_MASK       0x0fffu
#define VLAN_PCP_SHIFT     13
/* Priority (3 bits) and drop eligible indicator: everything of a TCI but the VLAN id. */
#define VLAN_PRIORITY_MASK 0xf000u

/* RFC 826, for Ethernet and IPv4. */
#define ARP_HARDWARE        0
#define ARP_PROTOCOL        2
#define ARP_HARDWARE_SIZE   4
#define ARP_PROTOCOL_SIZE   5
#define ARP_OPERATION       6
#define ARP_SENDER_HARDWARE 8
#define ARP_SENDER_PROTOCOL 14
#define ARP_TARGET_HARDWARE 18
#define ARP_TARGET_PROTOCOL 24
#define ARP_HEADER          28

/* RFC 791 */
#define IPV4_VERSION_IHL     0
#define IPV4_TOTAL_LENGTH    2
#define IPV4_IDENTIFICATION  4
#define IPV4_FRAGMENT        6
#define IPV4_PROTOCOL        9
#define IPV4_CHECKSUM        10
#define IPV4_SOURCE          12
#define IPV4_DESTINATION     16
#define IPV4_HEADER          20 /* without options */
#define IPV4_MORE_FRAGMENTS  0x2000u
#define IPV4_FRAGMENT_OFFSET 0x1fffu

/* RFC 8200 */
#define IPV6_PAYLOAD_LENGTH  4
#define IPV6_NEXT_HEADER     6
#define IPV6_SOURCE          8
#define IPV6_DESTINATION     24
#define IPV6_HEADER          40
#define IPV6_EXTENSION       8 /* the shortest extension header, and the fragment header */
#define IPV6_SEGMENTS_LEFT   3 /* within a routing header */
#define IPV6_FRAGMENT        2 /* within the fragment header */
#define IPV6_FRAGMENT_ID     4 /* likewise */
#define IPV6_MORE_FRAGMENTS  0x0001u
#define IPV6_FRAGMENT_OFFSET 0xfff8u

/* Of IPv4 and IPv6: every fragment but the last carries a multiple of this. */
#define FRAGMENT_UNIT 8u

/* RFC 9293, RFC 768: both begin with the two ports. RFC 792, RFC 4443. */
#define L4_SOURCE_PORT      0
#define L4_DESTINATION_PORT 2
#define TCP_SEQUENCE        4
#define TCP_DATA_OFFSET     12
#define TCP_FLAGS           13
#define TCP_CHECKSUM        16
#define TCP_HEADER          20 /* without options */
#define TCP_FIN             0x01u
#define TCP_PSH             0x08u
#define TCP_CWR             0x80u
#define UDP_LENGTH          4
#define UDP_CHECKSUM        6
#define UDP_HEADER          8
#define UDP_DHCP_SERVER     67
#define UDP_DHCP_CLIENT     68
#define UDP_DHCPV6_CLIENT   546
#define ICMP_HEADER         8

/* RFC 7348 */
#define VXLAN_HEADER 8

static inline uint16_t load_be16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return __builtin_bswap16(value);
}

static inline uint32_t load_be32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return __builtin_bswap32(value);
}

static inline uint64_t load_be64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return __builtin_bswap64(value);
}

static inline void store_be16(uint8_t *bytes, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(bytes, &value, sizeof(value));
}

static inline void store_be32(uint8_t *bytes, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(bytes, &value, sizeof(value));
}

#endif
