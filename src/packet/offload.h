/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the sender of a packet left undone and somebody has to do before it is a frame for a wire:
 * the transport checksum, the cutting into pieces of a wire's size. It travels with the packet, is
 * rebuilt from our own parse where the packet comes in (never taken from a guest's header), and is
 * either handed to a receiver that can take it or finished in software (checksum.h, segment.h).
 *
 * A need and an ability have the same bits: a receiver takes a packet as it is exactly where
 *
 *	offload.needs & ~abilities == 0
 *
 * so that a packet that needs nothing costs one test.
 *
 * There are no offsets here. Where the checksum starts is the packet's l4_offset, and where it goes
 * follows from l4_protocol: both are kept right where the head moves (packet_push(),
 * packet_pull()), so a VLAN tag pushed or popped between the two ports needs no thought.
 *
 * While OFFLOAD_CHECKSUM is needed, the checksum field holds the folded sum of the pseudo header,
 * not inverted (VIRTIO 1.3, 5.1.6.2). Who edits an address, port or length below it keeps that
 * true.
 */
#ifndef VSW_PACKET_OFFLOAD_H
#define VSW_PACKET_OFFLOAD_H

#include <stdint.h>

#define OFFLOAD_CHECKSUM 0x01u /* TCP's or UDP's checksum is that of the pseudo header only */
#define OFFLOAD_TCP4     0x02u /* to be cut into TCP segments, over IPv4 */
#define OFFLOAD_TCP6     0x04u /* the same over IPv6 */
/* such a TCP packet has CWR set, which only its first piece may keep */
#define OFFLOAD_ECN      0x08u
#define OFFLOAD_UDP4     0x10u /* to be cut into UDP datagrams of their own (USO), over IPv4 */
#define OFFLOAD_UDP6     0x20u /* the same over IPv6 */
#define OFFLOAD_FRAGMENT 0x40u /* one UDP datagram, to be cut into IP fragments (UFO) */

#define OFFLOAD_TCP     (OFFLOAD_TCP4 | OFFLOAD_TCP6)
#define OFFLOAD_UDP     (OFFLOAD_UDP4 | OFFLOAD_UDP6)
/* Any of these comes with OFFLOAD_CHECKSUM, and only one of them at a time. */
#define OFFLOAD_SEGMENT (OFFLOAD_TCP | OFFLOAD_UDP | OFFLOAD_FRAGMENT)

/*
 * What a packet may ask for; what asks for more wants to cost us time. No Linux sends TCP with an
 * MSS below 48 (TCP_MIN_SND_MSS), of which timestamps take 12; but one that forwards has merged
 * what others sent, however short: no more segments than it took from a NIC at once (64 by
 * default), and here twice that. The smallest MTU of IPv4 is 68, which leaves fragments of 48.
 * Datagrams may be short, but Linux puts no more than 128 into one packet (UDP_MAX_SEGMENTS).
 */
#define OFFLOAD_TCP_SIZE_MIN      36u
#define OFFLOAD_TCP_SHORT_MAX     128u /* segments that are shorter */
#define OFFLOAD_FRAGMENT_SIZE_MIN 48u
#define OFFLOAD_DATAGRAMS_MAX     128u
/* Follows: pieces of the longest frame. */
#define OFFLOAD_PIECES_MAX        2048u

struct offload {
	uint16_t
		gso_size; /* payload bytes of each piece but the last; of fragments those behind the
			    * IP header, a multiple of 8 */
	uint8_t needs;    /* OFFLOAD_* */
	uint8_t l4_header; /* bytes of the transport header with its options, if needs != 0 */
};

#endif
