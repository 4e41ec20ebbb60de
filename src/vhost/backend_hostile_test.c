/* SPDX-License-Identifier: BSD-3-Clause */
/* What the backend does with messages that break the rules, at every edge of every row. */
#include "vhost/test_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"

static void test_index_at_full_width(void **state)
{
	static const struct {
		uint64_t index;
		bool good;
	} cases[] = {
		{0, true},
		{RINGS - 1, true},
		{RINGS, false},
		{RINGS + 1, false},
		{0xff, false},
		{0xffff, false},
		{0x10000, false},
		{0xffffffff, false},
		{0x80000000, false},
		{1ULL << 32, false},
		{1ULL << 63, false},
		{UINT64_MAX, false},
		{0x200, false},
	};

	for (uint32_t id = 1; id < VHOST_USER_REQUEST_END; id++) {
		const struct vhost_message_row *row = vhost_message_row(id);

		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			if (!(row->flags & (VHOST_ROW_RING_STATE | VHOST_ROW_RING_FD)))
				continue;
			if (row->flags & VHOST_ROW_RING_STATE && cases[i].index > UINT32_MAX)
				continue;
			test_message(&message, id, 0, 0);
			/* Disabled: rings beyond the port's pairs may be named, not enabled. */
			message.payload.state.number = 0;
			if (row->flags & VHOST_ROW_RING_STATE)
				message.payload.state.index = (uint32_t)cases[i].index;
			else
				message.payload.number = cases[i].index;
			handle();
			if ((result.verdict != VHOST_CLOSE) != cases[i].good)
				fail_msg("%s, ring %#llx", row->name,
					(unsigned long long)cases[i].index);
			assert_true(result.verdict != VHOST_CLOSE || !result.has_reply);
		}
	}
}

