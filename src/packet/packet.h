/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet is a view of a frame on its way through the switch, valid until its batch is released:
 * the frame's first bytes lie in private memory (`head`, where all parsing and editing happens),
 * the rest (`tail`) still lies in the sender's memory and may change under our feet at any time.
 * Nothing reads the tail but the copy into the receiver.
 *
 *      headroom             head                       tail[0]      tail[1]
 *   [ net header ][ Ethernet ... <= 256 bytes ] -> [ sender's ][ sender's ] ...
 *   '---------------- private ----------------'    '------ untrusted -----'
 *
 * A batch belongs to one worker thread, which fills, forwards, sends and releases it before it
 * fills it again. It holds frames of one queue of one port.
 */
#ifndef VSW_PACKET_PACKET_H
#define VSW_PACKET_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/common.h"
#include "packet/headers.h"
#include "packet/offload.h"

/* Frames in a batch: one bit each in a uint64_t, which is how outputs name sets of them. */
#define PACKET_BATCH        64u
/* Private bytes of each frame: Ethernet + VLAN + IPv6 with options + TCP with options fit. */
#define PACKET_HEAD_SIZE    256u
/* Room before the head. The last bytes of it belong to the port that sends the packet: a virtio-net
 * header always fits in front of it (5.1.6: the longest one reports a hash), whatever was pushed
 * before. */
#define PACKET_HEADROOM     128u
#define PACKET_NET_HEADER   20u
/* Bytes that may be pushed onto a head that no edit has moved yet. */
#define PACKET_PUSH_MAX     (PACKET_HEADROOM - PACKET_NET_HEADER)
/* The longest frame: an IP packet of 65,535 bytes behind Ethernet and a tag, as TSO makes them. */
#define PACKET_LENGTH_MAX   65553u
/* Buffers that a visit takes before it stops, and room for them, for one more chain of the longest
 * legal kind (32,768 descriptors), and for the buffers of one receiver of such a kind. */
#define PACKET_PIECES_VISIT 1024u
#define PACKET_PIECES_CHAIN 32768u
#define PACKET_PIECES       (PACKET_PIECES_VISIT + 2 * PACKET_PIECES_CHAIN)
/* "Not in any network": a packet before classification, a trunk without a native network. */
#define NETWORK_NONE        UINT16_MAX

/* The deepest stack that we make: a frame with two tags of its own, in VXLAN over tagged IPv6. */
_Static_assert(
	2 * VLAN_TAG + VXLAN_HEADER + UDP_HEADER + IPV6_HEADER + VLAN_HEADER <= PACKET_PUSH_MAX,
	"a tunnel's headers must fit the headroom");

struct packet {
	uint8_t *head;      /* the first byte of the frame; edits move it inside its buffer */
	struct iovec *tail; /* the rest of the frame, in the sender's memory */
	uint32_t length;    /* bytes of the whole frame; changes with edits of the head */
	uint16_t head_length;
	uint16_t tail_count;

	uint16_t headroom; /* bytes that may still be pushed; 0 where nobody has said */

	/* Written by classification (forward/). */
	uint16_t network;  /* index of the network that the frame belongs to */
	uint16_t vlan_pcp; /* priority bits (TCI with a VLAN id of 0) of the tag it came with */

	/* Written by packet_parse(); offsets from head, 0 where there is no such header. */
	bool parsed;
	uint8_t l4_protocol; /* IPPROTO_*, 0 where unknown, or for other fragments than the first */
	uint16_t ether_type; /* host order, after the tag; 0 for 802.3 length frames */
	uint16_t l3_offset;
	uint16_t l4_offset;
	uint32_t flow_hash; /* symmetric: the same for both directions of a flow */

	struct offload offload; /* what the sender left for others to do */
};

struct packet_batch {
	unsigned count;      /* packets filled */
	unsigned frames_max; /* that a port's receive() may take, 1 to PACKET_BATCH */
	/* set by receive() where bytes ended the visit, so that frames are left, probably */
	bool more;
	unsigned pieces_used; /* of pieces[] */
	uint16_t port;        /* index of the port where the frames came in */
	uint16_t queue;       /* and its queue */
	uint16_t worker;      /* id of the worker that the batch belongs to; constant */
	void *source;         /* the port's own, from its receive() to its release() */
	uint64_t kick_cycles; /* clock_cycles() that ports have spent on notifying guests */
	uint64_t flooded; /* packets that go to every member of their network; from forwarding on */
	struct packet packets[PACKET_BATCH] CACHE_ALIGNED;
	struct {
		uint8_t bytes[PACKET_HEADROOM + PACKET_HEAD_SIZE];
	} CACHE_ALIGNED buffers[PACKET_BATCH];
	struct iovec pieces[PACKET_PIECES];
};

/* Walks the set bits of `mask`, lowest (= first received) first. */
#define PACKET_MASK_FOR_EACH(i, mask)                                                              \
	for (uint64_t mask_left_ = (mask);                                                         \
		mask_left_ && ((i) = (unsigned)__builtin_ctzll(mask_left_), true);                 \
		mask_left_ &= mask_left_ - 1)

/* The private buffer of packet `i`, where its head begins before any edit. */
static inline uint8_t *packet_buffer(struct packet_batch *batch, unsigned i)
{
	return batch->buffers[i].bytes + PACKET_HEADROOM;
}

/*
 * Edits at the beginning of a frame. All that says where the head is moves here and nowhere else:
 * head, lengths, headroom, and the parsed offsets. The worker that owns the batch.
 *
 * Makes `bytes` of the headroom the beginning of the frame, for the caller to fill: the new head.
 * NULL where they do not fit: nothing has changed, and the caller says what becomes of the packet.
 * Headers that were found stay found, behind what is pushed: after an Ethernet header that is the
 * packet which it carries.
 */
MUST_USE static inline uint8_t *packet_push(struct packet *packet, unsigned bytes)
{
	if (unlikely(bytes > packet->headroom))
		return NULL;
	packet->head -= bytes;
	packet->headroom = (uint16_t)(packet->headroom - bytes);
	packet->head_length = (uint16_t)(packet->head_length + bytes);
	packet->length += bytes;
	if (packet->parsed && packet->l3_offset) {
		packet->l3_offset = (uint16_t)(packet->l3_offset + bytes);
		if (packet->l4_offset)
			packet->l4_offset = (uint16_t)(packet->l4_offset + bytes);
	}
	return packet->head;
}

/*
 * Takes `bytes` off the beginning. False where the head is not that long: nothing has changed. What
 * was found in them is forgotten (`parsed`); headers of the frame that then begins stay found. Who
 * has offloads to finish (packet->offload) and may come after a pull calls packet_parse() first.
 */
MUST_USE static inline bool packet_pull(struct packet *packet, unsigned bytes)
{
	if (unlikely(bytes > packet->head_length))
		return false;
	packet->head += bytes;
	packet->headroom = (uint16_t)(packet->headroom + bytes);
	packet->head_length = (uint16_t)(packet->head_length - bytes);
	packet->length -= bytes;
	if (!packet->parsed)
		return true;
	if (packet->l3_offset >= bytes + ETHERNET_HEADER) {
		packet->l3_offset = (uint16_t)(packet->l3_offset - bytes);
		if (packet->l4_offset)
			packet->l4_offset = (uint16_t)(packet->l4_offset - bytes);
	} else if (packet->l3_offset || bytes >= ETHERNET_HEADER) {
		packet->parsed = false;
	}
	return true;
}

#endif
