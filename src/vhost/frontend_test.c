/* SPDX-License-Identifier: BSD-3-Clause */
/* The frontend against our backend, in memory: every message crosses as it would on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/frontend.h"
#include "vhost/test_port.h"

#define REGIONS 3

struct driver {
	struct vhost_frontend frontend;
	int fds[VHOST_RING_MAX][2]; /* kick, call */
	unsigned pairs;
	uint64_t features;
	bool running, stopped, polled, stop_when_running;
	unsigned failures;
	char failure[256];
	int fail_negotiated;
};

static struct driver driver;
static struct test_port port;
static struct vhost_frontend_config config;
static struct vhost_message message, received;
static struct vhost_result result;
static unsigned baseline;
static unsigned sent[VHOST_USER_REQUEST_END]; /* messages that crossed, by id */
static uint32_t order[256];
static unsigned order_length;

static int driver_negotiated(void *owner, uint64_t features, unsigned pairs, struct error *error)
{
	if (driver.fail_negotiated)
		return error_set(error, -driver.fail_negotiated, "no rings for a test");
	driver.features = features;
	driver.pairs = pairs;
	for (unsigned i = 0; i < 2 * pairs; i++) {
		struct vhost_frontend_ring *ring = &driver.frontend.rings[i];

		driver.fds[i][0] = driver.polled ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		driver.fds[i][1] = driver.polled ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		*ring = (struct vhost_frontend_ring){
			.size = 128,
			.base = 10 + i,
			.descriptor = 0x10000 * (i + 1),
			.available = 0x10000 * (i + 1) + 0x1000,
			.used = 0x10000 * (i + 1) + 0x2000,
			.kick_fd = driver.fds[i][0],
			.call_fd = driver.fds[i][1],
		};
	}
	return 0;
}

static void driver_running(void *owner)
{
	driver.running = true;
	if (driver.stop_when_running)
		vhost_frontend_stop(&driver.frontend);
}

static void driver_stopped(void *owner)
{
	driver.stopped = true;
}

static void driver_failed(void *owner, const struct error *error)
{
	driver.failures++;
	snprintf(driver.failure, sizeof(driver.failure), "%.200s", error->text);
}

static const struct vhost_frontend_ops driver_ops = {
	.negotiated = driver_negotiated,
	.running = driver_running,
	.stopped = driver_stopped,
	.failed = driver_failed,
};

static int setup(void **state)
{
	baseline = test_fd_count();
	memset(&driver, 0, sizeof(driver));
	memset(sent, 0, sizeof(sent));
	order_length = 0;
	for (unsigned i = 0; i < VHOST_RING_MAX; i++)
		driver.fds[i][0] = driver.fds[i][1] = -1;
	test_port_open(&port);
	config = (struct vhost_frontend_config){
		.features = BIT64(32) | BIT64(29) | BIT64(34),
		.features_required = BIT64(32),
		.protocol_features = VHOST_FRONTEND_PROTOCOL_FEATURES,
		.queue_pairs = 2,
		.mtu = 1400,
		.region_count = REGIONS,
	};
	for (unsigned i = 0; i < REGIONS; i++) {
		config.regions[i] = (struct vhost_region){
			.guest_address = i << 20, .size = 1 << 20, .user_address = i << 20};
		config.region_fds[i] = memfd_create("test", MFD_CLOEXEC);
	}
	return 0;
}

static int teardown(void **state)
{
	test_port_close(&port);
	for (unsigned i = 0; i < VHOST_RING_MAX; i++) {
		fd_close(&driver.fds[i][0]);
		fd_close(&driver.fds[i][1]);
	}
	for (unsigned i = 0; i < REGIONS; i++)
		fd_close(&config.region_fds[i]);
	if (port.fault[0] != '\0')
		fail_msg("%s", port.fault);
	assert_int_equal(test_fd_count(), baseline);
	return 0;
}

