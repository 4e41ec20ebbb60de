/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames by vhost-net, against a fake one: it keeps what it is told of the rings, and the test
 * plays the kernel's thread on them. The real one is met in tests/nested.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vhost.h>

#include "base/fd.h"
#include "port/tap/tap.h"
#include "port/tap/vhost.h"
#include "virtio/ring.h"
#include "virtio_net/header.h"

#define OFFERED                                                                                    \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |                             \
		1ULL << VIRTIO_RING_F_EVENT_IDX)

/* A ring as the kernel has it. */
struct ring {
	unsigned size;
	struct vring_desc *descriptors;
	struct vring_avail *available;
	struct vring_used *used;
	uint16_t next; /* available index */
	int error_fd, backend;
};

static struct ring rings[2];
static unsigned devices; /* that are open */
static struct tap_vhost *vhost;
static struct packet_batch *batch;
static struct counters counters;
static uint8_t frame[PACKET_LENGTH_MAX], got[PACKET_LENGTH_MAX + 100];

int __wrap_host_vhost_net_open(struct error *error);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_ioctl(int fd, unsigned long request, ...);

int __wrap_host_vhost_net_open(struct error *error)
{
	memset(rings, 0, sizeof(rings));
	devices++;
	return eventfd(0, EFD_CLOEXEC);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const struct vhost_vring_addr *place;
	const struct vhost_vring_file *file;
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (_IOC_TYPE(request) != VHOST_VIRTIO)
		return __real_ioctl(fd, request, argument);
	place = argument;
	file = argument;
	switch (request) {
	case VHOST_GET_FEATURES:
		*(uint64_t *)argument = OFFERED;
		break;
	case VHOST_SET_VRING_NUM:
		rings[place->index].size = ((struct vhost_vring_state *)argument)->num;
		break;
	case VHOST_SET_VRING_ADDR:
		rings[place->index].descriptors = (void *)(uintptr_t)place->desc_user_addr;
		rings[place->index].available = (void *)(uintptr_t)place->avail_user_addr;
		rings[place->index].used = (void *)(uintptr_t)place->used_user_addr;
		break;
	case VHOST_SET_VRING_ERR:
		rings[file->index].error_fd = file->fd;
		break;
	case VHOST_NET_SET_BACKEND:
		rings[file->index].backend = file->fd;
		break;
	default:
		break;
	}
	return 0;
}

/* The next chain, with its descriptors; false where there is none. */
static bool next_chain(struct ring *ring, uint16_t *head)
{
	if (ring_load_acquire(ring->available->idx) == ring->next)
		return false;
	*head = ring->available->ring[ring->next++ & (ring->size - 1)];
	return true;
}

static void use(struct ring *ring, unsigned ahead, uint32_t id, uint32_t length)
{
	uint16_t index = (uint16_t)(ring->used->idx + ahead);

	ring->used->ring[index & (ring->size - 1)] = (struct vring_used_elem){
		.id = id, .len = length};
}

static void publish(struct ring *ring, unsigned count)
{
	ring_store_release(ring->used->idx, (uint16_t)(ring->used->idx + count));
}

/* The kernel's thread takes one frame that was sent: its bytes with header, 0 where there is
 * none. */
static uint32_t kernel_takes(uint8_t *bytes)
{
	struct ring *ring = &rings[1];
	uint32_t length = 0;
	uint16_t head = 0, next;

	if (!next_chain(ring, &head))
		return 0;
	next = head;
	for (;;) {
		const struct vring_desc *descriptor = &ring->descriptors[next];

		assert_false(descriptor->flags & VRING_DESC_F_WRITE);
		memcpy(bytes + length, (void *)(uintptr_t)descriptor->addr, descriptor->len);
		length += descriptor->len;
		if (!(descriptor->flags & VRING_DESC_F_NEXT))
			break;
		next = descriptor->next;
	}
	use(ring, 0, head, 0);
	publish(ring, 1);
	return length;
}

/* It hands one over, in as many buffers as it takes. */
static void kernel_gives(const uint8_t *bytes, uint32_t length)
{
	struct virtio_net_hdr_mrg_rxbuf header = {0};
	struct ring *ring = &rings[0];
	uint32_t done = 0, skip = sizeof(header);
	uint8_t *first = NULL;
	unsigned count = 0;

	while (!count || done < length) {
		const struct vring_desc *descriptor;
		uint32_t part;
		uint16_t head = 0;

		assert_true(next_chain(ring, &head));
		descriptor = &ring->descriptors[head];
		assert_true(descriptor->flags & VRING_DESC_F_WRITE);
		part = MIN(descriptor->len - skip, length - done);
		memcpy((uint8_t *)(uintptr_t)descriptor->addr + skip, bytes + done, part);
		first = first ? first : (uint8_t *)(uintptr_t)descriptor->addr;
		use(ring, count++, head, part + skip);
		done += part;
		skip = 0;
	}
	header.num_buffers = (uint16_t)count;
	memcpy(first, &header, sizeof(header));
	publish(ring, count);
}

