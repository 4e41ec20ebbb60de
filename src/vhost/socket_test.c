/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket shells: a raw client or server of the test's own against an endpoint, in one process.
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "vhost/connection.h"
#include "vhost/endpoint.h"
#include "vhost/second_client.h"
#include "vhost/test_port.h"

enum action { NOTHING, DISCONNECT, CLOSE };

/* What the endpoint's owner saw, and what it does about it. */
static struct {
	struct vhost_endpoint *endpoint;
	unsigned connected, disconnected, messages;
	char reason[256];
	struct vhost_header last;
	unsigned last_fds, last_lost;
	bool reply;
	enum action at_connect, at_message, at_disconnect;
} owner;

static struct event_base *base;
static char directory[64];
static char path[96];
static unsigned baseline;

static void act(enum action action)
{
	if (action == DISCONNECT)
		vhost_endpoint_disconnect(owner.endpoint, "the test wants it");
	if (action != CLOSE)
		return;
	vhost_endpoint_close(owner.endpoint);
	owner.endpoint = NULL;
}

static void on_connected(void *argument)
{
	owner.connected++;
	act(owner.at_connect);
}

static void on_message(void *argument, struct vhost_message *message)
{
	static struct vhost_message reply;

	owner.messages++;
	owner.last = message->header;
	owner.last_fds = message->fd_count;
	owner.last_lost = message->fds_lost;
	if (owner.reply) {
		vhost_message_init(&reply, message->header.id, VHOST_MESSAGE_REPLY, 8);
		vhost_endpoint_send(owner.endpoint, &reply);
	}
	act(owner.at_message);
}

static void on_disconnected(void *argument, const char *reason)
{
	owner.disconnected++;
	snprintf(owner.reason, sizeof(owner.reason), "%s", reason);
	act(owner.at_disconnect);
}

static const struct vhost_endpoint_ops ops = {
	.connected = on_connected,
	.message = on_message,
	.disconnected = on_disconnected,
};

static int setup(void **state)
{
	baseline = test_fd_count();
	memset(&owner, 0, sizeof(owner));
	snprintf(directory, sizeof(directory), "/tmp/vhost-socket-test.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/port.sock", directory);
	base = event_base_new();
	return 0;
}

static int teardown(void **state)
{
	vhost_endpoint_close(owner.endpoint);
	event_base_free(base);
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(test_fd_count(), baseline);
	return 0;
}

static int try_open(enum vhost_mode mode, struct error *error)
{
	const struct vhost_endpoint_config config = {.mode = mode, .path = path, .name = "test"};

	return vhost_endpoint_open(base, &config, &ops, NULL, &owner.endpoint, error);
}

static void open_endpoint(enum vhost_mode mode)
{
	struct error error = {""};

	if (try_open(mode, &error) < 0)
		fail_msg("%s", error.text);
}

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	return address;
}

static int client(void)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int server(void)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Runs the event loop until there is nothing to do, or for `ms`. */
static void run(void)
{
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void run_for(unsigned ms)
{
	const struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
}

/* Runs until *counter reaches `value`, for three seconds at most. */
static void run_until(const unsigned *counter, unsigned value)
{
	uint64_t end = clock_now_ns() + 3 * NS_PER_SECOND;

	while (*counter < value && clock_now_ns() < end)
		run_for(5);
	assert_int_equal(*counter, value);
}

static void send_bytes(int fd, const void *bytes, size_t length, unsigned fd_count)
{
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = length};
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VHOST_RECEIVE_FDS_MAX)];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	int event = eventfd(0, EFD_CLOEXEC);

	if (fd_count) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		for (unsigned i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &event, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &header, MSG_NOSIGNAL), length);
	fd_close(&event);
}

