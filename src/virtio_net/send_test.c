/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames towards the guest through the device side of a receiveq, into chains of every legal shape,
 * each reason to drop; and our own driver with our own device, in both directions.
 */
#include "packet/headers.h"
#include "packet/parse.h"
#include "virtio_net/driver.h"
#include "virtio_net/test_net.h"

/* Puts a frame into the batch as a port of another kind would: a head, and a tail in pieces. */
static void batch_frame(uint8_t *frame, uint32_t length)
{
	struct packet *packet = &batch->packets[batch->count];
	uint32_t at = MIN(length, PACKET_HEAD_SIZE);

	*packet = (struct packet){
		.head = packet_buffer(batch, batch->count),
		.tail = &batch->pieces[batch->pieces_used],
		.length = length,
		.head_length = (uint16_t)at,
	};
	memset(batch->buffers[batch->count].bytes, 0xee, PACKET_HEADROOM);
	memcpy(packet->head, frame, at);
	while (at < length) {
		uint32_t step = 1 + (uint32_t)test_below(&seed, length - at);

		if (packet->tail_count > 10)
			step = length - at;
		batch->pieces[batch->pieces_used++] = (struct iovec){frame + at, step};
		packet->tail_count++;
		at += step;
	}
	batch->count++;
}

static void batch_begin(void)
{
	batch->count = 0;
	batch->pieces_used = 0;
}

struct landing_place {
	struct driver_buffer buffers[SIZE];
	unsigned count;
	uint32_t length;
};

static struct landing_place places[SIZE];

/* Reads what was written into a chain. */
static void read_place(unsigned token, uint8_t *to, uint32_t length)
{
	for (unsigned i = 0; length; i++) {
		uint32_t step = MIN(length, places[token].buffers[i].length);

		access_guest(places[token].buffers[i].address, to, step, false);
		to += step;
		length -= step;
	}
}

/* Offers chains of random shape with together at least `need` bytes; a single one of at least that
 * where the frame may not be spread. */
static void offer(uint32_t need, bool mergeable, bool indirect)
{
	uint32_t left = need;

	for (unsigned i = 0; left && i < 100; i++) {
		struct landing_place *place = &places[i];
		uint32_t length = left;

		if (mergeable && i < 99 && test_below(&seed, 3))
			length = 1 + (uint32_t)test_below(&seed, left);
		place->length = length + (length == left ? (uint32_t)test_below(&seed, 50) : 0);
		place->count = split(LEFT + (need - left) + i * 64, place->length,
			1 + (unsigned)test_below(&seed, indirect ? SIZE : 2), place->buffers);
		require(add(place->buffers, place->count, true, indirect, i) == 0);
		left -= length;
	}
	split_driver_publish(&driver);
}

static void any_receiver_gets_any_frame(void **state)
{
	static uint8_t frame[LONGEST], got[12 + LONGEST];

	for (unsigned f = 0; f < FEATURE_SETS; f++) {
		begin(feature_set(f), 0);
		for (unsigned i = 0; i < 300; i++) {
			uint32_t length = random_length(), at = 0, written;
			uint32_t need = queue.header_size + length;
			uint16_t buffers = 0, said;
			uint64_t token;

			random_bytes(frame, length);
			offer(need, f & 2, f & 8);
			batch_begin();
			batch_frame(frame, length);
			net_device_send(&queue, batch, 1, &counters);
			while (split_driver_take(&driver, &token, &written)) {
				require(token == buffers && written && written <= need - at);
				require(at + written == need || written == places[token].length);
				read_place(buffers, got + at, written);
				at += written;
				buffers++;
			}
			require(at == need && driver.free_count == SIZE && !driver.broken);
			for (unsigned k = 0; k < 10; k++)
				require(got[k] == 0);
			memcpy(&said, got + 10, sizeof(said));
			require(queue.header_size == 10 || said == buffers);
			require(memcmp(got + queue.header_size, frame, length) == 0);
			require(counters.packets == i + 1 && drops() == 0);
		}
		require(counters.bytes > 0);
		end();
	}
}

