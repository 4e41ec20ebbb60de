/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/null.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/device_ring.h"

/* Small bursts cost the other side more than waiting does: it takes them for a while only when
 * there is nothing else. */
#define BURST_LEAST 32
#define PATIENCE    64

struct frame {
	struct ring_chain source, target;
	const uint8_t *in;
	uint8_t *out;
	uint32_t length, room;
};

/* One direction. */
struct path {
	struct device_ring *from, *to;
	unsigned waited; /* visits without a burst */
	unsigned count;  /* frames taken and not yet moved */
	struct frame frames[BENCH_BURST];
};

struct bench_null {
	struct guest_memory *memory[2];
	struct device_ring receiveq[2], transmitq[2];
	struct path paths[2];
	enum bench_null_copy copy;
	bool stop; /* written by bench_null_stop() */
	pthread_t thread;
};

/* Takes what there is of frames and buffers for them; touches no payload yet. */
ALWAYS_INLINE void take_frames(struct path *path, bool packed)
{
	while (path->count < BENCH_BURST && device_ring_available(path->from, packed) &&
		device_ring_available(path->to, packed)) {
		struct frame *frame = &path->frames[path->count];
		struct iovec in, out;

		if (device_ring_take(path->from, packed, &frame->source, false, &in, 1,
			    &frame->length) != 1 ||
			device_ring_take(
				path->to, packed, &frame->target, true, &out, 1, &frame->room) != 1)
			return;
		frame->in = in.iov_base;
		frame->out = out.iov_base;
		__builtin_prefetch(frame->in);
		prefetch_write(frame->out);
		path->count++;
	}
}

/* Moves a burst from one transmitq to the other port's receiveq. */
ALWAYS_INLINE void move(struct path *path, bool packed, enum bench_null_copy copy)
{
	take_frames(path, packed);
	if (!path->count || (path->count < BURST_LEAST && ++path->waited < PATIENCE))
		return;
	for (unsigned i = 0; i < path->count; i++) {
		const struct frame *frame = &path->frames[i];
		uint32_t length = MIN(frame->length, frame->room);

		if (copy == BENCH_NULL_WHOLE)
			memcpy(frame->out, frame->in, length);
		else
			memcpy(frame->out, frame->in, CACHE_LINE);
		if (copy == BENCH_NULL_LINES)
			memcpy(frame->out + CACHE_LINE, frame->in + CACHE_LINE, CACHE_LINE);
		device_ring_give(path->from, packed, frame->source, 0);
		device_ring_give(path->to, packed, frame->target, length);
	}
	path->count = path->waited = 0;
	device_ring_publish(path->from, packed);
	device_ring_publish(path->to, packed);
}

static void *run(void *argument)
{
	struct bench_null *null = argument;
	bool packed = null->receiveq[0].packed;

	while (!__atomic_load_n(&null->stop, __ATOMIC_RELAXED)) {
		for (unsigned i = 0; i < 2; i++) {
			if (packed)
				move(&null->paths[i], true, null->copy);
			else
				move(&null->paths[i], false, null->copy);
		}
	}
	return NULL;
}

static int attach_ring(struct device_ring *ring, const struct guest_memory *memory,
	const struct vhost_frontend_ring *asked, uint64_t features, struct error *error)
{
	const struct device_ring_sizes sizes = device_ring_sizes(asked->size, features);
	const struct device_ring_parts parts = {
		guest_memory_from_user(memory, asked->descriptor, sizes.descriptors),
		guest_memory_from_user(memory, asked->available, sizes.driver_area),
		guest_memory_from_user(memory, asked->used, sizes.device_area),
	};
	int status = device_ring_init(ring, memory, &parts, asked->size, features, asked->base);

	if (status < 0)
		return error_set_errno(error, status, "null backend");
	device_ring_disarm(ring);
	return 0;
}

static int attach(
	struct bench_null *null, unsigned index, struct bench_port *port, struct error *error)
{
	struct vhost_region region;
	int fd, status;

	driver_device_region(&port->link.device, &region, &fd);
	null->memory[index] = guest_memory_new();
	if (!null->memory[index])
		return error_set(error, -ENOMEM, "no memory");
	status = guest_memory_add(null->memory[index], region.guest_address, region.size,
		region.user_address, region.mmap_offset, fd, error);
	if (status == 0)
		status = attach_ring(&null->receiveq[index], null->memory[index],
			&port->link.frontend.rings[0], port->features, error);
	if (status == 0)
		status = attach_ring(&null->transmitq[index], null->memory[index],
			&port->link.frontend.rings[1], port->features, error);
	null->paths[index].from = &null->transmitq[index];
	null->paths[index].to = &null->receiveq[index ^ 1];
	return status;
}

static int start_thread(struct bench_null *null, int cpu, struct error *error)
{
	int status = pthread_create(&null->thread, NULL, run, null);
	cpu_set_t set;

	if (status)
		return error_set_errno(error, -status, "cannot start a thread");
	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	status = pthread_setaffinity_np(null->thread, sizeof(set), &set);
	if (!status)
		return 0;
	__atomic_store_n(&null->stop, true, __ATOMIC_RELAXED);
	pthread_join(null->thread, NULL);
	return error_set_errno(error, -status, "cannot run on processor %d", cpu);
}

static void free_null(struct bench_null *null)
{
	guest_memory_free(null->memory[0]);
	guest_memory_free(null->memory[1]);
	free(null);
}

struct bench_null *bench_null_start(
	struct bench_port *const ports[2], enum bench_null_copy copy, int cpu, struct error *error)
{
	struct bench_null *null = calloc(1, sizeof(*null));

	if (!null) {
		error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	null->copy = copy;
	if (attach(null, 0, ports[0], error) < 0 || attach(null, 1, ports[1], error) < 0 ||
		start_thread(null, cpu, error) < 0) {
		free_null(null);
		return NULL;
	}
	return null;
}

void bench_null_stop(struct bench_null *null)
{
	if (!null)
		return;
	__atomic_store_n(&null->stop, true, __ATOMIC_RELAXED);
	pthread_join(null->thread, NULL);
	free_null(null);
}
