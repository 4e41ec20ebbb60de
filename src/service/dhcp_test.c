/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/common.h"
#include "service/arp.h"
#include "service/dhcp.h"
#include "service/test_dhcp.h"

#define SERVER 0x0a000001u
#define FIRST  0x0a000064u
#define NOW    1000000u

static uint8_t mask[] = {255, 255, 255, 0}, router[] = {10, 0, 0, 1};
static struct dhcp_data options[] = {{1, 4, mask}, {3, 4, router}};
static const struct dhcp_settings settings = {
	.mac = {2, 0, 0, 0, 0, 1},
	.server = SERVER,
	.subnet = 0x0a000000,
	.mask = 0xffffff00,
	.lease_seconds = 3600,
	.pool = {.from = FIRST, .to = FIRST + 9, .limit = 2},
	.next_server = SERVER,
	.boot_file = "pxelinux.0",
	.boot_file_efi = "ipxe.efi",
	.options = options,
	.option_count = ARRAY_SIZE(options),
};
static const struct dhcp_port pool_port = {.name = "vm1", .host = "vm1"};

struct fixture {
	struct leases *leases;
	const struct dhcp_settings *settings;
	const struct dhcp_port *port;
	struct dhcp_answer answer;
	struct datagram reply;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){
		.leases = leases_new(1), .settings = &settings, .port = &pool_port};
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	leases_free(((struct fixture *)*state)->leases);
	return 0;
}

/* The type of the answer; DHCP_NO_TYPE: there is none. */
static enum dhcp_type ask_at(struct fixture *f, struct test_dhcp *message, uint64_t now)
{
	uint8_t frame[1500];
	const uint8_t *value;
	size_t length;

	test_dhcp_end(message);
	length = test_dhcp_frame(frame, sizeof(frame), message, 0);
	dhcp_serve(f->settings, f->port, f->leases, frame, length, now, &f->answer);
	if (!f->answer.length)
		return DHCP_NO_TYPE;
	assert_true(datagram_read(f->answer.frame, f->answer.length, &f->reply));
	assert_memory_equal(f->reply.destination_mac, test_dhcp_mac, MAC_SIZE);
	assert_int_equal(f->reply.source_port, 67);
	assert_int_equal(load_be32(f->reply.source), SERVER);
	value = test_dhcp_option(f->reply.payload, f->reply.length, 53, &length);
	assert_non_null(value);
	return (enum dhcp_type) * value;
}

static enum dhcp_type ask(struct fixture *f, struct test_dhcp *message)
{
	return ask_at(f, message, NOW);
}

static uint32_t yours(const struct fixture *f)
{
	return load_be32(f->reply.payload + 16);
}

static uint32_t option_u32(const struct fixture *f, uint8_t code)
{
	size_t length;
	const uint8_t *value = test_dhcp_option(f->reply.payload, f->reply.length, code, &length);

	return value && length == 4 ? load_be32(value) : 0;
}

static bool has_option(const struct fixture *f, uint8_t code)
{
	size_t length;

	return test_dhcp_option(f->reply.payload, f->reply.length, code, &length);
}

static uint32_t acquire(struct fixture *f)
{
	struct test_dhcp message;
	uint32_t address;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	address = yours(f);
	test_dhcp_begin(&message, DHCP_REQUEST);
	test_dhcp_add_u32(&message, 50, address);
	test_dhcp_add_u32(&message, 54, SERVER);
	assert_int_equal(ask(f, &message), DHCP_ACK);
	assert_int_equal(yours(f), address);
	return address;
}

static void the_four_messages(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;
	uint32_t address;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_null(f->answer.changed);
	address = yours(f);
	assert_in_range(address, FIRST, FIRST + 9);
	assert_int_equal(option_u32(f, 54), SERVER);
	assert_int_equal(option_u32(f, 51), 3600);
	assert_int_equal(option_u32(f, 58), 1800);
	assert_int_equal(option_u32(f, 59), 3150);
	assert_int_equal(option_u32(f, 1), 0xffffff00);
	assert_int_equal(option_u32(f, 3), SERVER);
	assert_true(has_option(f, 12));
	/* To the address that the client will have: its station takes it. */
	assert_int_equal(load_be32(f->reply.destination), address);
	assert_int_equal(acquire(f), address);
	assert_non_null(f->answer.changed);
	assert_int_equal(f->answer.changed->state, LEASE_BOUND);
	assert_int_equal(f->answer.changed->until, NOW + 3600);
}