static int setup(void **state)
{
	struct error error = {""};

	memset(&counters, 0, sizeof(counters));
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8));
	if (tap_vhost_new(&vhost, 0, &error) < 0)
		fail_msg("%s", error.text);
	return 0;
}

static int teardown(void **state)
{
	tap_vhost_free(vhost);
	return 0;
}

/* Packet i of the batch: `length` bytes, of which the first are its head. */
static void stage(unsigned i, uint32_t length)
{
	struct packet *packet = &batch->packets[i];
	uint32_t head = MIN(length, PACKET_HEAD_SIZE);

	memset(packet, 0, sizeof(*packet));
	packet->head = packet_buffer(batch, i);
	memcpy(packet->head, frame, head);
	batch->pieces[i] = (struct iovec){frame + head, length - head};
	packet->tail = &batch->pieces[i];
	packet->tail_count = length > head;
	packet->length = length;
	packet->head_length = (uint16_t)head;
	packet->headroom = PACKET_PUSH_MAX;
}

static bool send_packets(uint64_t mask)
{
	const struct egress_limits limits = {.frame_length_max = PACKET_LENGTH_MAX};

	return tap_vhost_send(vhost, &limits, batch, mask, &counters);
}

static unsigned receive(void)
{
	batch->count = 0;
	batch->frames_max = PACKET_BATCH;
	batch->more = false;
	tap_vhost_receive(vhost, 0, batch, &counters);
	return batch->count;
}

static const uint32_t lengths[] = {14, 60, 256, 257, TAP_VHOST_BUFFER - NET_HEADER_SIZE,
	TAP_VHOST_BUFFER - NET_HEADER_SIZE + 1, 9000, 2 * TAP_VHOST_BUFFER - NET_HEADER_SIZE,
	PACKET_LENGTH_MAX};

static void test_send(void **state)
{
	static const uint8_t nothing[NET_HEADER_SIZE];

	/* Round and round, so that buffers are linked in any order. */
	for (unsigned round = 0; round < 3000; round++) {
		uint32_t length = lengths[round % ARRAY_SIZE(lengths)];

		stage(0, length);
		stage(1, 100);
		send_packets(3);
		assert_int_equal(kernel_takes(got), NET_HEADER_SIZE + length);
		assert_memory_equal(got, nothing, NET_HEADER_SIZE);
		assert_memory_equal(got + NET_HEADER_SIZE, frame, length);
		assert_int_equal(kernel_takes(got), NET_HEADER_SIZE + 100);
		assert_int_equal(kernel_takes(got), 0);
	}
	assert_int_equal(counters.packets, 6000);
	assert_int_equal(counters.drops[DROP_RECEIVE_RING_FULL], 0);
}

/* A kernel that does not get on: what does not fit is lost and counted, and nothing else. */
static void test_full(void **state)
{
	const unsigned room = TAP_VHOST_SEND / 16;

	for (unsigned i = 0; i < room + 3; i++) {
		stage(0, PACKET_LENGTH_MAX);
		send_packets(1);
	}
	assert_int_equal(counters.packets, room);
	assert_int_equal(counters.drops[DROP_RECEIVE_RING_FULL], 3);
	for (unsigned i = 0; i < room; i++)
		assert_int_equal(kernel_takes(got), NET_HEADER_SIZE + PACKET_LENGTH_MAX);
	stage(0, 60);
	send_packets(1);
	assert_int_equal(counters.packets, room + 1);
}

/* It is woken where it wants that, and not for each frame. */
static void test_kick(void **state)
{
	struct ring *ring = &rings[1];
	uint16_t *event = (uint16_t *)&ring->used->ring[ring->size];

	stage(0, 60);
	assert_true(send_packets(1));
	assert_false(send_packets(1));
	*event = 2; /* it sleeps: the third shall wake it */
	assert_true(send_packets(1));
	assert_false(send_packets(1));
}

