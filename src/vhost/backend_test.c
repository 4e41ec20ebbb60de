/* SPDX-License-Identifier: BSD-3-Clause */
/* What the backend does for a frontend that keeps to the rules. */
#include "vhost/test_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

static void test_answers_of_negotiation(void **state)
{
	test_send(&port, VHOST_USER_GET_FEATURES, 0, &result);
	assert_true(result.has_reply);
	assert_int_equal(result.reply.payload.number, TEST_FEATURES | BIT64(30));
	test_send(&port, VHOST_USER_GET_PROTOCOL_FEATURES, 0, &result);
	assert_int_equal(
		result.reply.payload.number, 1 | 2 | 4 | 8 | 16 | 1 << 13 | 1 << 15 | 1 << 16);
	test_send(&port, VHOST_USER_GET_QUEUE_NUM, 0, &result);
	assert_int_equal(result.reply.payload.number, 2 * TEST_PAIRS);
	test_negotiate(&port);
	assert_int_equal(port.features, TEST_FEATURES | BIT64(30));
	test_send(&port, VHOST_USER_GET_MAX_MEM_SLOTS, 0, &result);
	assert_int_equal(result.reply.payload.number, TEST_SLOTS);
	assert_int_equal(vhost_backend_ring_limit(1), 4);
	assert_int_equal(vhost_backend_ring_limit(64), VHOST_RING_MAX);
	assert_int_equal(vhost_backend_ring_limit(128), VHOST_RING_MAX);
}

/* QEMU names and starts rings of all the pairs that it has; only the port's pairs run. */
static void test_rings_beyond_the_pairs(void **state)
{
	test_negotiate(&port);
	test_send_state(&port, VHOST_USER_SET_VRING_NUM, 2 * TEST_PAIRS, 256, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	test_message(&message, VHOST_USER_SET_VRING_ADDR, 0, 0);
	message.payload.address.index = 2 * TEST_PAIRS;
	vhost_backend_handle(&port.backend, &message, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	test_message(&message, VHOST_USER_SET_VRING_KICK, 0, 1);
	message.payload.number = 2 * TEST_PAIRS;
	vhost_backend_handle(&port.backend, &message, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	assert_false(port.backend.rings[2 * TEST_PAIRS].started);
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 2 * TEST_PAIRS, 0, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 2 * TEST_PAIRS, 1, &result);
	assert_int_equal(result.verdict, VHOST_CLOSE);
	assert_non_null(strstr(result.error.text, "but the port has"));
}

static void test_ring_starts_at_kick(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 1));
	assert_int_equal(port.starts, 1);
	assert_true(port.backend.rings[1].started);
	assert_true(vhost_ring_enabled(&port.backend, 1));
	assert_int_equal(port.backend.rings[1].size, 256);
	assert_false(port.backend.rings[0].started);
}

/* Without size or addresses there is nothing to start, and the kick's descriptor is not kept. */
static void test_kick_too_early(void **state)
{
	test_negotiate(&port);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
	test_send(&port, VHOST_USER_SET_VRING_NUM, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
	assert_int_equal(test_fd_count(), baseline);
}

static void test_enable_needs_bit_30(void **state)
{
	test_send_number(&port, VHOST_USER_SET_FEATURES, TEST_FEATURES, &result);
	test_send(&port, VHOST_USER_SET_VRING_NUM, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_ADDR, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_true(port.backend.rings[0].started);
	assert_true(vhost_ring_enabled(&port.backend, 0));
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 0, 0, &result);
	assert_true(vhost_ring_enabled(&port.backend, 0));
}

static void test_enable_before_features(void **state)
{
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 0, 1, &result);
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 0, 1, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	test_negotiate(&port);
	test_send(&port, VHOST_USER_SET_VRING_NUM, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_ADDR, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_true(vhost_ring_enabled(&port.backend, 0));
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 0, 0, &result);
	assert_false(vhost_ring_enabled(&port.backend, 0));
	assert_int_equal(port.last_changes, VHOST_RING_ENABLE);
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 0, 0, &result);
	assert_int_equal(port.updates, 1);
	test_send_state(&port, VHOST_USER_SET_VRING_ENABLE, 0, 2, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
}

