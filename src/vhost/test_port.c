/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/test_port.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/peer_signal.h"
#include "base/reaper.h"

#define REGION_SIZE 0x10000
#define REGION_USER 0x7f0000000000

static void fault(struct test_port *port, const char *what, unsigned index)
{
	if (port->fault[0] == '\0')
		snprintf(port->fault, sizeof(port->fault), "%s (ring %u)", what, index);
}

static bool is_open(int fd)
{
	return fd < 0 || fcntl(fd, F_GETFD) >= 0;
}

static void port_features_set(void *owner, uint64_t features)
{
	struct test_port *port = owner;

	if (features & ~port->backend.config.features)
		fault(port, "features beyond those offered", 0);
	for (unsigned i = 0; i < VHOST_RING_MAX; i++) {
		if (port->started[i])
			fault(port, "features changed under a started ring", i);
	}
	port->features = features;
	port->feature_calls++;
}

static void memory_drop(struct test_port *port)
{
	for (unsigned i = 0; i < port->region_count; i++)
		fd_close(&port->region_fds[i]);
	port->region_count = 0;
}

static int port_memory_set(void *owner, const struct vhost_region *regions, unsigned count,
	int *fds, struct error *error)
{
	struct test_port *port = owner;

	if (port->fail_memory)
		return error_set(error, -port->fail_memory, "no memory for a test");
	memory_drop(port);
	for (unsigned i = 0; i < count; i++) {
		port->regions[i] = regions[i];
		port->region_fds[i] = fd_take(&fds[i]);
	}
	port->region_count = count;
	port->memory_calls++;
	return 0;
}

static int port_memory_add(
	void *owner, const struct vhost_region *region, int *fd, struct error *error)
{
	struct test_port *port = owner;

	if (port->fail_memory)
		return error_set(error, -port->fail_memory, "no memory for a test");
	if (port->region_count >= port->backend.config.memory_slots) {
		fault(port, "more regions than slots", 0);
		return error_set(error, -28, "full");
	}
	port->regions[port->region_count] = *region;
	port->region_fds[port->region_count++] = fd_take(fd);
	port->memory_calls++;
	return 0;
}

static int port_memory_remove(void *owner, const struct vhost_region *region, struct error *error)
{
	struct test_port *port = owner;

	for (unsigned i = 0; i < port->region_count; i++) {
		if (port->regions[i].guest_address != region->guest_address)
			continue;
		fd_close(&port->region_fds[i]);
		port->region_count--;
		port->regions[i] = port->regions[port->region_count];
		port->region_fds[i] = port->region_fds[port->region_count];
		port->memory_calls++;
		return 0;
	}
	fault(port, "removal of a region that is not there", 0);
	return error_set(error, -2, "no such region");
}

static int port_ring_update(void *owner, unsigned index, unsigned changes, struct error *error)
{
	struct test_port *port = owner;
	const struct vhost_ring *ring = &port->backend.rings[index];
	bool starts = changes & VHOST_RING_START;

	if (index >= port->backend.ring_limit)
		fault(port, "index beyond the limit", index);
	if (starts == port->started[index])
		fault(port, starts ? "started twice" : "update of a stopped ring", index);
	if (!ring->started)
		fault(port, "update before started was set", index);
	if (starts && (ring->size == 0 || !ring->address_set))
		fault(port, "started without size or addresses", index);
	if (starts && (ring->kick_fd < 0) != ring->polled)
		fault(port, "started with neither a kick nor polling", index);
	if (starts && port->backend.features_refused)
		fault(port, "started with refused features", index);
	if (!starts && (!is_open(port->kick_fds[index]) || !is_open(port->call_fds[index])))
		fault(port, "an old descriptor was closed before the update", index);
	if (!is_open(ring->kick_fd) || !is_open(ring->call_fd) || !is_open(ring->error_fd))
		fault(port, "a new descriptor is not open", index);
	port->last_index = index;
	port->last_changes = changes;
	if (port->fail_update) {
		if (!starts) /* the old ones are to be let go of in ring_stop() */
			port->kick_fds[index] = port->call_fds[index] = -1;
		return error_set(error, -port->fail_update, "no ring for a test");
	}
	port->kick_fds[index] = ring->kick_fd;
	port->call_fds[index] = ring->call_fd;
	port->started[index] = true;
	port->starts += starts;
	port->updates += !starts;
	return 0;
}

