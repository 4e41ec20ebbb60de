/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What reaches receivers of every kind of ability, compared with a dumb model: it makes all frames
 * of a packet from its bytes, at once and by the book, with checksums that are added word by word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/egress.h"
#include "packet/parse.h"
#include "packet/test_request.h"

#define ALL      0x7fu
#define CUTS_MAX 40

/* The packet under test, as a port makes it. */
static struct packet packet;
static struct iovec tail[CUTS_MAX], tail_before[CUTS_MAX];
static uint8_t head[PACKET_HEADROOM + PACKET_HEAD_SIZE];
static uint8_t whole[VERIFY_FRAME_SIZE]; /* its frame, as it came in */
static struct test_layout at;
static uint8_t needs;

static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint32_t below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % limit;
}

/* What a sender asks for in such a packet, out of what offload.h allows; 0: nothing. */
static uint8_t segmentation(const struct test_request *request, unsigned kind, uint16_t size)
{
	if (request->protocol == IPPROTO_TCP)
		return request->payload > size &&
				       (size >= OFFLOAD_TCP_SIZE_MIN ||
					       request->payload <= size * OFFLOAD_TCP_SHORT_MAX)
			       ? (uint8_t)((request->v6 ? OFFLOAD_TCP6 : OFFLOAD_TCP4) |
					   (request->tcp_flags & 0x80 ? OFFLOAD_ECN : 0))
			       : 0;
	if (kind)
		return request->payload > size && request->payload <= size * OFFLOAD_DATAGRAMS_MAX
			       ? (request->v6 ? OFFLOAD_UDP6 : OFFLOAD_UDP4)
			       : 0;
	return size >= OFFLOAD_FRAGMENT_SIZE_MIN && 8 + request->payload > size &&
			       !(request->v6 && request->extension)
		       ? OFFLOAD_FRAGMENT
		       : 0;
}

/* Makes the packet: its tail cut anywhere, with empty pieces. */
static void load(const struct test_request *request, uint8_t what, uint16_t gso_size)
{
	unsigned length, begin;

	at = request_frame(request, whole);
	length = MIN(at.length, PACKET_HEAD_SIZE);
	packet = (struct packet){
		.head = head + PACKET_HEADROOM,
		.tail = tail,
		.length = at.length,
		.head_length = (uint16_t)length,
	};
	memcpy(packet.head, whole, length);
	for (begin = length; begin < at.length; begin += length) {
		length = below(8) ? below(at.length - begin + 1) : 0;
		if (packet.tail_count == CUTS_MAX - 1)
			length = at.length - begin;
		tail[packet.tail_count++] = (struct iovec){whole + begin, length};
	}
	memcpy(tail_before, tail, sizeof(tail));
	packet_parse(&packet);
	needs = what;
	packet.offload = (struct offload){
		.needs = what,
		.gso_size = what & OFFLOAD_SEGMENT ? gso_size : 0,
		.l4_header = what ? (uint8_t)at.l4_header : 0,
	};
}

/* Puts right the checksum field of a whole transport header: complete, or the sum of the pseudo
 * header. */
static void model_checksum(
	uint8_t *frame, unsigned length, bool complete, bool v6, uint8_t protocol)
{
	uint8_t *field = frame + at.l4 + at.checksum;
	uint32_t pseudo = dumb_pseudo(frame + at.l3, v6, protocol, length - at.l4);
	uint16_t sum;

	store_be16(field, 0);
	sum = (uint16_t)~dumb_sum(pseudo, frame + at.l4, length - at.l4);
	if (!complete)
		sum = (uint16_t)pseudo;
	else if (!sum && protocol == IPPROTO_UDP)
		sum = 0xffff;
	store_be16(field, sum);
}

static void model_ip(uint8_t *frame, unsigned length, bool v6)
{
	uint8_t *ip = frame + at.l3;

	if (v6) {
		store_be16(ip + 4, (uint16_t)(length - at.l3 - 40));
		return;
	}
	store_be16(ip + 2, (uint16_t)(length - at.l3));
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~dumb_sum(0, ip, (ip[0] & 15u) * 4));
}

/* Piece `index` of a TCP packet or of datagrams; its length. */
static unsigned model_piece(uint8_t *frame, const struct test_request *request, unsigned index,
	unsigned size, bool complete)
{
	unsigned headers = at.l4 + at.l4_header, done = index * size;
	unsigned length = headers + MIN(size, request->payload - done);
	uint8_t *l4 = frame + at.l4;

	memcpy(frame, whole, headers);
	memcpy(frame + headers, whole + headers + done, length - headers);
	if (!request->v6)
		store_be16(frame + at.l3 + 4, (uint16_t)(load_be16(whole + at.l3 + 4) + index));
	model_ip(frame, length, request->v6);
	if (request->protocol == IPPROTO_TCP) {
		store_be32(l4 + 4, load_be32(l4 + 4) + done);
		l4[13] &= (uint8_t) ~(index ? 0x80 : 0);
		l4[13] &= (uint8_t) ~(done + size < request->payload ? 0x09 : 0);
	} else {
		store_be16(l4 + 4, (uint16_t)(length - at.l4));
	}
	model_checksum(frame, length, complete, request->v6, request->protocol);
	return length;
}