static void test_receive(void **state)
{
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t length = lengths[round % ARRAY_SIZE(lengths)];
		const struct packet *packet = batch->packets;
		uint32_t checked;

		kernel_gives(frame, length);
		kernel_gives(frame, 60);
		assert_int_equal(receive(), 2);
		assert_int_equal(packet->length, length);
		assert_int_equal(packet->head_length, MIN(length, PACKET_HEAD_SIZE));
		assert_ptr_equal(packet->head, packet_buffer(batch, 0));
		assert_memory_equal(packet->head, frame, packet->head_length);
		checked = packet->head_length;
		for (unsigned i = 0; i < packet->tail_count; i++) {
			const struct iovec *piece = &packet->tail[i];

			assert_memory_equal(piece->iov_base, frame + checked, piece->iov_len);
			checked += (uint32_t)piece->iov_len;
		}
		assert_int_equal(checked, length);
		assert_int_equal(batch->packets[1].length, 60);
		tap_vhost_release(vhost);
		assert_int_equal(receive(), 0);
		tap_vhost_release(vhost);
	}
}

static void test_arm(void **state)
{
	uint16_t *event = &rings[0].available->ring[rings[0].size];

	assert_int_equal(tap_vhost_arm(vhost), PORT_ARMED);
	assert_int_equal(*event, rings[0].used->idx);
	tap_vhost_disarm(vhost);
	assert_int_not_equal(*event, rings[0].used->idx);
	kernel_gives(frame, 60);
	assert_int_equal(tap_vhost_arm(vhost), PORT_PENDING);
	assert_int_equal(receive(), 1);
	tap_vhost_release(vhost);
	assert_int_equal(tap_vhost_arm(vhost), PORT_ARMED);
}

static bool failed(void)
{
	struct pollfd look = {tap_vhost_error_fd(vhost), POLLIN, 0};

	return poll(&look, 1, 0) == 1;
}

/* Frames that are none cost themselves; a device that breaks the rules is not heard any more. */
static void test_nonsense(void **state)
{
	static const struct {
		uint32_t id, length;
	} cases[] = {{TAP_VHOST_RECEIVE, 72}, {7, 0}, {7, TAP_VHOST_BUFFER + 1}};

	kernel_gives(frame, 10);
	assert_int_equal(receive(), 0);
	assert_int_equal(counters.drops[DROP_FRAME_TOO_SHORT], 1);
	tap_vhost_release(vhost);
	assert_false(failed());
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		use(&rings[0], 0, cases[i].id, cases[i].length);
		publish(&rings[0], 1);
		assert_int_equal(receive(), 0);
		assert_true(failed());
		tap_vhost_release(vhost);
		assert_int_equal(receive(), 0);
		stage(0, 60);
		assert_false(send_packets(1));
		assert_int_equal(counters.drops[DROP_RING_ERROR], i + 1);
		tap_vhost_free(vhost);
		assert_int_equal(tap_vhost_new(&vhost, 0, NULL), 0);
	}
	/* A frame of which a part is missing. */
	kernel_gives(frame, 9000);
	rings[0].used->idx = (uint16_t)(rings[0].used->idx - 1);
	assert_int_equal(receive(), 0);
	assert_true(failed());
	tap_vhost_release(vhost);
}

static enum tap_port_state look(const struct port *port, const char **words)
{
	static struct tap_port_status status;

	tap_port_status(port, &status);
	*words = status.problem ? status.problem : "";
	assert_string_equal(status.io, "vhost-net");
	return status.state;
}

/* A device that the kernel gives up costs its port a moment. */
static void test_port_recovers(void **state)
{
	struct host_tap wanted = {.name = "vswtest0", .queues = 2, .set.up = true};
	struct event_base *base;
	struct error error = {""};
	struct port *port;
	const char *words;
	unsigned before;

	if (unshare(CLONE_NEWNET) < 0)
		skip();
	base = event_base_new();
	port = tap_port_new(
		base, NULL, "p", 0, &wanted, TAP_PORT_VHOST_ON, TAP_PORT_ALL, NULL, &error);
	if (!port)
		fail_msg("%s", error.text);
	assert_int_equal(look(port, &words), TAP_PORT_RUNNING);
	before = devices;
	fd_signal(rings[1].error_fd);
	event_base_loop(base, EVLOOP_ONCE);
	while (look(port, &words) == TAP_PORT_RUNNING)
		event_base_loop(base, EVLOOP_ONCE);
	assert_non_null(strstr(words, "vhost-net has failed interface vswtest0"));
	assert_int_equal(rings[0].backend, -1);
	while (look(port, &words) != TAP_PORT_RUNNING)
		event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(words, "");
	assert_int_equal(devices, before + 2);
	port->class->destroy(port);
	assert_int_equal(rings[0].backend, -1);
	event_base_free(base);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_send),
		CASE(test_full),
		CASE(test_kick),
		CASE(test_receive),
		CASE(test_arm),
		CASE(test_nonsense),
		cmocka_unit_test(test_port_recovers),
	};

	batch = calloc(1, sizeof(*batch));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