static void only_what_is_asked_for(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 55, "\x01", 1);
	store_be16(message.bytes + 10, DHCP_FLAG_BROADCAST);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_true(has_option(f, 1));
	assert_false(has_option(f, 3) || has_option(f, 12) || has_option(f, 61));
	assert_int_equal(load_be32(f->reply.destination), UINT32_MAX);
}

static void a_client_id_comes_back_and_tells_clients_apart(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;
	uint32_t first = acquire(f);

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 61, "\x00other", 6);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_int_not_equal(yours(f), first);
	assert_true(has_option(f, 61));
}

/* The option of the RFC's that clients need most: whatever else is cut off. */
static void a_client_id_comes_back_where_no_room_is_left(void **state)
{
	static uint8_t bytes[255];
	static struct dhcp_data large[] = {{1, 4, mask}, {43, 255, bytes}, {150, 4, bytes},
		{151, 4, bytes}, {152, 4, bytes}, {153, 4, bytes}};
	struct dhcp_settings full = settings;
	struct fixture *f = *state;
	struct test_dhcp message;

	full.options = large;
	full.option_count = ARRAY_SIZE(large);
	f->settings = &full;
	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 61, "\x00other", 6);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_true(has_option(f, 1) && has_option(f, 61));
	assert_false(has_option(f, 153));
}

/* Firmware, its loader and the system are three clients of one machine. */
static void the_stages_of_a_boot_share_what_the_port_may_have(void **state)
{
	static const char *const ids[] = {"\x00uuid",
		"\xff"
		"duid",
		"\xff"
		"next"};
	struct fixture *f = *state;
	struct test_dhcp message;
	uint32_t first = acquire(f), address;

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		test_dhcp_begin(&message, DHCP_DISCOVER);
		test_dhcp_add(&message, 61, ids[i], 5);
		assert_int_equal(ask(f, &message), DHCP_OFFER);
		address = yours(f);
		test_dhcp_begin(&message, DHCP_REQUEST);
		test_dhcp_add(&message, 61, ids[i], 5);
		test_dhcp_add_u32(&message, 50, address);
		assert_int_equal(ask(f, &message), DHCP_ACK);
		if (i == 1)
			assert_int_equal(address, first);
	}
	assert_int_equal(leases_count(f->leases, LEASE_BOUND), 2);
}

static void renewing_and_rebooting(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;
	uint32_t address = acquire(f);

	test_dhcp_begin(&message, DHCP_REQUEST);
	store_be32(message.bytes + 12, address);
	assert_int_equal(ask_at(f, &message, NOW + 1800), DHCP_ACK);
	assert_int_equal(load_be32(f->reply.destination), address);
	assert_int_equal(f->answer.changed->until, NOW + 1800 + 3600);
	test_dhcp_begin(&message, DHCP_REQUEST);
	test_dhcp_add_u32(&message, 50, address);
	assert_int_equal(ask(f, &message), DHCP_ACK);
}

static void what_a_client_cannot_have_is_refused(void **state)
{
	static const uint32_t wrong[] = {0xc0a80105, SERVER, FIRST + 10, 1};
	static const struct dhcp_port other = {.name = "vm2"};
	struct fixture *f = *state;
	struct test_dhcp message;
	uint32_t address;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		test_dhcp_begin(&message, DHCP_REQUEST);
		test_dhcp_add_u32(&message, 50, wrong[i]);
		assert_int_equal(ask(f, &message), DHCP_NAK);
		assert_int_equal(f->answer.outcome, DHCP_REFUSED);
		assert_int_equal(yours(f), 0);
		assert_int_equal(load_be32(f->reply.destination), UINT32_MAX);
	}
	/* Another's, though it calls itself the same. */
	address = acquire(f);
	f->port = &other;
	test_dhcp_begin(&message, DHCP_REQUEST);
	store_be32(message.bytes + 12, address);
	assert_int_equal(ask(f, &message), DHCP_NAK);
	assert_int_equal(leases_at(f->leases, address)->until, NOW + 3600);
}

