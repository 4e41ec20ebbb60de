/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <string.h>

#include "vhost/message.h"

static void test_every_id_has_a_row(void **state)
{
	for (uint32_t id = 1; id < VHOST_USER_REQUEST_END; id++) {
		const struct vhost_message_row *row = vhost_message_row(id);

		assert_non_null(row);
		assert_true(row->size_minimum <= row->size_maximum);
		assert_true(row->size_maximum <= VHOST_PAYLOAD_MAX);
		assert_true(row->fds_minimum <= row->fds_maximum);
		assert_true(row->fds_maximum <= VHOST_MESSAGE_FDS_MAX);
		assert_true(row->protocol_feature < VHOST_PROTOCOL_END);
		assert_true(row->refusal_size <= VHOST_PAYLOAD_MAX);
		/* Names are distinct. */
		for (uint32_t other = 1; other < id; other++)
			assert_string_not_equal(row->name, vhost_message_name(other));
	}
	for (uint32_t id = 1; id < VHOST_USER_BACKEND_REQUEST_END; id++)
		assert_non_null(vhost_backend_message_table[id].name);
	assert_null(vhost_message_row(0));
	assert_null(vhost_message_row(VHOST_USER_REQUEST_END));
	assert_null(vhost_message_row(UINT32_MAX));
	assert_string_equal(vhost_message_name(0), "unknown");
	assert_string_equal(vhost_message_name(1), "GET_FEATURES");
	assert_string_equal(vhost_message_name(44), "GET_SHMEM_CONFIG");
}

static void test_feature_names(void **state)
{
	assert_string_equal(vhost_feature_name(15), "mrg_rxbuf");
	assert_string_equal(vhost_feature_name(29), "event_idx");
	assert_string_equal(vhost_feature_name(32), "version_1");
	assert_string_equal(vhost_feature_name(56), "host_uso");
	assert_null(vhost_feature_name(4));
	assert_null(vhost_feature_name(64));
	assert_string_equal(vhost_protocol_feature_name(15), "configure_mem_slots");
	assert_null(vhost_protocol_feature_name(VHOST_PROTOCOL_END));
	assert_null(vhost_protocol_feature_name(64));
	for (unsigned bit = 0; bit < VHOST_PROTOCOL_END; bit++)
		assert_non_null(vhost_protocol_feature_name(bit));
}

static void test_header(void **state)
{
	static const struct {
		struct vhost_header header;
		bool good;
	} cases[] = {
		{{1, 0x1, 0}, true},
		{{1, 0x9, 8}, true},
		{{0xffffffff, 0xfffffffd, VHOST_PAYLOAD_MAX}, true},
		{{1, 0x1, VHOST_PAYLOAD_MAX + 1}, false},
		{{1, 0x1, 0xffffffff}, false},
		{{1, 0x0, 0}, false},
		{{1, 0x2, 0}, false},
		{{1, 0x3, 0}, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vhost_header header;
		struct error error;

		assert_int_equal(vhost_header_decode(
					 &header, (const uint8_t *)&cases[i].header, &error) == 0,
			cases[i].good);
		if (cases[i].good)
			assert_memory_equal(&header, &cases[i].header, sizeof(header));
	}
}

/* The bytes of one message, written down by hand as a little-endian machine sends them. */
static void test_encode(void **state)
{
	static const uint8_t expected[] = {9, 0, 0, 0, 9, 0, 0, 0, 40, 0, 0, 0, /* header */
		3, 0, 0, 0, 1, 0, 0, 0,                                         /* index, flags */
		0x11, 0, 0, 0, 0, 0, 0, 0, 0x22, 0, 0, 0, 0, 0, 0, 0,           /* desc, used */
		0x33, 0, 0, 0, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 0};          /* avail, log */
	static struct vhost_message message;
	static uint8_t bytes[sizeof(struct vhost_header) + VHOST_PAYLOAD_MAX];

	vhost_message_init(&message, VHOST_USER_SET_VRING_ADDR, VHOST_MESSAGE_NEED_REPLY, 40);
	message.payload.address = (struct vhost_ring_address){.index = 3,
		.flags = 1,
		.descriptor = 0x11,
		.used = 0x22,
		.available = 0x33,
		.log = 0x44};
	assert_int_equal(vhost_message_encode(&message, bytes), sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
	/* Not even a message that lies about itself makes it write further. */
	message.header.size = UINT32_MAX;
	assert_int_equal(vhost_message_encode(&message, bytes), sizeof(bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_id_has_a_row),
		cmocka_unit_test(test_feature_names),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests_name("vhost message", tests, NULL, NULL);
}
