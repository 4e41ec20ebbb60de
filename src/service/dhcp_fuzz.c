/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: a guest's messages to the DHCP server, one after the other, and the journal's lines.
 * Whatever comes, what is sent is a sound datagram to where the frame came from with an address of
 * the pool or none, and a lease that changes comes back from its line as it was.
 *
 * Input: messages, each behind a byte of flags (1: at the other port; 2: time passes; 4: as a line
 * of the journal instead; 8: all of the message, else its options behind a sound head of the type
 * in the upper half) and two bytes of its length.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "service/dhcp.h"
#include "service/lease_record.h"
#include "service/test_dhcp.h"

#define FIRST 0x0a000064u
#define LAST  (FIRST + 5)

/* What fits behind a head. */
#define OPTIONS_MAX 768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_lease(const struct lease *lease)
{
	struct lease_record record = {.network = "blue", .lease = *lease}, back;
	char line[LEASE_RECORD_MAX + 1], again[LEASE_RECORD_MAX + 1];
	size_t length = lease_record_write(line, &record);

	require(length <= LEASE_RECORD_MAX && lease_record_read(line, length - 1, &back));
	require(lease_record_write(again, &back) == length && memcmp(line, again, length) == 0);
}

static void check_answer(const struct dhcp_answer *answer)
{
	struct datagram reply;
	uint32_t yours;

	require(datagram_read(answer->frame, answer->length, &reply));
	require(mac_equal(reply.destination_mac, test_dhcp_mac));
	require(reply.length >= 300);
	yours = load_be32(reply.payload + 16);
	require(!yours || (yours >= FIRST && yours <= LAST));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dhcp_settings settings = {
		.server = 0x0a000001,
		.subnet = 0x0a000000,
		.mask = 0xffffff00,
		.lease_seconds = 60,
		.pool = {.from = FIRST, .to = LAST, .limit = 2},
		.boot_file = "boot",
	};
	static const struct dhcp_port ports[] = {{.name = "vm1"}, {.name = "vm2"}};
	struct cursor input = cursor_new(data, size);
	struct leases *leases = leases_new(1);
	uint64_t now = 1;

	require(leases);
	while (cursor_left(&input) > 3) {
		uint8_t flags = cursor_u8(&input);
		size_t length = cursor_be16(&input) % 1024, frame_length;
		struct lease_record record;
		struct dhcp_answer answer;
		struct test_dhcp message;
		uint8_t frame[1500];

		length = length < cursor_left(&input) ? length : cursor_left(&input);
		length = length < OPTIONS_MAX ? length : OPTIONS_MAX;
		message.length = 0;
		if (!(flags & 12))
			test_dhcp_begin(&message, flags >> 4);
		memcpy(message.bytes + message.length, cursor_take(&input, length), length);
		message.length += length;
		if (flags & 4) {
			lease_record_read((const char *)message.bytes, message.length, &record);
			continue;
		}
		now += flags & 2 ? 20 : 0;
		leases_expire(leases, now);
		frame_length = test_dhcp_frame(frame, sizeof(frame), &message, 0);
		dhcp_serve(&settings, &ports[flags & 1], leases, frame, frame_length, now, &answer);
		if (answer.length)
			check_answer(&answer);
		if (answer.changed)
			check_lease(answer.changed);
		require(leases_total(leases) <= LAST - FIRST + 1);
	}
	leases_free(leases);
	return 0;
}
