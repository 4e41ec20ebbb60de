/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of ring positions: what the next process finds in it, whole, grown, shrunk and
 * spoiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/rcu.h"
#include "port/ring_places.h"

#define COUNT 4

static const struct ring_identity identity = {0x1000, 0x2000, 0x3000, 256, false};
static char directory[64], folder[96], path[128];

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/ring-places-test.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(folder, sizeof(folder), "%s/.positions", directory);
	snprintf(path, sizeof(path), "%s/vm1", folder);
	return 0;
}

static int teardown(void **state)
{
	ring_places_remove(folder, "vm1");
	assert_int_equal(rmdir(directory), 0);
	return 0;
}

static struct ring_places *open_places(unsigned count)
{
	struct error error = {""};
	struct ring_places *places = ring_places_open(folder, "vm1", count, &error);

	if (!places)
		fail_msg("%s", error.text);
	return places;
}

/* How many of the first `count` records are of our ring; each is closed again. */
static unsigned found(unsigned count)
{
	struct ring_places *places = open_places(count);
	unsigned number = 0;

	for (unsigned i = 0; i < count; i++)
		number += ring_place_is_of(ring_places_at(places, i), &identity);
	ring_places_close(places);
	return number;
}

static void write_records(unsigned count)
{
	struct ring_places *places = open_places(count);

	for (unsigned i = 0; i < count; i++)
		ring_place_begin(
			ring_places_at(places, i), &identity, 7, packed_place_used(i, true));
	ring_places_close(places);
}

static void spoil(off_t at, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, size, at), size);
	fd_close(&fd);
}

static void test_found_again(void **state)
{
	struct ring_places *places;

	assert_int_equal(found(COUNT), 0);
	write_records(COUNT);
	assert_int_equal(found(COUNT), COUNT);
	places = open_places(COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(ring_places_at(places, i)->next.slot, i);
	ring_places_close(places);
}

/* A port gets more queues: those are new. It gets fewer: what the others knew does not come
 * back. */
static void test_more_and_fewer(void **state)
{
	write_records(COUNT);
	assert_int_equal(found(2 * COUNT), COUNT);
	write_records(2 * COUNT);
	assert_int_equal(found(COUNT), COUNT);
	assert_int_equal(found(2 * COUNT), COUNT);
}

/* Any bit of what says the layout: there is no record then, and the next one begins a whole
 * file. */
static void test_another_layout(void **state)
{
	for (unsigned at = 0; at < offsetof(struct ring_places_header, count); at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t byte;
			int fd;

			write_records(COUNT);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			assert_int_equal(pread(fd, &byte, 1, at), 1);
			fd_close(&fd);
			byte ^= (uint8_t)(1 << bit);
			spoil(at, &byte, 1);
			assert_int_equal(found(COUNT), 0);
		}
	}
	write_records(COUNT);
	assert_int_equal(found(COUNT), COUNT);
}

/* A number that is not the file's reaches no further than what is mapped. */
static void test_another_count(void **state)
{
	static const uint32_t counts[] = {0, 1, COUNT, COUNT + 1, 0x7fffffff, 0xffffffff};

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		write_records(COUNT);
		spoil(offsetof(struct ring_places_header, count), &counts[i], sizeof(counts[i]));
		assert_int_equal(found(COUNT), MIN(counts[i], COUNT));
	}
}

static void test_random_bytes(void **state)
{
	uint8_t bytes[(COUNT + 1) * CACHE_LINE];
	struct stat now;

	srand(1);
	for (unsigned run = 0; run < 200; run++) {
		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand();
		write_records(COUNT);
		spoil(0, bytes, sizeof(bytes));
		assert_int_equal(found(COUNT), 0);
	}
	/* And a file that was cut short has its size again. */
	assert_int_equal(truncate(path, 70), 0);
	assert_int_equal(found(COUNT), 0);
	assert_int_equal(stat(path, &now), 0);
	assert_int_equal(now.st_size, sizeof(bytes));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found_again),
		TEST(test_more_and_fewer),
		TEST(test_another_layout),
		TEST(test_another_count),
		TEST(test_random_bytes),
	};

	umask(0022);
	return cmocka_run_group_tests_name("ring places", tests, NULL, NULL);
}
