/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a receiver lacks, done for every kind of port at one place: a port's send() says what its
 * far end takes, and copies the frames that come out here.
 *
 *	packet --egress_as_is()--> yes: copy the packet; one test where it needs nothing
 *	            '--> no: egress_begin() --egress_next()--> the packet, its checksum completed,
 *	                         |                             or one piece after the other
 *	                         '--> DROP_MTU_EXCEEDED
 *
 *	if (likely(egress_as_is(packet, &limits)))
 *		copy(packet);
 *	else if (egress_begin(&egress, packet, &limits) == DROP_REASON_COUNT)
 *		while ((frame = egress_next(&egress, &room)))
 *			if (!copy(frame)) {
 *				lost = 1 + egress_end(&egress);
 *				break;
 *			}
 *
 * What a frame still needs (offload.needs) is within the receiver's abilities, and is told to it in
 * the receiver's own way. The work is done in egress_next(): a receiver that is found to have no
 * room before that costs nothing. A checksum is completed in the packet itself, for all further
 * receivers too.
 *
 * From the first egress_next() of a packet that is cut until the one that returns NULL, or
 * egress_end(), the packet's tail is borrowed (segment.h). Nothing here allocates or fails; the
 * thread that sends.
 */
#ifndef VSW_PACKET_EGRESS_H
#define VSW_PACKET_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/drop.h"
#include "packet/headers.h"
#include "packet/packet.h"
#include "packet/segment.h"

/* What a receiver takes. */
struct egress_limits {
	uint32_t frame_length_max; /* bytes of a frame, without FCS: egress_frame_length() */
	uint8_t abilities;         /* OFFLOAD_* that it takes undone */
};

/* Bytes before the head of a piece that are the receiver's: a virtio-net header fits. */
#define EGRESS_HEADROOM 32u
_Static_assert(EGRESS_HEADROOM >= PACKET_NET_HEADER, "as in front of any other head");

/* Where the head of a piece is made. */
struct egress_room {
	uint8_t bytes[EGRESS_HEADROOM + SEGMENT_HEAD_SIZE];
} __attribute__((aligned(16)));

/* One packet on its way to one receiver. */
struct egress {
	struct packet *packet;
	unsigned left;   /* frames that egress_next() has not made */
	uint8_t missing; /* OFFLOAD_* that the packet needs and the receiver has not */
	bool cut;        /* into pieces */
	bool cutting;    /* it has begun: the tail is borrowed */
	struct packet piece;
	struct segmenter segmenter;
};

/* The longest frame that a receiver with this MTU takes, which is bytes of payload above
 * Ethernet (0: any): a tag in front of a full-sized payload is not a larger MTU. */
static inline uint32_t egress_frame_length(uint16_t mtu)
{
	return mtu ? mtu + (uint32_t)VLAN_HEADER : PACKET_LENGTH_MAX;
}

/* True where the receiver takes the packet as it is. What is cut by the receiver itself must be
 * short enough after that. */
static inline bool egress_as_is(const struct packet *packet, const struct egress_limits *limits)
{
	if (likely(!packet->offload.needs))
		return likely(packet->length <= limits->frame_length_max);
	return !(packet->offload.needs & (uint8_t)~limits->abilities) &&
	       segment_frame_length(packet) <= limits->frame_length_max;
}

/*
 * Begins with any packet. DROP_REASON_COUNT where there are frames to come, else why there is none:
 * the packet counts as one drop then. *packet stays where it is until the end.
 */
enum drop_reason egress_begin(
	struct egress *egress, struct packet *packet, const struct egress_limits *limits);

/*
 * The next frame: the packet itself, or a piece of it that lies in *egress and has its head in
 * *room, which the caller provides anew for each piece that it keeps for later. The piece's tail is
 * good until the next call; who keeps it, copies the iovecs. NULL after the last.
 */
struct packet *egress_next(struct egress *egress, struct egress_room *room);

/* Ends early; returns how many frames egress_next() has not made. Harmless after it has returned
 * NULL. */
unsigned egress_end(struct egress *egress);

#endif