static void test_started_disabled_until_enable(void **state)
{
	test_negotiate(&port);
	test_send(&port, VHOST_USER_SET_VRING_NUM, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_ADDR, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_true(port.backend.rings[0].started);
	assert_false(vhost_ring_enabled(&port.backend, 0));
}

static void test_features_beyond_the_offer(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	test_send_number(&port, VHOST_USER_SET_FEATURES, TEST_FEATURES | BIT64(34), &result);
	assert_ack(VHOST_USER_SET_FEATURES, false);
	assert_int_equal(port.features, TEST_FEATURES | BIT64(30));
	assert_false(port.backend.rings[0].started);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
	test_send_number(&port, VHOST_USER_SET_STATUS, 0xb, &result);
	test_send(&port, VHOST_USER_GET_STATUS, 0, &result);
	assert_int_equal(result.reply.payload.number, 0x3);
	test_negotiate(&port);
	test_send_number(&port, VHOST_USER_SET_STATUS, 0xb, &result);
	assert_int_equal(port.status, 0xb);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_true(port.backend.rings[0].started);
}

static void test_features_change_stops_rings(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	test_negotiate(&port);
	assert_int_equal(port.stops, 0);
	assert_int_equal(port.feature_calls, 1);
	test_send_number(&port, VHOST_USER_SET_FEATURES, BIT64(30) | BIT64(32), &result);
	assert_int_equal(port.stops, 1);
	assert_int_equal(port.features, BIT64(30) | BIT64(32));
}

static void test_get_vring_base(void **state)
{
	test_negotiate(&port);
	test_send_state(&port, VHOST_USER_SET_VRING_BASE, 0, 0xabcd1234, &result);
	test_send_state(&port, VHOST_USER_GET_VRING_BASE, 0, 0, &result);
	assert_int_equal(result.reply.payload.state.number, 0xabcd1234);
	assert_int_equal(port.stops, 0);
	assert_true(test_start_ring(&port, 0));
	port.stop_base = 0x80078005;
	for (unsigned i = 0; i < 2; i++) {
		test_send_state(&port, VHOST_USER_GET_VRING_BASE, 0, 0, &result);
		assert_int_equal(result.reply.header.size, 8);
		assert_int_equal(result.reply.payload.state.index, 0);
		assert_int_equal(result.reply.payload.state.number, 0x80078005);
		assert_int_equal(port.stops, 1);
		assert_int_equal(port.backend.rings[0].kick_fd, -1);
		assert_int_equal(port.backend.rings[0].call_fd, -1);
	}
	/* The frontend may start it again right away, from where it ended. */
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_true(port.backend.rings[0].started);
	assert_int_equal(port.backend.rings[0].base, 0x80078005);
}

static void test_new_size_or_base_stops_the_ring(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	test_send_state(&port, VHOST_USER_SET_VRING_NUM, 0, 256, &result);
	test_send_state(&port, VHOST_USER_SET_VRING_BASE, 0, 0, &result);
	assert_int_equal(port.stops, 0);
	test_send_state(&port, VHOST_USER_SET_VRING_NUM, 0, 512, &result);
	assert_int_equal(port.stops, 1);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_int_equal(port.starts, 2);
	test_send_state(&port, VHOST_USER_SET_VRING_BASE, 0, 7, &result);
	assert_int_equal(port.stops, 2);
	for (unsigned i = 0; i < 3; i++) {
		static const uint32_t bad[] = {0, 32769, 0xffffffff};

		test_send_state(&port, VHOST_USER_SET_VRING_NUM, 0, bad[i], &result);
		assert_int_equal(result.verdict, VHOST_REFUSED);
	}
	assert_int_equal(port.backend.rings[0].size, 512);
}

/* The port is told, whose the signal is; an eventfd's flags are not changed. */
static void test_call_is_replaced(void **state)
{
	int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int late = eventfd(0, EFD_CLOEXEC);

	test_negotiate(&port);
	vhost_message_init(&message, VHOST_USER_SET_VRING_CALL, 0, 8);
	message.fds[0] = dup(call);
	message.fd_count = 1;
	handle();
	assert_int_equal(port.last_changes, 0);
	test_send(&port, VHOST_USER_SET_VRING_NUM, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_ADDR, 0, &result);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_int_equal(port.last_changes & VHOST_RING_CALL, VHOST_RING_CALL);
	vhost_message_init(&message, VHOST_USER_SET_VRING_CALL, 0, 8);
	message.fds[0] = dup(late);
	message.fd_count = 1;
	handle();
	/* The flag is for all who have the eventfd, so it is not ours to change. */
	assert_false(fcntl(late, F_GETFL) & O_NONBLOCK);
	assert_int_equal(port.last_changes, VHOST_RING_CALL);
	assert_false(port.backend.rings[0].call_fd < 0);
	fd_close(&call);
	fd_close(&late);
}

static void test_polled_ring(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	assert_false(port.backend.rings[0].polled);
	test_send_number(&port, VHOST_USER_SET_VRING_KICK, VHOST_VRING_NO_FD, &result);
	assert_true(port.backend.rings[0].polled);
	assert_int_equal(port.last_changes, VHOST_RING_KICK);
	assert_int_equal(port.backend.rings[0].kick_fd, -1);
}

static void test_update_that_fails(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	port.fail_update = EFAULT;
	test_message(&message, VHOST_USER_SET_VRING_ADDR, 0, 1);
	message.header.flags |= VHOST_MESSAGE_NEED_REPLY;
	handle();
	assert_ack(VHOST_USER_SET_VRING_ADDR, false);
	assert_int_equal(port.stops, 1);
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
	assert_false(port.backend.rings[0].started);
	assert_int_equal(port.backend.rings[0].kick_fd, -1);
	port.fail_update = 0;
	test_send(&port, VHOST_USER_SET_VRING_KICK, 0, &result);
	assert_true(port.backend.rings[0].started);
	/* A table in which the ring does not lie: in force, but the ring is stopped and named. */
	port.fail_update = EFAULT;
	test_message(&message, VHOST_USER_SET_MEM_TABLE, 0, 3);
	handle();
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	assert_true(result.log);
	assert_non_null(strstr(result.error.text, "ring 0 stopped"));
	assert_int_equal(port.stops, 2);
}

static void test_memory_table(void **state)
{
	test_negotiate(&port);
	for (unsigned i = 0; i < 100; i++)
		test_send(&port, VHOST_USER_SET_MEM_TABLE, 0, &result);
	assert_int_equal(port.memory_calls, 100);
	assert_int_equal(test_fd_count(), baseline + 2);
	assert_true(test_start_ring(&port, 0));
	port.updates = 0;
	test_send(&port, VHOST_USER_SET_MEM_TABLE, 0, &result);
	assert_int_equal(port.last_changes, VHOST_RING_MEMORY);
	assert_int_equal(port.updates, 1);
	port.fail_memory = ENOMEM;
	test_send(&port, VHOST_USER_SET_MEM_TABLE, 0, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
	assert_int_equal(port.backend.region_count, 2);
	port.fail_memory = 0;
	/* The count in the payload, the size and the descriptors say the same, or nothing holds. */
	for (uint32_t count = 0; count < 12; count++) {
		test_message(&message, VHOST_USER_SET_MEM_TABLE, 0, 0);
		message.payload.memory.count = count == 11 ? 0x08000002 : count;
		handle();
		assert_int_equal(result.verdict, count == 2 ? VHOST_ACCEPTED : VHOST_CLOSE);
	}
	vhost_message_init(&message, VHOST_USER_SET_MEM_TABLE, 0, 8);
	handle();
	assert_int_equal(result.verdict, VHOST_REFUSED);
}

static void test_memory_slots(void **state)
{
	test_negotiate(&port);
	for (unsigned i = 0; i < TEST_SLOTS + 1; i++) {
		test_message(&message, VHOST_USER_ADD_MEM_REG, 0, i);
		handle();
		assert_int_equal(result.verdict, i < TEST_SLOTS ? VHOST_ACCEPTED : VHOST_REFUSED);
	}
	assert_int_equal(test_fd_count(), baseline + TEST_SLOTS);
	/* QEMU repeats each region for every queue pair: the second changes nothing. */
	test_message(&message, VHOST_USER_ADD_MEM_REG, 0, 0);
	handle();
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	assert_int_equal(port.region_count, TEST_SLOTS);
	assert_int_equal(test_fd_count(), baseline + TEST_SLOTS);
	for (unsigned i = 0; i < TEST_SLOTS; i++) {
		test_message(&message, VHOST_USER_REM_MEM_REG, 0, i);
		message.payload.slot.region.mmap_offset = 0x123000;
		message.fds[0] = eventfd(0, EFD_CLOEXEC);
		message.fd_count = 1;
		handle();
		assert_int_equal(result.verdict, VHOST_ACCEPTED);
		handle();
		assert_int_equal(result.verdict, VHOST_ACCEPTED);
	}
	assert_int_equal(port.region_count, 0);
	assert_int_equal(test_fd_count(), baseline);
}

static void test_resets(void **state)
{
	static const uint32_t ids[] = {VHOST_USER_SET_STATUS, VHOST_USER_RESET_DEVICE};

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		test_negotiate(&port);
		assert_true(test_start_ring(&port, 0));
		assert_true(test_start_ring(&port, 3));
		port.stop_base = 41;
		test_message(&message, ids[i], 0, 0);
		message.payload.number = 0;
		handle();
		assert_int_equal(result.verdict, VHOST_ACCEPTED);
		assert_int_equal(port.stops, 2 * (i + 1));
		assert_int_equal(port.features, 0);
		assert_int_equal(port.backend.rings[0].size, 0);
		assert_false(port.backend.rings[0].address_set);
		/* A frontend does not send these again. */
		assert_int_equal(port.region_count, 2);
		assert_int_not_equal(port.backend.rings[0].error_fd, -1);
		assert_int_not_equal(port.backend.protocol_features, 0);
		assert_int_equal(vhost_ring_enabled(&port.backend, 0), i == 0);
		/* Asked for after the status was reset, by a frontend that pauses a guest. */
		test_send_state(&port, VHOST_USER_GET_VRING_BASE, 3, 0, &result);
		assert_int_equal(result.reply.payload.state.number, i == 0 ? 41 : 0);
	}
	assert_true(test_start_ring(&port, 0));
	test_send(&port, VHOST_USER_RESET_OWNER, 0, &result);
	assert_true(port.backend.rings[0].started);
}

static void set_features(uint64_t features)
{
	test_send_number(&port, VHOST_USER_SET_FEATURES, features, &result);
	assert_ack(VHOST_USER_SET_FEATURES, true);
}

/* LOG_ALL comes and goes while rings run, and nothing else happens. */
static void test_log_all_does_not_stop_rings(void **state)
{
	const uint64_t log_all = BIT64(26), rest = (TEST_FEATURES | BIT64(30)) & ~log_all;

	test_negotiate(&port);
	set_features(rest);
	assert_true(test_start_ring(&port, 0));
	port.feature_calls = port.log_updates = port.updates = 0;
	for (unsigned i = 0; i < 4; i++) {
		set_features(i & 1 ? rest : rest | log_all);
		assert_int_equal(port.backend.features, i & 1 ? rest : rest | log_all);
		assert_int_equal(port.log_updates, i + 1);
		set_features(i & 1 ? rest : rest | log_all);
		assert_int_equal(port.log_updates, i + 1);
	}
	assert_int_equal(port.stops, 0);
	assert_int_equal(port.updates, 0);
	assert_int_equal(port.feature_calls, 0);
	/* Together with another feature it is a change as any other. */
	set_features((rest | log_all) & ~BIT64(15));
	assert_int_equal(port.stops, 1);
	assert_int_equal(port.feature_calls, 1);
	assert_int_equal(port.features, (rest | log_all) & ~BIT64(15));
}

/* A ring's log fields change apart from its addresses. */
static void test_ring_log(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	test_message(&message, VHOST_USER_SET_VRING_ADDR, 0, 0);
	message.payload.address.flags = 1;
	message.payload.address.log = 0x123456789000;
	handle();
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	assert_int_equal(port.last_changes, VHOST_RING_LOG);
	assert_int_equal(port.backend.rings[0].log, 0x123456789000);
	assert_int_equal(port.backend.rings[0].address_flags, 1);
	test_message(&message, VHOST_USER_SET_VRING_ADDR, 0, 1);
	message.payload.address.flags = 1;
	message.payload.address.log = 0x123456789000;
	handle();
	assert_int_equal(port.last_changes, VHOST_RING_ADDRESS);
	test_message(&message, VHOST_USER_SET_VRING_ADDR, 0, 2);
	handle();
	assert_int_equal(port.last_changes, VHOST_RING_ADDRESS | VHOST_RING_LOG);
	assert_int_equal(port.updates, 4); /* and one that enabled it */
	assert_int_equal(port.stops, 0);
}

static void test_log_base(void **state)
{
	test_negotiate(&port);
	assert_true(test_start_ring(&port, 0));
	/* It always has its reply, and never two. */
	for (unsigned i = 0; i < 6; i++) {
		port.fail_log = i == 3 ? ENOMEM : 0;
		test_message(&message, VHOST_USER_SET_LOG_BASE, 0, i);
		message.header.flags |= i & 1 ? VHOST_MESSAGE_NEED_REPLY : 0;
		handle();
		assert_ack(VHOST_USER_SET_LOG_BASE, i != 3);
		assert_int_equal(result.verdict, i == 3 ? VHOST_REFUSED : VHOST_ACCEPTED);
	}
	assert_int_equal(port.log_calls, 5);
	assert_int_equal(port.log_size, 0x1000);
	assert_int_equal(port.log_offset, 5);
	assert_int_equal(port.stops, 0);
	/* Without a descriptor, or as the other form of the message. */
	test_message(&message, VHOST_USER_SET_LOG_BASE, 0, 0);
	vhost_message_close_fds(&message);
	handle();
	assert_ack(VHOST_USER_SET_LOG_BASE, false);
	test_message(&message, VHOST_USER_SET_LOG_BASE, 0, 0);
	message.header.size = 8;
	handle();
	assert_ack(VHOST_USER_SET_LOG_BASE, false);
	assert_int_equal(port.log_calls, 5);
	/* The log outlives a reset. */
	test_send_number(&port, VHOST_USER_SET_STATUS, 0, &result);
	assert_true(port.log_file >= 0);
}

static void test_log_fd(void **state)
{
	test_negotiate(&port);
	for (unsigned i = 0; i < 3; i++) {
		test_send(&port, VHOST_USER_SET_LOG_FD, 0, &result);
		assert_int_equal(result.verdict, VHOST_ACCEPTED);
		assert_int_equal(port.log_updates, i + 1);
		assert_true(port.log_fd >= 0);
		assert_int_equal(port.log_fd, port.backend.log_fd);
	}
	test_message(&message, VHOST_USER_SET_LOG_FD, 0, 0);
	fd_close(&message.fds[0]);
	message.fds[0] = memfd_create("test", MFD_CLOEXEC);
	handle();
	assert_int_equal(result.verdict, VHOST_CLOSE);
}

static void test_mtu_and_rarp(void **state)
{
	static const struct {
		uint64_t mtu;
		bool good;
	} mtus[] = {{0, false}, {67, false}, {68, true}, {1500, true}, {65535, true},
		{65536, false}, {0x100000000 + 1500, false}};

	test_negotiate(&port);
	for (unsigned i = 0; i < ARRAY_SIZE(mtus); i++) {
		test_send_number(&port, VHOST_USER_NET_SET_MTU, mtus[i].mtu, &result);
		assert_ack(VHOST_USER_NET_SET_MTU, mtus[i].good);
		if (mtus[i].good)
			assert_int_equal(port.mtu, mtus[i].mtu);
	}
	vhost_message_init(&message, VHOST_USER_SEND_RARP, 0, 8);
	memcpy(message.payload.bytes, "\x52\x54\x00\x12\x34\x56\xff\xff", 8);
	handle();
	assert_int_equal(port.announcements, 1);
	assert_memory_equal(port.announced, "\x52\x54\x00\x12\x34\x56", 6);
	test_send_number(&port, VHOST_USER_SET_STATUS, 0x100, &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_of_negotiation),
		TEST(test_rings_beyond_the_pairs),
		TEST(test_ring_starts_at_kick),
		TEST(test_kick_too_early),
		TEST(test_enable_needs_bit_30),
		TEST(test_enable_before_features),
		TEST(test_started_disabled_until_enable),
		TEST(test_features_beyond_the_offer),
		TEST(test_features_change_stops_rings),
		TEST(test_get_vring_base),
		TEST(test_new_size_or_base_stops_the_ring),
		TEST(test_call_is_replaced),
		TEST(test_polled_ring),
		TEST(test_update_that_fails),
		TEST(test_memory_table),
		TEST(test_memory_slots),
		TEST(test_resets),
		TEST(test_log_all_does_not_stop_rings),
		TEST(test_ring_log),
		TEST(test_log_base),
		TEST(test_log_fd),
		TEST(test_mtu_and_rarp),
	};

	return cmocka_run_group_tests_name("vhost backend", tests, NULL, NULL);
}