/* Fragment `index` of a datagram. got: what was sent, for the identification of IPv6, which
 * anybody may choose. */
static unsigned model_fragment(uint8_t *frame, const struct test_request *request, unsigned index,
	unsigned size, const uint8_t *got)
{
	static uint8_t datagram[VERIFY_FRAME_SIZE];
	unsigned total = at.l4_header + request->payload, done = index * size;
	unsigned step = MIN(size, total - done), to = at.l4 + (request->v6 ? 8 : 0);
	uint16_t more = done + step < total;

	memcpy(datagram, whole, at.l4 + total);
	model_checksum(datagram, at.l4 + total, true, request->v6, IPPROTO_UDP);
	memcpy(frame, datagram, at.l4);
	memcpy(frame + to, datagram + at.l4 + done, step);
	if (request->v6) {
		frame[at.l3 + 6] = 44;
		memset(frame + at.l4, 0, 8);
		frame[at.l4] = IPPROTO_UDP;
		store_be16(frame + at.l4 + 2, (uint16_t)(done | more));
		memcpy(frame + at.l4 + 4, got + at.l4 + 4, 4);
	} else {
		store_be16(frame + at.l3 + 6, (uint16_t)(done / 8 | more << 13));
	}
	model_ip(frame, to + step, request->v6);
	return to + step;
}

/* How many frames a receiver with these abilities gets. */
static unsigned model_count(const struct test_request *request, uint8_t abilities, uint16_t size)
{
	unsigned total = request->payload + (needs & OFFLOAD_FRAGMENT ? 8 : 0);

	if (!(needs & OFFLOAD_SEGMENT) || !(needs & (uint8_t)~abilities))
		return 1;
	return (total + size - 1) / size;
}

/* Frame `index` of those, and what it still needs; its length. */
static unsigned model_frame(uint8_t *frame, const struct test_request *request, unsigned index,
	uint8_t abilities, uint16_t size, const uint8_t *got, uint8_t *left)
{
	uint8_t missing = needs & (uint8_t)~abilities;

	*left = missing & OFFLOAD_CHECKSUM || needs & OFFLOAD_FRAGMENT ? 0 : OFFLOAD_CHECKSUM;
	if (missing && needs & OFFLOAD_FRAGMENT)
		return model_fragment(frame, request, index, size, got);
	if (missing && needs & OFFLOAD_SEGMENT)
		return model_piece(frame, request, index, size, missing & OFFLOAD_CHECKSUM);
	*left = missing ? 0 : needs;
	memcpy(frame, whole, at.length);
	if (missing)
		model_checksum(
			frame, at.length - request->padding, true, request->v6, request->protocol);
	return at.length;
}

/* Sends the packet to one receiver; returns the longest frame. */
static unsigned check(const struct test_request *request, uint8_t abilities, uint16_t size)
{
	static uint8_t got[VERIFY_FRAME_SIZE], wanted[VERIFY_FRAME_SIZE];
	const struct egress_limits limits = {PACKET_LENGTH_MAX, abilities};
	unsigned count = model_count(request, abilities, size), longest = 0, index = 0;
	struct egress_room room;
	struct egress egress;
	struct packet *frame;

	assert_int_equal(egress_as_is(&packet, &limits), !(needs & (uint8_t)~abilities));
	assert_int_equal(egress_begin(&egress, &packet, &limits), DROP_REASON_COUNT);
	while ((frame = egress_next(&egress, &room))) {
		unsigned length = verify_flatten(frame, got);
		uint8_t left;

		assert_true(index < count);
		assert_int_equal(
			length, model_frame(wanted, request, index, abilities, size, got, &left));
		assert_memory_equal(got, wanted, length);
		assert_int_equal(frame->offload.needs, left);
		assert_true(count == 1 ? frame == &packet
				       : frame->head >= room.bytes + EGRESS_HEADROOM);
		longest = MAX(longest, length);
		index++;
	}
	assert_int_equal(index, count);
	assert_int_equal(egress_end(&egress), 0);
	assert_memory_equal(tail, tail_before, sizeof(tail));
	return longest;
}

static struct test_request random_request(void)
{
	static const uint8_t extensions[] = {0, 0, IPPROTO_HOPOPTS, IPPROTO_DSTOPTS};

