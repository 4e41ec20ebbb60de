/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What queues write into guest memory is in the dirty log. The oracle is a copy of all memory from
 * before: each byte that differs afterwards must be logged, wherever it is. Random traffic over
 * both layouts, both directions and every combination of what a VMM may ask to be logged; then, as
 * a VMM does it, a copy of memory that is kept up to date by the log alone while another thread
 * works.
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <threads.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/rcu.h"
#include "virtio/packed_driver.h"
#include "virtio/split_driver.h"
#include "virtio_net/device.h"
#include "virtio_net/offload.h"
#include "virtio_net/test_request.h"
#undef require
#include "virtio/test_ring.h"

#define RINGS      UINT64_C(0x100000)
#define RINGS_SIZE 0x4000
#define LEFT       UINT64_C(0x200000) /* two neighbours, so that buffers may straddle them */
#define RIGHT      UINT64_C(0x210000)
#define RIGHT_END  UINT64_C(0x220000)
#define TABLES     UINT64_C(0x300000) /* TABLE_ENTRIES for each token */
#define ELSEWHERE                                                                                  \
	UINT64_C(0x9000ff4) /* in no region: where writes to the device area may be logged */
#define LOG_SIZE UINT64_C(0x2000)

#define SIZE_SPLIT    64
#define SIZE_PACKED   50
#define TABLE_ENTRIES 4
#define TOKENS        64
#define FRAME_MAX     20000

/* What lies where in RINGS: the device area of a split ring and the descriptors of a packed one
 * straddle pages. */
#define SPLIT_USED         (0x3000 - 260)
#define PACKED_DESCRIPTORS (0x1000 - 400)
#define PACKED_EVENT       0x2000 /* the driver's; the device's is a page further */

struct bench {
	bool packed, writable;
	struct guest_memory memory;
	uint8_t *rings, *tables;
	struct split_driver split;
	struct packed_driver packed_driver;
	struct net_device_queue queue;
	struct counters counters;
	struct queue_log logs[2];
	struct dirty_log *log;
	uint8_t *bits; /* of the log */
	uint64_t seed;
	unsigned in_flight;
	bool free_tokens[TOKENS];
	struct packet_batch *batch;
	uint8_t frames[PACKET_BATCH][FRAME_MAX];
};

static struct bench bench;

/* --- the driver --- */

static uint64_t below(uint64_t limit)
{
	return test_below(&bench.seed, limit);
}

static void bench_begin(bool packed, bool writable, uint64_t features)
{
	unsigned size = packed ? SIZE_PACKED : SIZE_SPLIT;
	struct device_ring_parts parts;
	int fd = memfd_create("dirty_queue_test", MFD_CLOEXEC);

	memset(&bench, 0, sizeof(bench));
	bench.packed = packed;
	bench.writable = writable;
	bench.seed = 77 + packed + 2 * writable + features;
	bench.rings = test_region(&bench.memory, RINGS, RINGS_SIZE);
	test_region(&bench.memory, LEFT, RIGHT - LEFT);
	test_region(&bench.memory, RIGHT, RIGHT_END - RIGHT);
	bench.tables = test_region(&bench.memory, TABLES, 0x1000);
	bench.batch = aligned_alloc(CACHE_LINE, sizeof(*bench.batch));
	require(bench.batch && fd >= 0 && ftruncate(fd, LOG_SIZE) == 0);
	memset(bench.free_tokens, true, sizeof(bench.free_tokens));
	bench.bits = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	bench.log = dirty_log_new(NULL, LOG_SIZE, 0, fd, NULL);
	require(bench.bits != MAP_FAILED && bench.log);
	fd_close(&fd);
	features |= FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	if (packed) {
		features |= FEATURE(VIRTIO_F_RING_PACKED);
		parts = (struct device_ring_parts){bench.rings + PACKED_DESCRIPTORS,
			bench.rings + PACKED_EVENT, bench.rings + PACKED_EVENT + 0x1000};
		require(!packed_driver_init(&bench.packed_driver, parts.descriptors,
			parts.driver_area, parts.device_area, size, features));
	} else {
		parts = (struct device_ring_parts){
			bench.rings, bench.rings + 0x1000, bench.rings + SPLIT_USED};
		require(!split_driver_init(&bench.split, parts.descriptors, parts.driver_area,
			parts.device_area, size, features));
	}
	require(!net_device_init(&bench.queue, &bench.memory, &parts, size, features,
		packed ? PACKED_BASE_FRESH : 0, 0));
}

