/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost/test_endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "vhost/connection.h"
#include "vhost/test_port.h"

const uint8_t test_get_features[12] = {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
const uint8_t test_set_features[20] = {2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

struct test_owner test_owner;
struct event_base *test_base;
char test_path[96];
unsigned test_baseline;

static char directory[64];

static void act(enum test_action action)
{
	if (action == TEST_DISCONNECT)
		vhost_endpoint_disconnect(test_owner.endpoint, "the test wants it");
	if (action != TEST_CLOSE)
		return;
	vhost_endpoint_close(test_owner.endpoint);
	test_owner.endpoint = NULL;
}

static void on_connected(void *argument)
{
	test_owner.connected++;
	act(test_owner.at_connect);
}

static void on_message(void *argument, struct vhost_message *message)
{
	static struct vhost_message reply;

	test_owner.messages++;
	test_owner.last = message->header;
	test_owner.last_fds = message->fd_count;
	test_owner.last_lost = message->fds_lost;
	if (test_owner.reply) {
		vhost_message_init(&reply, message->header.id, VHOST_MESSAGE_REPLY, 8);
		vhost_endpoint_send(test_owner.endpoint, &reply);
	}
	act(test_owner.at_message);
}

static void on_disconnected(void *argument, const char *reason)
{
	test_owner.disconnected++;
	snprintf(test_owner.reason, sizeof(test_owner.reason), "%s", reason);
	act(test_owner.at_disconnect);
}

const struct vhost_endpoint_ops test_owner_ops = {
	.connected = on_connected,
	.message = on_message,
	.disconnected = on_disconnected,
};

int test_endpoint_setup(void **state)
{
	test_baseline = test_fd_count();
	memset(&test_owner, 0, sizeof(test_owner));
	snprintf(directory, sizeof(directory), "/tmp/vhost-socket-test.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(test_path, sizeof(test_path), "%s/port.sock", directory);
	test_base = event_base_new();
	return 0;
}

int test_endpoint_teardown(void **state)
{
	vhost_endpoint_close(test_owner.endpoint);
	event_base_free(test_base);
	unlink(test_path);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(test_fd_count(), test_baseline);
	return 0;
}

int test_endpoint_try(enum vhost_mode mode, struct error *error)
{
	const struct vhost_endpoint_config config = {
		.mode = mode, .path = test_path, .name = "test"};

	return vhost_endpoint_open(
		test_base, &config, &test_owner_ops, NULL, &test_owner.endpoint, error);
}

void test_endpoint_open(enum vhost_mode mode)
{
	struct error error = {""};

	if (test_endpoint_try(mode, &error) < 0)
		fail_msg("%s", error.text);
}

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	return address;
}

int test_client(void)
{
	struct sockaddr_un address = address_of(test_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int test_server(void)
{
	struct sockaddr_un address = address_of(test_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

void test_run(void)
{
	for (unsigned i = 0; i < 8; i++)
		event_base_loop(test_base, EVLOOP_NONBLOCK);
}

void test_run_for(unsigned ms)
{
	const struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(test_base, &time);
	event_base_dispatch(test_base);
}

void test_run_until(const unsigned *counter, unsigned value)
{
	uint64_t end = clock_now_ns() + 3 * NS_PER_SECOND;

	while (*counter < value && clock_now_ns() < end)
		test_run_for(5);
	assert_int_equal(*counter, value);
}

void test_send_bytes(int fd, const void *bytes, size_t length, unsigned fd_count)
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
