/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/spinlock.h"
#include "packet/egress.h"
#include "packet/fate.h"

/* A bounded queue of frames: one thread fills, one empties. Indices run freely. */
struct frame_ring {
	uint32_t filled CACHE_ALIGNED;  /* written by the filling thread */
	uint32_t emptied CACHE_ALIGNED; /* written by the emptying thread */
	uint8_t *bytes;                 /* [depth] slots of frame_size; constant */
	uint32_t *lengths;              /* [depth]; of filled slots */
};

struct memory_queue {
	struct frame_ring ring;
	uint32_t taken; /* ring.emptied once the batch is released; the worker's */
	int event;      /* eventfd: frames were pushed while armed */
	bool watched;   /* control thread */
	bool armed;     /* set by the worker, cleared by either side */
};

struct memory_port {
	struct port port;
	uint32_t depth;
	uint32_t frame_size;
	bool timed;
	struct egress_limits limits;
	const struct port_notifier *notifier;
	struct spinlock lock; /* of those who fill `sent`, and of queue 0's tx counters */
	struct frame_ring sent;
	struct memory_queue *queues; /* [port.queue_count] */
};

static struct memory_port *memory_port(const struct port *port)
{
	return container_of(port, struct memory_port, port);
}

static bool ring_init(const struct memory_port *memory, struct frame_ring *ring)
{
	ring->bytes = malloc((size_t)memory->depth * memory->frame_size);
	ring->lengths = calloc(memory->depth, sizeof(*ring->lengths));
	return ring->bytes && ring->lengths;
}

static void ring_fini(struct frame_ring *ring)
{
	free(ring->bytes);
	free(ring->lengths);
}

static uint8_t *ring_slot(
	const struct memory_port *memory, const struct frame_ring *ring, uint32_t index)
{
	return ring->bytes + (size_t)(index & (memory->depth - 1)) * memory->frame_size;
}

/* Frames in the ring, as far as the filling thread's stores are seen. */
static uint32_t ring_count(const struct frame_ring *ring, uint32_t from)
{
	return __atomic_load_n(&ring->filled, __ATOMIC_ACQUIRE) - from;
}

static bool ring_full(const struct memory_port *memory, const struct frame_ring *ring)
{
	return ring->filled - __atomic_load_n(&ring->emptied, __ATOMIC_ACQUIRE) == memory->depth;
}

/* Makes the slot that was written the ring's newest frame. */
static void ring_fill(const struct memory_port *memory, struct frame_ring *ring, uint32_t length)
{
	ring->lengths[ring->filled & (memory->depth - 1)] = length;
	__atomic_store_n(&ring->filled, ring->filled + 1, __ATOMIC_RELEASE);
}

static void memory_receive(struct port *port, unsigned index, struct packet_batch *batch)
{
	struct memory_port *memory = memory_port(port);
	struct memory_queue *queue = &memory->queues[index];
	uint32_t count = MIN(ring_count(&queue->ring, queue->taken), batch->frames_max);

	for (unsigned i = 0; i < count; i++, queue->taken++) {
		uint8_t *frame = ring_slot(memory, &queue->ring, queue->taken);
		uint32_t length = queue->ring.lengths[queue->taken & (memory->depth - 1)];
		uint32_t head = MIN(length, PACKET_HEAD_SIZE);

		batch->packets[i] = (struct packet){
			.head = packet_buffer(batch, i),
			.tail = &batch->pieces[i],
			.length = length,
			.head_length = (uint16_t)head,
			.headroom = PACKET_PUSH_MAX,
			.tail_count = length > head,
			.network = NETWORK_NONE,
		};
		memcpy(batch->packets[i].head, frame, head);
		batch->pieces[i] = (struct iovec){frame + head, length - head};
	}
	batch->count = count;
	batch->pieces_used = count;
}

static void memory_release(struct port *port, unsigned index, struct packet_batch *batch)
{
	struct memory_queue *queue = &memory_port(port)->queues[index];

	__atomic_store_n(&queue->ring.emptied, queue->taken, __ATOMIC_RELEASE);
}

/* Copies one packet into the ring of sent frames; says why where it cannot. */
static enum drop_reason record(struct memory_port *memory, const struct packet *packet)
{
	uint8_t *to;

	if (packet->length > memory->frame_size)
		return DROP_RECEIVE_BUFFER_TOO_SMALL;
	if (ring_full(memory, &memory->sent))
		return DROP_RECEIVE_RING_FULL;
	to = ring_slot(memory, &memory->sent, memory->sent.filled);
	memcpy(to, packet->head, packet->head_length);
	to += packet->head_length;
	for (unsigned i = 0; i < packet->tail_count; i++) {
		memcpy(to, packet->tail[i].iov_base, packet->tail[i].iov_len);
		to += packet->tail[i].iov_len;
	}
	ring_fill(memory, &memory->sent, packet->length);
	return DROP_REASON_COUNT;
}

/* Records the frames that a packet becomes on its way here, until one has no place. */
static void record_packet(struct memory_port *memory, struct packet_batch *batch, unsigned i)
{
	struct counters *counters = &memory->port.counters[0].tx;
	struct egress egress;
	struct egress_room room;
	struct packet *frame;
	enum drop_reason reason = egress_begin(&egress, &batch->packets[i], &memory->limits);
	unsigned lost = 1;

	if (reason == DROP_REASON_COUNT) {
		while ((frame = egress_next(&egress, &room))) {
			reason = record(memory, frame);
			if (reason != DROP_REASON_COUNT)
				break;
			counter_add(&counters->packets, 1);
			counter_add(&counters->bytes, frame->length);
		}
		lost = frame ? 1 + egress_end(&egress) : 0;
	}
	if (lost)
		packet_drop_frames(batch, i, lost, reason, counters);
}