static void bench_end(void)
{
	if (bench.packed)
		packed_driver_fini(&bench.packed_driver);
	else
		split_driver_fini(&bench.split);
	free(bench.batch);
	dirty_log_free(bench.log);
	munmap(bench.bits, LOG_SIZE);
	test_regions_free(&bench.memory);
}

static void driver_reclaim(void)
{
	uint32_t written;
	uint64_t token;

	while (bench.packed ? packed_driver_take(&bench.packed_driver, &token, &written)
			    : split_driver_take(&bench.split, &token, &written)) {
		require(token < TOKENS && !bench.free_tokens[token]);
		bench.free_tokens[token] = true;
		bench.in_flight--;
	}
}

static bool driver_add(
	const struct driver_buffer *buffers, unsigned count, uint64_t token, bool indirect)
{
	const unsigned readable = bench.writable ? 0 : count, writable = count - readable;
	uint8_t *entries = bench.tables + token * TABLE_ENTRIES * 16;
	uint64_t address = TABLES + token * TABLE_ENTRIES * 16;
	struct split_driver_table split = {(void *)entries, address, TABLE_ENTRIES};
	struct packed_driver_table packed = {(void *)entries, address, TABLE_ENTRIES};
	struct driver_buffer same[TABLE_ENTRIES];

	for (unsigned i = 0; i < count; i++)
		same[i] = (struct driver_buffer){buffers[i].address, buffers[i].length};
	if (bench.packed)
		return packed_driver_add(&bench.packed_driver, same, readable, writable,
			       indirect ? &packed : NULL, token) == 0;
	return split_driver_add(&bench.split, buffers, readable, writable, indirect ? &split : NULL,
		       token) == 0;
}

/* Makes chains of random shape available, until the ring is full or earlier. */
static void driver_offer(void)
{
	for (unsigned token = 0; token < TOKENS && below(20); token++) {
		struct driver_buffer buffers[TABLE_ENTRIES];
		unsigned count = 1 + (unsigned)below(below(2) ? 1 : TABLE_ENTRIES);

		if (!bench.free_tokens[token])
			continue;
		for (unsigned i = 0; i < count; i++) {
			uint32_t length = 1 + (uint32_t)below(3000);

			buffers[i] = (struct driver_buffer){
				LEFT + below(RIGHT_END - LEFT - length), length};
		}
		if (!driver_add(buffers, count, token, below(4) == 0))
			break;
		bench.free_tokens[token] = false;
		bench.in_flight++;
	}
	if (bench.packed)
		packed_driver_publish(&bench.packed_driver);
	else
		split_driver_publish(&bench.split);
}

/* --- the device --- */