	return (struct test_request){
		.tag = !below(3),
		.v6 = below(2),
		.protocol = below(2) ? IPPROTO_TCP : IPPROTO_UDP,
		.tcp_flags = (uint8_t)below(256),
		.ip_words = below(2) ? 0 : below(11),
		.extension = extensions[below(ARRAY_SIZE(extensions))],
		.extension_units = (uint8_t)below(9),
		.tcp_words = below(11),
		.payload = below(100) ? below(3000) : below(65000),
		.padding = below(4) ? 0 : below(30),
	};
}

/* Loads what a random correct sender sends. */
static struct test_request load_random(uint16_t *size)
{
	struct test_request request = random_request();
	unsigned kind = below(2);
	uint8_t what = below(6) ? OFFLOAD_CHECKSUM : 0;

	*size = (uint16_t)(1 + below(below(2) ? 100 : 1500));
	if (request.protocol == IPPROTO_UDP && !kind)
		*size = (uint16_t)(*size & ~7u);
	if (what && *size && below(4))
		what |= segmentation(&request, kind, *size);
	load(&request, what, *size);
	return request;
}

static uint8_t random_abilities(void)
{
	uint8_t abilities = (uint8_t)below(ALL + 1);

	return below(3) ? abilities | OFFLOAD_CHECKSUM : abilities & OFFLOAD_CHECKSUM;
}

static void any_receiver_gets_what_the_model_says(void **state)
{
	unsigned cut = 0, completed = 0;

	for (unsigned round = 0; round < 60000; round++) {
		uint16_t size;
		struct test_request request = load_random(&size);
		uint8_t abilities = random_abilities(), missing = needs & (uint8_t)~abilities;

		check(&request, abilities, size);
		cut += missing && needs & OFFLOAD_SEGMENT;
		completed += missing == OFFLOAD_CHECKSUM;
		/* A packet that was cut is as it was for the next receiver, who takes it whole. */
		if (packet.offload.needs == needs)
			check(&request, ALL, size);
	}
	assert_true(cut > 10000 && completed > 2000);
}

/* The frame that is too long is the one that leaves, whoever cuts. */
static void limits_are_those_of_the_frames_on_the_wire(void **state)
{
	unsigned refused = 0;

	for (unsigned round = 0; round < 20000; round++) {
		uint16_t size;
		struct test_request request = load_random(&size);
		uint8_t abilities = random_abilities();
		uint32_t on_wire = segment_frame_length(&packet);
		struct egress_limits limits = {on_wire - 1, abilities};
		struct egress egress;

		assert_false(egress_as_is(&packet, &limits));
		assert_int_equal(egress_begin(&egress, &packet, &limits), DROP_MTU_EXCEEDED);
		limits.frame_length_max = on_wire;
		assert_int_equal(egress_begin(&egress, &packet, &limits), DROP_REASON_COUNT);
		if (model_count(&request, abilities, size) == 1)
			continue;
		refused++;
		/* A packet that is padded to a longer one than its pieces is not longer on the
		 * wire. */
		assert_int_equal(check(&request, abilities, size), on_wire);
	}
	assert_true(refused > 3000);
}

/* Whoever ends early knows what is lost, and has done nothing to the packet. */
static void an_early_end_gives_the_packet_back(void **state)
{
	for (unsigned round = 0; round < 20000; round++) {
		uint16_t size;
		struct test_request request = load_random(&size);
		const struct egress_limits limits = {PACKET_LENGTH_MAX, 0};
		unsigned count = model_count(&request, 0, size), taken = below(count);
		struct egress_room room;
		struct egress egress;

		assert_int_equal(egress_begin(&egress, &packet, &limits), DROP_REASON_COUNT);
		for (unsigned i = 0; i < taken; i++)
			assert_non_null(egress_next(&egress, &room));
		assert_int_equal(egress_end(&egress), count - taken);
		assert_int_equal(egress_end(&egress), 0);
		assert_null(egress_next(&egress, &room));
		assert_int_equal(packet.offload.needs, needs);
		assert_memory_equal(tail, tail_before, sizeof(tail));
		check(&request, ALL, size);
	}
}

static void an_mtu_is_that_of_a_tagged_frame(void **state)
{
	assert_int_equal(egress_frame_length(0), PACKET_LENGTH_MAX);
	assert_int_equal(egress_frame_length(1500), 1518);
	assert_int_equal(egress_frame_length(UINT16_MAX), UINT16_MAX + 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_receiver_gets_what_the_model_says),
		cmocka_unit_test(limits_are_those_of_the_frames_on_the_wire),
		cmocka_unit_test(an_early_end_gives_the_packet_back),
		cmocka_unit_test(an_mtu_is_that_of_a_tagged_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
