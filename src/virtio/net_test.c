/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames through the device side of virtio-net queues: chains of every legal shape in both directions,
 * every combination of the features that matter, and each reason to drop.
 */
#include "virtio/net_device.h"

#include "virtio/net_driver.h"
#include "virtio/net_header.h"
#include "virtio/test_ring.h"

#define SIZE    256
#define RINGS   UINT64_C(0x100000)
#define LEFT    UINT64_C(0x200000) /* two neighbours, so that buffers may straddle them */
#define RIGHT   UINT64_C(0x400000)
#define TABLES  UINT64_C(0x700000) /* SIZE tables of SIZE entries */
#define LONGEST PACKET_LENGTH_MAX

static struct guest_memory memory;
static struct split_driver driver;
static struct net_device_queue queue;
static struct packet_batch *batch;
static struct counters counters;
static uint8_t *rings, *tables;
static uint64_t seed;
static uint64_t next_address; /* of the next buffer; LEFT to the end of RIGHT */

#define RING_FEATURES (FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC))

/* Every combination of the four features that change the data path. */
static uint64_t feature_set(unsigned i)
{
	return (i & 1 ? FEATURE(VIRTIO_F_VERSION_1) : 0) |
	       (i & 2 ? FEATURE(VIRTIO_NET_F_MRG_RXBUF) : 0) |
	       (i & 4 ? FEATURE(VIRTIO_RING_F_EVENT_IDX) : 0) |
	       (i & 8 ? FEATURE(VIRTIO_RING_F_INDIRECT_DESC) : 0);
}
#define FEATURE_SETS 16

static int set_up(void **state)
{
	rings = test_region(&memory, RINGS, 0x10000);
	test_region(&memory, LEFT, RIGHT - LEFT);
	test_region(&memory, RIGHT, 0x200000);
	tables = test_region(&memory, TABLES, SIZE * SIZE * 16);
	batch = aligned_alloc(CACHE_LINE, sizeof(*batch));
	require(batch);
	return 0;
}

static int tear_down(void **state)
{
	free(batch);
	test_regions_free(&memory);
	return 0;
}

static void begin(uint64_t features, uint16_t mtu)
{
	void *available = rings + split_descriptors_size(SIZE), *used = rings + 0x8000;

	memset(&counters, 0, sizeof(counters));
	seed = 23 + features;
	require(split_driver_init(&driver, rings, available, used, SIZE, features) == 0);
	require(net_device_init(&queue, &memory,
			&(struct device_ring_parts){rings, available, used}, SIZE, features, 0,
			mtu) == 0);
}

static void end(void)
{
	split_driver_fini(&driver);
}

static uint64_t drops(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		sum += counters.drops[i];
	return sum;
}

/* Room for `length` bytes; now and then across the border between the two regions. */
static uint64_t reserve(uint32_t length)
{
	uint64_t address;

	if (length > 1 && !test_below(&seed, 8))
		return RIGHT - 1 - test_below(&seed, length - 1);
	if (next_address < LEFT || next_address + length > RIGHT - 0x20000)
		next_address = LEFT;
	address = next_address;
	next_address += length;
	return address;
}

static void access_guest(uint64_t address, uint8_t *bytes, uint32_t length, bool write)
{
	unsigned hint = 0;

	while (length) {
		uint32_t step = length;
		uint8_t *host = guest_memory_translate(&memory, address, &step, &hint);

		require(host);
		memcpy(write ? host : bytes, write ? bytes : host, step);
		bytes += step;
		address += step;
		length -= step;
	}
}

static void random_bytes(uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(test_random(&seed) >> 32);
}

/* Splits `total` bytes, which lie together at `address`, into 1 to `room` buffers. */
static unsigned split(
	uint64_t address, uint32_t total, unsigned room, struct driver_buffer *buffers)
{
	unsigned count = 0;

	while (total) {
		uint32_t step = total;

		if (count + 1 < room)
			switch (test_below(&seed, 4)) {
			case 0:
				step = 1;
				break;
			case 1:
				step = 1 + (uint32_t)test_below(&seed, MIN(total, 20));
				break;
			case 2:
				step = 1 + (uint32_t)test_below(&seed, total);
				break;
			default:
				break;
			}
		buffers[count++] = (struct driver_buffer){address, step};
		address += step;
		total -= step;
	}
	return count;
}

