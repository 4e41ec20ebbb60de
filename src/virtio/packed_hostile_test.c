/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packed rings as a hostile driver lays them, one fault at a time, and what the device side makes
 * of each; and a driver that changes descriptors while they are read.
 */
#include "virtio/test_ring.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "virtio/packed_device.h"
#include "virtio/packed_driver.h"

#define SIZE 6 /* of the ring in all cases: no power of two */

/* Guest memory: the ring, then B and C adjacent to each other for the guest (not for us), a region
 * that ends where addresses do, and one above 4 GiB that exists but cannot be touched. */
#define RING    UINT64_C(0x1000)
#define TABLES  UINT64_C(0x2000)
#define A_END   UINT64_C(0x3000)
#define B       A_END
#define C       UINT64_C(0x4000)
#define C_END   UINT64_C(0x5000)
#define HIGHEST UINT64_C(0xffffffffffffe000)
#define LAST    UINT64_C(0xffffffffffffeffe) /* its last byte */
#define HUGE    UINT64_C(0x100000000)

#define N VRING_DESC_F_NEXT
#define W VRING_DESC_F_WRITE
#define I VRING_DESC_F_INDIRECT

#define BAD (-1)

static struct guest_memory memory;
static struct packed_device device;
static struct vring_packed_desc *ring;
static uint32_t *driver_event, *device_event;
static void *huge;

struct hostile_case {
	const char *name;
	struct vring_packed_desc chain[SIZE + 1]; /* laid into the ring from the first slot on */
	struct vring_packed_desc table[SIZE + 1]; /* at TABLES */
	uint64_t table_at;                        /* where else the table lies; 0: at TABLES */
	bool writable;                            /* the direction that the device wants */
	bool direct_only;                         /* INDIRECT_DESC was not negotiated */
	unsigned pieces_max;                      /* 0: plenty */
	int pieces;                               /* expected */
	uint32_t length;
	uint16_t id, slots;
};