/* The sizes that the specification gives, written down a second time. */
static void test_table_sizes(void **state)
{
	static const struct {
		uint32_t id;
		uint32_t size;
		unsigned fds;
	} legal[] = {
		{VHOST_USER_GET_FEATURES, 0, 0},
		{VHOST_USER_SET_FEATURES, 8, 0},
		{VHOST_USER_SET_MEM_TABLE, 40, 1},
		{VHOST_USER_SET_MEM_TABLE, 264, 8},
		{VHOST_USER_SET_LOG_BASE, 16, 1},
		{VHOST_USER_SET_LOG_BASE, 8, 0},
		{VHOST_USER_SET_VRING_ADDR, 40, 0},
		{VHOST_USER_SET_VRING_KICK, 8, 1},
		{VHOST_USER_SET_VRING_CALL, 8, 0},
		{VHOST_USER_GET_CONFIG, 24, 0},
		{VHOST_USER_GET_INFLIGHT_FD, 20, 0},
		{VHOST_USER_SET_INFLIGHT_FD, 24, 1},
		{VHOST_USER_ADD_MEM_REG, 40, 1},
		{VHOST_USER_REM_MEM_REG, 40, 0},
		{VHOST_USER_REM_MEM_REG, 40, 1},
		{VHOST_USER_SET_STATUS, 8, 0},
		{VHOST_USER_SET_DEVICE_STATE_FD, 8, 1},
		{VHOST_USER_GET_SHMEM_CONFIG, 0, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(legal); i++) {
		vhost_message_init(&message, legal[i].id, 0, legal[i].size);
		message.fd_count = legal[i].fds;
		assert_int_equal(vhost_message_check(&message, NULL), 0);
	}
}

static bool size_legal(const struct vhost_message_row *row, uint32_t size)
{
	return size >= row->size_minimum && size <= row->size_maximum &&
	       (row->size_step == 0 || (size - row->size_minimum) % row->size_step == 0);
}

static void test_every_wrong_size_closes(void **state)
{
	for (uint32_t id = 1; id < VHOST_USER_REQUEST_END; id++) {
		const struct vhost_message_row *row = vhost_message_row(id);

		for (uint32_t size = 0; size <= 300; size++) {
			if (size_legal(row, size))
				continue;
			test_message(&message, id, 0, 0);
			message.header.size = size;
			handle();
			assert_int_equal(result.verdict, VHOST_CLOSE);
			assert_false(result.has_reply);
		}
	}
	assert_int_equal(test_fd_count(), baseline);
}

static void test_every_wrong_fd_count_closes(void **state)
{
	for (uint32_t id = 1; id < VHOST_USER_REQUEST_END; id++) {
		const struct vhost_message_row *row = vhost_message_row(id);

		for (unsigned count = 0; count <= VHOST_MESSAGE_FDS_MAX; count++) {
			if (count >= row->fds_minimum && count <= row->fds_maximum)
				continue;
			test_message(&message, id, 0, 0);
			vhost_message_close_fds(&message);
			for (unsigned i = 0; i < count; i++)
				message.fds[i] = eventfd(0, EFD_CLOEXEC);
			message.fd_count = count;
			handle();
			assert_int_equal(result.verdict, VHOST_CLOSE);
		}
		test_message(&message, id, 0, 0);
		message.fds_lost = 1;
		handle();
		assert_int_equal(result.verdict, VHOST_CLOSE);
	}
	assert_int_equal(test_fd_count(), baseline);
}

static void test_fd_flag_must_match(void **state)
{
	test_message(&message, VHOST_USER_SET_VRING_CALL, 0, 0);
	message.payload.number |= VHOST_VRING_NO_FD;
	handle();
	assert_int_equal(result.verdict, VHOST_CLOSE);
	test_send_number(&port, VHOST_USER_SET_VRING_CALL, 0, &result);
	assert_int_equal(result.verdict, VHOST_CLOSE);
	test_send_number(&port, VHOST_USER_SET_VRING_CALL, VHOST_VRING_NO_FD, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
}

static void test_only_eventfds(void **state)
{
	static const uint32_t ids[] = {
		VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_ERR};
	int pipe_fds[2];

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(pipe(pipe_fds), 0);
		vhost_message_init(&message, ids[i], 0, 8);
		message.payload.number = 0;
		message.fds[0] = pipe_fds[1];
		message.fd_count = 1;
		handle();
		assert_int_equal(result.verdict, VHOST_CLOSE);
		fd_close(&pipe_fds[0]);
		vhost_message_init(&message, ids[i], 0, 8);
		message.fds[0] = memfd_create("test", MFD_CLOEXEC);
		message.fd_count = 1;
		handle();
		assert_int_equal(result.verdict, VHOST_CLOSE);
	}
	assert_int_equal(test_fd_count(), baseline);
}

static void test_reply_ack(void **state)
{
	/* Not negotiated: the flag asks for nothing. */
	test_send_number(&port, VHOST_USER_SET_FEATURES, TEST_FEATURES, &result);
	assert_int_equal(result.verdict, VHOST_ACCEPTED);
	assert_false(result.has_reply);
	/* In force with the very message that negotiates it. */
	test_send_number(
		&port, VHOST_USER_SET_PROTOCOL_FEATURES, VHOST_BACKEND_PROTOCOL_FEATURES, &result);
	assert_ack(VHOST_USER_SET_PROTOCOL_FEATURES, true);
	for (uint32_t id = 1; id < VHOST_USER_REQUEST_END; id++) {
		/* Everything that we implement is negotiated here. */
		bool own = vhost_message_row(id)->flags &
			   (VHOST_ROW_REPLIES | VHOST_ROW_REPLIES_IF_NEGOTIATED);

		test_message(&message, id, 0, 0);
		message.header.flags |= VHOST_MESSAGE_NEED_REPLY;
		handle();
		assert_int_not_equal(result.verdict, VHOST_CLOSE);
		assert_int_equal(result.reply.header.id, id);
		assert_int_equal(result.reply.header.flags, 0x5);
		if (!own)
			assert_ack(id, result.verdict == VHOST_ACCEPTED);
		/* And without the flag only what has a reply of its own is answered. */
		test_message(&message, id, 0, 1);
		handle();
		assert_int_equal(result.has_reply, own);
		test_send_number(&port, VHOST_USER_SET_PROTOCOL_FEATURES,
			VHOST_BACKEND_PROTOCOL_FEATURES, &result);
	}
	/* Unknown messages keep the stream going, too. */
	test_send_number(&port, 45, 0, &result);
	assert_ack(45, false);
	test_send_number(&port, 0, 0, &result);
	assert_ack(0, false);
	test_send_number(&port, 0xffffffff, 0, &result);
	assert_ack(0xffffffff, false);
}

static void test_unnegotiated(void **state)
{
	/* Nothing acked. These need an ack of their protocol feature, not merely its offer. */
	static const uint32_t refused[] = {VHOST_USER_ADD_MEM_REG, VHOST_USER_REM_MEM_REG,
		VHOST_USER_SET_STATUS, VHOST_USER_GET_STATUS, VHOST_USER_GET_MAX_MEM_SLOTS,
		VHOST_USER_SET_BACKEND_REQ_FD, VHOST_USER_IOTLB_MSG, VHOST_USER_SET_VRING_ENDIAN,
		VHOST_USER_GET_CONFIG, VHOST_USER_SET_CONFIG, VHOST_USER_GET_INFLIGHT_FD,
		VHOST_USER_SET_INFLIGHT_FD, VHOST_USER_VRING_KICK, VHOST_USER_GET_SHARED_OBJECT,
		VHOST_USER_SET_DEVICE_STATE_FD, VHOST_USER_CHECK_DEVICE_STATE,
		VHOST_USER_GET_SHMEM_CONFIG, VHOST_USER_SET_LOG_BASE, VHOST_USER_POSTCOPY_ADVISE};
	static const uint32_t offered[] = {VHOST_USER_GET_QUEUE_NUM, VHOST_USER_SEND_RARP,
		VHOST_USER_NET_SET_MTU, VHOST_USER_RESET_DEVICE};

	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		test_send(&port, refused[i], 0, &result);
		assert_int_equal(result.verdict, VHOST_REFUSED);
		assert_true(result.log);
		assert_int_equal(
			result.has_reply, vhost_message_row(refused[i])->flags & VHOST_ROW_REPLIES);
		/* Logged once a connection. */
		test_send(&port, refused[i], 0, &result);
		assert_int_equal(result.verdict, VHOST_REFUSED);
		assert_false(result.log);
	}
	assert_int_equal(port.memory_calls, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(offered); i++) {
		test_send(&port, offered[i], 0, &result);
		assert_int_equal(result.verdict, VHOST_ACCEPTED);
	}
}

