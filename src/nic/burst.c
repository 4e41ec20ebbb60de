/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "nic/bridge_private.h"

_Static_assert(BRIDGE_BURST <= FRAME_IO_MAX, "a burst is one call");

void bridge_publish(struct driver_queue *queue)
{
	if (net_driver_publish(&queue->net))
		fd_signal(queue->kick_fd);
}

/* Counts a frame that is dropped. length: that of the frame, 0 or less where it was none. */
static void drop(struct bridge *bridge, const struct offload_rules *rules,
	const struct virtio_net_hdr *header, int64_t length)
{
	bridge->counters.dropped++;
	if (length <= 0 || length > DRIVER_SEGMENT_MAX ||
		(header->gso_type == VIRTIO_NET_HDR_GSO_NONE && length > rules->frame_max))
		bridge->counters.length++;
}

/* Bytes of a buffer before those that the TAP fills. */
static uint32_t skipped(const struct bridge_pair *pair)
{
	return pair->bridge->tap->header_size ? 0 : pair->transmit->net.header_size;
}

/* A frame, with its header where the TAP has one, lies in the buffer that is `ahead` of the next
 * one. Sends it; false where it was dropped. */
static bool pass_frame(struct bridge_pair *pair, unsigned ahead, int bytes)
{
	struct bridge *bridge = pair->bridge;
	struct net_driver_queue *net = &pair->transmit->net;
	struct virtio_net_hdr *header = (void *)driver_frame_reserve(net, ahead);
	int64_t length = (int64_t)bytes + skipped(pair) - net->header_size;

	if (length <= 0 || length > net->slot_size - net->header_size ||
		!offload_check(&bridge->to_backend, header, (uint32_t)length, header)) {
		drop(bridge, &bridge->to_backend, header, length);
		return false;
	}
	driver_frame_send(net, ahead, (uint32_t)length);
	bridge->counters.sent++;
	pair->longest = MAX(pair->longest, (uint32_t)length);
	return true;
}

/* Prepares reads into the next buffers, `wanted` of them at most; returns how many. */
static unsigned make_rooms(struct bridge_pair *pair, unsigned wanted)
{
	struct bridge_burst *burst = &pair->bridge->burst;
	struct net_driver_queue *net = &pair->transmit->net;
	uint32_t skip = skipped(pair);
	unsigned count;

	for (count = 0; count < wanted; count++) {
		uint8_t *slot = driver_frame_reserve(net, count);

		if (!slot)
			break;
		/* The kernel leaves alone what the header has beyond its own. */
		memset(slot, 0, net->header_size);
		burst->rooms[count] = (struct iovec){slot + skip, net->slot_size - skip};
		burst->ios[count] = (struct frame_io){.pieces = &burst->rooms[count], .count = 1};
	}
	return count;
}

/* Whether a read fails because there is no interface any more. */
static bool is_gone(int status)
{
	return status == -EBADFD || status == -EBADF || status == -EIO || status == -ENODEV;
}

/* One call. Adds frames, those that are dropped, too, and bytes to the sums. 1 where there may be
 * more, 0 where there are not, or -errno where the TAP is gone. A read that fails otherwise took a
 * frame that nobody gets; the reads behind it may have taken others. */
static int read_some(struct bridge_pair *pair, unsigned wanted, unsigned *frames, uint32_t *bytes)
{
	struct frame_io *ios = pair->bridge->burst.ios;
	unsigned sent = 0;
	int status = 0;

	frame_io_read(pair->reader, pair->tap_fd, ios, wanted);
	for (unsigned i = 0; i < wanted; i++) {
		if (ios[i].result == -EAGAIN || ios[i].result == -EINTR)
			continue;
		if (is_gone(ios[i].result)) {
			status = ios[i].result;
			continue;
		}
		if (ios[i].result < 0) {
			pair->bridge->counters.dropped++;
			continue;
		}
		sent += pass_frame(pair, i - sent, ios[i].result);
		*bytes += (uint32_t)ios[i].result;
		++*frames;
	}
	return status < 0 ? status : ios[wanted - 1].result >= 0;
}