#define DIRECT(...)      .chain = {__VA_ARGS__}
#define TABLE(n)         .chain = {{TABLES, (n)*16, 4, I}}
#define GOOD(p, l, i, s) .pieces = p, .length = l, .id = i, .slots = s
/* Descriptors: address, length, id, flags. */
/* clang-format off */
static const struct hostile_case cases[] = {
	/* what is right, so that the rest is wrong for its own reason */
	{"one buffer", DIRECT({B, 100, 4, 0}), GOOD(1, 100, 4, 1)},
	{"one writable buffer", DIRECT({B, 100, 4, W}), .writable = true, GOOD(1, 100, 4, 1)},
	{"three buffers", DIRECT({B, 1, 0, N}, {C, 2, 0, N}, {B, 3, 5, 0}), GOOD(3, 6, 5, 3)},
	{"three writable buffers", DIRECT({B, 1, 0, N | W}, {C, 2, 0, N | W}, {B, 3, 5, W}),
		.writable = true, GOOD(3, 6, 5, 3)},
	{"a whole ring of buffers", DIRECT({B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N},
		{B, 1, 0, N}, {B, 1, 3, 0}), GOOD(6, 6, 3, 6)},
	{"the id is the last one's", DIRECT({B, 1, 1, N}, {B, 1, 2, N}, {B, 1, 3, 0}), GOOD(3, 3, 3, 3)},
	{"an id above the size comes back", DIRECT({B, 1, SIZE, 0}), GOOD(1, 1, SIZE, 1)},
	{"the highest id comes back", DIRECT({B, 1, 1, N}, {B, 1, 0xffff, 0}), GOOD(2, 2, 0xffff, 2)},
	{"unknown flags are ignored", DIRECT({B, 5, 4, 0x7f78}), GOOD(1, 5, 4, 1)},
	{"first byte of memory", DIRECT({RING, 1, 4, 0}), GOOD(1, 1, 4, 1)},
	{"last byte of memory", DIRECT({LAST, 1, 4, 0}), GOOD(1, 1, 4, 1)},
	{"last bytes of memory", DIRECT({HIGHEST, 0xfff, 4, 0}), GOOD(1, 0xfff, 4, 1)},
	{"last byte of a region", DIRECT({C_END - 1, 1, 4, 0}), GOOD(1, 1, 4, 1)},

	/* chains without end */
	{"NEXT all around", DIRECT({B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N}, {B, 1, 0, N},
		{B, 1, 0, N}), .pieces = BAD},
	{"NEXT all around, writable", DIRECT({B, 1, 0, N | W}, {B, 1, 0, N | W}, {B, 1, 0, N | W},
		{B, 1, 0, N | W}, {B, 1, 0, N | W}, {B, 1, 0, N | W}), .writable = true, .pieces = BAD},
	{"NEXT into nothing", DIRECT({B, 1, 0, N}), .pieces = BAD},

	/* lengths */
	{"empty buffer", DIRECT({B, 0, 4, 0}), .pieces = BAD},
	{"empty writable buffer", DIRECT({B, 0, 4, W}), .writable = true, .pieces = BAD},
	{"empty buffer first", DIRECT({B, 0, 4, N}, {B, 9, 4, 0}), .pieces = BAD},
	{"empty buffer last", DIRECT({B, 9, 4, N}, {B, 0, 4, 0}), .pieces = BAD},
	{"empty buffer nowhere", DIRECT({0, 0, 4, 0}), .pieces = BAD},
	{"2 GiB", DIRECT({HUGE, 0x80000000, 4, 0}), GOOD(1, 0x80000000, 4, 1)},
	{"4 GiB less one", DIRECT({HUGE, 0xffffffff, 4, 0}), GOOD(1, 0xffffffff, 4, 1)},
	{"4 GiB less one in two", DIRECT({HUGE, 0xfffffffe, 0, N}, {B, 1, 4, 0}),
		GOOD(2, 0xffffffff, 4, 2)},
	{"4 GiB in two", DIRECT({HUGE, 0xffffffff, 0, N}, {B, 1, 4, 0}), .pieces = BAD},
	{"4 GiB in halves", DIRECT({HUGE, 0x80000000, 0, N}, {HUGE, 0x80000000, 4, 0}), .pieces = BAD},
	{"8 GiB that would wrap to 100", DIRECT({HUGE, 0xffffffff, 0, N}, {HUGE, 0xffffffff, 0, N},
		{B, 102, 4, 0}), .pieces = BAD},

	/* addresses */
	{"nowhere", DIRECT({0, 1, 4, 0}), .pieces = BAD},
	{"before memory", DIRECT({RING - 1, 1, 4, 0}), .pieces = BAD},
	{"begins before memory", DIRECT({RING - 1, 2, 4, 0}), .pieces = BAD},
	{"behind memory", DIRECT({C_END, 1, 4, 0}), .pieces = BAD},
	{"runs out of memory", DIRECT({C_END - 1, 2, 4, 0}), .pieces = BAD},
	{"runs far out of memory", DIRECT({C, 0xffffffff, 4, 0}), .pieces = BAD},
	{"highest address", DIRECT({UINT64_MAX, 1, 4, 0}), .pieces = BAD},
	{"wraps", DIRECT({HIGHEST, 0x2001, 4, 0}), .pieces = BAD},
	{"wraps by one", DIRECT({LAST, 3, 4, 0}), .pieces = BAD},
	{"wraps into the first region", DIRECT({LAST, 0x4000, 4, 0}), .pieces = BAD},
	{"second buffer nowhere", DIRECT({B, 1, 0, N}, {0, 1, 4, 0}), .pieces = BAD},
	{"straddles two regions", DIRECT({B - 10, 20, 4, 0}), GOOD(2, 20, 4, 1)},
	{"straddles three regions", DIRECT({B - 10, 0x1000 + 20, 4, 0}), GOOD(3, 0x1014, 4, 1)},
	{"all three regions", DIRECT({RING, 0x4000, 4, 0}), GOOD(3, 0x4000, 4, 1)},
	{"one byte more", DIRECT({RING, 0x4001, 4, 0}), .pieces = BAD},
	{"two that straddle", DIRECT({B - 1, 2, 0, N}, {C - 1, 2, 4, 0}), GOOD(4, 4, 4, 2)},

	/* directions */
	{"writable where readable is wanted", DIRECT({B, 1, 4, W}), .pieces = BAD},
	{"readable where writable is wanted", DIRECT({B, 1, 4, 0}), .writable = true, .pieces = BAD},
	{"readable, then writable", DIRECT({B, 1, 0, N}, {B, 1, 4, W}), .pieces = BAD},
	{"writable, then readable", DIRECT({B, 1, 0, N | W}, {B, 1, 4, 0}), .writable = true,
		.pieces = BAD},

	/* indirect tables */
	{"table of one", TABLE(1), .table = {{B, 7, 0, 0}}, GOOD(1, 7, 4, 1)},
	{"table of three", TABLE(3), .table = {{B, 1, 0, 0}, {C, 2, 0, 0}, {B, 4, 0, 0}},
		GOOD(3, 7, 4, 1)},
	{"NEXT and ids in a table mean nothing", TABLE(2), .table = {{B, 1, 9, 0}, {B, 2, 77, N}},
		GOOD(2, 3, 4, 1)},
	{"state flags in a table mean nothing", TABLE(2), .table = {{B, 1, 0, 0x8080}, {B, 2, 0, 0x80}},
		GOOD(2, 3, 4, 1)},
	{"table as long as the queue", TABLE(6), .table = {{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0},
		{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}}, GOOD(6, 6, 4, 1)},
	{"table longer than the queue", TABLE(7), .table = {{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0},
		{B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}, {B, 1, 0, 0}}, .pieces = BAD},
	{"an entry that was not filled", TABLE(2), .table = {{B, 1, 0, 0}}, .pieces = BAD},
	{"direct, then a table", DIRECT({B, 3, 0, N}, {TABLES, 16, 4, I}), .table = {{C, 4, 0, 0}},
		GOOD(2, 7, 4, 2)},
	{"WRITE on the table is ignored", DIRECT({TABLES, 16, 4, I | W}), .table = {{B, 7, 0, 0}},
		GOOD(1, 7, 4, 1)},
	{"writable table", TABLE(2), .table = {{B, 1, 0, W}, {B, 1, 0, W}}, .writable = true,
		GOOD(2, 2, 4, 1)},
	{"not negotiated", TABLE(1), .table = {{B, 7, 0, 0}}, .direct_only = true, .pieces = BAD},
	{"empty table", TABLE(0), .table = {{B, 7, 0, 0}}, .pieces = BAD},
	{"table of half an entry", DIRECT({TABLES, 8, 4, I}), .table = {{B, 7, 0, 0}}, .pieces = BAD},
	{"table of one and a bit", DIRECT({TABLES, 17, 4, I}), .table = {{B, 7, 0, 0}}, .pieces = BAD},
	{"table of 4 GiB", DIRECT({TABLES, 0xfffffff0, 4, I}), .table = {{B, 7, 0, 0}}, .pieces = BAD},
	{"table with NEXT", DIRECT({TABLES, 16, 0, I | N}, {B, 1, 4, 0}), .table = {{B, 7, 0, 0}},
		.pieces = BAD},
	{"nested", TABLE(2), .table = {{TABLES + 16, 16, 0, I}, {B, 1, 0, 0}}, .pieces = BAD},
	{"nested behind a buffer", TABLE(3), .table = {{B, 1, 0, 0}, {TABLES + 32, 16, 0, I},
		{B, 1, 0, 0}}, .pieces = BAD},
	{"table is itself", TABLE(1), .table = {{TABLES, 16, 0, I}}, .pieces = BAD},
	{"empty buffer in the table", TABLE(1), .table = {{B, 0, 0, 0}}, .pieces = BAD},
	{"wrong direction in the table", TABLE(1), .table = {{B, 1, 0, W}}, .pieces = BAD},
	{"mixed directions in the table", TABLE(2), .table = {{B, 1, 0, 0}, {B, 1, 0, W}}, .pieces = BAD},
	{"buffer of the table nowhere", TABLE(1), .table = {{8, 1, 0, 0}}, .pieces = BAD},
	{"sum of ring and table above 4 GiB", DIRECT({HUGE, 0xffffffff, 0, N}, {TABLES, 16, 4, I}),
		.table = {{B, 1, 0, 0}}, .pieces = BAD},
	{"table nowhere", DIRECT({8, 16, 4, I}), .pieces = BAD},
	{"table runs out of memory", DIRECT({C_END - 16, 32, 4, I}), .table = {{B, 1, 0, 0}},
		.table_at = C_END - 16, .pieces = BAD},
	{"table wraps", DIRECT({UINT64_MAX - 15, 32, 4, I}), .pieces = BAD},
	{"table in the last bytes", DIRECT({LAST - 15, 16, 4, I}), .table = {{B, 5, 0, 0}},
		.table_at = LAST - 15, GOOD(1, 5, 4, 1)},
	{"table crosses regions between entries", DIRECT({C - 16, 32, 4, I}),
		.table = {{B, 1, 0, 0}, {B, 2, 0, 0}}, .table_at = C - 16, GOOD(2, 3, 4, 1)},
	{"table crosses regions within an entry", DIRECT({C - 7, 32, 4, I}),
		.table = {{B, 1, 0, 0}, {B, 2, 0, 0}}, .table_at = C - 7, GOOD(2, 3, 4, 1)},

	/* room */
	{"as many pieces as fit", DIRECT({B, 1, 0, N}, {B, 1, 4, 0}), .pieces_max = 2,
		GOOD(2, 2, 4, 2)},
	{"one piece too many", DIRECT({B, 1, 0, N}, {B, 1, 4, 0}), .pieces_max = 1, .pieces = BAD},
	{"one too many by straddling", DIRECT({B - 1, 2, 4, 0}), .pieces_max = 1, .pieces = BAD},
	{"one too many in the table", TABLE(2), .table = {{B, 1, 0, 0}, {B, 1, 0, 0}}, .pieces_max = 1,
		.pieces = BAD},
};
/* clang-format on */