static int add(const struct driver_buffer *buffers, unsigned count, bool writable, bool indirect,
	uint64_t token)
{
	const struct split_driver_table table = {
		.entries = (struct vring_desc *)(tables + token % SIZE * SIZE * 16),
		.address = TABLES + token % SIZE * SIZE * 16,
		.count = SIZE,
	};

	return split_driver_add(&driver, buffers, writable ? 0 : count, writable ? count : 0,
		indirect ? &table : NULL, token);
}

/* Sends header and frame (already one after the other in `bytes`) as one chain of `count` buffers. */
static void transmit(const struct driver_buffer *buffers, unsigned count, uint8_t *bytes,
	uint32_t total, bool indirect)
{
	access_guest(buffers[0].address, bytes, total, true);
	require(add(buffers, count, false, indirect, 5) == 0);
	split_driver_publish(&driver);
}

static void receive(void)
{
	batch->count = 0;
	batch->pieces_used = 0;
	net_device_receive(&queue, batch, &counters);
}

static void expect_packet(const struct packet *packet, const uint8_t *frame, uint32_t length)
{
	uint32_t at = packet->head_length;

	require(packet->length == length && packet->head_length == MIN(length, PACKET_HEAD_SIZE));
	require(memcmp(packet->head, frame, packet->head_length) == 0);
	for (unsigned i = 0; i < packet->tail_count; i++) {
		require(at + packet->tail[i].iov_len <= length);
		require(memcmp(packet->tail[i].iov_base, frame + at, packet->tail[i].iov_len) == 0);
		at += (uint32_t)packet->tail[i].iov_len;
	}
	require(at == length);
}

/* The driver gets its one chain back, with nothing written. */
static void expect_returned(uint64_t token)
{
	uint32_t written;
	uint64_t got;

	net_device_release(&queue);
	require(split_driver_take(&driver, &got, &written) && got == token && written == 0);
	require(!split_driver_take(&driver, &got, &written));
	require(driver.free_count == SIZE && !driver.broken && !queue.ring.split.broken);
}

static uint32_t random_length(void)
{
	switch (test_below(&seed, 3)) {
	case 0:
		return 14 + (uint32_t)test_below(&seed, 100);
	case 1:
		return 200 + (uint32_t)test_below(&seed, 120); /* around the size of a head */
	default:
		return 14 + (uint32_t)test_below(&seed, LONGEST - 13);
	}
}

static void any_chain_carries_any_frame(void **state)
{
	static uint8_t bytes[12 + LONGEST];
	struct driver_buffer buffers[SIZE];

	for (unsigned f = 0; f < FEATURE_SETS; f++) {
		begin(feature_set(f), 0);
		require(queue.header_size == (f & 3 ? 12 : 10));
		for (unsigned i = 0; i < 400; i++) {
			uint32_t length = random_length();
			uint32_t total = queue.header_size + length;
			unsigned count = split(reserve(total), total,
				1 + (unsigned)test_below(&seed, SIZE), buffers);

			memset(bytes, 0, queue.header_size);
			random_bytes(bytes + queue.header_size, length);
			transmit(buffers, count, bytes, total, f & 8 && test_below(&seed, 2));
			receive();
			require(batch->count == 1);
			expect_packet(&batch->packets[0], bytes + queue.header_size, length);
			expect_returned(5);
		}
		require(drops() == 0);
		end();
	}
}

/* The header ends, and the head, at every offset of a buffer. */
static void headers_may_be_split_anywhere(void **state)
{
	uint8_t bytes[12 + 400];
	struct driver_buffer buffers[3];

	for (unsigned f = 0; f < 2; f++) {
		begin(feature_set(f), 0);
		memset(bytes, 0, queue.header_size);
		random_bytes(bytes + queue.header_size, 400);
		for (uint32_t first = 1; first < 300; first++)
			for (uint32_t second = 1; second < 30; second += 3) {
				uint64_t at = RIGHT - 17; /* the border moves along, too */
				uint32_t total = queue.header_size + 400;

				buffers[0] = (struct driver_buffer){at, first};
				buffers[1] = (struct driver_buffer){at + first, second};
				buffers[2] = (struct driver_buffer){
					at + first + second, total - first - second};
				transmit(buffers, 3, bytes, total, false);
				receive();
				require(batch->count == 1);
				expect_packet(&batch->packets[0], bytes + queue.header_size, 400);
				expect_returned(5);
			}
		end();
	}
}

