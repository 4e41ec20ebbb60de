/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dhcp_message.h"
#include "service/test_dhcp.h"

static bool read_message(const struct test_dhcp *message, struct dhcp_request *request)
{
	/* In memory of its own size: a read past it is seen. */
	uint8_t *exact = malloc(message->length);
	bool sound;

	memcpy(exact, message->bytes, message->length);
	sound = dhcp_request_read(exact, message->length, request);
	free(exact);
	return sound;
}

static void all_of_a_request_is_read(void **state)
{
	struct test_dhcp message;
	struct dhcp_request request;

	test_dhcp_begin(&message, DHCP_REQUEST);
	store_be32(message.bytes + 12, 0x0a000005);
	store_be16(message.bytes + 10, 0x8000);
	test_dhcp_add_u32(&message, 50, 0x0a000064);
	test_dhcp_add_u32(&message, 54, 0x0a000001);
	test_dhcp_add(&message, 55, "\x01\x03\x06", 3);
	test_dhcp_add(&message, 57, "\x05\xdc", 2);
	test_dhcp_add(&message, 61, "\x01\x52\x54\x00\x00\x00\x01", 7);
	test_dhcp_add(&message, 12, "Web-1.example", 13);
	test_dhcp_add(&message, 80, NULL, 0);
	test_dhcp_add(&message, 93, "\x00\x07", 2);
	test_dhcp_add(&message, 77, "iPXE", 4);
	test_dhcp_end(&message);
	assert_true(read_message(&message, &request));
	assert_int_equal(request.type, DHCP_REQUEST);
	assert_int_equal(request.transaction, 0x11223344);
	assert_int_equal(request.client_address, 0x0a000005);
	assert_int_equal(request.flags, DHCP_FLAG_BROADCAST);
	assert_int_equal(request.requested, 0x0a000064);
	assert_int_equal(request.server, 0x0a000001);
	assert_true(request.wants_some && request.wants[1] && request.wants[3] && request.wants[6]);
	assert_false(request.wants[15]);
	assert_int_equal(request.maximum, 1500);
	assert_int_equal(request.client_id_length, 7);
	assert_string_equal(request.host, "web-1");
	assert_true(request.rapid_commit && request.is_ipxe);
	assert_int_equal(request.architecture, 7);
}

static void split_and_overloaded_options_are_one(void **state)
{
	struct test_dhcp message;
	struct dhcp_request request;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 61, "\x00wo", 3);
	test_dhcp_add(&message, 52, "\x03", 1);
	test_dhcp_add(&message, 61, "rd", 2);
	test_dhcp_end(&message);
	/* In `file` first, then in `sname` (RFC 3396, section 5). */
	memcpy(message.bytes + 108, "\x3d\x01s\xff", 4);
	memcpy(message.bytes + 44, "\x3d\x01!\x0c\x02vm\xff", 8);
	assert_true(read_message(&message, &request));
	assert_int_equal(request.client_id_length, 7);
	assert_memory_equal(request.client_id, "\0words!", 7);
	assert_string_equal(request.host, "vm");
}

static void wrong_lengths_count_as_nothing(void **state)
{
	struct test_dhcp message;
	struct dhcp_request request;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 50, "\x0a\x00\x00", 3);
	test_dhcp_add(&message, 54, "\x0a\x00\x00\x01\x02", 5);
	test_dhcp_add(&message, 57, "\x05", 1);
	test_dhcp_add(&message, 61, "\x01", 1);
	test_dhcp_add(&message, 12, "no good", 7);
	test_dhcp_add(&message, 93, "\x07", 1);
	test_dhcp_end(&message);
	assert_true(read_message(&message, &request));
	assert_int_equal(request.requested, 0);
	assert_int_equal(request.server, 0);
	assert_int_equal(request.maximum, 0);
	assert_int_equal(request.client_id_length, 0);
	assert_string_equal(request.host, "");
	assert_int_equal(request.architecture, -1);
}

static void what_is_no_message_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {{0, 2}, {1, 6}, {2, 16}, {236, 0}};
	struct test_dhcp message;
	struct dhcp_request request;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_end(&message);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct test_dhcp broken = message;

		broken.bytes[wrong[i].at] = wrong[i].value;
		assert_false(read_message(&broken, &request));
	}
	message.length = 239;
	assert_false(read_message(&message, &request));
	/* An option that is longer than what is left; and a code without its length. */
	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 12, "abc", 3);
	message.length--;
	assert_false(read_message(&message, &request));
	test_dhcp_begin(&message, DHCP_DISCOVER);
	message.bytes[message.length++] = 12;
	assert_false(read_message(&message, &request));
}

static void long_options_are_split(void **state)
{
	struct dhcp_request request = {.maximum = 1500};
	static uint8_t value[600];
	struct dhcp_reply reply;
	size_t at = 243;

	memset(value, 'x', sizeof(value));
	dhcp_reply_begin(&reply, &request, DHCP_ACK);
	assert_true(dhcp_reply_add(&reply, 121, value, sizeof(value)));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(reply.bytes[at], 121);
		assert_int_equal(reply.bytes[at + 1], i < 2 ? 255 : 90);
		at += 2u + reply.bytes[at + 1];
	}
	dhcp_reply_end(&reply);
	assert_int_equal(reply.bytes[at], 255);
	assert_int_equal(reply.length, at + 1);
}

static void a_reply_is_as_long_as_its_receiver_takes(void **state)
{
	struct dhcp_request request = {.transaction = 5};
	static uint8_t value[300];
	struct dhcp_reply reply;

	dhcp_reply_begin(&reply, &request, DHCP_OFFER);
	/* 548 bytes: 240, the type, and one for the end leave 304. */
	assert_false(dhcp_reply_add(&reply, 43, value, 301));
	assert_true(dhcp_reply_add(&reply, 43, value, 255));
	assert_false(dhcp_reply_add_u32(&reply, 51, 1) && dhcp_reply_add(&reply, 12, value, 40));
	dhcp_reply_end(&reply);
	assert_true(reply.length <= 548);
	dhcp_reply_begin(&reply, &request, DHCP_NAK);
	dhcp_reply_end(&reply);
	assert_int_equal(reply.length, 300);
	request.maximum = 65535;
	dhcp_reply_begin(&reply, &request, DHCP_NAK);
	assert_int_equal(reply.maximum, DHCP_REPLY_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_a_request_is_read),
		cmocka_unit_test(split_and_overloaded_options_are_one),
		cmocka_unit_test(wrong_lengths_count_as_nothing),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(long_options_are_split),
		cmocka_unit_test(a_reply_is_as_long_as_its_receiver_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
