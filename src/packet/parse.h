/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the headers of a frame: Ethernet, at most one 802.1Q tag, then ARP, IPv4 (with options and
 * fragments) or IPv6 (with extension headers), then the transport header.
 *
 * Reads the private head and nothing else, once: whoever needs a result calls packet_parse(), and
 * the second call costs one test. Plain switching between ports with one queue needs none, so it
 * pays for none. Frames that are cut short or malformed are no error: what could not be found is
 * zero.
 *
 * What the results promise, whatever the frame holds:
 *   l3_offset != 0   ether_type is ETH_P_IP, ETH_P_IPV6 or ETH_P_ARP, and that header lies inside
 *                    the head: IPv4 with its options, IPv6's fixed 40 bytes, ARP's 28;
 *   l4_offset != 0   exactly where l4_protocol != 0; the fixed header of TCP, UDP or ICMP lies
 *                    inside the head (of any other protocol at least its first byte or nothing).
 * Lengths that the IP header claims are not judged here, nor are checksums.
 */
#ifndef VSW_PACKET_PARSE_H
#define VSW_PACKET_PARSE_H

#include "packet/packet.h"

/* Extension headers of an IPv6 packet that are followed; what has more keeps its l4_protocol 0.
 * A legitimate chain has at most one of each of the six kinds, destination options twice. */
#define PARSE_EXTENSIONS_MAX 8

void packet_parse_now(struct packet *packet);

/*
 * Fills the parsed fields of *packet. flow_hash is the same for both directions of a flow and for
 * all fragments of a datagram; it spreads flows over queues and is not keyed: never use it where a
 * guest gains by collisions.
 */
static inline void packet_parse(struct packet *packet)
{
	if (!packet->parsed)
		packet_parse_now(packet);
}

#endif
