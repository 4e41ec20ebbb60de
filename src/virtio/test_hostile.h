/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For hostile_test.c and packed_hostile_test.c: the guest memory in which a hostile driver lays its
 * rings, and those faults that both layouts can have. Before they include this they say:
 *
 *	SIZE               of the ring in all cases
 *	LAYOUT_DESCRIPTOR  of the ring
 *	D(i, address, length, flags)   slot i of the ring; NEXT: slot i + 1 follows
 *	T(i, address, length, flags)   entry i of an indirect table, likewise
 *	FINE(pieces, length, slots)    what is expected of a chain that is in order
 */
#ifndef VSW_VIRTIO_TEST_HOSTILE_H
#define VSW_VIRTIO_TEST_HOSTILE_H

#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "virtio/test_ring.h"

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

struct hostile_case {
	const char *name;
	LAYOUT_DESCRIPTOR ring[SIZE + 1];  /* from the first slot on */
	LAYOUT_DESCRIPTOR table[SIZE + 1]; /* at TABLES */
	uint64_t table_at;                 /* where else the table lies; 0: at TABLES */
	uint16_t head;                     /* of a split ring's chain */
	bool writable;                     /* the direction that the device wants */
	bool direct_only;                  /* INDIRECT_DESC was not negotiated */
	unsigned pieces_max;               /* 0: plenty */
	int pieces;                        /* expected */
	uint32_t length;
	uint16_t id, slots; /* of a packed ring's chain */
};

#define DIRECT(...) .ring = {__VA_ARGS__}
#define TABLE(n)    .ring = {D(0, TABLES, (n)*16, I)}

