/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: any bytes as the memory of a guest, with a ring anywhere in it, served in both
 * directions. The sanitizers watch our memory; here it is checked that what leaves a queue lies in
 * guest memory, that no more is returned than was taken, and that a visit stays within its budget.
 *
 * Input: size (log2), features, operations, base, three places; the rest is the memory.
 */
#include <stdlib.h>
#include <string.h>

#include "virtio/test_memory.h"
#include "virtio_net/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIRST_SIZE  8192
#define SECOND_SIZE 4096
#define FIRST       UINT64_C(0x1000)
#define SECOND      (FIRST + FIRST_SIZE) /* neighbours, so that buffers straddle them */
#define VISITS      4

struct prefix {
	uint8_t size_log2;
	uint8_t features;
	uint8_t operations; /* a bit for each visit: receive or send */
	uint8_t mtu;
	uint16_t next;
	uint16_t places[3]; /* of descriptors (16 bytes), available (2), used (4) */
};

static struct guest_memory memory;
static struct packet_batch *batch;
static struct counters counters;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void begin_once(void)
{
	if (batch)
		return;
	test_memory_add(&memory, FIRST, FIRST_SIZE, 64);
	test_memory_add(&memory, SECOND, SECOND_SIZE, 64);
	batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	require(batch);
}

static void check_packet(const struct packet *packet)
{
	uint64_t sum = packet->head_length;

	require(packet->length >= 14 && packet->length <= PACKET_LENGTH_MAX);
	for (unsigned i = 0; i < packet->tail_count; i++) {
		require(test_memory_holds(&memory, &packet->tail[i]));
		sum += packet->tail[i].iov_len;
	}
	require(sum == packet->length);
}

static void receive_batch(struct net_device_queue *queue)
{
	uint16_t given = queue->ring.split.next_given, taken = queue->ring.split.next_taken;

	batch->count = 0;
	batch->pieces_used = 0;
	batch->frames_max = PACKET_BATCH;
	net_device_receive(queue, batch, &counters);
	require(batch->count <= PACKET_BATCH && batch->pieces_used <= PACKET_PIECES);
	require((uint16_t)(queue->ring.split.next_taken - taken) <= PACKET_BATCH);
	require((uint16_t)(queue->ring.split.next_taken - taken) ==
		(uint16_t)(queue->ring.split.next_given - given));
	for (unsigned i = 0; i < batch->count; i++)
		check_packet(&batch->packets[i]);
	net_device_release(queue);
	require(queue->ring.split.published == queue->ring.split.next_given);
}

/* What it tells of the ring is memory of the guest's, whatever it is. */
static void look_ahead(const struct net_device_queue *queue)
{
	const uint8_t *buffer = net_outlook_fetch(&queue->outlook);

	require(!buffer ||
		test_memory_holds(&memory, &(struct iovec){(uint8_t *)(uintptr_t)buffer, 1}));
}

/* A batch of frames with heads and tails of our own. */
static void send_batch(struct net_device_queue *queue)
{
	static uint8_t tail[2000];
	uint16_t given = queue->ring.split.next_given, taken = queue->ring.split.next_taken;
	uint64_t packets = counters.packets, dropped = 0;

	batch->count = 4;
	batch->pieces_used = batch->count;
	for (unsigned i = 0; i < batch->count; i++) {
		uint16_t head = i == 0 ? 60 : PACKET_HEAD_SIZE;

		batch->pieces[i] = (struct iovec){tail, i * 600};
		batch->packets[i] = (struct packet){
			.head = packet_buffer(batch, i),
			.head_length = head,
			.tail = &batch->pieces[i],
			.tail_count = i > 0,
			.length = head + i * 600,
		};
	}
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		dropped -= counters.drops[i];
	look_ahead(queue);
	net_device_send(queue, batch, 0xf, &counters);
	look_ahead(queue);
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		dropped += counters.drops[i];
	/* Sent or dropped for one reason; what was not given is back. */
	require(counters.packets - packets + dropped == 4);
	require((uint16_t)(queue->ring.split.next_taken - taken) ==
		(uint16_t)(queue->ring.split.next_given - given));
	require(queue->ring.split.published == queue->ring.split.next_given);
	require(!split_device_outstanding(&queue->ring.split));
}

/* Where a part begins; NULL where it would not lie in the first region. */
static void *place(uint16_t at, unsigned unit, uint64_t size)
{
	uint64_t offset = (uint64_t)at * unit % FIRST_SIZE;

	return offset + size <= FIRST_SIZE ? memory.regions[0].host + offset : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_device_queue queue;
	struct prefix prefix;
	uint64_t features = 0;
	void *descriptors, *available, *used;
	unsigned entries;

	begin_once();
	if (size < sizeof(prefix))
		return 0;
	memcpy(&prefix, data, sizeof(prefix));
	test_memory_fill(&memory, data + sizeof(prefix), size - sizeof(prefix));
	entries = 1u << prefix.size_log2 % 9;
	descriptors = place(prefix.places[0], 16, split_descriptors_size(entries));
	available = place(prefix.places[1], 2, split_available_size(entries));
	used = place(prefix.places[2], 4, split_used_size(entries));
	if (!descriptors || !available || !used)
		return 0;
	features |= (uint64_t)(prefix.features & 1) << VIRTIO_F_VERSION_1;
	features |= (uint64_t)(prefix.features >> 1 & 1) << VIRTIO_NET_F_MRG_RXBUF;
	features |= (uint64_t)(prefix.features >> 2 & 1) << VIRTIO_RING_F_EVENT_IDX;
	features |= (uint64_t)(prefix.features >> 3 & 1) << VIRTIO_RING_F_INDIRECT_DESC;
	require(net_device_init(&queue, &memory,
			&(struct device_ring_parts){descriptors, available, used}, entries,
			features, prefix.next, prefix.mtu & 1 ? 1500 : 0) == 0);
	queue.discard = prefix.mtu >> 1 & 1;
	for (unsigned i = 0; i < VISITS; i++) {
		if (prefix.operations >> i & 1)
			receive_batch(&queue);
		else
			send_batch(&queue);
		if (prefix.operations >> (4 + i) & 1)
			device_ring_arm(&queue.ring);
	}
	return 0;
}
