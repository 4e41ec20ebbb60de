/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/spinlock.h"
#include "packet/egress.h"
#include "packet/fate.h"
#include "port/local_ring.h"

/* Frames of a visit end here, as those of a guest would. */
#define VISIT_BYTES (5 * PACKET_LENGTH_MAX)

_Static_assert(LOCAL_PORTS_MAX *LOCAL_FIRST_BYTES <= LOCAL_IN_BYTES / 2, "too much is kept");

struct local_port {
	struct port port;
	unsigned port_max;
	const struct port_notifier *notifier;

	/* Towards the control thread. Filled by the holder of the lock, who has the tx counters. */
	struct spinlock lock;
	struct local_ring in;
	uint32_t *given; /* [port_max]: bytes that went into the ring from each port; of the lock */
	uint32_t *taken; /* [port_max]: and that left it; the control thread's */
	int event;       /* eventfd: frames came in while nobody looked */
	bool control_idle; /* set by the control thread, cleared by whoever signals the event */

	/* From the control thread, which fills; the worker empties. */
	struct local_ring out;
	uint64_t out_taken; /* out.emptied once the batch is released; the worker's */
	int wake;           /* eventfd: frames were sent while armed */
	bool watched;       /* control thread */
	bool armed;         /* set by the worker, cleared by either side */
};

static struct local_port *local_port(const struct port *port)
{
	return container_of(port, struct local_port, port);
}

/* Signals an eventfd whose reader has said, by *idle, that it waits. What was filled, and *idle,
 * are stored and read in one order for all, here and in go_idle(): either side sees the other's
 * store. */
static bool signal_idle(bool *idle, int fd)
{
	if (!__atomic_load_n(idle, __ATOMIC_SEQ_CST) ||
		!__atomic_exchange_n(idle, false, __ATOMIC_SEQ_CST))
		return false;
	fd_signal(fd);
	return true;
}

/* Says so; false where there is something in the ring after all. at: what was emptied. */
static bool go_idle(bool *idle, const struct local_ring *ring, uint64_t at)
{
	__atomic_store_n(idle, true, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->filled, __ATOMIC_SEQ_CST) == at;
}

/* A batch holds frames of one port: it ends where those of another begin. */
static void local_receive(struct port *port, unsigned queue, struct packet_batch *batch)
{
	struct local_port *local = local_port(port);
	uint64_t at = local->out_taken;
	struct local_record *record;
	uint32_t bytes = 0;
	uint16_t as = LOCAL_RECORD_VOID;
	unsigned count = 0;

	while (count < batch->frames_max && (record = local_ring_next(&local->out, &at))) {
		uint16_t from = __atomic_load_n(&record->port, __ATOMIC_RELAXED);
		uint32_t head = MIN(record->length, PACKET_HEAD_SIZE);

		if (from != LOCAL_RECORD_VOID) {
			if (count && (from != as || bytes >= VISIT_BYTES))
				break;
			as = from;
			bytes += record->length;
			batch->packets[count] = (struct packet){
				.head = packet_buffer(batch, count),
				.tail = &batch->pieces[count],
				.length = record->length,
				.headroom = PACKET_PUSH_MAX,
				.head_length = (uint16_t)head,
				.tail_count = record->length > head,
				.network = record->network,
			};
			memcpy(batch->packets[count].head, record->bytes, head);
			batch->pieces[count++] = (struct iovec){
				record->bytes + head, record->length - head};
		}
		at = local_ring_after(record, at);
	}
	local->out_taken = at;
	batch->more = bytes >= VISIT_BYTES;
	batch->count = count;
	batch->pieces_used = count;
	if (count)
		batch->port = as;
}

static void local_release(struct port *port, unsigned queue, struct packet_batch *batch)
{
	struct local_port *local = local_port(port);

	local_ring_empty(&local->out, local->out_taken);
}

static enum port_arm local_arm(struct port *port, unsigned queue)
{
	struct local_port *local = local_port(port);

	return go_idle(&local->armed, &local->out, local->out_taken) ? PORT_ARMED : PORT_PENDING;
}

static void local_disarm(struct port *port, unsigned queue)
{
	__atomic_store_n(&local_port(port)->armed, false, __ATOMIC_RELAXED);
}

/* Whether a port may have a frame of so many bytes in the ring. What is kept for first frames
 * includes what the ring's end may waste. */
