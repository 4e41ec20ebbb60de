/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log by itself: bits against a dumb model, what is refused, files that shrink. What
 * queues write into it is dirty_queue_test.c's.
 */
#include "virtio/dirty_log.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "virtio/test_ring.h"

#define LOG_OFFSET 123 /* of the log in its file: no alignment is promised */
#define LOG_SIZE   10
#define FILE_SIZE  4096

__extension__ typedef unsigned __int128 wide;

static int make_file(uint64_t size)
{
	int fd = memfd_create("dirty_log_test", MFD_CLOEXEC);

	require(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

static uint8_t *map_file(int fd)
{
	uint8_t *bytes = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(bytes != MAP_FAILED);
	return bytes;
}

/* One bit a page, one page at a time, and nothing but those. */
static void model_write(uint8_t *model, uint64_t address, uint64_t length)
{
	for (uint64_t i = 0; i < LOG_SIZE * 8; i++) {
		wide from = address, to = from + length;
		uint64_t page = i * 4096;

		if (length && from < page + 4096 && to > page)
			model[i / 8] |= (uint8_t)(1 << i % 8);
	}
}

static void bits_are_those_of_the_pages(void **state)
{
	static const uint64_t ends[] = {0, 1, 4095, 4096, 4097, 8192, 8 * 4096, 16 * 4096 + 5,
		LOG_SIZE * 8 * 4096 - 1, LOG_SIZE * 8 * 4096, LOG_SIZE * 8 * 4096 + 1,
		UINT64_C(1) << 32, UINT64_MAX - 1, UINT64_MAX};
	uint8_t model[FILE_SIZE];
	int fd = make_file(FILE_SIZE);
	uint8_t *bytes = map_file(fd);
	struct dirty_log *log = dirty_log_new(NULL, LOG_SIZE, LOG_OFFSET, fd, NULL);
	uint64_t seed = 9;

	require(log);
	fd_close(&fd);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t address = ends[test_below(&seed, ARRAY_SIZE(ends))];
		uint64_t length = ends[test_below(&seed, ARRAY_SIZE(ends))];
		wide end;

		if (i & 1) {
			address = test_below(&seed, LOG_SIZE * 8 * 4096 + 10000);
			length = test_below(&seed, i & 2 ? 5000 : 100000);
		}
		memset(model, 0, sizeof(model));
		memset(bytes, 0, FILE_SIZE);
		dirty_log_write(log, address, length);
		model_write(model + LOG_OFFSET, address, length);
		require(memcmp(model, bytes, FILE_SIZE) == 0);
		end = (wide)address + length;
		require(dirty_log_holds(log, address, length) ==
			(length && end <= LOG_SIZE * 8 * 4096));
	}
	/* Bits that are there stay. */
	memset(bytes, 0, FILE_SIZE);
	for (unsigned i = 0; i < LOG_SIZE * 8; i++)
		dirty_log_write(log, i * UINT64_C(4096) + 7, 1);
	for (unsigned i = 0; i < FILE_SIZE; i++)
		require(bytes[i] == (i - LOG_OFFSET < LOG_SIZE ? 0xff : 0));
	dirty_log_free(log);
	munmap(bytes, FILE_SIZE);
}

static void bad_logs_are_refused(void **state)
{
	static const struct {
		uint64_t size, offset;
		bool good;
	} cases[] = {
		{1, 0, true},
		{FILE_SIZE, 0, true},
		{1, FILE_SIZE - 1, true},
		{0, 0, false},
		{0, 8, false},
		{FILE_SIZE + 1, 0, false},
		{1, FILE_SIZE, false},
		{FILE_SIZE, 1, false},
		{UINT64_MAX, 0, false},
		{UINT64_MAX, 1, false},
		{1, UINT64_MAX, false},
		{UINT64_C(1) << 63, UINT64_C(1) << 63, false},
	};
	int file = make_file(FILE_SIZE), event = eventfd(0, EFD_CLOEXEC);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {.text = ""};
		struct dirty_log *log = dirty_log_new(
			NULL, cases[i].size, cases[i].offset, file, &error);

		require(!log == !cases[i].good && !error.text[0] == cases[i].good);
		dirty_log_free(log);
	}
	require(!dirty_log_new(NULL, 8, 0, event, NULL) && !dirty_log_new(NULL, 8, 0, -1, NULL));
	fd_close(&event);
	fd_close(&file);
}

/* The VMM shrinks the file: the log is broken, and we live on. */
static void a_truncated_log_is_broken(void **state)
{
	int fd = make_file(3 * 4096);
	struct dirty_log *log = dirty_log_new(NULL, 3 * 4096, 0, fd, NULL);
	struct queue_log queue = {.log = log};
	unsigned faults = guest_memory_faults;

	require(log && guest_memory_guard() == 0);
	dirty_log_write(log, UINT64_C(2) * 4096 * 8 * 4096, 1);
	require(!dirty_log_broken(log) && !queue_log_broken(&queue) && !queue_log_broken(NULL));
	require(ftruncate(fd, 4096) == 0);
	dirty_log_write(log, UINT64_C(2) * 4096 * 8 * 4096, 1);
	require(dirty_log_broken(log) && queue_log_broken(&queue));
	require(guest_memory_faults == faults + 1);
	dirty_log_free(log);
	fd_close(&fd);
}

/* Every byte of memory has its address again, and what lies between regions has none. */
static void host_pointers_become_addresses(void **state)
{
	static const struct {
		uint64_t address, size;
	} parts[] = {{0x100000, 0x3000}, {0, 0x1000}, {0x103000, 0x1000}, {1ull << 40, 0x2000}};
	struct guest_memory memory = {.count = 0};
	uint64_t address, seed = 4;
	unsigned hint = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		test_region(&memory, parts[i].address, parts[i].size);
	for (unsigned i = 0; i < 10000; i++) {
		const struct guest_region *region = &memory.regions[test_below(&seed, 4)];
		uint64_t offset = test_below(&seed, region->size);

		require(guest_memory_to_guest(&memory, region->host + offset, &address, &hint));
		require(address == region->guest_address + offset);
		hint = (unsigned)test_below(&seed, GUEST_MEMORY_SLOTS);
	}
	require(!guest_memory_to_guest(&memory, &memory, &address, &hint));
	require(!guest_memory_to_guest(&memory, NULL, &address, &hint));
	test_regions_free(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_are_those_of_the_pages),
		cmocka_unit_test(bad_logs_are_refused),
		cmocka_unit_test(a_truncated_log_is_broken),
		cmocka_unit_test(host_pointers_become_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