/* Writes through the guest's addresses, which may cross regions. */
static void poke(uint64_t address, const void *from, uint32_t length)
{
	unsigned hint = 0;

	while (length) {
		uint32_t step = length;
		uint8_t *to = guest_memory_translate(&memory, address, &step, &hint);

		require(to);
		memcpy(to, from, step);
		from = (const uint8_t *)from + step;
		address += step;
		length -= step;
	}
}

static int begin(uint64_t features, uint32_t base)
{
	return packed_device_init(
		&device, &memory, ring, driver_event, device_event, SIZE, features, base);
}

static int set_up(void **state)
{
	uint8_t *bytes = test_region(&memory, RING, 0x2000);

	ring = (struct vring_packed_desc *)bytes;
	driver_event = (uint32_t *)(bytes + 0x100);
	device_event = (uint32_t *)(bytes + 0x104);
	test_region(&memory, B, 0x1000);
	test_region(&memory, C, 0x1000);
	test_region(&memory, HIGHEST, 0x1000);
	memory.regions[3].size = 0xfff; /* a region cannot end behind the last address */
	huge = mmap(
		NULL, 0x200000000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(huge != MAP_FAILED);
	memory.regions[memory.count++] = (struct guest_region){
		.guest_address = HUGE, .size = 0x200000000, .user_address = HUGE, .host = huge};
	return 0;
}

static int tear_down(void **state)
{
	munmap(huge, 0x200000000);
	memory.count--;
	test_regions_free(&memory);
	return 0;
}

/* Lays the case's chain into the ring, its head at `slot` in the lap of `wrap`. */
static void lay(const struct hostile_case *c, uint16_t slot, bool wrap)
{
	struct packed_place place = packed_place_available(slot, wrap);

	for (unsigned i = 0; i < SIZE; i++) {
		struct vring_packed_desc descriptor = c->chain[i];

		descriptor.flags = (uint16_t)((descriptor.flags & ~PACKED_STATE) | place.flags);
		ring[place.slot] = descriptor;
		packed_place_advance(&place, 1, SIZE);
	}
	poke(c->table_at ? c->table_at : TABLES, c->table,
		c->table_at ? c->chain[0].len < 0x1000 && c->pieces != BAD ? c->chain[0].len : 16
			    : sizeof(c->table));
}

static void check_case(const struct hostile_case *c, uint16_t slot, bool wrap, bool walk)
{
	const uint64_t features = c->direct_only ? 0 : FEATURE(VIRTIO_RING_F_INDIRECT_DESC);
	uint32_t base = slot | (uint32_t)wrap << 15;
	struct ring_chain chain = {99, 99};
	struct iovec pieces[32] = {{0}};
	unsigned room = c->pieces_max ? c->pieces_max : ARRAY_SIZE(pieces);
	uint32_t length = 0, sum = 0;
	uint8_t *simple;
	int count;

	lay(c, slot, wrap);
	require(begin(features, base | base << 16) == 0);
	require(packed_device_available(&device) == 1);
	simple = walk ? NULL : packed_device_take_simple(&device, c->writable, &chain, &length);
	if (simple) {
		pieces[0] = (struct iovec){simple, length};
		count = 1;
	} else {
		count = packed_device_take(&device, &chain, c->writable, pieces, room, &length);
	}
	if (count != c->pieces || device.broken != (c->pieces == BAD))
		fail_msg("%s: %d pieces, expected %d", c->name, count, c->pieces);
	/* Beyond the room nothing was written. */
	for (unsigned i = room; i < ARRAY_SIZE(pieces); i++)
		require(!pieces[i].iov_base);
	if (chain.id != c->id || chain.count != c->slots)
		fail_msg("%s: id %u, %u slots", c->name, chain.id, chain.count);
	if (count == BAD) {
		require(!packed_device_available(&device) && packed_device_failed(&device));
		require((packed_device_base(&device) & 0xffff) == base);
		return;
	}
	for (int i = 0; i < count; i++)
		sum += (uint32_t)pieces[i].iov_len;
	if (length != c->length || sum != c->length)
		fail_msg("%s: %u bytes (sum %u), expected %u", c->name, length, sum, c->length);
	packed_device_untake(&device, chain.count);
	require((packed_device_base(&device) & 0xffff) == base);
}

static void chains_are_judged(void **state)
{
	require(ARRAY_SIZE(cases) >= 60);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		for (uint16_t slot = 0; slot < SIZE; slot++)
			for (unsigned wrap = 0; wrap < 2; wrap++)
				for (unsigned walk = 0; walk < 2; walk++)
					check_case(&cases[i], slot, wrap, walk);
}

/* Only the one of four states that is "available in this lap" yields a chain. */
static void only_this_lap_is_available(void **state)
{
	static const uint16_t states[] = {0, PACKED_AVAIL, PACKED_USED, PACKED_STATE};

	memset(ring, 0, SIZE * sizeof(*ring));
	for (unsigned wrap = 0; wrap < 2; wrap++)
		for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
			bool expected = states[i] == (wrap ? PACKED_AVAIL : PACKED_USED);
			struct ring_chain chain;
			struct iovec piece;
			uint32_t length;

			ring[2] = (struct vring_packed_desc){B, 1, 0, states[i]};
			require(begin(0, 2 | wrap << 15) == 0);
			require(packed_device_available(&device) == expected);
			require(packed_device_arm(&device) == expected);
			/* A descriptor that was withdrawn after we looked. */
			require(packed_device_take(&device, &chain, false, &piece, 1, &length) ==
				(expected ? 1 : BAD));
			require(device.broken != expected);
		}
}