static void bad_frames_are_dropped_and_returned(void **state)
{
	/* lengths are of header and frame, with a header of 12 */
	static const struct {
		uint32_t total;
		uint8_t flags, gso;
		int reason; /* -1: received */
	} frames[] = {
		{1, 0, 0, DROP_BAD_NET_HEADER},
		{11, 0, 0, DROP_BAD_NET_HEADER},
		{12, 0, 0, DROP_BAD_NET_HEADER},
		{13, 0, 0, DROP_FRAME_TOO_SHORT},
		{25, 0, 0, DROP_FRAME_TOO_SHORT},
		{26, 0, 0, -1},
		{12 + LONGEST, 0, 0, -1},
		{12 + LONGEST + 1, 0, 0, DROP_FRAME_TOO_LONG},
		{0x40000, 0, 0, DROP_FRAME_TOO_LONG},
		{100, VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, DROP_BAD_NET_HEADER},
		{100, VIRTIO_NET_HDR_F_DATA_VALID, 0, -1},
		{100, 0, VIRTIO_NET_HDR_GSO_TCPV4, DROP_BAD_NET_HEADER},
		{100, 0, VIRTIO_NET_HDR_GSO_UDP, DROP_BAD_NET_HEADER},
		{100, 0, VIRTIO_NET_HDR_GSO_ECN, DROP_BAD_NET_HEADER},
		{100, 0, 0xff, DROP_BAD_NET_HEADER},
		{100, 0, 0, -1},
	};
	static uint8_t bytes[0x40000];

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
		struct driver_buffer buffer = {LEFT, frames[i].total};
		struct virtio_net_hdr header = {
			.flags = frames[i].flags, .gso_type = frames[i].gso};
		uint64_t before = drops();

		random_bytes(bytes, 200);
		memset(bytes, 0, 12);
		memcpy(bytes, &header, sizeof(header));
		transmit(&buffer, 1, bytes, frames[i].total, false);
		receive();
		require(batch->count == (frames[i].reason < 0));
		require(drops() == before + (frames[i].reason >= 0));
		if (frames[i].reason < 0)
			expect_packet(&batch->packets[0], bytes + 12, frames[i].total - 12);
		else
			require(counters.drops[frames[i].reason] > 0);
		expect_returned(5);
	}
	require(counters.drops[DROP_BAD_NET_HEADER] == 8);
	require(counters.drops[DROP_FRAME_TOO_SHORT] == 2);
	require(counters.drops[DROP_FRAME_TOO_LONG] == 2);
	end();
}

/* Good and bad frames in one visit: the good ones close ranks and keep their bytes. */
static void bad_frames_do_not_disturb_good_ones(void **state)
{
	uint8_t bytes[64][12 + 500];
	unsigned good = 0;

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct driver_buffer buffer = {LEFT + i * 0x1000, 12 + 500};

		memset(bytes[i], 0, 12);
		random_bytes(bytes[i] + 12, 500);
		bytes[i][1] = i % 3 == 0;                   /* an offload */
		buffer.length = i % 5 == 4 ? 20 : 12 + 500; /* too short */
		access_guest(buffer.address, bytes[i], 12 + 500, true);
		require(add(&buffer, 1, false, false, i) == 0);
	}
	split_driver_publish(&driver);
	receive();
	for (unsigned i = 0; i < 64; i++)
		if (i % 3 && i % 5 != 4)
			expect_packet(&batch->packets[good++], bytes[i] + 12, 500);
	require(batch->count == good && drops() == 64 - good);
	end();
}