static void a_ports_own_address_takes_no_state(void **state)
{
	static const uint32_t addresses[] = {0x0a00000b, 0x0a00000c};
	static const struct dhcp_port fixed = {
		.name = "vm1", .addresses = addresses, .address_count = 2};
	static const struct dhcp_port bound = {.name = "vm1", .bound = true};
	struct fixture *f = *state;
	struct test_dhcp message;

	f->port = &fixed;
	assert_int_equal(acquire(f), addresses[0]);
	assert_null(f->answer.changed);
	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add_u32(&message, 50, addresses[1]);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_int_equal(yours(f), addresses[1]);
	test_dhcp_begin(&message, DHCP_REQUEST);
	test_dhcp_add_u32(&message, 50, FIRST);
	assert_int_equal(ask(f, &message), DHCP_NAK);
	f->port = &bound;
	test_dhcp_begin(&message, DHCP_DISCOVER);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	assert_int_equal(leases_total(f->leases), 0);
}

static void rapid_commit(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 80, NULL, 0);
	assert_int_equal(ask(f, &message), DHCP_ACK);
	assert_true(has_option(f, 80));
	assert_non_null(f->answer.changed);
}

static void releasing_and_declining(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;
	uint32_t address = acquire(f);

	test_dhcp_begin(&message, DHCP_RELEASE);
	store_be32(message.bytes + 12, address);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	assert_int_equal(f->answer.changed->state, LEASE_PAST);
	assert_int_equal(acquire(f), address);
	test_dhcp_begin(&message, DHCP_DECLINE);
	test_dhcp_add_u32(&message, 50, address);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	assert_int_equal(f->answer.changed->state, LEASE_DECLINED);
	assert_int_equal(f->answer.changed->until, NOW + DHCP_DECLINE_SECONDS);
	assert_int_not_equal(acquire(f), address);
	/* What is declined counts: who declines all there is declines no more than his share. */
	test_dhcp_begin(&message, DHCP_DECLINE);
	test_dhcp_add_u32(&message, 50, yours(f));
	ask(f, &message);
	test_dhcp_begin(&message, DHCP_DISCOVER);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	assert_int_equal(f->answer.outcome, DHCP_PORT_LIMIT);
}

static void another_server_was_chosen(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	ask(f, &message);
	test_dhcp_begin(&message, DHCP_REQUEST);
	test_dhcp_add_u32(&message, 50, yours(f));
	test_dhcp_add_u32(&message, 54, SERVER + 1);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	assert_int_equal(leases_count(f->leases, LEASE_OFFERED), 0);
}

static void informing(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;

	test_dhcp_begin(&message, DHCP_INFORM);
	store_be32(message.bytes + 12, 0x0a000032);
	assert_int_equal(ask(f, &message), DHCP_ACK);
	assert_int_equal(yours(f), 0);
	assert_false(has_option(f, 51));
	assert_int_equal(option_u32(f, 3), SERVER);
	assert_int_equal(load_be32(f->reply.destination), 0x0a000032);
	assert_int_equal(leases_total(f->leases), 0);
}

static void the_pool_is_used_up(void **state)
{
	struct fixture *f = *state;
	char name[8] = "vm";
	const struct dhcp_port port = {.name = name};
	struct test_dhcp message;

	f->port = &port;
	for (char c = 'a'; c < 'a' + 10; c++) {
		name[2] = c;
		acquire(f);
	}
	name[2] = 'z';
	test_dhcp_begin(&message, DHCP_DISCOVER);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	assert_int_equal(f->answer.outcome, DHCP_NONE_LEFT);
	leases_expire(f->leases, NOW + 3600);
	acquire(f);
}

static void booting(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;
	const uint8_t *value;
	size_t length;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 93, "\x00\x00", 2);
	test_dhcp_add(&message, 55, "\x42\x43", 2);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_string_equal((const char *)f->reply.payload + 108, "pxelinux.0");
	assert_int_equal(load_be32(f->reply.payload + 20), SERVER);
	value = test_dhcp_option(f->reply.payload, f->reply.length, 66, &length);
	assert_memory_equal(value, "10.0.0.1", 8);
	value = test_dhcp_option(f->reply.payload, f->reply.length, 67, &length);
	assert_memory_equal(value, "pxelinux.0", 10);
	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_add(&message, 93, "\x00\x07", 2);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_string_equal((const char *)f->reply.payload + 108, "ipxe.efi");
}