static bool has_room(const struct local_port *local, uint16_t from, uint32_t length)
{
	uint32_t kept = local->port_max * LOCAL_FIRST_BYTES + local_record_size(PACKET_LENGTH_MAX);
	uint32_t used = local->given[from] - __atomic_load_n(&local->taken[from], __ATOMIC_ACQUIRE);
	uint32_t after = used + local_record_size(length);

	return after <= LOCAL_FIRST_BYTES ||
	       (after <= LOCAL_QUOTA_BYTES && after + kept <= local_ring_free(&local->in));
}

/* Copies one frame into the ring. False where it has no place. */
static bool take_in(struct local_port *local, uint16_t from, const struct packet *packet)
{
	struct local_record *record;
	uint8_t *to;

	if (!has_room(local, from, packet->length))
		return false;
	record = local_ring_reserve(&local->in, packet->length);
	if (!record)
		return false;
	record->network = packet->network;
	record->port = from;
	to = record->bytes;
	memcpy(to, packet->head, packet->head_length);
	to += packet->head_length;
	for (unsigned i = 0; i < packet->tail_count; i++) {
		memcpy(to, packet->tail[i].iov_base, packet->tail[i].iov_len);
		to += packet->tail[i].iov_len;
	}
	local->given[from] += local_record_size(packet->length);
	local_ring_fill(&local->in, record);
	return true;
}

/* The same for all frames that a packet becomes; returns how many were lost, all for one reason. */
static unsigned take_in_packet(
	struct local_port *local, uint16_t from, struct packet *packet, enum drop_reason *reason)
{
	static const struct egress_limits limits = {PACKET_LENGTH_MAX, 0};
	struct counters *counters = &local->port.counters[0].tx;
	struct egress egress;
	struct egress_room room;
	struct packet *frame;

	*reason = egress_begin(&egress, packet, &limits);
	if (*reason != DROP_REASON_COUNT)
		return 1;
	*reason = DROP_LOCAL_BUSY;
	if (!has_room(local, from, segment_frame_length(packet)))
		return egress_end(&egress);
	while ((frame = egress_next(&egress, &room))) {
		if (!take_in(local, from, frame))
			return 1 + egress_end(&egress);
		counter_add(&counters->packets, 1);
		counter_add(&counters->bytes, frame->length);
	}
	return 0;
}

static void local_send(struct port *port, struct packet_batch *batch, uint64_t mask)
{
	struct local_port *local = local_port(port);
	/* Frames of the switch's own are nobody's: they share the quota of the local port. */
	uint16_t from = batch->port < local->port_max ? batch->port : port->index;
	uint64_t before;
	unsigned i;

	spinlock_lock(&local->lock);
	PACKET_MASK_FOR_EACH (i, mask) {
		enum drop_reason reason;
		unsigned lost = take_in_packet(local, from, &batch->packets[i], &reason);

		if (lost)
			packet_drop_frames(batch, i, lost, reason, &port->counters[0].tx);
	}
	spinlock_unlock(&local->lock);
	before = clock_cycles();
	if (signal_idle(&local->control_idle, local->event))
		batch->kick_cycles += clock_cycles() - before;
}

int local_port_event(const struct port *port)
{
	return local_port(port)->event;
}

/* Takes what says that there are frames; it will be said again when the control thread is idle. */
static void clear_event(struct local_port *local)
{
	uint64_t count;

	__atomic_store_n(&local->control_idle, false, __ATOMIC_RELAXED);
	if (read(local->event, &count, sizeof(count)) < 0)
		return; /* nobody has signalled: a call that was due to nothing */
}

static void take_out(struct local_port *local, struct local_record *record, uint64_t at)
{
	uint32_t *taken = &local->taken[record->port];

	__atomic_store_n(taken, *taken + local_record_size(record->length), __ATOMIC_RELEASE);
	local_ring_empty(&local->in, local_ring_after(record, at));
}

unsigned local_port_receive(struct port *port, unsigned max,
	void (*handle)(void *owner, const struct local_frame *frame), void *owner)
{
	struct local_port *local = local_port(port);
	unsigned count = 0;

	clear_event(local);
	do {
		uint64_t at = local->in.emptied;
		struct local_record *record;

		for (; count < max && (record = local_ring_next(&local->in, &at));
			at = local->in.emptied) {
			const struct local_frame frame = {
				record->bytes, record->length, record->network, record->port};

			if (!record->forgotten) {
				handle(owner, &frame);
				count++;
			}
			take_out(local, record, at);
		}
		if (count == max) {
			fd_signal(local->event);
			return count;
		}
	} while (!go_idle(&local->control_idle, &local->in, local->in.emptied));
	return count;
}