/* What the socket does: the bytes, and other descriptors of the same files. */
static void cross(const struct vhost_message *from, struct vhost_message *to)
{
	static uint8_t bytes[sizeof(struct vhost_header) + VHOST_PAYLOAD_MAX];
	size_t length = vhost_message_encode(from, bytes);

	memset(to, 0xaa, sizeof(*to));
	assert_int_equal(vhost_header_decode(&to->header, bytes, NULL), 0);
	assert_int_equal(length, sizeof(struct vhost_header) + to->header.size);
	memcpy(to->payload.bytes, bytes + sizeof(struct vhost_header), to->header.size);
	to->fds_lost = 0;
	to->reaper = NULL;
	to->fd_count = from->fd_count;
	for (unsigned i = 0; i < from->fd_count; i++)
		to->fds[i] = dup(from->fds[i]);
}

/* Lets both sides talk until neither has anything to say. */
static void converse(void)
{
	while (vhost_frontend_next(&driver.frontend, &message)) {
		sent[message.header.id]++;
		order[order_length++ % ARRAY_SIZE(order)] = message.header.id;
		cross(&message, &received);
		vhost_backend_handle(&port.backend, &received, &result);
		assert_int_not_equal(result.verdict, VHOST_CLOSE);
		if (!result.has_reply)
			continue;
		cross(&result.reply, &received);
		vhost_frontend_handle(&driver.frontend, &received);
	}
}

static void start(void)
{
	vhost_frontend_init(&driver.frontend, &config, &driver_ops, &driver);
	converse();
}

static void assert_started(unsigned pairs)
{
	assert_string_equal(driver.failure, "");
	assert_true(driver.running);
	assert_int_equal(driver.pairs, pairs);
	assert_int_equal(port.starts, 2 * pairs);
	for (unsigned i = 0; i < 2 * pairs; i++) {
		const struct vhost_ring *ring = &port.backend.rings[i];

		assert_true(ring->started && vhost_ring_enabled(&port.backend, i));
		assert_int_equal(ring->size, 128);
		assert_int_equal(ring->base, 10 + i);
		assert_int_equal(ring->descriptor, 0x10000 * (i + 1));
		assert_int_equal(ring->available, 0x10000 * (i + 1) + 0x1000);
		assert_int_equal(ring->used, 0x10000 * (i + 1) + 0x2000);
	}
}

static unsigned position(uint32_t id)
{
	for (unsigned i = 0; i < order_length; i++) {
		if (order[i] == id)
			return i;
	}
	fail_msg("%s was not sent", vhost_message_name(id));
	return 0;
}

static void test_full_session(void **state)
{
	start();
	assert_started(2);
	assert_int_equal(driver.features, BIT64(32) | BIT64(29) | BIT64(30));
	assert_int_equal(port.features, driver.features);
	assert_int_equal(port.mtu, 1400);
	assert_int_equal(port.status, 0xf);
	assert_int_equal(port.region_count, REGIONS);
	assert_int_equal(sent[VHOST_USER_ADD_MEM_REG], REGIONS);
	assert_int_equal(sent[VHOST_USER_SET_MEM_TABLE], 0);
	assert_true(position(VHOST_USER_ADD_MEM_REG) < position(VHOST_USER_SET_VRING_ADDR));
	assert_true(position(VHOST_USER_SET_VRING_CALL) < position(VHOST_USER_SET_VRING_NUM));
	assert_true(position(VHOST_USER_SET_VRING_KICK) < position(VHOST_USER_SET_VRING_ENABLE));
	/* Stop, where the rings have got to, and again from there. */
	port.stop_base = 77;
	vhost_frontend_stop(&driver.frontend);
	converse();
	assert_true(driver.stopped);
	assert_int_equal(port.stops, 4);
	assert_int_equal(driver.frontend.rings[3].base, 77);
	assert_int_equal(port.status, 0);
	for (unsigned i = 0; i < 4; i++)
		driver.frontend.rings[i].base = 10 + i;
	driver.running = false;
	port.starts = 0;
	vhost_frontend_restart(&driver.frontend);
	converse();
	assert_started(2);
	assert_int_equal(sent[VHOST_USER_ADD_MEM_REG], REGIONS);
}