/* A frame as another port brings it: plain, or a TCP packet to be cut for this receiver. */
static void batch_frame(unsigned i)
{
	static const struct test_request tcp = {
		.protocol = IPPROTO_TCP, .payload = 9000, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
	struct test_request request = tcp;
	struct packet *packet = &bench.batch->packets[i];
	struct virtio_net_hdr header = {0};
	uint8_t *frame = bench.frames[i];
	uint32_t length = 14 + (uint32_t)below(below(3) ? 200 : FRAME_MAX - 14);
	bool cut = below(8) == 0;

	if (cut) {
		request.gso_size = (uint16_t)(500 + below(1000));
		length = request_build(&request, frame, &header);
	} else {
		for (uint32_t k = 0; k < length; k += 8)
			*(uint64_t *)(void *)(frame + (k & ~7u)) = test_random(&bench.seed);
	}
	*packet = (struct packet){
		.head = packet_buffer(bench.batch, i),
		.tail = &bench.batch->pieces[bench.batch->pieces_used],
		.length = length,
		.head_length = (uint16_t)MIN(length, PACKET_HEAD_SIZE),
	};
	memcpy(packet->head, frame, packet->head_length);
	if (length > PACKET_HEAD_SIZE) {
		packet->tail[0] = (struct iovec){
			frame + PACKET_HEAD_SIZE, length - PACKET_HEAD_SIZE};
		packet->tail_count = 1;
		bench.batch->pieces_used++;
	}
	require(net_offload_receive(&header, cut ? OFFLOAD_CHECKSUM | OFFLOAD_TCP4 : 0, packet));
}

static void device_send(void)
{
	unsigned count = 1 + (unsigned)below(20);

	bench.batch->count = count;
	bench.batch->pieces_used = 0;
	bench.batch->frames_max = PACKET_BATCH;
	for (unsigned i = 0; i < count; i++)
		batch_frame(i);
	net_device_send(&bench.queue, bench.batch, (1ull << count) - 1, &bench.counters);
}

static void device_receive(void)
{
	bench.batch->count = 0;
	bench.batch->pieces_used = 0;
	bench.batch->frames_max = PACKET_BATCH;
	net_device_receive(&bench.queue, bench.batch, &bench.counters);
	net_device_release(&bench.queue);
}

static void device_act(void)
{
	switch (below(6)) {
	case 0:
		device_ring_arm(&bench.queue.ring);
		break;
	case 1:
		device_ring_disarm(&bench.queue.ring);
		break;
	default:
		if (bench.writable)
			device_send();
		else
			device_receive();
	}
	require(!device_ring_broken(&bench.queue.ring));
}

/* --- the oracle --- */

struct range {
	uint64_t address, size;
};

static struct range device_area(void)
{
	return bench.packed ? (struct range){RINGS + PACKED_EVENT + 0x1000, packed_event_size()}
			    : (struct range){RINGS + SPLIT_USED, split_used_size(SIZE_SPLIT)};
}

static bool inside(uint64_t address, struct range range)
{
	return address - range.address < range.size;
}

static bool is_logged(uint64_t address)
{
	return bench.bits[address / 4096 / 8] >> address / 4096 % 8 & 1;
}

/* Puts a log in force that logs the frames, the ring, both or neither. */
static const struct queue_log *log_what(bool frames, bool ring, uint64_t log_address)
{
	struct queue_log *log = &bench.logs[bench.queue.log == &bench.logs[0]];

	*log = (struct queue_log){
		.log = bench.log,
		.memory = &bench.memory,
		.frames = frames,
		.ring = ring,
		.device_area = log_address,
		.device_area_size = device_area().size,
		.descriptors = RINGS + PACKED_DESCRIPTORS,
	};
	net_device_set_log(&bench.queue, frames || ring ? log : NULL);
	return log;
}

/* A byte that differs now must be logged, if it is of a kind that is. */
static void check_byte(uint64_t address, const struct queue_log *log)
{
	struct range area = device_area();
	struct range descriptors = {
		RINGS + PACKED_DESCRIPTORS, packed_descriptors_size(SIZE_PACKED)};

	if (inside(address, area)) {
		require(!log->ring || is_logged(log->device_area + (address - area.address)));
	} else if (bench.packed && inside(address, descriptors)) {
		require(!log->ring || is_logged(address));
	} else {
		require(bench.writable && address >= LEFT && address < RIGHT_END);
		require(!log->frames || is_logged(address));
	}
}

/* A page that is logged must be one that this queue may write. */
static void check_page(uint64_t address, const struct queue_log *log)
{
	struct range area = {log->device_area & ~4095ull, device_area().size + 4095};
	struct range descriptors = {RINGS + (PACKED_DESCRIPTORS & ~4095u), 8192};

	if (!is_logged(address))
		return;
	require((log->ring && inside(address, area)) ||
		(log->ring && bench.packed && inside(address, descriptors)) ||
		(log->frames && bench.writable && address >= LEFT && address < RIGHT_END));
}

static uint8_t before[GUEST_MEMORY_SLOTS][RIGHT - LEFT];

static void snapshot(void)
{
	for (unsigned i = 0; i < bench.memory.count; i++)
		memcpy(before[i], bench.memory.regions[i].host, bench.memory.regions[i].size);
	memset(bench.bits, 0, LOG_SIZE);
}

/* Returns how many bytes differ. */
static unsigned check(const struct queue_log *log)
{
	unsigned differences = 0;

	for (unsigned i = 0; i < bench.memory.count; i++) {
		const struct guest_region *region = &bench.memory.regions[i];

		if (!memcmp(before[i], region->host, region->size))
			continue;
		for (uint64_t k = 0; k < region->size; k++)
			if (before[i][k] != region->host[k]) {
				check_byte(region->guest_address + k, log);
				differences++;
			}
	}
	for (uint64_t page = 0; page < LOG_SIZE * 8; page++)
		if (bench.bits[page / 8])
			check_page(page * 4096, log);
	return differences;
}

static void run_random_traffic(bool packed, bool writable, uint64_t features)
{
	uint64_t differences = 0;

	bench_begin(packed, writable, features);
	for (unsigned round = 0; round < 600; round++) {
		struct range area = device_area();
		const struct queue_log *log;

		driver_reclaim();
		driver_offer();
		log = log_what(below(3), below(3), below(2) ? ELSEWHERE : area.address);
		for (unsigned i = 0; i < 3; i++) {
			snapshot();
			device_act();
			differences += check(log);
		}
	}
	/* There was something to log. */
	require(differences > (writable ? 5000 : 1000));
	require(!writable || bench.counters.packets > 50);
	bench_end();
}

static void what_differs_is_logged(void **state)
{
	static const uint64_t sets[] = {0, FEATURE(VIRTIO_RING_F_EVENT_IDX),
		FEATURE(VIRTIO_NET_F_MRG_RXBUF),
		FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_NET_F_MRG_RXBUF),
		FEATURE(VIRTIO_F_IN_ORDER) | FEATURE(VIRTIO_NET_F_MRG_RXBUF)};

	for (unsigned i = 0; i < ARRAY_SIZE(sets); i++)
		for (unsigned k = 0; k < 4; k++)
			run_random_traffic(k & 1, k & 2, sets[i]);
}

