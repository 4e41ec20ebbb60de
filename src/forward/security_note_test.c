/* SPDX-License-Identifier: BSD-3-Clause */
/* The address that is shown when port security refuses a frame, and its way from the worker to
 * whoever asks. */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/security.h"
#include "forward/security_note.h"
#include "packet/test_frames.h"

#define MAC   UINT64_C(0x525400000001)
#define OTHER UINT64_C(0x525400000002)
#define GROUP UINT64_C(0xffffffffffff)
#define OURS  0x0a000005u
#define WRONG 0x0a000006u

static struct packet_batch batch;
static struct test_frame frame;
static struct security_rules rules;

static int set_up(void **state)
{
	rules = (struct security_rules){.has_mac = true};
	mac_from_u64(MAC, rules.mac);
	assert_true(security_allow_ipv4(&rules, (const uint8_t[]){10, 0, 0, 5}, 32));
	return 0;
}

/* Judges the frame and compares what is noted of it; ip: NULL for none. */
static void assert_noted(enum drop_reason reason, uint64_t mac, const char *ip)
{
	struct refused_address address;
	char text[INET6_ADDRSTRLEN];
	struct packet *packet;
	uint8_t wanted[6];

	batch_begin(&batch, 0);
	packet = batch_add(&batch, frame.bytes, frame.length);
	assert_int_equal(security_judge(&rules, packet), reason);
	assert_true(security_names_address(reason));
	security_note(&rules, packet, reason, 17, &address);
	assert_int_equal(address.reason, reason);
	assert_int_equal(address.second, 17);
	mac_from_u64(mac, wanted);
	assert_memory_equal(address.mac, wanted, sizeof(wanted));
	assert_int_equal(address.ip_size, !ip ? 0 : strchr(ip, ':') ? 16 : 4);
	if (ip)
		assert_string_equal(inet_ntop(address.ip_size == 4 ? AF_INET : AF_INET6, address.ip,
					    text, sizeof(text)),
			ip);
}

static void begin(uint64_t source, uint16_t type)
{
	frame_begin(&frame, GROUP, source);
	frame_type(&frame, type);
}

static void test_addresses(void **state)
{
	begin(OTHER, 0x88b5);
	frame_append(&frame, NULL, 46);
	assert_noted(DROP_SPOOFED_SOURCE, OTHER, NULL);
	begin(OTHER, ETH_P_IP);
	frame_ipv4(&frame, IPPROTO_TCP, OURS, WRONG, 0, 0);
	assert_noted(DROP_SPOOFED_SOURCE, OTHER, "10.0.0.5");
	begin(MAC, ETH_P_IP);
	frame_ipv4(&frame, IPPROTO_TCP, WRONG, OURS, 0, 0);
	assert_noted(DROP_SPOOFED_ADDRESS, MAC, "10.0.0.6");
	begin(MAC, ETH_P_ARP);
	frame_arp(&frame, 1, OTHER, OURS, WRONG);
	assert_noted(DROP_SPOOFED_SOURCE, OTHER, "10.0.0.5");
	begin(MAC, ETH_P_ARP);
	frame_arp(&frame, 2, MAC, WRONG, OURS);
	assert_noted(DROP_SPOOFED_ADDRESS, MAC, "10.0.0.6");
	begin(MAC, ETH_P_IPV6);
	frame_ipv6(&frame, IPPROTO_NONE, 6, 5);
	assert_noted(DROP_SPOOFED_ADDRESS, MAC, "fd00::6");
}

/* No sender, and another's address as the target: that is the one that is wrong. */
static void test_target_of_discovery(void **state)
{
	uint8_t *ip, *message;

	begin(MAC, ETH_P_IPV6);
	frame_ipv6(&frame, IPPROTO_ICMPV6, 0, 5);
	ip = frame.bytes + ETHERNET_HEADER;
	ip[IPV6_SOURCE] = 0;
	store_be16(ip + IPV6_PAYLOAD_LENGTH, 24);
	message = frame_append(&frame, NULL, 24);
	message[0] = 135;
	message[8] = 0xfd;
	message[23] = 6;
	assert_noted(DROP_SPOOFED_ADDRESS, MAC, "fd00::6");
	/* Any source and target, but another's link-layer address behind an option that does not
	 * matter. */
	rules.has_addresses = false;
	store_be16(ip + IPV6_PAYLOAD_LENGTH, 40);
	frame_append(&frame, "\x05\x01\0\0\0\0\0\0\x01\x01\x52\x54\0\0\0\x02", 16);
	assert_noted(DROP_SPOOFED_SOURCE, OTHER, "::");
	rules.has_addresses = true;
}

/* Nothing at first, then what was written last. */
static void test_written(void **state)
{
	struct refused refused = {0};
	struct refused_address first = {.second = 1, .reason = DROP_SPOOFED_SOURCE},
			       second = {.second = 2, .reason = DROP_SPOOFED_ADDRESS}, found;

	assert_false(refused_read(&refused, &found));
	refused_write(&refused, &first);
	assert_true(refused_read(&refused, &found));
	assert_memory_equal(&found, &first, sizeof(found));
	refused_write(&refused, &second);
	assert_true(refused_read(&refused, &found));
	assert_memory_equal(&found, &second, sizeof(found));
	/* The writer is at it, and does not come to an end. */
	refused.sequence++;
	assert_false(refused_read(&refused, &found));
}

static void *write_again_and_again(void *argument)
{
	struct refused *refused = argument;

	for (unsigned i = 1; i <= 200000; i++) {
		struct refused_address address = {.second = i, .reason = 1, .ip_size = 16};

		memset(address.mac, (int)i, sizeof(address.mac));
		memset(address.ip, (int)i, sizeof(address.ip));
		refused_write(refused, &address);
	}
	return NULL;
}

/* A reader sees one address whole, never parts of two. */
static void test_readers_see_one(void **state)
{
	static struct refused refused;
	struct refused_address found = {0};
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, write_again_and_again, &refused), 0);
	while (found.second < 200000) {
		if (!refused_read(&refused, &found))
			continue;
		for (unsigned i = 0; i < sizeof(found.ip); i++)
			assert_int_equal(found.ip[i], (uint8_t)found.second);
		assert_int_equal(found.mac[5], (uint8_t)found.second);
	}
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_target_of_discovery),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_readers_see_one),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