/* How a waiting frontend learns that it will get nothing. */
static void test_refusals_with_a_reply(void **state)
{
	test_send(&port, VHOST_USER_GET_CONFIG, 0, &result);
	assert_int_equal(result.reply.header.size, 0);
	test_send(&port, VHOST_USER_GET_INFLIGHT_FD, 0, &result);
	assert_int_equal(result.reply.header.size, 24);
	assert_int_equal(result.reply.payload.number, 0);
	test_send(&port, VHOST_USER_IOTLB_MSG, 0, &result);
	assert_ack(VHOST_USER_IOTLB_MSG, false);
	test_send(&port, VHOST_USER_SET_DEVICE_STATE_FD, 0, &result);
	assert_int_equal(result.reply.payload.number, 0x101);
	test_send(&port, VHOST_USER_SET_LOG_BASE, 0, &result);
	assert_false(result.has_reply);
}

static void test_reply_bit_and_features_of_ours(void **state)
{
	vhost_message_init(&message, VHOST_USER_GET_FEATURES, VHOST_MESSAGE_REPLY, 0);
	handle();
	assert_int_equal(result.verdict, VHOST_CLOSE);
	test_send_number(&port, VHOST_USER_SET_PROTOCOL_FEATURES, BIT64(9), &result);
	assert_int_equal(result.verdict, VHOST_REFUSED);
	assert_int_equal(port.backend.protocol_features, 0);
}

static void test_bad_regions(void **state)
{
	static const struct vhost_region bad[] = {
		{0, 0, 0x1000, 0},
		{0, UINT64_MAX, 0x1000, 0},
		{UINT64_MAX, 2, 0x1000, 0},
		{0, 0x1000, UINT64_MAX - 0xffe, 0},
		{0, 0x1000, 0x1000, UINT64_MAX - 0xffe},
		/* Overlaps of the first region of the table, in guest or in user addresses. */
		{0xffff, 1, 0x1000, 0},
		{0, 1, 0x1000, 0},
		{0x1000000, 0x1000, 0x7f000000ffff, 0},
		{0x1000000, 0x2000, 0x7effffffe001, 0},
	};

	test_negotiate(&port);
	test_send(&port, VHOST_USER_SET_MEM_TABLE, 0, &result);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		test_message(&message, VHOST_USER_ADD_MEM_REG, 0, 0);
		message.payload.slot.region = bad[i];
		handle();
		assert_int_equal(result.verdict, VHOST_REFUSED);
		test_message(&message, VHOST_USER_SET_MEM_TABLE, 0, 0);
		message.payload.memory.regions[1] = bad[i];
		handle();
		assert_int_equal(result.verdict, VHOST_REFUSED);
	}
	assert_int_equal(port.memory_calls, 1);
	assert_int_equal(test_fd_count(), baseline + 2);
}

/* Every message after every other, and twice, in a fresh session and in a running one. */
static void test_all_pairs_of_messages(void **state)
{
	for (unsigned running = 0; running < 2; running++) {
		for (uint32_t first = 0; first <= VHOST_USER_REQUEST_END; first++) {
			for (uint32_t second = 0; second <= VHOST_USER_REQUEST_END; second++) {
				test_port_close(&port);
				assert_string_equal(port.fault, "");
				test_port_open(&port);
				if (running) {
					test_negotiate(&port);
					assert_true(test_start_ring(&port, 0));
				}
				for (unsigned i = 0; i < 4; i++) {
					test_message(&message, i & 1 ? second : first, 0, i / 2);
					handle();
					assert_int_not_equal(result.verdict, VHOST_CLOSE);
				}
				test_start_ring(&port, 0);
			}
			test_port_close(&port);
			assert_int_equal(test_fd_count(), baseline);
			test_port_open(&port);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_index_at_full_width),
		TEST(test_table_sizes),
		TEST(test_every_wrong_size_closes),
		TEST(test_every_wrong_fd_count_closes),
		TEST(test_fd_flag_must_match),
		TEST(test_only_eventfds),
		TEST(test_reply_ack),
		TEST(test_unnegotiated),
		TEST(test_refusals_with_a_reply),
		TEST(test_reply_bit_and_features_of_ours),
		TEST(test_bad_regions),
		TEST(test_all_pairs_of_messages),
	};

	return cmocka_run_group_tests_name("vhost backend, hostile", tests, NULL, NULL);
}