static void a_visit_is_bounded(void **state)
{
	static const struct {
		uint32_t length;
		unsigned taken;
	} visits[] = {{60, PACKET_BATCH}, {4000, PACKET_BATCH}, {65000, 6}, {0x30000, 2}};

	for (unsigned v = 0; v < ARRAY_SIZE(visits); v++) {
		unsigned returned = 0;
		uint32_t written;
		uint64_t token;

		begin(FEATURE(VIRTIO_F_VERSION_1), 0);
		memset(memory.regions[1].host, 0, visits[v].length + 12);
		for (unsigned i = 0; i < 200; i++) {
			const struct driver_buffer buffer = {LEFT, 12 + visits[v].length};

			require(add(&buffer, 1, false, false, i) == 0);
		}
		split_driver_publish(&driver);
		for (unsigned left = 200; left;) {
			unsigned expected = MIN(left, visits[v].taken);

			receive();
			require(batch->count + drops() <= 200);
			net_device_release(&queue);
			for (unsigned i = 0; i < expected; i++, returned++)
				require(split_driver_take(&driver, &token, &written) &&
					token == returned);
			require(!split_driver_take(&driver, &token, &written));
			left -= expected;
		}
		require(returned == 200);
		end();
	}
}

/* 1-byte buffers: a visit stops between chains, when it has seen enough of them. */
static void many_small_buffers_are_bounded(void **state)
{
	struct driver_buffer buffers[SIZE];
	unsigned visits = 0, frames = 0;

	begin(RING_FEATURES | FEATURE(VIRTIO_F_VERSION_1), 0);
	memset(memory.regions[1].host, 0, 512);
	for (unsigned i = 0; i < SIZE; i++)
		buffers[i] = (struct driver_buffer){LEFT + i, 1};
	for (unsigned i = 0; i < 64; i++)
		require(add(buffers, SIZE, false, true, i) == 0);
	split_driver_publish(&driver);
	while (frames < 64) {
		receive();
		require(batch->count == PACKET_PIECES_VISIT / SIZE);
		for (unsigned i = 0; i < batch->count; i++)
			expect_packet(&batch->packets[i], memory.regions[1].host + 12, SIZE - 12);
		frames += batch->count;
		visits++;
		net_device_release(&queue);
	}
	require(visits == 64 * SIZE / PACKET_PIECES_VISIT && drops() == 0);
	end();
}

static void a_broken_ring_is_counted_once(void **state)
{
	const struct driver_buffer good = {LEFT, 100}, bad = {8, 100};
	uint32_t written;
	uint64_t token;

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	memset(memory.regions[1].host, 0, 100);
	require(add(&good, 1, false, false, 0) == 0 && add(&bad, 1, false, false, 1) == 0);
	require(add(&good, 1, false, false, 2) == 0);
	split_driver_publish(&driver);
	for (unsigned i = 0; i < 3; i++) {
		receive();
		require(batch->count == (i == 0));
		net_device_release(&queue);
	}
	require(queue.ring.split.broken && drops() == 1 && counters.drops[DROP_RING_ERROR] == 1);
	require(queue.ring.split.next_taken == 1); /* where it went wrong */
	require(split_driver_take(&driver, &token, &written) && token == 0);
	require(!split_driver_take(&driver, &token, &written));
	end();
}

static void a_disabled_queue_is_drained(void **state)
{
	const struct driver_buffer buffer = {LEFT, 100};

	begin(FEATURE(VIRTIO_F_VERSION_1), 0);
	queue.discard = true;
	require(add(&buffer, 1, false, false, 5) == 0);
	split_driver_publish(&driver);
	receive();
	require(batch->count == 0);
	expect_returned(5);
	end();
}

/* --- towards the guest --- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_chain_carries_any_frame),
		cmocka_unit_test(headers_may_be_split_anywhere),
		cmocka_unit_test(bad_frames_are_dropped_and_returned),
		cmocka_unit_test(bad_frames_do_not_disturb_good_ones),
		cmocka_unit_test(a_visit_is_bounded),
		cmocka_unit_test(many_small_buffers_are_bounded),
		cmocka_unit_test(a_broken_ring_is_counted_once),
		cmocka_unit_test(a_disabled_queue_is_drained),
		cmocka_unit_test(any_receiver_gets_any_frame),
		cmocka_unit_test(frames_without_a_place_are_dropped),
		cmocka_unit_test(a_broken_receiver_takes_nothing_more),
		cmocka_unit_test(driver_and_device_understand_each_other),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