static void a_relay_gets_the_answer(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	store_be32(message.bytes + 24, 0x0a000007);
	assert_int_equal(ask(f, &message), DHCP_OFFER);
	assert_int_equal(load_be32(f->reply.destination), 0x0a000007);
	assert_int_equal(f->reply.destination_port, 67);
	test_dhcp_begin(&message, DHCP_DISCOVER);
	store_be32(message.bytes + 24, 0xc0a80007);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
}

static void nothing_else_is_answered(void **state)
{
	static const uint8_t types[] = {0, DHCP_OFFER, DHCP_ACK, DHCP_NAK, 9};
	struct fixture *f = *state;
	struct test_dhcp message;

	for (unsigned i = 0; i < sizeof(types); i++) {
		test_dhcp_begin(&message, types[i]);
		assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
		assert_int_equal(f->answer.outcome, DHCP_IGNORED);
	}
	test_dhcp_begin(&message, DHCP_REQUEST);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
	test_dhcp_begin(&message, DHCP_INFORM);
	assert_int_equal(ask(f, &message), DHCP_NO_TYPE);
}

static void frames_that_are_damaged_are_ignored(void **state)
{
	struct fixture *f = *state;
	struct test_dhcp message;
	uint8_t frame[1500];
	size_t length;

	test_dhcp_begin(&message, DHCP_DISCOVER);
	test_dhcp_end(&message);
	length = test_dhcp_frame(frame, sizeof(frame), &message, 0);
	for (size_t i = ETHERNET_TYPE; i < length; i++) {
		frame[i] ^= 0x10;
		dhcp_serve(&settings, f->port, f->leases, frame, length, NOW, &f->answer);
		assert_int_equal(f->answer.length, 0);
		frame[i] ^= 0x10;
	}
	for (size_t i = 0; i < length; i++) {
		dhcp_serve(&settings, f->port, f->leases, frame, i, NOW, &f->answer);
		assert_int_equal(f->answer.length, 0);
	}
}

static void the_server_answers_for_its_address(void **state)
{
	static const uint8_t question[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0,
		1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 10, 0, 0, 100, 0, 0, 0, 0,
		0, 0, 10, 0, 0, 1};
	static const uint8_t expected[] = {0x52, 0x54, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8,
		0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 10, 0, 0,
		100};
	uint8_t answer[ARP_FRAME];

	assert_true(arp_answer(answer, question, sizeof(question), SERVER, settings.mac));
	assert_memory_equal(answer, expected, sizeof(expected));
	assert_false(arp_answer(answer, question, sizeof(question), SERVER + 1, settings.mac));
	assert_false(arp_answer(answer, question, sizeof(question) - 1, SERVER, settings.mac));
	assert_false(arp_answer(answer, expected, sizeof(expected), 0x0a000064, settings.mac));
}

#define SERVE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVE_TEST(the_four_messages),
		SERVE_TEST(only_what_is_asked_for),
		SERVE_TEST(a_client_id_comes_back_and_tells_clients_apart),
		SERVE_TEST(a_client_id_comes_back_where_no_room_is_left),
		SERVE_TEST(the_stages_of_a_boot_share_what_the_port_may_have),
		SERVE_TEST(renewing_and_rebooting),
		SERVE_TEST(what_a_client_cannot_have_is_refused),
		SERVE_TEST(a_ports_own_address_takes_no_state),
		SERVE_TEST(rapid_commit),
		SERVE_TEST(releasing_and_declining),
		SERVE_TEST(another_server_was_chosen),
		SERVE_TEST(informing),
		SERVE_TEST(the_pool_is_used_up),
		SERVE_TEST(booting),
		SERVE_TEST(a_relay_gets_the_answer),
		SERVE_TEST(nothing_else_is_answered),
		SERVE_TEST(frames_that_are_damaged_are_ignored),
		cmocka_unit_test(the_server_answers_for_its_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
