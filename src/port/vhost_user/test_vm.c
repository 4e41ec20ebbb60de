/* SPDX-License-Identifier: BSD-3-Clause */
#include "port/vhost_user/test_vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/reaper.h"

struct event_base *test_base;
char test_said[4096];

static char test_directory[64];
static struct packet_batch *test_batch; /* of the test's own thread */

/* Mappings of files as VMs share them. */
static unsigned shared_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned count = 0;
	char line[512];

	reaper_wait_all();
	require(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "memfd:") != NULL;
	fclose(maps);
	return count;
}

void test_vms_begin(void)
{
	test_said[0] = '\0';
	snprintf(test_directory, sizeof(test_directory), "/tmp/port-test.XXXXXX");
	require(mkdtemp(test_directory));
	test_base = event_base_new();
	test_batch = aligned_alloc(CACHE_LINE, sizeof(*test_batch));
	require(test_base && test_batch);
}

void test_vms_end(void)
{
	event_base_free(test_base);
	free(test_batch);
	require(rmdir(test_directory) == 0);
	require(shared_mappings() == 0);
}

void __wrap_log_write(enum log_level level, const char *format, ...) PRINTF(2, 3);

void __wrap_log_write(enum log_level level, const char *format, ...)
{
	size_t used = strlen(test_said);
	va_list arguments;

	if (level > LOG_LEVEL_WARNING)
		return;
	va_start(arguments, format);
	vsnprintf(test_said + used, sizeof(test_said) - used, format, arguments);
	va_end(arguments);
}

static int watch(void *owner, struct port *port, unsigned queue, int fd)
{
	return 0;
}

static void unwatch(void *owner, struct port *port, unsigned queue, int fd)
{
}

static void poke(void *owner, struct port *port)
{
}

static const struct port_notifier notifier = {NULL, watch, unwatch, poke};

static void announce(void *owner, struct port *port, const uint8_t mac[6])
{
}

struct vhost_message test_make(uint32_t id, uint32_t size)
{
	struct vhost_message message;

	vhost_message_init(&message, id, VHOST_MESSAGE_NEED_REPLY, size);
	return message;
}

struct vhost_message test_make_number(uint32_t id, uint64_t number)
{
	struct vhost_message message = test_make(id, 8);

	message.payload.number = number;
	return message;
}

struct vhost_message test_make_state(uint32_t id, uint32_t index, uint32_t number)
{
	struct vhost_message message = test_make(id, 8);

	message.payload.state = (struct vhost_ring_state){.index = index, .number = number};
	return message;
}

struct vhost_message test_make_address(
	const struct test_vm *vm, unsigned ring, uint32_t flags, uint64_t log)
{
	struct vhost_message message = test_make(
		VHOST_USER_SET_VRING_ADDR, sizeof(struct vhost_ring_address));
	const struct net_driver_queue *queue = &vm->queues[ring % 2];

	message.payload.address = (struct vhost_ring_address){.index = ring,
		.flags = flags,
		.descriptor = queue->descriptors - TEST_GUEST + TEST_USER,
		.used = queue->used - TEST_GUEST + TEST_USER,
		.available = queue->available - TEST_GUEST + TEST_USER,
		.log = log};
	return message;
}

void test_tell(const struct test_vm *vm, const struct vhost_message *message)
{
	size_t length = sizeof(message->header) + message->header.size;
	uint8_t bytes[sizeof(message->header) + VHOST_PAYLOAD_MAX];
	struct iovec iov = {.iov_base = bytes, .iov_len = length};
	union {
		char bytes[CMSG_SPACE(sizeof(message->fds))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(bytes, &message->header, sizeof(message->header));
	memcpy(bytes + sizeof(message->header), &message->payload, message->header.size);
	if (message->fd_count) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * message->fd_count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * message->fd_count);
		memcpy(CMSG_DATA(&control.align), message->fds, sizeof(int) * message->fd_count);
	}
	require(sendmsg(vm->socket, &header, MSG_NOSIGNAL) == (ssize_t)length);
}