/* --- one frame, to the bit --- */

/* A frame of 5000 bytes over the border of two regions: the pages that it lies in, and no other. */
static void one_frame_is_logged_exactly(void **state)
{
	const struct driver_buffer buffer = {RIGHT - 4096 - 10, 10000};
	static const uint64_t pages[] = {RIGHT - 8192, RIGHT - 4096, RIGHT};
	unsigned set = 0;

	for (unsigned packed = 0; packed < 2; packed++) {
		bench_begin(packed, true, 0);
		log_what(true, false, ELSEWHERE);
		require(driver_add(&buffer, 1, 0, false));
		if (packed)
			packed_driver_publish(&bench.packed_driver);
		else
			split_driver_publish(&bench.split);
		bench.batch->count = 1;
		bench.batch->packets[0] = (struct packet){
			.head = packet_buffer(bench.batch, 0),
			.head_length = PACKET_HEAD_SIZE,
			.tail = bench.batch->pieces,
			.tail_count = 1,
			.length = 5000,
		};
		bench.batch->pieces[0] = (struct iovec){bench.frames, 5000 - PACKET_HEAD_SIZE};
		bench.batch->pieces_used = 1;
		net_device_send(&bench.queue, bench.batch, 1, &bench.counters);
		require(bench.counters.packets == 1);
		set = 0;
		for (uint64_t page = 0; page < LOG_SIZE * 8; page++)
			set += is_logged(page * 4096);
		require(set == ARRAY_SIZE(pages));
		for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
			require(is_logged(pages[i]));
		bench_end();
	}
}