static void sizes_bases_and_places_are_checked(void **state)
{
	static const struct {
		unsigned size;
		uint32_t base;
		int64_t encoded; /* the base that the device reports; -1: refused */
	} begins[] = {
		{0, 0, -1},
		{RING_SIZE_MAX + 1, 0, -1},
		{65536, 0, -1},
		{65537, 0, -1},
		{UINT32_MAX, 0, -1},
		{1, PACKED_BASE_FRESH, PACKED_BASE_FRESH},
		{1, 0x8000, PACKED_BASE_FRESH},
		{1, 0, 0},
		{1, 1, -1},
		{1, 0x8001, -1},
		{1, 0x80008001, -1},
		{6, 0x00018006, -1},
		{1, 0x80018000, -1},
		{1, 0x00018000, -1},
		{6, 5, 0x00050005},
		{6, 6, -1},
		{6, 0x8005, 0x80058005},
		{6, 0x8006, -1},
		{6, 0x00058002, 0x00058002},
		{6, 0x80050002, 0x80050002},
		{6, 0x00068002, -1},
		{6, 0x80000003, -1}, /* nine slots taken and not given */
		{6, 0x00050005, 0x00050005},
		{6, 0x80050005, 0x80050005}, /* six */
		{6, 0x00050002, -1},         /* given before it was taken */
		{6, 0x80058002, -1},
		{6, 0x7fff0000, -1},
		{6, 0xffff0000, -1},
		{6, 0xffff, -1},
		{RING_SIZE_MAX, 0x7fff, 0x7fff7fff},
		{RING_SIZE_MAX, 0xffff, 0xffffffff},
		{RING_SIZE_MAX, 0xffff7fff, 0xffff7fff},
	};
	uint8_t *at = (uint8_t *)ring;
	struct packed_driver driver;

	for (unsigned i = 0; i < ARRAY_SIZE(begins); i++) {
		int result = packed_device_init(&device, &memory, ring, driver_event, device_event,
			begins[i].size, 0, begins[i].base);

		if (result != (begins[i].encoded < 0 ? -EINVAL : 0) ||
			(!result && packed_device_base(&device) != begins[i].encoded))
			fail_msg("size %u, base %x: %d", begins[i].size, begins[i].base, result);
	}
	for (unsigned offset = 1; offset < 16; offset++) {
		int event = offset % 4 ? -EINVAL : 0;

		require(packed_device_init(&device, &memory, at + offset, driver_event,
				device_event, 4, 0, 0) == -EINVAL);
		require(packed_device_init(&device, &memory, ring, (uint8_t *)driver_event + offset,
				device_event, 4, 0, 0) == event);
		require(packed_device_init(&device, &memory, ring, driver_event,
				(uint8_t *)device_event + offset, 4, 0, 0) == event);
		require(packed_driver_init(
				&driver, at + offset, driver_event, device_event, 4, 0) == -EINVAL);
	}
	require(packed_driver_init(&driver, ring, driver_event, device_event, 0, 0) == -EINVAL);
	require(packed_driver_init(&driver, ring, driver_event, device_event, RING_SIZE_MAX + 1,
			0) == -EINVAL);
	require(packed_descriptors_size(3) == 48 && packed_event_size() == 4);
}