static uint32_t port_ring_stop(void *owner, unsigned index)
{
	struct test_port *port = owner;

	if (!port->started[index])
		fault(port, "stop of a stopped ring", index);
	if (!is_open(port->kick_fds[index]) || !is_open(port->call_fds[index]))
		fault(port, "a borrowed descriptor was closed before the stop", index);
	port->started[index] = false;
	port->kick_fds[index] = port->call_fds[index] = -1;
	port->stops++;
	return port->stop_base;
}

static int port_log_set(void *owner, uint64_t size, uint64_t offset, int *fd, struct error *error)
{
	struct test_port *port = owner;

	if (port->fail_log)
		return error_set(error, -port->fail_log, "no log for a test");
	fd_close(&port->log_file);
	port->log_file = fd_take(fd);
	port->log_size = size;
	port->log_offset = offset;
	port->log_calls++;
	return 0;
}

static void port_log_update(void *owner)
{
	struct test_port *port = owner;

	if (!is_open(port->log_fd) || !is_open(port->backend.log_fd))
		fault(port, "a log descriptor was closed before the update", 0);
	port->log_fd = port->backend.log_fd;
	port->log_updates++;
}

static int port_mtu_set(void *owner, uint16_t mtu, struct error *error)
{
	struct test_port *port = owner;

	port->mtu = mtu;
	return 0;
}

static void port_announce(void *owner, const uint8_t mac[6])
{
	struct test_port *port = owner;

	memcpy(port->announced, mac, 6);
	port->announcements++;
}

static void port_status_set(void *owner, uint8_t status)
{
	struct test_port *port = owner;

	port->status = status;
}

const struct vhost_backend_ops test_port_ops = {
	.features_set = port_features_set,
	.memory_set = port_memory_set,
	.memory_add = port_memory_add,
	.memory_remove = port_memory_remove,
	.ring_update = port_ring_update,
	.ring_stop = port_ring_stop,
	.log_set = port_log_set,
	.log_update = port_log_update,
	.mtu_set = port_mtu_set,
	.announce = port_announce,
	.status_set = port_status_set,
};

void test_port_open(struct test_port *port)
{
	const struct vhost_backend_config config = {
		.features = TEST_FEATURES,
		.protocol_features = VHOST_BACKEND_PROTOCOL_FEATURES,
		.queue_pairs = TEST_PAIRS,
		.memory_slots = TEST_SLOTS,
	};

	memset(port, 0, sizeof(*port));
	for (unsigned i = 0; i < VHOST_RING_MAX; i++)
		port->kick_fds[i] = port->call_fds[i] = -1;
	port->log_file = port->log_fd = -1;
	vhost_backend_init(&port->backend, &config, &test_port_ops, port);
}

void test_port_close(struct test_port *port)
{
	vhost_backend_close(&port->backend);
	for (unsigned i = 0; i < VHOST_RING_MAX; i++) {
		if (port->started[i])
			fault(port, "still started after the end", i);
	}
	memory_drop(port);
	fd_close(&port->log_file);
}