/* Its signal is owed, and sent by nobody who holds a ring. */
static void the_eventfd_is_to_tell_of_logging(void **state)
{
	const struct driver_buffer buffer = {LEFT, 100};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct bells bells = {.attention = -1};
	struct bell bell = {.bells = &bells, .fd = fd};
	uint64_t count;

	require(fd >= 0);
	for (unsigned packed = 0; packed < 2; packed++) {
		bench_begin(packed, false, 0);
		log_what(false, true, ELSEWHERE);
		bench.logs[bench.queue.log == &bench.logs[1]].bell = &bell;
		device_receive();
		require(!bell_take(&bell));
		require(driver_add(&buffer, 1, 0, false));
		if (packed)
			packed_driver_publish(&bench.packed_driver);
		else
			split_driver_publish(&bench.split);
		device_receive();
		require(bell_take(&bell) && read(fd, &count, sizeof(count)) < 0);
		bench_end();
	}
	fd_close(&fd);
}

/* --- a migration --- */

static bool stop_working;

/* The guest and the switch, in one thread. */
static int work(void *argument)
{
	rcu_join();
	while (!__atomic_load_n(&stop_working, __ATOMIC_ACQUIRE)) {
		driver_reclaim();
		driver_offer();
		for (unsigned i = 0; i < 3; i++)
			device_act();
		rcu_pass();
	}
	rcu_leave();
	return 0;
}

/* The destination's memory, by the place of the source's. */
static uint8_t copies[GUEST_MEMORY_SLOTS][RIGHT - LEFT];

/* The thread sanitizer is right that this races: the log is there to mend it. */
__attribute__((no_sanitize("thread"), noinline)) static void copy_page(
	const struct guest_region *region, unsigned index, uint64_t offset)
{
	const volatile uint64_t *from = (const uint64_t *)(const void *)(region->host + offset);
	uint64_t *to = (uint64_t *)(void *)(copies[index] + offset);

	for (unsigned i = 0; i < 4096 / sizeof(*to); i++)
		to[i] = from[i];
}

/* Copies the pages whose bits are set, clearing those first; all: every page. */
static void copy_dirty(bool all)
{
	for (unsigned i = 0; i < bench.memory.count; i++) {
		const struct guest_region *region = &bench.memory.regions[i];

		for (uint64_t offset = 0; offset < region->size; offset += 4096) {
			uint64_t page = (region->guest_address + offset) / 4096;
			uint8_t bit = (uint8_t)(1 << page % 8);

			if (__atomic_fetch_and(
				    &bench.bits[page / 8], (uint8_t)~bit, __ATOMIC_SEQ_CST) &
					bit ||
				all)
				copy_page(region, i, offset);
		}
	}
}

/* What only the device writes is the same in both memories. */
static void compare(void)
{
	struct range area = device_area();

	require(!memcmp(copies[0] + (area.address - RINGS), bench.rings + (area.address - RINGS),
		area.size));
	require(!memcmp(copies[1], bench.memory.regions[1].host, RIGHT - LEFT));
	require(!memcmp(copies[2], bench.memory.regions[2].host, RIGHT_END - RIGHT));
}

static void the_log_keeps_a_copy_true(void **state)
{
	for (unsigned round = 0; round < 120; round++) {
		bool packed = round & 1, writable = round % 3;
		uint64_t features = round & 4 ? FEATURE(VIRTIO_RING_F_EVENT_IDX) : 0;
		thrd_t worker;

		bench_begin(packed, writable, features | FEATURE(VIRTIO_NET_F_MRG_RXBUF));
		bench.seed += round * 1000;
		stop_working = false;
		require(thrd_create(&worker, work, NULL) == thrd_success);
		for (unsigned toggle = 0; toggle < 1 + round % 4; toggle++) {
			log_what(false, false, device_area().address);
			rcu_wait();
			log_what(true, true, device_area().address);
			rcu_wait();
			copy_dirty(true);
			for (unsigned pass = 0; pass < 20; pass++)
				copy_dirty(false);
		}
		__atomic_store_n(&stop_working, true, __ATOMIC_RELEASE);
		require(thrd_join(worker, NULL) == thrd_success);
		copy_dirty(false);
		compare();
		bench_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_differs_is_logged),
		cmocka_unit_test(one_frame_is_logged_exactly),
		cmocka_unit_test(the_eventfd_is_to_tell_of_logging),
		cmocka_unit_test(the_log_keeps_a_copy_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
