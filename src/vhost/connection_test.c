/* SPDX-License-Identifier: BSD-3-Clause */
/* What a peer may send over its connection, in pieces, in excess and too late. */
#include "vhost/test_endpoint.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "vhost/connection.h"
#include "vhost/test_port.h"

static void test_message_and_reply(void **state)
{
	uint8_t reply[64];
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	test_owner.reply = true;
	fd = test_client();
	test_send_bytes(fd, test_set_features, sizeof(test_set_features), 0);
	test_send_bytes(fd, test_get_features, sizeof(test_get_features), 0);
	test_run();
	assert_int_equal(test_owner.connected, 1);
	assert_int_equal(test_owner.messages, 2);
	assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), 40);
	assert_int_equal(reply[0], 2);
	assert_int_equal(reply[4], 5);
	fd_close(&fd);
	test_run();
	assert_int_equal(test_owner.disconnected, 1);
	assert_string_equal(test_owner.reason, "the peer closed");
	assert_false(vhost_endpoint_connected(test_owner.endpoint));
	/* And the next one, as often as one likes. */
	for (unsigned i = 0; i < 20; i++) {
		fd = test_client();
		test_send_bytes(fd, test_get_features, sizeof(test_get_features), 0);
		test_run();
		assert_int_equal(test_owner.connected, i + 2);
		fd_close(&fd);
		test_run();
	}
	assert_int_equal(test_owner.messages, 22);
}

static void test_one_byte_at_a_time(void **state)
{
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	fd = test_client();
	for (unsigned i = 0; i < sizeof(test_set_features); i++) {
		assert_int_equal(test_owner.messages, 0);
		test_send_bytes(fd, test_set_features + i, 1, i == 0 ? 2 : 0);
		test_run();
	}
	assert_int_equal(test_owner.messages, 1);
	assert_int_equal(test_owner.last.id, 2);
	assert_int_equal(test_owner.last_fds, 2);
	fd_close(&fd);
	test_run();
}

static void test_fd_floods(void **state)
{
	static const unsigned counts[] = {0, 1, 7, 8, 9, 64, 252, 253};
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	fd = test_client();
	test_run();
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned before = test_fd_count();

		test_send_bytes(fd, test_get_features, sizeof(test_get_features), counts[i]);
		test_run();
		assert_int_equal(test_owner.messages, i + 1);
		assert_int_equal(test_owner.last_fds, MIN(counts[i], VHOST_MESSAGE_FDS_MAX));
		assert_int_equal(test_owner.last_lost, counts[i] - test_owner.last_fds);
		assert_int_equal(test_fd_count(), before);
	}
	/* Some with every byte: all are counted for the one message. */
	for (unsigned i = 0; i < sizeof(test_get_features); i++)
		test_send_bytes(fd, test_get_features + i, 1, 100);
	test_run();
	assert_int_equal(test_owner.last_fds + test_owner.last_lost, 1200);
	/* A message that never becomes whole leaves none behind (see teardown). */
	test_send_bytes(fd, test_get_features, 5, 200);
	test_run();
	fd_close(&fd);
	test_run();
	assert_string_equal(test_owner.reason, "the peer closed within a message");
}

/* The process is out of descriptors: the kernel drops what it cannot install. */
static void test_truncated_control(void **state)
{
	struct rlimit old, tight;
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	fd = test_client();
	test_run();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	test_send_bytes(fd, test_get_features, sizeof(test_get_features), 8);
	tight = (struct rlimit){.rlim_cur = test_baseline + 6, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	test_run();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(test_owner.messages, 1);
	assert_true(test_owner.last_fds < 8);
	assert_true(test_owner.last_lost > 0);
	fd_close(&fd);
	test_run();
}

static void test_bad_headers(void **state)
{
	static const uint8_t bad[][12] = {
		{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		{1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0},
		{1, 0, 0, 0, 1, 0, 0, 0, 1, 0x10, 0, 0},
		{1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
	};

	test_endpoint_open(VHOST_MODE_SERVER);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = test_client();

		test_send_bytes(fd, bad[i], sizeof(bad[i]), 3);
		test_run();
		assert_int_equal(test_owner.disconnected, i + 1);
		fd_close(&fd);
	}
	assert_int_equal(test_owner.messages, 0);
}

static void test_stalled_message_has_a_deadline(void **state)
{
	uint64_t begin = clock_now_ns();
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	fd = test_client();
	/* An idle connection, and one between messages, may last. */
	test_send_bytes(fd, test_get_features, sizeof(test_get_features), 0);
	test_send_bytes(fd, test_get_features, 11, 1);
	test_run_until(&test_owner.disconnected, 1);
	assert_non_null(strstr(test_owner.reason, "not complete"));
	assert_true(clock_now_ns() - begin >= 1900 * NS_PER_MS);
	assert_int_equal(test_owner.messages, 1);
	fd_close(&fd);
}

static void test_idle_connection_stays(void **state)
{
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	fd = test_client();
	test_send_bytes(fd, test_get_features, sizeof(test_get_features), 0);
	test_run_for(VHOST_MESSAGE_DEADLINE_MS + 200);
	assert_int_equal(test_owner.disconnected, 0);
	fd_close(&fd);
	test_run();
}

static void test_peer_that_never_reads(void **state)
{
	int small = 1;
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	test_owner.reply = true;
	fd = test_client();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (unsigned i = 0; i < 100000 && test_owner.disconnected == 0; i++) {
		test_send_bytes(fd, test_get_features, sizeof(test_get_features), 0);
		test_run();
	}
	assert_int_equal(test_owner.disconnected, 1);
	assert_non_null(strstr(test_owner.reason, "does not read"));
	fd_close(&fd);
}

/* Replies that had to wait arrive whole and in order once the peer reads. */
static void test_slow_reader(void **state)
{
	uint8_t reply[20];
	int fd, total = 0;

	test_endpoint_open(VHOST_MODE_SERVER);
	test_owner.reply = true;
	fd = test_client();
	for (unsigned i = 0; i < 2000; i++) {
		test_send_bytes(fd, i & 1 ? test_set_features : test_get_features,
			i & 1 ? sizeof(test_set_features) : sizeof(test_get_features), 0);
		test_run();
		if (i < 50)
			continue;
		assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
		assert_int_equal(reply[0], 1 + (total++ & 1));
	}
	while (recv(fd, reply, sizeof(reply), MSG_DONTWAIT) == sizeof(reply))
		total++;
	assert_int_equal(total, 2000);
	assert_int_equal(test_owner.disconnected, 0);
	fd_close(&fd);
	test_run();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF_ENDPOINT(test_message_and_reply),
		TEST_OF_ENDPOINT(test_one_byte_at_a_time),
		TEST_OF_ENDPOINT(test_fd_floods),
		TEST_OF_ENDPOINT(test_truncated_control),
		TEST_OF_ENDPOINT(test_bad_headers),
		TEST_OF_ENDPOINT(test_stalled_message_has_a_deadline),
		TEST_OF_ENDPOINT(test_idle_connection_stays),
		TEST_OF_ENDPOINT(test_peer_that_never_reads),
		TEST_OF_ENDPOINT(test_slow_reader),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("vhost connection", tests, NULL, NULL);
}