static void memory_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	struct memory_port *memory = memory_port(port);
	unsigned i;

	spinlock_lock(&memory->lock);
	PACKET_MASK_FOR_EACH (i, mask)
		record_packet(memory, batch, i);
	spinlock_unlock(&memory->lock);
}

static enum port_arm memory_arm(struct port *port, unsigned index)
{
	struct memory_port *memory = memory_port(port);
	struct memory_queue *queue = &memory->queues[index];

	if (memory->timed)
		return PORT_TIMED;
	/* Sequentially consistent here and in push: either sees the other's store. */
	__atomic_store_n(&queue->armed, true, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&queue->ring.filled, __ATOMIC_SEQ_CST) != queue->taken ? PORT_PENDING
										      : PORT_ARMED;
}

static void memory_disarm(struct port *port, unsigned index)
{
	__atomic_store_n(&memory_port(port)->queues[index].armed, false, __ATOMIC_RELAXED);
}

bool memory_port_push(struct port *port, unsigned index, const void *frame, uint32_t length)
{
	struct memory_port *memory = memory_port(port);
	struct memory_queue *queue = &memory->queues[index];

	if (length > memory->frame_size || ring_full(memory, &queue->ring))
		return false;
	memcpy(ring_slot(memory, &queue->ring, queue->ring.filled), frame, length);
	queue->ring.lengths[queue->ring.filled & (memory->depth - 1)] = length;
	__atomic_store_n(&queue->ring.filled, queue->ring.filled + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&queue->armed, __ATOMIC_SEQ_CST) &&
		__atomic_exchange_n(&queue->armed, false, __ATOMIC_SEQ_CST))
		fd_signal(queue->event);
	return true;
}

int memory_port_pop(struct port *port, void *frame, uint32_t size)
{
	struct memory_port *memory = memory_port(port);
	struct frame_ring *ring = &memory->sent;
	uint32_t index = ring->emptied;
	uint32_t length;

	if (!ring_count(ring, index))
		return 0;
	length = ring->lengths[index & (memory->depth - 1)];
	if (length <= size)
		memcpy(frame, ring_slot(memory, ring, index), length);
	__atomic_store_n(&ring->emptied, index + 1, __ATOMIC_RELEASE);
	return length <= size ? (int)length : -EMSGSIZE;
}

unsigned memory_port_pending(const struct port *port)
{
	const struct memory_port *memory = memory_port(port);
	unsigned count = 0;

	for (unsigned i = 0; i < port->queue_count; i++) {
		const struct frame_ring *ring = &memory->queues[i].ring;

		count += ring_count(ring, __atomic_load_n(&ring->emptied, __ATOMIC_ACQUIRE));
	}
	return count;
}

static void memory_destroy(struct port *port)
{
	struct memory_port *memory = memory_port(port);

	for (unsigned i = 0; memory->queues && i < port->queue_count; i++) {
		struct memory_queue *queue = &memory->queues[i];

		if (queue->watched)
			memory->notifier->unwatch(memory->notifier->owner, port, i, queue->event);
		fd_close(&queue->event);
		ring_fini(&queue->ring);
	}
	free(memory->queues);
	ring_fini(&memory->sent);
	port_fini(port);
	free(memory);
}

static const struct port_class memory_class = {
	.type = "memory",
	.receive = memory_receive,
	.release = memory_release,
	.send = memory_send,
	.arm = memory_arm,
	.disarm = memory_disarm,
	.destroy = memory_destroy,
};

static int queue_init(struct memory_port *memory, unsigned index)
{
	struct memory_queue *queue = &memory->queues[index];
	int result;

	if (!ring_init(memory, &queue->ring))
		return -ENOMEM;
	queue->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->event < 0)
		return -errno;
	if (!memory->notifier)
		return 0;
	result = memory->notifier->watch(
		memory->notifier->owner, &memory->port, index, queue->event);
	queue->watched = result == 0;
	return result;
}

static int init(struct memory_port *memory, const char *name, uint16_t index, unsigned queues)
{
	size_t size = queues * sizeof(*memory->queues);
	int result = port_init(&memory->port, &memory_class, name, index, (uint16_t)queues);

	if (result < 0)
		return result;
	memory->queues = aligned_alloc(CACHE_LINE, size);
	if (!memory->queues)
		return -ENOMEM;
	memset(memory->queues, 0, size);
	for (unsigned i = 0; i < queues; i++)
		memory->queues[i].event = -1;
	if (!ring_init(memory, &memory->sent))
		return -ENOMEM;
	for (unsigned i = 0; i < queues && result == 0; i++)
		result = queue_init(memory, i);
	return result;
}

struct port *memory_port_new(const struct port_notifier *notifier, const char *name, uint16_t index,
	const struct memory_port_options *options, struct error *error)
{
	struct memory_port *memory;
	int result;

	if (!options->queues || options->queues > PORT_QUEUE_MAX || !options->depth ||
		options->depth & (options->depth - 1) || !options->frame_size ||
		options->frame_size > PACKET_LENGTH_MAX) {
		error_set(error, -EINVAL, "port %s: memory port's sizes are not legal", name);
		return NULL;
	}
	memory = aligned_alloc(CACHE_LINE, sizeof(*memory));
	if (!memory) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(memory, 0, sizeof(*memory));
	memory->depth = options->depth;
	memory->frame_size = options->frame_size;
	memory->timed = options->timed;
	memory->notifier = notifier;
	memory->limits = (struct egress_limits){
		.frame_length_max = egress_frame_length(options->mtu),
		.abilities = options->abilities,
	};
	result = init(memory, name, index, options->queues);
	if (result < 0) {
		error_set_errno(error, result, "port %s", name);
		memory_destroy(&memory->port);
		return NULL;
	}
	return &memory->port;
}