static void frames_without_a_place_are_dropped(void **state)
{
	static uint8_t frame[LONGEST];
	static const struct {
		uint64_t features;
		uint16_t mtu;
		uint32_t length;
		uint32_t buffers[3]; /* lengths of single-buffer chains */
		int reason;          /* -1: sent */
	} sends[] = {
		{0, 0, 100, {0}, DROP_RECEIVE_RING_FULL},
		{0, 0, 100, {109}, DROP_RECEIVE_BUFFER_TOO_SMALL},
		{0, 0, 100, {110}, -1},
		{0, 0, 100, {60, 60}, DROP_RECEIVE_BUFFER_TOO_SMALL},
		{FEATURE(VIRTIO_F_VERSION_1), 0, 100, {111}, DROP_RECEIVE_BUFFER_TOO_SMALL},
		{FEATURE(VIRTIO_F_VERSION_1), 0, 100, {112}, -1},
		{FEATURE(VIRTIO_NET_F_MRG_RXBUF), 0, 100, {60, 52}, -1},
		{FEATURE(VIRTIO_NET_F_MRG_RXBUF), 0, 100, {60, 51}, DROP_RECEIVE_RING_FULL},
		{FEATURE(VIRTIO_NET_F_MRG_RXBUF), 0, 100, {5, 6, 200}, -1},
		{0, 1500, 1518, {2000}, -1},
		{0, 1500, 1519, {2000}, DROP_MTU_EXCEEDED},
		{0, 0, LONGEST, {LONGEST + 10}, -1},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(sends); i++) {
		unsigned chains = 0;
		uint64_t mask = 1;

		begin(sends[i].features, sends[i].mtu);
		for (unsigned k = 0; k < 3 && sends[i].buffers[k]; k++, chains++) {
			const struct driver_buffer buffer = {
				LEFT + k * 0x20000, sends[i].buffers[k]};

			require(add(&buffer, 1, true, false, k) == 0);
		}
		split_driver_publish(&driver);
		batch_begin();
		batch_frame(frame, sends[i].length);
		net_device_send(&queue, batch, mask, &counters);
		require(counters.packets == (sends[i].reason < 0));
		require(drops() == (sends[i].reason >= 0));
		if (sends[i].reason < 0) {
			end();
			continue;
		}
		require(counters.drops[sends[i].reason] == 1);
		/* What was taken is back: a frame that fits still finds its place. */
		require(queue.ring.split.next_taken == 0 && driver.used->idx == 0);
		batch_frame(frame, 14);
		net_device_send(&queue, batch, 2, &counters);
		require(counters.packets == (chains > 0));
		end();
	}
}

static void a_broken_receiver_takes_nothing_more(void **state)
{
	static uint8_t frame[100];
	const struct driver_buffer good = {LEFT, 200}, bad = {8, 200};

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	require(add(&good, 1, true, false, 0) == 0 && add(&bad, 1, true, false, 1) == 0);
	require(add(&good, 1, true, false, 2) == 0);
	split_driver_publish(&driver);
	batch_begin();
	for (unsigned i = 0; i < 3; i++)
		batch_frame(frame, sizeof(frame));
	net_device_send(&queue, batch, 7, &counters);
	require(counters.packets == 1 && counters.drops[DROP_RING_ERROR] == 2);
	net_device_send(&queue, batch, 5, &counters);
	require(counters.packets == 1 && counters.drops[DROP_RING_ERROR] == 4 && drops() == 4);
	require(driver.used->idx == 1);
	end();
}