static const uint8_t get_features[] = {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t set_features[] = {2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

static void test_message_and_reply(void **state)
{
	uint8_t reply[64];
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	owner.reply = true;
	fd = client();
	send_bytes(fd, set_features, sizeof(set_features), 0);
	send_bytes(fd, get_features, sizeof(get_features), 0);
	run();
	assert_int_equal(owner.connected, 1);
	assert_int_equal(owner.messages, 2);
	assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), 40);
	assert_int_equal(reply[0], 2);
	assert_int_equal(reply[4], 5);
	fd_close(&fd);
	run();
	assert_int_equal(owner.disconnected, 1);
	assert_string_equal(owner.reason, "the peer closed");
	assert_false(vhost_endpoint_connected(owner.endpoint));
	/* And the next one, as often as one likes. */
	for (unsigned i = 0; i < 20; i++) {
		fd = client();
		send_bytes(fd, get_features, sizeof(get_features), 0);
		run();
		assert_int_equal(owner.connected, i + 2);
		fd_close(&fd);
		run();
	}
	assert_int_equal(owner.messages, 22);
}

static void test_one_byte_at_a_time(void **state)
{
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	fd = client();
	for (unsigned i = 0; i < sizeof(set_features); i++) {
		assert_int_equal(owner.messages, 0);
		send_bytes(fd, set_features + i, 1, i == 0 ? 2 : 0);
		run();
	}
	assert_int_equal(owner.messages, 1);
	assert_int_equal(owner.last.id, 2);
	assert_int_equal(owner.last_fds, 2);
	fd_close(&fd);
	run();
}

static void test_fd_floods(void **state)
{
	static const unsigned counts[] = {0, 1, 7, 8, 9, 64, 252, 253};
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	fd = client();
	run();
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned before = test_fd_count();

		send_bytes(fd, get_features, sizeof(get_features), counts[i]);
		run();
		assert_int_equal(owner.messages, i + 1);
		assert_int_equal(owner.last_fds, MIN(counts[i], VHOST_MESSAGE_FDS_MAX));
		assert_int_equal(owner.last_lost, counts[i] - owner.last_fds);
		assert_int_equal(test_fd_count(), before);
	}
	/* Some with every byte: all are counted for the one message. */
	for (unsigned i = 0; i < sizeof(get_features); i++)
		send_bytes(fd, get_features + i, 1, 100);
	run();
	assert_int_equal(owner.last_fds + owner.last_lost, 1200);
	/* A message that never becomes whole leaves none behind (see teardown). */
	send_bytes(fd, get_features, 5, 200);
	run();
	fd_close(&fd);
	run();
	assert_string_equal(owner.reason, "the peer closed within a message");
}