int bridge_read_burst(struct bridge_pair *pair, bool *full)
{
	unsigned frames = 0, wanted = frame_io_first(&pair->window);
	uint32_t longest = MAX(pair->longest, 1u), bytes = 0;
	int status = 1;

	*full = false;
	pair->longest = 0;
	while (frames < BRIDGE_BURST && status > 0) {
		uint32_t fit = (BRIDGE_BURST_BYTES - bytes) / longest + 1;
		unsigned asked = MIN(wanted, BRIDGE_BURST - frames);

		asked = make_rooms(pair, MIN(asked, fit));
		if (!asked) {
			*full = true;
			break;
		}
		status = read_some(pair, asked, &frames, &bytes);
		if (bytes >= BRIDGE_BURST_BYTES) {
			bridge_publish(pair->transmit);
			bytes = 0;
		}
		wanted = frame_io_next(wanted, frames);
	}
	frame_io_learn(&pair->window, frames);
	return MIN(status, 0);
}

/* Prepares the writing of frames[i]; false where the TAP must not have it. */
static bool lay_frame(struct bridge *bridge, unsigned i, struct frame_io *io)
{
	uint32_t header_size = bridge->tap->header_size;
	struct driver_frame *frame = &bridge->burst.frames[i];
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 0};
	uint8_t *front = bridge->burst.fronts[i].header;
	struct iovec *first = &frame->pieces[0];

	if (!offload_check(&bridge->to_tap, &frame->header, frame->length, &header.hdr))
		return false;
	memcpy(front, &header, header_size);
	*first = (struct iovec){.iov_base = front, .iov_len = header_size};
	*io = (struct frame_io){.pieces = first, .count = 1 + frame->count};
	if (frame->count == 1 && frame->length <= BRIDGE_SHORT) {
		memcpy(front + header_size, frame->pieces[1].iov_base, frame->length);
		first->iov_len += frame->length;
		io->count = 1;
	} else if (!header_size) {
		io->pieces++;
		io->count--;
	}
	return true;
}

/* Writes frames[0..count-1] and gives their buffers back. */
static void write_frames(struct bridge_pair *pair, unsigned count)
{
	struct bridge *bridge = pair->bridge;
	struct bridge_burst *burst = &bridge->burst;
	unsigned laid = 0;

	for (unsigned i = 0; i < count; i++) {
		burst->written[laid] = (uint8_t)i;
		if (lay_frame(bridge, i, &burst->ios[laid]))
			laid++;
		else
			drop(bridge, &bridge->to_tap, &burst->frames[i].header,
				burst->frames[i].length);
	}
	frame_io_write(pair->writer, pair->tap_fd, burst->ios, laid);
	for (unsigned i = 0; i < laid; i++) {
		const struct driver_frame *frame = &burst->frames[burst->written[i]];

		/* Too short, the interface down, or its queue full: as on a wire. */
		if (burst->ios[i].result == (int)(bridge->tap->header_size + frame->length))
			bridge->counters.received++;
		else
			drop(bridge, &bridge->to_tap, &frame->header, frame->length);
	}
	for (unsigned i = 0; i < count; i++)
		driver_frame_return(&pair->receive->net, &burst->frames[i]);
}

unsigned bridge_write_burst(struct bridge_pair *pair)
{
	struct bridge *bridge = pair->bridge;
	struct net_driver_queue *net = &pair->receive->net;
	unsigned frames, waiting = 0, buffers = 0;

	for (frames = 0; frames < BRIDGE_BURST; frames++) {
		struct driver_frame *frame = &bridge->burst.frames[waiting];
		int taken = driver_frame_take(net, frame);

		if (taken == 0)
			break;
		if (taken < 0) {
			drop(bridge, &bridge->to_tap, &frame->header, 0);
			continue;
		}
		waiting++;
		buffers += frame->count;
		/* Large frames take many buffers: the backend shall not run out of them. */
		if (buffers < net->ring.size / 4u)
			continue;
		write_frames(pair, waiting);
		bridge_publish(pair->receive);
		waiting = buffers = 0;
	}
	write_frames(pair, waiting);
	return frames;
}