int64_t test_answer(const struct test_vm *vm, uint32_t id)
{
	struct {
		struct vhost_header header;
		uint64_t number;
	} __attribute__((packed)) reply;
	uint64_t begin = clock_now_ns();
	ssize_t length;

	do {
		event_base_loop(test_base, EVLOOP_NONBLOCK);
		length = recv(vm->socket, &reply, sizeof(reply), MSG_DONTWAIT);
		require(clock_now_ns() - begin < TEST_PATIENCE);
	} while (length < 0 && errno == EAGAIN);
	if (length <= 0)
		return TEST_HUNG_UP;
	require(length == sizeof(reply) && reply.header.id == id);
	return (int64_t)reply.number;
}

int64_t test_ask(const struct test_vm *vm, struct vhost_message message)
{
	test_said[0] = '\0';
	test_tell(vm, &message);
	return test_answer(vm, message.header.id);
}

void test_vm_kick(const struct test_vm *vm, unsigned ring)
{
	struct vhost_message message = test_make_number(VHOST_USER_SET_VRING_KICK, ring);
	int fd = eventfd(0, EFD_CLOEXEC);

	message.fd_count = 1;
	message.fds[0] = fd;
	require(test_ask(vm, message) == TEST_GRANTED);
	fd_close(&fd);
}

void test_vm_start_ring(const struct test_vm *vm, unsigned ring)
{
	require(test_ask(vm, test_make_state(VHOST_USER_SET_VRING_NUM, ring, TEST_RING)) ==
		TEST_GRANTED);
	require(test_ask(vm, test_make_address(vm, ring, 0, 0)) == TEST_GRANTED);
	test_vm_kick(vm, ring);
	require(test_ask(vm, test_make_state(VHOST_USER_SET_VRING_ENABLE, ring, 1)) ==
		TEST_GRANTED);
}

void test_vm_share_memory(const struct test_vm *vm)
{
	struct vhost_message message = test_make(
		VHOST_USER_SET_MEM_TABLE, 8 + sizeof(struct vhost_region));

	message.payload.memory.count = 1;
	message.payload.memory.regions[0] = (struct vhost_region){
		.guest_address = TEST_GUEST, .size = TEST_MEMORY, .user_address = TEST_USER};
	message.fd_count = 1;
	message.fds[0] = vm->memory_fd;
	require(test_ask(vm, message) == TEST_GRANTED);
}

void test_vm_connect(struct test_vm *vm)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint64_t size = net_driver_memory_size(TEST_RING, TEST_SLOT);
	uint64_t begin = clock_now_ns();

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", vm->path);
	vm->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(connect(vm->socket, (struct sockaddr *)&address, sizeof(address)) == 0);
	vm->memory_fd = memfd_create("port_test", MFD_CLOEXEC);
	require(ftruncate(vm->memory_fd, (off_t)TEST_MEMORY) == 0 && 2 * size <= TEST_MEMORY);
	vm->memory = mmap(NULL, TEST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, vm->memory_fd, 0);
	require(vm->memory != MAP_FAILED);
	for (unsigned i = 0; i < 2; i++)
		require(net_driver_init(&vm->queues[i], vm->memory + i * size,
				TEST_GUEST + i * size, TEST_RING, TEST_SLOT,
				TEST_VM_FEATURES) == 0);
	net_driver_fill(&vm->queues[0]);
	net_driver_publish(&vm->queues[0]);
	while (!test_vm_connected(vm)) {
		event_base_loop(test_base, EVLOOP_NONBLOCK);
		require(clock_now_ns() - begin < TEST_PATIENCE);
	}
}

