/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the endpoint and its connections: one endpoint with an owner that notes what it saw,
 * and raw clients and servers of the test's own, in one process and one event loop. Whatever is
 * open at a test's end that was not at its beginning fails the test.
 */
#ifndef VSW_VHOST_TEST_ENDPOINT_H
#define VSW_VHOST_TEST_ENDPOINT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <event2/event.h>

#include "vhost/endpoint.h"

enum test_action { TEST_NOTHING, TEST_DISCONNECT, TEST_CLOSE };

/* What the endpoint's owner saw, and what it does about it. */
struct test_owner {
	struct vhost_endpoint *endpoint;
	unsigned connected, disconnected, messages;
	char reason[256];
	struct vhost_header last;
	unsigned last_fds, last_lost;
	bool reply;
	enum test_action at_connect, at_message, at_disconnect;
};

extern struct test_owner test_owner;
extern const struct vhost_endpoint_ops test_owner_ops;
extern struct event_base *test_base;
extern char test_path[96];     /* of the endpoint's socket, in a folder of its own */
extern unsigned test_baseline; /* descriptors that were open before */

int test_endpoint_setup(void **state);
int test_endpoint_teardown(void **state);
#define TEST_OF_ENDPOINT(name)                                                                     \
	cmocka_unit_test_setup_teardown(name, test_endpoint_setup, test_endpoint_teardown)

/* Opens the endpoint at test_path: 0 or -errno; / which must work. */
int test_endpoint_try(enum vhost_mode mode, struct error *error);
void test_endpoint_open(enum vhost_mode mode);

/* A connection to it; / a listening socket for it. */
int test_client(void);
int test_server(void);

/* Runs the event loop until there is nothing to do; / for `ms`; / until *counter is `value`, for
 * three seconds at most. */
void test_run(void);
void test_run_for(unsigned ms);
void test_run_until(const unsigned *counter, unsigned value);

/* Sends bytes, with so many descriptors. */
void test_send_bytes(int fd, const void *bytes, size_t length, unsigned fd_count);

/* Two whole messages: GET_FEATURES and SET_FEATURES. */
extern const uint8_t test_get_features[12];
extern const uint8_t test_set_features[20];

#endif