/* The process is out of descriptors: the kernel drops what it cannot install. */
static void test_truncated_control(void **state)
{
	struct rlimit old, tight;
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	fd = client();
	run();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	send_bytes(fd, get_features, sizeof(get_features), 8);
	tight = (struct rlimit){.rlim_cur = baseline + 6, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	run();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(owner.messages, 1);
	assert_true(owner.last_fds < 8);
	assert_true(owner.last_lost > 0);
	fd_close(&fd);
	run();
}

static void test_bad_headers(void **state)
{
	static const uint8_t bad[][12] = {
		{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		{1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0},
		{1, 0, 0, 0, 1, 0, 0, 0, 1, 0x10, 0, 0},
		{1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
	};

	open_endpoint(VHOST_MODE_SERVER);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = client();

		send_bytes(fd, bad[i], sizeof(bad[i]), 3);
		run();
		assert_int_equal(owner.disconnected, i + 1);
		fd_close(&fd);
	}
	assert_int_equal(owner.messages, 0);
}

static void test_stalled_message_has_a_deadline(void **state)
{
	uint64_t begin = clock_now_ns();
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	fd = client();
	/* An idle connection, and one between messages, may last. */
	send_bytes(fd, get_features, sizeof(get_features), 0);
	send_bytes(fd, get_features, 11, 1);
	run_until(&owner.disconnected, 1);
	assert_non_null(strstr(owner.reason, "not complete"));
	assert_true(clock_now_ns() - begin >= 1900 * NS_PER_MS);
	assert_int_equal(owner.messages, 1);
	fd_close(&fd);
}

static void test_idle_connection_stays(void **state)
{
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	fd = client();
	send_bytes(fd, get_features, sizeof(get_features), 0);
	run_for(VHOST_MESSAGE_DEADLINE_MS + 200);
	assert_int_equal(owner.disconnected, 0);
	fd_close(&fd);
	run();
}

static void test_peer_that_never_reads(void **state)
{
	int small = 1;
	int fd;

	open_endpoint(VHOST_MODE_SERVER);
	owner.reply = true;
	fd = client();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (unsigned i = 0; i < 100000 && owner.disconnected == 0; i++) {
		send_bytes(fd, get_features, sizeof(get_features), 0);
		run();
	}
	assert_int_equal(owner.disconnected, 1);
	assert_non_null(strstr(owner.reason, "does not read"));
	fd_close(&fd);
}

/* Replies that had to wait arrive whole and in order once the peer reads. */
static void test_slow_reader(void **state)
{
	uint8_t reply[20];
	int fd, total = 0;

	open_endpoint(VHOST_MODE_SERVER);
	owner.reply = true;
	fd = client();
	for (unsigned i = 0; i < 2000; i++) {
		send_bytes(fd, i & 1 ? set_features : get_features,
			i & 1 ? sizeof(set_features) : sizeof(get_features), 0);
		run();
		if (i < 50)
			continue;
		assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
		assert_int_equal(reply[0], 1 + (total++ & 1));
	}
	while (recv(fd, reply, sizeof(reply), MSG_DONTWAIT) == sizeof(reply))
		total++;
	assert_int_equal(total, 2000);
	assert_int_equal(owner.disconnected, 0);
	fd_close(&fd);
	run();
}

static void test_second_client(void **state)
{
	char byte;
	int first, second, third;
	uint64_t begin;

	open_endpoint(VHOST_MODE_SERVER);
	first = client();
	run();
	begin = clock_now_ns();
	second = client();
	run();
	/* Held: neither served nor disconnected, whatever it sends; and a third one waits behind it. */
	send_bytes(second, get_features, sizeof(get_features), 0);
	third = client();
	run();
	assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(owner.connected, 1);
	while (recv(second, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
		run_for(20);
	assert_in_range((clock_now_ns() - begin) / NS_PER_MS, VHOST_HOLD_FIRST_MS - 100,
		VHOST_HOLD_FIRST_MS * 10);
	assert_int_equal(recv(third, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&second);
	fd_close(&third);
	run();
	assert_int_equal(owner.messages, 0);
	send_bytes(first, get_features, sizeof(get_features), 0);
	run();
	assert_int_equal(owner.messages, 1);
	/* One that is gone does not count, though its end is seen only after the next one came. */
	second = client();
	fd_close(&first);
	send_bytes(second, get_features, sizeof(get_features), 0);
	run();
	assert_int_equal(owner.connected, 2);
	assert_int_equal(owner.disconnected, 1);
	assert_int_equal(owner.messages, 2);
	fd_close(&second);
	run();
}

/* The first one goes while the second is held: that one is served at once, from its first byte. */
static void test_second_client_takes_over(void **state)
{
	int first, second, third;

	open_endpoint(VHOST_MODE_SERVER);
	first = client();
	run();
	second = client();
	send_bytes(second, get_features, sizeof(get_features), 0);
	run();
	third = client();
	run();
	fd_close(&first);
	run();
	run();
	assert_int_equal(owner.disconnected, 1);
	assert_int_equal(owner.connected, 2);
	assert_int_equal(owner.messages, 1);
	/* And the third is the second now. */
	fd_close(&second);
	run();
	run();
	assert_int_equal(owner.connected, 3);
	fd_close(&third);
	run();
}

static void test_socket_file(void **state)
{
	struct error error = {""};
	struct stat file;
	char kept[sizeof(path)];
	int live;

	/* No socket at all. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(try_open(VHOST_MODE_SERVER, &error), -EEXIST);
	assert_non_null(strstr(error.text, "not a socket"));
	assert_int_equal(vhost_endpoint_check(path, &error), -EEXIST);
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(try_open(VHOST_MODE_SERVER, &error), -EEXIST);
	unlink(path);
	/* A live one, then the same without its owner. */
	live = server();
	assert_int_equal(try_open(VHOST_MODE_SERVER, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "in use"));
	fd_close(&live);
	assert_int_equal(vhost_endpoint_check(path, &error), 0);
	open_endpoint(VHOST_MODE_SERVER);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0660);
	vhost_endpoint_close(owner.endpoint);
	owner.endpoint = NULL;
	assert_int_equal(access(path, F_OK), -1);
	/* What another has put there since is not ours to remove. */
	open_endpoint(VHOST_MODE_SERVER);
	snprintf(kept, sizeof(kept), "%s", path);
	unlink(path);
	live = server();
	vhost_endpoint_close(owner.endpoint);
	owner.endpoint = NULL;
	assert_int_equal(access(kept, F_OK), 0);
	fd_close(&live);
	/* Too long, empty, nowhere. */
	memset(path, 'x', sizeof(path) - 1);
	assert_int_equal(vhost_endpoint_check("", &error), -EINVAL);
	assert_int_equal(vhost_endpoint_check("/nowhere/at/all.sock", &error), 0);
	{
		char long_path[120];
		const struct vhost_endpoint_config config = {
			.mode = VHOST_MODE_CLIENT, .path = long_path, .name = "test"};

		memset(long_path, 'x', sizeof(long_path) - 1);
		long_path[sizeof(long_path) - 1] = '\0';
		assert_int_equal(
			vhost_endpoint_open(base, &config, &ops, NULL, &owner.endpoint, &error),
			-ENAMETOOLONG);
		assert_non_null(strstr(error.text, "107"));
		assert_int_equal(vhost_endpoint_check(long_path, &error), -ENAMETOOLONG);
	}
	snprintf(path, sizeof(path), "%s", kept);
}

static void test_client_mode(void **state)
{
	int listener, fd;

	open_endpoint(VHOST_MODE_CLIENT);
	run_for(250);
	assert_int_equal(owner.connected, 0);
	for (unsigned i = 1; i <= 3; i++) {
		listener = server();
		run_until(&owner.connected, i);
		fd = accept(listener, NULL, NULL);
		send_bytes(fd, get_features, sizeof(get_features), 0);
		run_until(&owner.messages, i);
		fd_close(&fd);
		fd_close(&listener);
		unlink(path);
		run_until(&owner.disconnected, i);
	}
}

/* A peer that hangs up at once is not dialled in a hot loop. */
static void test_client_mode_backs_off(void **state)
{
	int listener = server();

	open_endpoint(VHOST_MODE_CLIENT);
	owner.at_connect = DISCONNECT;
	run_for(1500);
	assert_in_range(owner.connected, 3, 6);
	assert_int_equal(owner.connected, owner.disconnected);
	fd_close(&listener);
}

static void test_owner_acts_inside_callbacks(void **state)
{
	for (unsigned where = 0; where < 3; where++) {
		for (enum action action = DISCONNECT; action <= CLOSE; action++) {
			int fd;

			memset(&owner, 0, sizeof(owner));
			open_endpoint(VHOST_MODE_SERVER);
			*(where == 0         ? &owner.at_connect
				: where == 1 ? &owner.at_message
					     : &owner.at_disconnect) = action;
			fd = client();
			send_bytes(fd, get_features, sizeof(get_features), 8);
			send_bytes(fd, get_features, sizeof(get_features), 8);
			run();
			fd_close(&fd);
			run();
			assert_int_equal(owner.connected, 1);
			assert_int_equal(owner.endpoint == NULL, action == CLOSE);
			vhost_endpoint_close(owner.endpoint);
			owner.endpoint = NULL;
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_message_and_reply),
		TEST(test_one_byte_at_a_time),
		TEST(test_fd_floods),
		TEST(test_truncated_control),
		TEST(test_bad_headers),
		TEST(test_stalled_message_has_a_deadline),
		TEST(test_idle_connection_stays),
		TEST(test_peer_that_never_reads),
		TEST(test_slow_reader),
		TEST(test_second_client),
		TEST(test_second_client_takes_over),
		TEST(test_socket_file),
		TEST(test_client_mode),
		TEST(test_client_mode_backs_off),
		TEST(test_owner_acts_inside_callbacks),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("vhost socket", tests, NULL, NULL);
}