/* Our driver and our device, both directions, with what a guest's driver would use. */
static void driver_and_device_understand_each_other(void **state)
{
	static uint8_t frame[9000], got[9000];
	struct net_driver_queue client;
	const uint32_t slot = 2048;
	uint8_t *start;

	require(net_driver_memory_size(SIZE, slot) <= RIGHT - LEFT);
	for (unsigned f = 0; f < FEATURE_SETS; f++)
		for (unsigned receiving = 0; receiving < 2; receiving++) {
			memset(&counters, 0, sizeof(counters));
			seed = 24;
			start = memory.regions[1].host;
			require(net_driver_init(&client, start, LEFT, SIZE, slot, feature_set(f)) ==
				0);
			require(net_device_init(&queue, &memory,
					&(struct device_ring_parts){
						start + (client.descriptors - LEFT),
						start + (client.available - LEFT),
						start + (client.used - LEFT)},
					SIZE, feature_set(f), 0, 0) == 0);
			if (receiving)
				net_driver_fill(&client);
			net_driver_publish(&client);
			for (unsigned i = 0; i < 2000; i++) {
				uint32_t most = receiving && f & 2 ? sizeof(frame)
								   : slot - client.header_size;
				uint32_t length = 14 + (uint32_t)test_below(&seed, most - 13);

				random_bytes(frame, length);
				if (receiving) {
					batch_begin();
					batch_frame(frame, length);
					net_device_send(&queue, batch, 1, &counters);
					require(net_driver_receive(&client, got, sizeof(got)) ==
						(int)length);
					require(memcmp(frame, got, length) == 0);
					net_driver_publish(&client);
					continue;
				}
				start = net_driver_reserve(&client);
				require(start);
				memcpy(start, frame, length);
				net_driver_send(&client, length);
				net_driver_publish(&client);
				receive();
				require(batch->count == 1);
				expect_packet(&batch->packets[0], frame, length);
				net_device_release(&queue);
			}
			require(drops() == 0 && !client.bad_frames && !client.ring.broken);
			net_driver_fini(&client);
		}
}

/* Buffers for some of a packet's pieces: the others are counted with the first that has none, and
 * the packet is as it was for the next receiver. */
static void cutting_ends_where_the_ring_is_full(void **state)
{
	const uint32_t length = 54 + 10000;
	static uint8_t frame[54 + 10000], got[54 + 10000];
	struct packet *packet = &batch->packets[0];
	uint32_t at;

	random_bytes(frame, length);
	store_be16(frame + 12, ETH_P_IP);
	frame[14] = 0x45;
	store_be16(frame + 14 + IPV4_TOTAL_LENGTH, (uint16_t)(length - 14));
	store_be16(frame + 14 + IPV4_FRAGMENT, 0);
	frame[14 + 9] = IPPROTO_TCP;
	frame[34 + TCP_DATA_OFFSET] = 0x50;
	for (unsigned room = 0; room <= 12; room++) {
		unsigned taken = 0, sent = MIN(room, 10);
		uint32_t written;
		uint64_t token;

		begin(FEATURE(VIRTIO_F_VERSION_1), 0);
		for (unsigned i = 0; i < room; i++) {
			const struct driver_buffer buffer = {LEFT + i * 2048, 2048};

			require(add(&buffer, 1, true, false, i) == 0);
		}
		split_driver_publish(&driver);
		batch_begin();
		batch_frame(frame, length);
		packet_parse(packet);
		packet->offload = (struct offload){.gso_size = 1000,
			.needs = OFFLOAD_CHECKSUM | OFFLOAD_TCP4,
			.l4_header = 20};
		for (unsigned again = 0; again < 2; again++) {
			net_device_send(&queue, batch, 1, &counters);
			require(counters.packets == sent + (again ? MIN(room - sent, 10) : 0));
			require(counters.drops[DROP_RECEIVE_RING_FULL] + counters.packets ==
				10 * (again + 1));
		}
		memcpy(got, packet->head, packet->head_length);
		at = packet->head_length;
		for (unsigned i = 0; i < packet->tail_count; at += packet->tail[i++].iov_len)
			memcpy(got + at, packet->tail[i].iov_base, packet->tail[i].iov_len);
		require(at == length && memcmp(got + 54, frame + 54, length - 54) == 0);
		while (split_driver_take(&driver, &token, &written))
			taken++;
		require(taken == room);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_receiver_gets_any_frame),
		cmocka_unit_test(frames_without_a_place_are_dropped),
		cmocka_unit_test(a_broken_receiver_takes_nothing_more),
		cmocka_unit_test(cutting_ends_where_the_ring_is_full),
		cmocka_unit_test(driver_and_device_understand_each_other),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