/* Makes every slot an available chain of `count` buffers in the lap in which the device takes it
 * next. */
static void offer_everything(unsigned count)
{
	struct packed_place place = device.taken;

	for (unsigned i = 0; i < SIZE; i++) {
		ring[place.slot] = (struct vring_packed_desc){B, 1, (uint16_t)i,
			(uint16_t)(place.flags | W | (i % count + 1 < count ? N : 0))};
		packed_place_advance(&place, 1, SIZE);
	}
}

/* Chains that are made available again while they are in our hands, taken until none is left to
 * take: what is put back is less than a lap, and what was not taken breaks the ring. */
static void a_driver_that_goes_round_is_stopped(void **state)
{
	for (unsigned count = 1; count <= SIZE; count++)
		for (unsigned given = 0; given <= SIZE; given++)
			for (uint16_t slot = 0; slot < SIZE; slot++) {
				struct ring_chain chain;
				struct iovec pieces[SIZE];
				unsigned slots = 0, gave = 0, room;
				uint32_t length;

				require(begin(0, slot | (uint32_t)slot << 16) == 0);
				for (;;) {
					offer_everything(count);
					require(packed_device_available(&device));
					if (packed_device_take(&device, &chain, true, pieces, SIZE,
						    &length) < 0)
						break;
					require(chain.count == count);
					if (gave + count <= given) {
						packed_device_give(&device, chain, 1);
						gave += count;
					} else {
						slots += count;
					}
					require(slots + gave <= SIZE);
				}
				room = SIZE - slots - gave;
				require(device.broken && room < count);
				require(packed_device_outstanding(&device) == slots);
				packed_device_untake(&device, slots);
				require(!packed_device_outstanding(&device));
				require(device.taken.slot < SIZE);
				packed_device_publish(&device);
			}
}

