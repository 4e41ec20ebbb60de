/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segmentation in software: cuts a packet that needs an OFFLOAD_SEGMENT into pieces of a wire's
 * size, for a receiver that cannot take it whole. TCP over IPv4 and IPv6, UDP into datagrams (USO),
 * one UDP datagram into IP fragments (UFO).
 *
 *	packet  [ headers | payload in the head ] -> [ tail 0 ][ tail 1         ][ tail 2 ]
 *	piece 1 [ headers | payload in the head ] -> [ tail 0 ][ ta]
 *	piece 2 [ headers ]                     ---------------> [il 1    ]
 *	piece 3 [ headers ]                     ------------------------> [   ][ tail 2 ]
 *
 * A piece is a packet of its own: a private head with a copy of the headers, put right, and a tail
 * that is a part of the packet's own tail. Nothing of the tail is copied, and no array is needed:
 * the first and the last iovec of a piece are trimmed in place and restored before the next piece
 * is made. So from segment_begin() on the tail is borrowed, until segment_next() has returned false
 * or segment_end() was called; the packet is then as it was. One piece at a time; one thread.
 *
 * The packet has been through net_offload_receive() (or is as consistent as what it lets through):
 * its headers lie in the head, its lengths in the packet, and it makes at most OFFLOAD_PIECES_MAX
 * pieces. Then nothing here can fail. Padding behind the IP packet is left out.
 */
#ifndef VSW_PACKET_SEGMENT_H
#define VSW_PACKET_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/packet.h"

/* Bytes that the head of a piece may need: the head of a packet fills its buffer at most, and
 * cutting into IPv6 fragments adds a header of 8 bytes. */
#define SEGMENT_HEAD_SIZE (PACKET_HEADROOM + PACKET_HEAD_SIZE + 8u)

struct segmenter {
	const struct packet *packet;
	bool complete;           /* each piece's checksum is finished here */
	uint16_t headers;        /* bytes at the start of the packet that each piece repeats */
	uint16_t piece_size;     /* bytes of payload in each piece but the last */
	uint16_t index;          /* of the next piece */
	uint16_t pseudo;         /* folded sum of the pseudo header with a length of 0 */
	uint16_t checksum;       /* OFFLOAD_FRAGMENT: that of the whole datagram */
	uint32_t identification; /* of IPv6 fragments */
	uint32_t done;           /* bytes of payload in the pieces so far */
	uint32_t total;          /* bytes of payload */

	/* Where the next piece's tail begins, and what was trimmed for the one before. */
	struct iovec *at;
	size_t at_offset;
	struct iovec *first, *last;
	struct iovec first_whole, last_whole;
};

/* Bytes of the longest frame that the packet makes on a wire: what a receiver's MTU is compared
 * with. Its own length where it needs no segmentation. */
uint32_t segment_frame_length(const struct packet *packet);

/* How many pieces the packet, which needs segmentation, makes. */
unsigned segment_count(const struct packet *packet);

/* Begins to cut *packet, which must stay where it is until the end. complete: the pieces need
 * nothing further; otherwise they need OFFLOAD_CHECKSUM (fragments never do). */
void segment_begin(struct segmenter *segmenter, const struct packet *packet, bool complete);

/*
 * Makes the next piece, whose head is built at `head`: SEGMENT_HEAD_SIZE bytes, and before them
 * whatever headroom the caller wants. *piece is a copy of the packet with head, tail, lengths,
 * parsed offsets and offload of its own. False after the last one.
 */
bool segment_next(struct segmenter *segmenter, struct packet *piece, uint8_t *head);

/* Ends early, and gives the tail back as it was. Harmless after segment_next() returned false. */
void segment_end(struct segmenter *segmenter);

#endif
