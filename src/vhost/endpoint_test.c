/* SPDX-License-Identifier: BSD-3-Clause */
/* The endpoint: its socket's file, its clients, its servers, and an owner that acts from within. */
#include "vhost/test_endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/reaper.h"
#include "base/test_threads.h"
#include "vhost/second_client.h"
#include "vhost/test_port.h"

static void test_second_client(void **state)
{
	char byte;
	int first, second, third;
	uint64_t begin;

	test_endpoint_open(VHOST_MODE_SERVER);
	first = test_client();
	test_run();
	begin = clock_now_ns();
	second = test_client();
	test_run();
	/* Held: neither served nor disconnected, whatever it sends; and a third one waits behind
	 * it. */
	test_send_bytes(second, test_get_features, sizeof(test_get_features), 0);
	third = test_client();
	test_run();
	assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(test_owner.connected, 1);
	while (recv(second, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
		test_run_for(20);
	assert_in_range((clock_now_ns() - begin) / NS_PER_MS, VHOST_HOLD_FIRST_MS - 100,
		VHOST_HOLD_FIRST_MS * 10);
	assert_int_equal(recv(third, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	fd_close(&second);
	fd_close(&third);
	test_run();
	assert_int_equal(test_owner.messages, 0);
	test_send_bytes(first, test_get_features, sizeof(test_get_features), 0);
	test_run();
	assert_int_equal(test_owner.messages, 1);
	/* One that is gone does not count, though its end is seen only after the next one came. */
	second = test_client();
	fd_close(&first);
	test_send_bytes(second, test_get_features, sizeof(test_get_features), 0);
	test_run();
	assert_int_equal(test_owner.connected, 2);
	assert_int_equal(test_owner.disconnected, 1);
	assert_int_equal(test_owner.messages, 2);
	fd_close(&second);
	test_run();
}

/* The first one goes while the second is held: that one is served at once, from its first byte. */
static void test_second_client_takes_over(void **state)
{
	int first, second, third;

	test_endpoint_open(VHOST_MODE_SERVER);
	first = test_client();
	test_run();
	second = test_client();
	test_send_bytes(second, test_get_features, sizeof(test_get_features), 0);
	test_run();
	third = test_client();
	test_run();
	fd_close(&first);
	test_run();
	test_run();
	assert_int_equal(test_owner.disconnected, 1);
	assert_int_equal(test_owner.connected, 2);
	assert_int_equal(test_owner.messages, 1);
	/* And the third is the second now. */
	fd_close(&second);
	test_run();
	test_run();
	assert_int_equal(test_owner.connected, 3);
	fd_close(&third);
	test_run();
}

static void test_socket_file(void **state)
{
	struct error error = {""};
	struct stat file;
	char kept[sizeof(test_path)];
	int live;

	/* No socket at all. */
	close(open(test_path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(test_endpoint_try(VHOST_MODE_SERVER, &error), -EEXIST);
	assert_non_null(strstr(error.text, "not a socket"));
	assert_int_equal(vhost_endpoint_check(test_path, &error), -EEXIST);
	unlink(test_path);
	assert_int_equal(symlink("/dev/null", test_path), 0);
	assert_int_equal(test_endpoint_try(VHOST_MODE_SERVER, &error), -EEXIST);
	unlink(test_path);
	/* A live one, then the same without its test_owner. */
	live = test_server();
	assert_int_equal(test_endpoint_try(VHOST_MODE_SERVER, &error), -EADDRINUSE);
	assert_non_null(strstr(error.text, "in use"));
	fd_close(&live);
	assert_int_equal(vhost_endpoint_check(test_path, &error), 0);
	test_endpoint_open(VHOST_MODE_SERVER);
	assert_int_equal(stat(test_path, &file), 0);
	assert_int_equal(file.st_mode & 07777, 0660);
	vhost_endpoint_close(test_owner.endpoint);
	test_owner.endpoint = NULL;
	assert_int_equal(access(test_path, F_OK), -1);
	/* What another has put there since is not ours to remove. */
	test_endpoint_open(VHOST_MODE_SERVER);
	snprintf(kept, sizeof(kept), "%s", test_path);
	unlink(test_path);
	live = test_server();
	vhost_endpoint_close(test_owner.endpoint);
	test_owner.endpoint = NULL;
	assert_int_equal(access(kept, F_OK), 0);
	fd_close(&live);
	/* Too long, empty, nowhere. */
	memset(test_path, 'x', sizeof(test_path) - 1);
	assert_int_equal(vhost_endpoint_check("", &error), -EINVAL);
	assert_int_equal(vhost_endpoint_check("/nowhere/at/all.sock", &error), 0);
	{
		char long_path[120];
		const struct vhost_endpoint_config config = {
			.mode = VHOST_MODE_CLIENT, .path = long_path, .name = "test"};

		memset(long_path, 'x', sizeof(long_path) - 1);
		long_path[sizeof(long_path) - 1] = '\0';
		assert_int_equal(vhost_endpoint_open(test_base, &config, &test_owner_ops, NULL,
					 &test_owner.endpoint, &error),
			-ENAMETOOLONG);
		assert_non_null(strstr(error.text, "107"));
		assert_int_equal(vhost_endpoint_check(long_path, &error), -ENAMETOOLONG);
	}
	snprintf(test_path, sizeof(test_path), "%s", kept);
}

static void test_client_mode(void **state)
{
	int listener, fd;

	test_endpoint_open(VHOST_MODE_CLIENT);
	test_run_for(250);
	assert_int_equal(test_owner.connected, 0);
	for (unsigned i = 1; i <= 3; i++) {
		listener = test_server();
		test_run_until(&test_owner.connected, i);
		fd = accept(listener, NULL, NULL);
		test_send_bytes(fd, test_get_features, sizeof(test_get_features), 0);
		test_run_until(&test_owner.messages, i);
		fd_close(&fd);
		fd_close(&listener);
		unlink(test_path);
		test_run_until(&test_owner.disconnected, i);
	}
}

/* A peer that hangs up at once is not dialled in a hot loop. */
static void test_client_mode_backs_off(void **state)
{
	int listener = test_server();

	test_endpoint_open(VHOST_MODE_CLIENT);
	test_owner.at_connect = TEST_DISCONNECT;
	test_run_for(1500);
	assert_in_range(test_owner.connected, 3, 6);
	assert_int_equal(test_owner.connected, test_owner.disconnected);
	fd_close(&listener);
}

static void test_owner_acts_inside_callbacks(void **state)
{
	for (unsigned where = 0; where < 3; where++) {
		for (enum test_action action = TEST_DISCONNECT; action <= TEST_CLOSE; action++) {
			int fd;

			memset(&test_owner, 0, sizeof(test_owner));
			test_endpoint_open(VHOST_MODE_SERVER);
			*(where == 0         ? &test_owner.at_connect
				: where == 1 ? &test_owner.at_message
					     : &test_owner.at_disconnect) = action;
			fd = test_client();
			test_send_bytes(fd, test_get_features, sizeof(test_get_features), 8);
			test_send_bytes(fd, test_get_features, sizeof(test_get_features), 8);
			test_run();
			fd_close(&fd);
			test_run();
			assert_int_equal(test_owner.connected, 1);
			assert_int_equal(test_owner.endpoint == NULL, action == TEST_CLOSE);
			vhost_endpoint_close(test_owner.endpoint);
			test_owner.endpoint = NULL;
		}
	}
}

/* A path that cannot be had when a patient endpoint opens, and can later. */
static void test_a_patient_server(void **state)
{
	const struct vhost_endpoint_config config = {
		.mode = VHOST_MODE_SERVER, .path = test_path, .name = "test", .patient = true};
	struct error error;
	unsigned age;
	int fd;

	close(open(test_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(test_endpoint_try(VHOST_MODE_SERVER, &error), -EEXIST);
	assert_int_equal(vhost_endpoint_open(test_base, &config, &test_owner_ops, &test_owner,
				 &test_owner.endpoint, &error),
		0);
	assert_non_null(strstr(vhost_endpoint_problem(test_owner.endpoint, &age), "not a socket"));
	assert_int_equal(age, 0);
	/* Tried, in vain, by the timer and by hand; what is there is left alone. */
	test_run_for(1100);
	assert_non_null(vhost_endpoint_problem(test_owner.endpoint, &age));
	assert_in_range(age, 1, 9);
	assert_true(vhost_endpoint_renew(test_owner.endpoint,
			    &(struct host_access){0660, HOST_AS_MADE, HOST_AS_MADE}, &error) < 0);
	assert_int_equal(unlink(test_path), 0);
	test_run_for(1100);
	assert_null(vhost_endpoint_problem(test_owner.endpoint, &age));
	fd = test_client();
	test_run();
	assert_int_equal(test_owner.connected, 1);
	fd_close(&fd);
	test_run();
}

/* What peers sent is given up as soon as there is a thread for it again, without another event. */
static void test_reaper_without_a_thread(void **state)
{
	unsigned before;
	int fd;

	test_endpoint_open(VHOST_MODE_SERVER);
	fd = test_client();
	test_run();
	before = test_fd_count();
	test_no_threads = true;
	test_send_bytes(fd, test_get_features, sizeof(test_get_features), 5);
	test_run();
	assert_int_equal(test_owner.messages, 1);
	assert_int_equal(reaper_pending(vhost_endpoint_reaper(test_owner.endpoint)), 5);
	test_run_for(500);
	assert_int_equal(reaper_pending(vhost_endpoint_reaper(test_owner.endpoint)), 5);
	test_no_threads = false;
	test_run_for(500);
	assert_int_equal(test_fd_count(), before);
	fd_close(&fd);
	test_run();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF_ENDPOINT(test_second_client),
		TEST_OF_ENDPOINT(test_second_client_takes_over),
		TEST_OF_ENDPOINT(test_socket_file),
		TEST_OF_ENDPOINT(test_client_mode),
		TEST_OF_ENDPOINT(test_client_mode_backs_off),
		TEST_OF_ENDPOINT(test_owner_acts_inside_callbacks),
		TEST_OF_ENDPOINT(test_a_patient_server),
		TEST_OF_ENDPOINT(test_reaper_without_a_thread),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("vhost endpoint", tests, NULL, NULL);
}