/* A caller's mistake does not leave the ring's bounds either. */
static void no_more_is_put_back_than_was_taken(void **state)
{
	for (unsigned slots = 1; slots < 3 * SIZE; slots++) {
		require(begin(0, 0x00008000 | 3 | (3u | 0x8000) << 16) == 0);
		packed_device_untake(&device, slots);
		require(device.broken && device.taken.slot == 3);
	}
}

/* Whatever the driver's event structure says, a publish ends and answers. */
static void any_event_structure_is_survived(void **state)
{
	uint64_t seed = 32;

	for (unsigned i = 0; i < 100000; i++) {
		struct ring_chain chain = {0, (uint16_t)(1 + test_below(&seed, SIZE))};
		uint32_t base = (uint32_t)test_below(&seed, SIZE);

		*driver_event = (uint32_t)test_random(&seed) & (i & 1 ? 0x0003ffff : 0xffffffff);
		require(begin(FEATURE(VIRTIO_RING_F_EVENT_IDX), base) == 0);
		packed_device_give(&device, chain, 1);
		device.signalled_valid = true;
		if (packed_device_publish(&device))
			require(*driver_event >> 16 != VRING_PACKED_EVENT_FLAG_DISABLE);
		require(!packed_device_publish(&device));
	}
	*driver_event = 0;
}