unsigned test_fd_count(void)
{
	DIR *directory;
	unsigned count = 0;

	/* What signalling needs is opened at the first time, and stays. */
	peer_signal_open(NULL);
	reaper_wait_all();
	directory = opendir("/proc/self/fd");
	if (!directory)
		return 0;
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void fill_region(struct vhost_region *region, unsigned variant)
{
	region->guest_address = (uint64_t)variant * REGION_SIZE;
	region->size = REGION_SIZE;
	region->user_address = REGION_USER + region->guest_address;
	region->mmap_offset = 0;
}

static void fill_address(struct vhost_ring_address *address, unsigned ring, unsigned variant)
{
	address->index = ring;
	address->descriptor = REGION_USER + 0x1000 * (uint64_t)ring + 0x10 * (uint64_t)variant;
	address->available = address->descriptor + 0x400;
	address->used = address->descriptor + 0x800;
}

/* The second word of (index, number), where any will not do. */
static uint32_t state_number(uint32_t id, unsigned variant)
{
	if (id == VHOST_USER_SET_VRING_NUM)
		return 256u << variant;
	return id == VHOST_USER_SET_VRING_ENABLE ? (variant + 1) & 1 : variant;
}

static uint64_t payload_number(uint32_t id, unsigned variant)
{
	if (id == VHOST_USER_SET_FEATURES)
		return (TEST_FEATURES | BIT64(VHOST_USER_F_PROTOCOL_FEATURES)) &
		       ~((variant & 1) ? BIT64(15) : 0);
	if (id == VHOST_USER_SET_PROTOCOL_FEATURES)
		return VHOST_BACKEND_PROTOCOL_FEATURES;
	return id == VHOST_USER_NET_SET_MTU ? 1500 + variant : 0xf;
}

void test_message(struct vhost_message *message, uint32_t id, unsigned ring, unsigned variant)
{
	const struct vhost_message_row *row = vhost_message_row(id);
	bool memory = id == VHOST_USER_SET_MEM_TABLE || id == VHOST_USER_ADD_MEM_REG ||
		      id == VHOST_USER_SET_LOG_BASE;
	unsigned fds = row ? row->fds_minimum : 0;

	vhost_message_init(message, id, 0, row ? row->size_minimum : 8);
	if (row && row->flags & VHOST_ROW_RING_FD) {
		message->payload.number = ring;
		fds = 1;
	} else if (id == VHOST_USER_SET_VRING_ADDR) {
		fill_address(&message->payload.address, ring, variant);
	} else if (row && row->flags & VHOST_ROW_RING_STATE) {
		message->payload.state.index = ring;
		message->payload.state.number = state_number(id, variant);
	} else if (id == VHOST_USER_SET_MEM_TABLE) {
		fds = 2;
		message->header.size = 8 + 2 * 32;
		message->payload.memory.count = 2;
		message->payload.memory.padding = 0;
		fill_region(&message->payload.memory.regions[0], 0);
		fill_region(&message->payload.memory.regions[1], 1 + variant);
	} else if (id == VHOST_USER_ADD_MEM_REG || id == VHOST_USER_REM_MEM_REG) {
		fill_region(&message->payload.slot.region, 10 + variant);
	} else if (id == VHOST_USER_SET_LOG_BASE) {
		fds = 1;
		message->header.size = sizeof(message->payload.log);
		message->payload.log = (struct vhost_log_area){0x1000, variant};
	} else if (message->header.size >= 8) {
		message->payload.number = payload_number(id, variant);
	}
	for (unsigned i = 0; i < fds; i++)
		message->fds[i] = memory ? memfd_create("test", MFD_CLOEXEC)
					 : eventfd(0, EFD_CLOEXEC);
	message->fd_count = fds;
}

void test_send_number(
	struct test_port *port, uint32_t id, uint64_t number, struct vhost_result *result)
{
	static struct vhost_message message;

	vhost_message_init(&message, id, VHOST_MESSAGE_NEED_REPLY, 8);
	message.payload.number = number;
	vhost_backend_handle(&port->backend, &message, result);
}

void test_send_state(struct test_port *port, uint32_t id, uint32_t index, uint32_t number,
	struct vhost_result *result)
{
	static struct vhost_message message;

	vhost_message_init(&message, id, VHOST_MESSAGE_NEED_REPLY, 8);
	message.payload.state.index = index;
	message.payload.state.number = number;
	vhost_backend_handle(&port->backend, &message, result);
}

void test_send(struct test_port *port, uint32_t id, unsigned ring, struct vhost_result *result)
{
	static struct vhost_message message;

	test_message(&message, id, ring, 0);
	vhost_backend_handle(&port->backend, &message, result);
}

void test_negotiate(struct test_port *port)
{
	static struct vhost_result result;

	test_send(port, VHOST_USER_SET_PROTOCOL_FEATURES, 0, &result);
	test_send(port, VHOST_USER_SET_OWNER, 0, &result);
	test_send(port, VHOST_USER_SET_FEATURES, 0, &result);
}

bool test_start_ring(struct test_port *port, unsigned index)
{
	static const uint32_t sequence[] = {
		VHOST_USER_SET_MEM_TABLE,
		VHOST_USER_SET_VRING_CALL,
		VHOST_USER_SET_VRING_ERR,
		VHOST_USER_SET_VRING_NUM,
		VHOST_USER_SET_VRING_BASE,
		VHOST_USER_SET_VRING_ADDR,
		VHOST_USER_SET_VRING_KICK,
		VHOST_USER_SET_VRING_ENABLE,
	};
	static struct vhost_result result;

	for (unsigned i = 0; i < ARRAY_SIZE(sequence); i++) {
		test_send(port, sequence[i], index, &result);
		if (result.verdict != VHOST_ACCEPTED)
			return false;
	}
	return true;
}