void local_port_refuse(struct port *port, enum drop_reason reason)
{
	struct local_port *local = local_port(port);

	spinlock_lock(&local->lock);
	frames_drop(1, reason, &port->counters[0].tx);
	spinlock_unlock(&local->lock);
}

static bool send_out(struct local_port *local, uint16_t network, uint16_t from, const void *frame,
	uint32_t length)
{
	enum drop_reason reason = length > PACKET_LENGTH_MAX ? DROP_FRAME_TOO_LONG
							     : DROP_LOCAL_BUSY;
	struct local_record *record = reason == DROP_LOCAL_BUSY
					      ? local_ring_reserve(&local->out, length)
					      : NULL;

	if (!record) {
		local_port_refuse(&local->port, reason);
		return false;
	}
	record->network = network;
	record->port = from;
	memcpy(record->bytes, frame, length);
	local_ring_fill(&local->out, record);
	signal_idle(&local->armed, local->wake);
	return true;
}

bool local_port_send(struct port *port, uint16_t network, const void *frame, uint32_t length)
{
	return send_out(local_port(port), network, port->index, frame, length);
}

bool local_port_send_as(struct port *port, uint16_t from, const void *frame, uint32_t length)
{
	return send_out(local_port(port), NETWORK_NONE, from, frame, length);
}

void local_port_forget(struct port *port, uint16_t index)
{
	struct local_port *local = local_port(port);
	struct local_record *record;
	uint64_t at;

	for (at = local->in.emptied; (record = local_ring_next(&local->in, &at));
		at = local_ring_after(record, at))
		record->forgotten |= record->port == index;
	/* The worker may be reading these: it takes a frame or does not. */
	for (at = __atomic_load_n(&local->out.emptied, __ATOMIC_ACQUIRE);
		(record = local_ring_next(&local->out, &at)); at = local_ring_after(record, at))
		if (record->port == index)
			__atomic_store_n(&record->port, LOCAL_RECORD_VOID, __ATOMIC_RELAXED);
}

static void local_destroy(struct port *port)
{
	struct local_port *local = local_port(port);

	if (local->watched)
		local->notifier->unwatch(local->notifier->owner, port, 0, local->wake);
	fd_close(&local->wake);
	fd_close(&local->event);
	local_ring_fini(&local->in);
	local_ring_fini(&local->out);
	free(local->given);
	free(local->taken);
	port_fini(port);
	free(local);
}

static const struct port_class local_class = {
	.type = "local",
	.receive = local_receive,
	.release = local_release,
	.send = local_send,
	.arm = local_arm,
	.disarm = local_disarm,
	.destroy = local_destroy,
};

static int init(struct local_port *local, uint16_t index)
{
	int result = port_init(&local->port, &local_class, "local", index, 1);

	if (result < 0)
		return result;
	local->given = calloc(local->port_max, sizeof(*local->given));
	local->taken = calloc(local->port_max, sizeof(*local->taken));
	if (!local->given || !local->taken || local_ring_init(&local->in, LOCAL_IN_BYTES) < 0 ||
		local_ring_init(&local->out, LOCAL_OUT_BYTES) < 0)
		return -ENOMEM;
	local->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	local->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (local->event < 0 || local->wake < 0)
		return -errno;
	if (!local->notifier)
		return 0;
	result = local->notifier->watch(local->notifier->owner, &local->port, 0, local->wake);
	local->watched = result == 0;
	return result;
}

struct port *local_port_new(const struct port_notifier *notifier, uint16_t index, unsigned port_max,
	struct error *error)
{
	struct local_port *local = aligned_alloc(CACHE_LINE, sizeof(*local));
	int result;

	if (port_max > LOCAL_PORTS_MAX || index >= port_max) {
		error_set(error, -EINVAL, "local port: too many ports");
		free(local);
		return NULL;
	}
	if (!local) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	memset(local, 0, sizeof(*local));
	local->port_max = port_max;
	local->notifier = notifier;
	local->event = local->wake = -1;
	local->control_idle = true;
	result = init(local, index);
	if (result < 0) {
		error_set_errno(error, result, "local port");
		local_destroy(&local->port);
		return NULL;
	}
	return &local->port;
}
