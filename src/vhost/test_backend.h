/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the backend share: one session with a port that watches the contract
 * (test_port.h), one message on its way in, and what became of it. Included by one source of each
 * test program; its variables are that program's.
 */
#ifndef VSW_VHOST_TEST_BACKEND_H
#define VSW_VHOST_TEST_BACKEND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "vhost/test_port.h"

/* Rings that a frontend may name. */
#define RINGS (4 * TEST_PAIRS)

static struct test_port port;
static struct vhost_result result;
static struct vhost_message message;
static unsigned baseline;

static int setup(void **state)
{
	baseline = test_fd_count();
	test_port_open(&port);
	return 0;
}

/* Every test ends here: nothing left open, the port's contract kept. */
static int teardown(void **state)
{
	test_port_close(&port);
	if (port.fault[0] != '\0')
		fail_msg("%s", port.fault);
	assert_int_equal(test_fd_count(), baseline);
	return 0;
}

static inline void handle(void)
{
	vhost_backend_handle(&port.backend, &message, &result);
}

/* The acknowledgement of REPLY_ACK: one u64, version 1, REPLY set, NEED_REPLY clear. */
static inline void assert_ack(uint32_t id, bool success)
{
	assert_true(result.has_reply);
	assert_int_equal(result.reply.header.id, id);
	assert_int_equal(result.reply.header.flags, 0x5);
	assert_int_equal(result.reply.header.size, 8);
	assert_int_equal(result.reply.payload.number != 0, !success);
	assert_int_equal(result.reply.fd_count, 0);
}

#endif
