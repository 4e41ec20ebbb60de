/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet/egress.h"

#include "packet/checksum.h"

enum drop_reason egress_begin(
	struct egress *egress, struct packet *packet, const struct egress_limits *limits)
{
	uint8_t needs = packet->offload.needs;

	if (segment_frame_length(packet) > limits->frame_length_max)
		return DROP_MTU_EXCEEDED;
	egress->packet = packet;
	egress->missing = needs & (uint8_t)~limits->abilities;
	egress->cut = egress->missing && needs & OFFLOAD_SEGMENT;
	egress->cutting = false;
	egress->left = egress->cut ? segment_count(packet) : 1;
	return DROP_REASON_COUNT;
}

struct packet *egress_next(struct egress *egress, struct egress_room *room)
{
	if (!egress->left) {
		egress_end(egress);
		return NULL;
	}
	egress->left--;
	if (!egress->cut) {
		if (egress->missing)
			packet_checksum_complete(egress->packet);
		return egress->packet;
	}
	if (!egress->cutting)
		segment_begin(
			&egress->segmenter, egress->packet, egress->missing & OFFLOAD_CHECKSUM);
	egress->cutting = true;
	segment_next(&egress->segmenter, &egress->piece, room->bytes + EGRESS_HEADROOM);
	return &egress->piece;
}

unsigned egress_end(struct egress *egress)
{
	unsigned left = egress->left;

	if (egress->cutting)
		segment_end(&egress->segmenter);
	egress->cutting = false;
	egress->left = 0;
	return left;
}