static bool stop_flipping;

/* A driver that changes its mind all the time: values that matter, in fields that matter. */
static void *flip(void *argument)
{
	static const uint64_t addresses[] = {
		B, B - 1, C_END - 1, C_END, 0, TABLES, LAST, UINT64_MAX, C - 7};
	static const uint32_t lengths[] = {0, 1, 16, 32, 96, 4096, 8192, 0xfffffff0, 0xffffffff};
	struct vring_packed_desc *tables = ring + (TABLES - RING) / sizeof(*ring);
	struct vring_packed_desc *entries[2] = {ring, tables};
	uint64_t seed = 34;

	while (!__atomic_load_n(&stop_flipping, __ATOMIC_RELAXED)) {
		struct vring_packed_desc *entry =
			&entries[test_below(&seed, 2)][test_below(&seed, SIZE)];
		uint16_t flags = (uint16_t)(test_below(&seed, 4) ? test_below(&seed, 2)
								 : test_below(&seed, 8));

		ring_store(entry->addr, addresses[test_below(&seed, ARRAY_SIZE(addresses))]);
		ring_store(entry->len, lengths[test_below(&seed, ARRAY_SIZE(lengths))]);
		ring_store(entry->id, (uint16_t)test_below(&seed, SIZE));
		/* Nearly always available: in this lap or the other. */
		ring_store(entry->flags,
			(uint16_t)(flags | (test_below(&seed, 2) ? PACKED_AVAIL : PACKED_USED)));
	}
	return NULL;
}

static bool inside_memory(const struct iovec *piece)
{
	for (unsigned i = 0; i < memory.count; i++)
		if (checked_inside((uintptr_t)piece->iov_base, piece->iov_len,
			    (uintptr_t)memory.regions[i].host, memory.regions[i].size))
			return true;
	return false;
}

/* Takes a chain if there is one and looks whether what comes of it is in order. */
static void take_flipping(bool writable, unsigned *good, unsigned *bad)
{
	struct iovec pieces[12] = {{0}};
	struct ring_chain chain;
	uint32_t length = 0;
	uint64_t sum = 0;
	int count;

	if (!packed_device_available(&device))
		return;
	count = packed_device_take(&device, &chain, writable, pieces, 8, &length);
	for (int k = 0; k < count; k++) {
		require(k < 8 && inside_memory(&pieces[k]));
		sum += pieces[k].iov_len;
	}
	require(!pieces[8].iov_base);
	require(count == BAD ? device.broken : sum == length && chain.count <= SIZE);
	*(count == BAD ? bad : good) += 1;
}

static void descriptors_that_change_lead_nowhere_else(void **state)
{
	struct timespec start, end;
	unsigned good = 0, bad = 0;
	pthread_t thread;

	memset(ring, 0, 0x100);
	stop_flipping = false;
	require(pthread_create(&thread, NULL, flip, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (unsigned i = 0; i < 10000; i++) {
			/* Nothing here: go on at any place, in any lap. */
			if (i == 0 || !packed_device_available(&device))
				require(begin(FEATURE(VIRTIO_RING_F_INDIRECT_DESC),
						i % SIZE | (i & 8 ? 0x8000 : 0)) == 0);
			/* Nothing is given: that would take the ring away from the flipper. */
			take_flipping(i & 1, &good, &bad);
		}
		clock_gettime(CLOCK_MONOTONIC, &end);
		/* On a busy machine the flipper may come late. */
	} while (end.tv_sec - start.tv_sec < 2 ||
		 ((good <= 1000 || bad <= 1000) && end.tv_sec - start.tv_sec < 30));
	__atomic_store_n(&stop_flipping, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	require(good > 1000 && bad > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_judged),
		cmocka_unit_test(only_this_lap_is_available),
		cmocka_unit_test(sizes_bases_and_places_are_checked),
		cmocka_unit_test(a_driver_that_goes_round_is_stopped),
		cmocka_unit_test(no_more_is_put_back_than_was_taken),
		cmocka_unit_test(any_event_structure_is_survived),
		cmocka_unit_test(descriptors_that_change_lead_nowhere_else),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