/* clang-format off */
static const struct hostile_case shared_cases[] = {
	/* what is right, so that the rest is wrong for its own reason */
	{"one buffer", DIRECT(D(0, B, 100, 0)), FINE(1, 100, 1)},
	{"one writable buffer", DIRECT(D(0, B, 100, W)), .writable = true, FINE(1, 100, 1)},
	{"three buffers", DIRECT(D(0, B, 1, N), D(1, C, 2, N), D(2, B, 3, 0)), FINE(3, 6, 3)},
	{"first byte of memory", DIRECT(D(0, RING, 1, 0)), FINE(1, 1, 1)},
	{"last byte of memory", DIRECT(D(0, LAST, 1, 0)), FINE(1, 1, 1)},
	{"last bytes of memory", DIRECT(D(0, HIGHEST, 0xfff, 0)), FINE(1, 0xfff, 1)},
	{"last byte of a region", DIRECT(D(0, C_END - 1, 1, 0)), FINE(1, 1, 1)},

	/* lengths */
	{"empty buffer", DIRECT(D(0, B, 0, 0)), .pieces = BAD},
	{"empty writable buffer", DIRECT(D(0, B, 0, W)), .writable = true, .pieces = BAD},
	{"empty buffer first", DIRECT(D(0, B, 0, N), D(1, B, 9, 0)), .pieces = BAD},
	{"empty buffer last", DIRECT(D(0, B, 9, N), D(1, B, 0, 0)), .pieces = BAD},
	{"empty buffer nowhere", DIRECT(D(0, 0, 0, 0)), .pieces = BAD},
	{"2 GiB", DIRECT(D(0, HUGE, 0x80000000, 0)), FINE(1, 0x80000000, 1)},
	{"4 GiB less one", DIRECT(D(0, HUGE, 0xffffffff, 0)), FINE(1, 0xffffffff, 1)},
	{"4 GiB less one in two", DIRECT(D(0, HUGE, 0xfffffffe, N), D(1, B, 1, 0)), FINE(2,
		0xffffffff, 2)},
	{"4 GiB in two", DIRECT(D(0, HUGE, 0xffffffff, N), D(1, B, 1, 0)), .pieces = BAD},
	{"4 GiB in halves", DIRECT(D(0, HUGE, 0x80000000, N), D(1, HUGE, 0x80000000, 0)),
		.pieces = BAD},
	{"8 GiB that would wrap to 100", DIRECT(D(0, HUGE, 0xffffffff, N),
		D(1, HUGE, 0xffffffff, N), D(2, B, 102, 0)), .pieces = BAD},

	/* addresses */
	{"nowhere", DIRECT(D(0, 0, 1, 0)), .pieces = BAD},
	{"before memory", DIRECT(D(0, RING - 1, 1, 0)), .pieces = BAD},
	{"begins before memory", DIRECT(D(0, RING - 1, 2, 0)), .pieces = BAD},
	{"behind memory", DIRECT(D(0, C_END, 1, 0)), .pieces = BAD},
	{"runs out of memory", DIRECT(D(0, C_END - 1, 2, 0)), .pieces = BAD},
	{"runs far out of memory", DIRECT(D(0, C, 0xffffffff, 0)), .pieces = BAD},
	{"highest address", DIRECT(D(0, UINT64_MAX, 1, 0)), .pieces = BAD},
	{"wraps", DIRECT(D(0, HIGHEST, 0x2001, 0)), .pieces = BAD},
	{"wraps by one", DIRECT(D(0, LAST, 3, 0)), .pieces = BAD},
	{"wraps into the first region", DIRECT(D(0, LAST, 0x4000, 0)), .pieces = BAD},
	{"second buffer nowhere", DIRECT(D(0, B, 1, N), D(1, 0, 1, 0)), .pieces = BAD},
	{"straddles two regions", DIRECT(D(0, B - 10, 20, 0)), FINE(2, 20, 1)},
	{"straddles three regions", DIRECT(D(0, B - 10, 0x1000 + 20, 0)), FINE(3, 0x1014, 1)},
	{"all three regions", DIRECT(D(0, RING, 0x4000, 0)), FINE(3, 0x4000, 1)},
	{"one byte more", DIRECT(D(0, RING, 0x4001, 0)), .pieces = BAD},
	{"two that straddle", DIRECT(D(0, B - 1, 2, N), D(1, C - 1, 2, 0)), FINE(4, 4, 2)},

	/* directions */
	{"writable where readable is wanted", DIRECT(D(0, B, 1, W)), .pieces = BAD},
	{"readable where writable is wanted", DIRECT(D(0, B, 1, 0)), .writable = true,
		.pieces = BAD},
	{"readable, then writable", DIRECT(D(0, B, 1, N), D(1, B, 1, W)), .pieces = BAD},
	{"writable, then readable", DIRECT(D(0, B, 1, N | W), D(1, B, 1, 0)), .writable = true,
		.pieces = BAD},

	/* indirect tables */
	{"table of one", TABLE(1), .table = {T(0, B, 7, 0)}, FINE(1, 7, 1)},
	{"direct, then a table", DIRECT(D(0, B, 3, N), D(1, TABLES, 16, I)),
		.table = {T(0, C, 4, 0)}, FINE(2, 7, 2)},
	{"WRITE on the table is ignored", DIRECT(D(0, TABLES, 16, I | W)), .table = {T(0, B, 7, 0)},
		FINE(1, 7, 1)},
	{"writable table", TABLE(2), .table = {T(0, B, 1, N | W), T(1, B, 1, W)}, .writable = true,
		FINE(2, 2, 1)},
	{"not negotiated", TABLE(1), .table = {T(0, B, 7, 0)}, .direct_only = true, .pieces = BAD},
	{"empty table", TABLE(0), .table = {T(0, B, 7, 0)}, .pieces = BAD},
	{"table of half an entry", DIRECT(D(0, TABLES, 8, I)), .table = {T(0, B, 7, 0)},
		.pieces = BAD},
	{"table of one and a bit", DIRECT(D(0, TABLES, 17, I)), .table = {T(0, B, 7, 0)},
		.pieces = BAD},
	{"table of 4 GiB", DIRECT(D(0, TABLES, 0xfffffff0, I)), .table = {T(0, B, 7, 0)},
		.pieces = BAD},
	{"table with NEXT", DIRECT(D(0, TABLES, 16, I | N), D(1, B, 1, 0)),
		.table = {T(0, B, 7, 0)}, .pieces = BAD},
	{"nested", TABLE(2), .table = {T(0, TABLES + 16, 16, I), T(1, B, 1, 0)}, .pieces = BAD},
	{"nested behind a buffer", TABLE(3), .table = {T(0, B, 1, N), T(1, TABLES + 32, 16, I),
		T(2, B, 1, 0)}, .pieces = BAD},
	{"table is itself", TABLE(1), .table = {T(0, TABLES, 16, I)}, .pieces = BAD},
	{"empty buffer in the table", TABLE(1), .table = {T(0, B, 0, 0)}, .pieces = BAD},
	{"wrong direction in the table", TABLE(1), .table = {T(0, B, 1, W)}, .pieces = BAD},
	{"mixed directions in the table", TABLE(2), .table = {T(0, B, 1, N), T(1, B, 1, W)},
		.pieces = BAD},
	{"buffer of the table nowhere", TABLE(1), .table = {T(0, 8, 1, 0)}, .pieces = BAD},
	{"sum of ring and table above 4 GiB", DIRECT(D(0, HUGE, 0xffffffff, N),
		D(1, TABLES, 16, I)), .table = {T(0, B, 1, 0)}, .pieces = BAD},
	{"table nowhere", DIRECT(D(0, 8, 16, I)), .pieces = BAD},
	{"table runs out of memory", DIRECT(D(0, C_END - 16, 32, I)), .table = {T(0, B, 1, N)},
		.table_at = C_END - 16, .pieces = BAD},
	{"table wraps", DIRECT(D(0, UINT64_MAX - 15, 32, I)), .pieces = BAD},
	{"table in the last bytes", DIRECT(D(0, LAST - 15, 16, I)), .table = {T(0, B, 5, 0)},
		.table_at = LAST - 15, FINE(1, 5, 1)},
	{"table crosses regions between entries", DIRECT(D(0, C - 16, 32, I)),
		.table = {T(0, B, 1, N), T(1, B, 2, 0)}, .table_at = C - 16, FINE(2, 3, 1)},
	{"table crosses regions within an entry", DIRECT(D(0, C - 7, 32, I)),
		.table = {T(0, B, 1, N), T(1, B, 2, 0)}, .table_at = C - 7, FINE(2, 3, 1)},

	/* room */
	{"as many pieces as fit", DIRECT(D(0, B, 1, N), D(1, B, 1, 0)), .pieces_max = 2, FINE(2, 2,
		2)},
	{"one piece too many", DIRECT(D(0, B, 1, N), D(1, B, 1, 0)), .pieces_max = 1,
		.pieces = BAD},
	{"one too many by straddling", DIRECT(D(0, B - 1, 2, 0)), .pieces_max = 1, .pieces = BAD},
	{"one too many in the table", TABLE(2), .table = {T(0, B, 1, N), T(1, B, 1, 0)},
		.pieces_max = 1, .pieces = BAD},
};
/* clang-format on */