/* All subsets of the protocol features, on either side. */
static void test_every_subset_of_protocol_features(void **state)
{
	static const unsigned bits[] = {VHOST_PROTOCOL_MQ, VHOST_PROTOCOL_REPLY_ACK,
		VHOST_PROTOCOL_NET_MTU, VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS, VHOST_PROTOCOL_STATUS};

	for (unsigned subset = 0; subset < 2u << ARRAY_SIZE(bits); subset++) {
		struct vhost_backend_config backend_config = port.backend.config;
		uint64_t features = 0;
		bool ours = subset >> ARRAY_SIZE(bits);

		for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
			features |= subset & 1u << i ? BIT64(bits[i]) : 0;
		teardown(state);
		setup(state);
		backend_config.features = TEST_FEATURES;
		backend_config.protocol_features = ours ? VHOST_BACKEND_PROTOCOL_FEATURES
							: features;
		config.protocol_features = ours ? features : VHOST_FRONTEND_PROTOCOL_FEATURES;
		vhost_backend_init(&port.backend, &backend_config, &test_port_ops, &port);
		start();
		assert_started(features & BIT64(VHOST_PROTOCOL_MQ) ? 2 : 1);
		assert_int_equal(port.region_count, REGIONS);
		assert_int_equal(port.mtu, features & BIT64(VHOST_PROTOCOL_NET_MTU) ? 1400 : 0);
		vhost_frontend_stop(&driver.frontend);
		converse();
		assert_true(driver.stopped);
		assert_int_equal(port.stops, features & BIT64(VHOST_PROTOCOL_MQ) ? 4 : 2);
	}
}

static void test_polled_rings(void **state)
{
	driver.polled = true;
	start();
	assert_started(2);
	assert_true(port.backend.rings[0].polled);
}

static void test_stop_while_starting(void **state)
{
	vhost_frontend_init(&driver.frontend, &config, &driver_ops, &driver);
	vhost_frontend_stop(&driver.frontend);
	converse();
	assert_true(driver.running && driver.stopped);
}

static void test_stop_inside_running(void **state)
{
	driver.stop_when_running = true;
	start();
	assert_true(driver.stopped);
	assert_false(port.backend.rings[0].started);
}

static void test_failures(void **state)
{
	config.features_required |= BIT64(35);
	start();
	assert_int_equal(driver.failures, 1);
	assert_non_null(strstr(driver.failure, "lacks features 0x800000000"));
	assert_false(vhost_frontend_next(&driver.frontend, &message));

	teardown(state);
	setup(state);
	port.fail_memory = ENOMEM;
	start();
	assert_non_null(strstr(driver.failure, "refused ADD_MEM_REG"));

	teardown(state);
	setup(state);
	driver.fail_negotiated = ENOSPC;
	start();
	assert_string_equal(driver.failure, "no rings for a test");
	assert_false(driver.running);

	teardown(state);
	setup(state);
	port.fail_update = EFAULT;
	start();
	assert_non_null(strstr(driver.failure, "refused SET_VRING_KICK"));
}

/* Replies that do not belong: each makes the session fail, once, and none is believed. */
static void test_replies_out_of_place(void **state)
{
	static const struct vhost_header bad[] = {
		{VHOST_USER_SET_OWNER, 0x5, 8},
		{VHOST_USER_GET_FEATURES, 0x1, 8},
		{VHOST_USER_GET_FEATURES, 0x5, 0},
		{VHOST_USER_GET_FEATURES, 0x5, 16},
		{0xffffffff, 0x5, 8},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		driver.failures = 0;
		vhost_frontend_init(&driver.frontend, &config, &driver_ops, &driver);
		assert_true(vhost_frontend_next(&driver.frontend, &message));
		assert_int_equal(message.header.id, VHOST_USER_GET_FEATURES);
		vhost_message_init(&received, 0, 0, 16);
		received.header = bad[i];
		received.fds[0] = eventfd(0, EFD_CLOEXEC);
		received.fd_count = 1;
		vhost_frontend_handle(&driver.frontend, &received);
		vhost_frontend_handle(&driver.frontend, &received);
		assert_int_equal(driver.failures, 1);
		assert_false(vhost_frontend_next(&driver.frontend, &message));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_full_session),
		TEST(test_every_subset_of_protocol_features),
		TEST(test_polled_rings),
		TEST(test_stop_while_starting),
		TEST(test_stop_inside_running),
		TEST(test_failures),
		TEST(test_replies_out_of_place),
	};

	return cmocka_run_group_tests_name("vhost frontend", tests, NULL, NULL);
}