void test_vm_negotiate(const struct test_vm *vm, uint64_t protocol_features)
{
	struct vhost_message message = test_make_number(
		VHOST_USER_SET_PROTOCOL_FEATURES, protocol_features);

	message.header.flags &= ~VHOST_MESSAGE_NEED_REPLY;
	test_tell(vm, &message);
	require(test_ask(vm, test_make_number(VHOST_USER_SET_FEATURES, TEST_VM_FEATURES)) ==
		TEST_GRANTED);
}

void test_vm_attach(struct test_vm *vm, uint64_t protocol_features)
{
	test_vm_connect(vm);
	test_vm_negotiate(vm, protocol_features);
	test_vm_share_memory(vm);
	test_vm_start_ring(vm, 0);
	test_vm_start_ring(vm, 1);
}

bool test_vm_connected(const struct test_vm *vm)
{
	struct vhost_user_status status;

	vhost_user_status(vm->port, &status);
	return status.connected;
}

void test_vm_detach(struct test_vm *vm)
{
	uint64_t begin = clock_now_ns();

	fd_close(&vm->socket);
	while (test_vm_connected(vm)) {
		event_base_loop(test_base, EVLOOP_NONBLOCK);
		require(clock_now_ns() - begin < TEST_PATIENCE);
	}
	for (unsigned i = 0; i < 2; i++)
		net_driver_fini(&vm->queues[i]);
	munmap(vm->memory, TEST_MEMORY);
	fd_close(&vm->memory_fd);
}

void test_vm_send_frame(const struct test_vm *vm, struct packet_batch *frames)
{
	struct packet *packet = &frames->packets[0];

	memset(packet, 0, sizeof(*packet));
	frames->count = 1;
	frames->pieces_used = 0;
	packet->head = packet_buffer(frames, 0);
	packet->length = packet->head_length = TEST_FRAME;
	memset(packet->head, 0x5a, TEST_FRAME);
	vm->port->class->send(vm->port, frames, 1);
}

unsigned test_vm_receive_frames(struct test_vm *vm)
{
	uint8_t frame[TEST_FRAME];
	unsigned count = 0;
	int length;

	while ((length = net_driver_receive(&vm->queues[0], frame, sizeof(frame))) != 0) {
		require(length == TEST_FRAME && frame[0] == 0x5a && frame[TEST_FRAME - 1] == 0x5a);
		count++;
	}
	net_driver_publish(&vm->queues[0]);
	return count;
}

bool test_vm_receives(struct test_vm *vm)
{
	test_vm_send_frame(vm, test_batch);
	return test_vm_receive_frames(vm) == 1;
}

unsigned test_vm_take_frames(const struct test_vm *vm)
{
	unsigned count;

	test_batch->count = test_batch->pieces_used = 0;
	test_batch->frames_max = PACKET_BATCH;
	vm->port->class->receive(vm->port, 0, test_batch);
	count = test_batch->count;
	vm->port->class->release(vm->port, 0, test_batch);
	return count;
}

bool test_vm_transmits(struct test_vm *vm)
{
	uint8_t *frame = net_driver_reserve(&vm->queues[1]);

	require(frame);
	memset(frame, 0x77, TEST_FRAME);
	net_driver_send(&vm->queues[1], TEST_FRAME);
	net_driver_publish(&vm->queues[1]);
	return test_vm_take_frames(vm) == 1;
}

void test_vm_open_pairs(struct test_vm *vm, const char *name, uint16_t index, unsigned pairs)
{
	const struct vhost_user_options options = {
		.socket = vm->path, .queues = pairs, .announce = announce};
	struct error error = {""};

	snprintf(vm->path, sizeof(vm->path), "%s/%s", test_directory, name);
	vm->port = vhost_user_new(test_base, &notifier, name, index, &options, &error);
	if (!vm->port)
		fail_msg("%s", error.text);
}

void test_vm_open(struct test_vm *vm, const char *name, uint16_t index)
{
	test_vm_open_pairs(vm, name, index, 1);
}

void test_vm_close(struct test_vm *vm)
{
	vm->port->class->destroy(vm->port);
	vm->port = NULL;
}