static struct guest_memory memory;
static void *huge;

/* The memory; returns where the ring is, with the tables behind it. */
static uint8_t *memory_begin(void)
{
	uint8_t *bytes = test_region(&memory, RING, 0x2000);

	test_region(&memory, B, 0x1000);
	test_region(&memory, C, 0x1000);
	test_region(&memory, HIGHEST, 0x1000);
	memory.regions[3].size = 0xfff; /* a region cannot end behind the last address */
	huge = mmap(
		NULL, 0x200000000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(huge != MAP_FAILED);
	memory.regions[memory.count++] = (struct guest_region){
		.guest_address = HUGE, .size = 0x200000000, .user_address = HUGE, .host = huge};
	return bytes;
}

static int tear_down(void **state)
{
	munmap(huge, 0x200000000);
	memory.count--;
	test_regions_free(&memory);
	return 0;
}

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

/* The case's table, whole or as much of it as there is room for. */
static void poke_table(const struct hostile_case *c)
{
	uint32_t length = sizeof(c->table);

	if (c->table_at)
		length = c->ring[0].len < 0x1000 && c->pieces != BAD ? c->ring[0].len : 16;
	poke(c->table_at ? c->table_at : TABLES, c->table, length);
}

#define PIECES 32

/* What a device made of a case: its verdict, and the pieces that it found. */
static void check_pieces(const struct hostile_case *c, int count, bool broken,
	const struct iovec pieces[PIECES], uint32_t length)
{
	uint32_t sum = 0;

	if (count != c->pieces || broken != (c->pieces == BAD))
		fail_msg("%s: %d pieces, expected %d", c->name, count, c->pieces);
	/* Beyond the room nothing was written. */
	for (unsigned i = c->pieces_max ? c->pieces_max : PIECES; i < PIECES; i++)
		require(!pieces[i].iov_base);
	if (count == BAD)
		return;
	for (int i = 0; i < count; i++)
		sum += (uint32_t)pieces[i].iov_len;
	if (length != c->length || sum != c->length)
		fail_msg("%s: %u bytes (sum %u), expected %u", c->name, length, sum, c->length);
}

#endif
