/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory: translation against a map that says for every byte where it is, what is refused,
 * how long mappings live, and files that are truncated while we use them.
 */
#include "virtio/test_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE 4096u

static int file_of(uint64_t size)
{
	int fd = memfd_create("guest_memory_test", MFD_CLOEXEC);

	require(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

/* Lines of /proc/self/maps that map our files. */
static unsigned mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned count = 0;
	char line[512];

	require(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "memfd:guest_memory_test") != NULL;
	fclose(maps);
	return count;
}

static struct guest_memory *memory_new(void)
{
	struct guest_memory *memory = guest_memory_new();

	require(memory);
	return memory;
}

/* The layout of the model: guest addresses, user addresses, file offsets; gaps, neighbours, and an
 * order that is not that of the addresses. */
static const struct {
	uint64_t guest, size, user, offset;
} layout[] = {
	{0x20, 100, 0x900, 0},
	{0x84, 60, 0x500, 7},
	{0x200, 1, 0x700, 4095},
	{0x00, 20, 0x200, 4096},
	{0x201, 30, 0x300, 8000},
};
#define SPACE 0x1000

static struct guest_memory *lay_out(int *fds)
{
	struct guest_memory *memory = memory_new();

	for (unsigned i = 0; i < ARRAY_SIZE(layout); i++) {
		fds[i] = file_of(8192);
		require(guest_memory_add(memory, layout[i].guest, layout[i].size, layout[i].user,
				layout[i].offset, fds[i], NULL) == 0);
		/* Each file says at each place who and where it is. */
		for (uint32_t k = 0; k < layout[i].size; k++) {
			uint8_t mark = (uint8_t)(i * 37 + k);

			require(pwrite(fds[i], &mark, 1, (off_t)(layout[i].offset + k)) == 1);
		}
	}
	return memory;
}

static void translation_agrees_with_a_byte_map(void **state)
{
	int owner[SPACE], user_owner[SPACE], fds[ARRAY_SIZE(layout)];
	struct guest_memory *memory = lay_out(fds);
	uint64_t total = 0;

	memset(owner, -1, sizeof(owner));
	memset(user_owner, -1, sizeof(user_owner));
	for (unsigned i = 0; i < ARRAY_SIZE(layout); i++) {
		total += layout[i].size;
		for (unsigned k = 0; k < layout[i].size; k++) {
			owner[layout[i].guest + k] = (int)i;
			user_owner[layout[i].user + k] = (int)i;
		}
	}
	require(guest_memory_size(memory) == total);
	for (uint64_t address = 0; address < SPACE - 300; address++)
		for (uint32_t wanted = 1; wanted < 250; wanted += 1 + wanted / 9)
			for (unsigned hint = 0; hint < 7; hint++) {
				uint32_t length = wanted, run = 0;
				unsigned hinted = hint;
				int i = owner[address];
				uint8_t *at = guest_memory_translate(
					memory, address, &length, &hinted);

				require(!at == (i < 0));
				if (!at)
					continue;
				while (run < wanted && owner[address + run] == i)
					run++;
				require(length == run && (int)hinted == i);
				require(*at ==
					(uint8_t)((unsigned)i * 37 + address - layout[i].guest));
			}
	for (uint64_t user = 0; user < SPACE - 300; user++)
		for (uint64_t length = 1; length < 150; length++) {
			const uint8_t *at = guest_memory_from_user(memory, user, length);
			int i = user_owner[user];
			bool whole = i >= 0 && user + length <= layout[i].user + layout[i].size;

			require(!at == !whole);
			if (at)
				require(*at == (uint8_t)((unsigned)i * 37 + user - layout[i].user));
		}
	for (unsigned i = 0; i < ARRAY_SIZE(layout); i++)
		close(fds[i]);
	guest_memory_free(memory);
	require(mappings() == 0);
}

/* The product of boundary values of the four numbers, against wide arithmetic. */
static void regions_that_make_no_sense_are_refused(void **state)
{
	const uint64_t edges[] = {0, 1, PAGE - 1, PAGE, 2 * PAGE, UINT64_C(1) << 63,
		UINT64_MAX - PAGE, UINT64_MAX - 1, UINT64_MAX};
	const unsigned __int128 limit = UINT64_MAX;
	int fd = file_of(2 * PAGE);
	unsigned accepted = 0;

	for (unsigned a = 0; a < ARRAY_SIZE(edges); a++)
		for (unsigned b = 0; b < ARRAY_SIZE(edges); b++)
			for (unsigned c = 0; c < ARRAY_SIZE(edges); c++)
				for (unsigned d = 0; d < ARRAY_SIZE(edges); d++) {
					unsigned __int128 size = edges[b];
					bool legal = size && edges[a] + size <= limit &&
						     edges[c] + size <= limit &&
						     edges[d] + size <= 2 * PAGE;
					struct guest_memory *memory = memory_new();
					struct error error = {.text = ""};
					int result = guest_memory_add(memory, edges[a], edges[b],
						edges[c], edges[d], fd, &error);

					require((result == 0) == legal && !error.text[0] == legal);
					require(memory->count == legal);
					accepted += legal;
					guest_memory_free(memory);
				}
	require(accepted > 20);
	require(mappings() == 0);
	close(fd);
}

static void overlaps_are_refused(void **state)
{
	static const struct {
		uint64_t guest, user;
		bool legal;
	} seconds[] = {
		{0x10000, 0x50000, false},
		{0x11000, 0x51000, true},
		{0x10fff, 0x60000, false},
		{0x0f000, 0x4f000, true},
		{0x0f001, 0x60000, false},
		{0x20000, 0x50fff, false},
		{0x20000, 0x4f001, false},
		{0x20000, 0x50000, false},
		{0x20000, 0x60000, true},
	};
	int fd = file_of(PAGE);

	for (unsigned i = 0; i < ARRAY_SIZE(seconds); i++) {
		struct guest_memory *memory = memory_new();

		require(guest_memory_add(memory, 0x10000, PAGE, 0x50000, 0, fd, NULL) == 0);
		require((guest_memory_add(memory, seconds[i].guest, PAGE, seconds[i].user, 0, fd,
				 NULL) == 0) == seconds[i].legal);
		guest_memory_free(memory);
	}
	close(fd);
}

static void only_files_are_mapped(void **state)
{
	int pipes[2], sockets[2], event = eventfd(0, 0), null = open("/dev/zero", O_RDWR);
	int folder = open("/tmp", O_RDONLY | O_DIRECTORY), read_only, file = file_of(PAGE);
	char path[64];

	require(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	read_only = open(path, O_RDONLY);
	const int fds[] = {pipes[0], sockets[0], event, null, folder, read_only, -1, 9999};

	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		struct guest_memory *memory = memory_new();
		struct error error = {.text = ""};

		require(guest_memory_add(memory, 0, PAGE, 0, 0, fds[i], &error) < 0);
		require(error.text[0] && !memory->count);
		guest_memory_free(memory);
	}
	close(pipes[0]), close(pipes[1]), close(sockets[0]), close(sockets[1]);
	close(event), close(null), close(folder), close(read_only), close(file);
}

static void slots_are_bounded(void **state)
{
	struct guest_memory *memory = memory_new();
	int fd = file_of(PAGE);

	for (uint64_t i = 0; i < GUEST_MEMORY_SLOTS; i++)
		require(guest_memory_add(memory, i * PAGE, PAGE, i * PAGE, 0, fd, NULL) == 0);
	require(guest_memory_add(memory, UINT64_C(1) << 40, PAGE, UINT64_C(1) << 40, 0, fd, NULL) ==
		-ENOSPC);
	require(mappings() == GUEST_MEMORY_SLOTS);
	close(fd);
	guest_memory_free(memory);
	require(mappings() == 0);
}

static void copies_share_their_mappings(void **state)
{
	struct guest_memory *first = memory_new(), *second, *third;
	int fd = file_of(3 * PAGE);
	uint32_t length = 1;
	unsigned hint = 0;
	uint8_t *at;

	for (uint64_t i = 0; i < 3; i++)
		require(guest_memory_add(first, i * PAGE, PAGE, i * PAGE, i * PAGE, fd, NULL) == 0);
	close(fd);
	require(mappings() == 3);
	second = guest_memory_copy(first);
	third = guest_memory_copy(second);
	require(second && third && mappings() == 3);
	require(guest_memory_remove(second, PAGE, PAGE, 0) == -ENOENT);
	require(guest_memory_remove(second, PAGE, PAGE - 1, PAGE) == -ENOENT);
	require(guest_memory_remove(second, PAGE + 1, PAGE, PAGE) == -ENOENT);
	require(guest_memory_remove(second, PAGE, PAGE, PAGE) == 0 && second->count == 2);
	/* What moved down is found, with any hint; what went is not. */
	for (unsigned i = 0; i < GUEST_MEMORY_SLOTS; i++) {
		hint = i;
		at = guest_memory_translate(second, 2 * PAGE, &length, &hint);
		require(at == first->regions[2].host && hint == 1);
		hint = i;
		require(!guest_memory_translate(second, PAGE, &length, &hint));
	}
	guest_memory_free(first);
	require(mappings() == 3); /* the third still has all */
	*third->regions[1].host = 42;
	guest_memory_free(third);
	require(mappings() == 2);
	guest_memory_free(second);
	require(mappings() == 0);
	guest_memory_free(NULL);
}

/* The file shrinks under our hands, before, at or behind the page that we touch. */
static void truncated_files_break_their_memory_only(void **state)
{
	const unsigned pages = 8;
	unsigned broken = 0;
	uint64_t seed = 22;
	int other_fd = file_of(PAGE);
	struct guest_memory *other = memory_new();

	require(guest_memory_guard() == 0);
	require(guest_memory_add(other, 0, PAGE, 0, 0, other_fd, NULL) == 0);
	other->regions[0].host[0] = 9;
	for (unsigned i = 0; i < 1000; i++) {
		struct guest_memory *memory = memory_new(), *copy;
		int fd = file_of(pages * PAGE);
		unsigned kept = (unsigned)test_below(&seed, pages + 1);
		unsigned touched = (unsigned)test_below(&seed, pages);
		unsigned faults = guest_memory_faults;
		uint8_t *at;

		require(guest_memory_add(memory, 0, pages * PAGE, 0, 0, fd, NULL) == 0);
		copy = guest_memory_copy(memory);
		at = memory->regions[0].host + touched * PAGE + test_below(&seed, PAGE);
		*at = 7;
		require(ftruncate(fd, kept * PAGE) == 0);
		if (i & 1)
			ring_store(*at, 5);
		require(ring_load(*at) == (touched >= kept ? (i & 1 ? 5 : 0) : (i & 1 ? 5 : 7)));
		require(guest_memory_broken(memory) == (touched >= kept));
		require(guest_memory_broken(copy) == (touched >= kept));
		require((guest_memory_faults != faults) == (touched >= kept));
		broken += touched >= kept;
		require(!guest_memory_broken(other) && other->regions[0].host[0] == 9);
		guest_memory_free(memory);
		guest_memory_free(copy);
		close(fd);
	}
	require(broken > 200 && broken < 800);
	guest_memory_free(other);
	close(other_fd);
	require(mappings() == 0);
}

static int victim_fd;

static void *truncate_repeatedly(void *argument)
{
	for (unsigned i = 0; i < 500; i++) {
		if (ftruncate(victim_fd, 0) < 0 || ftruncate(victim_fd, 16 * PAGE) < 0)
			break;
		usleep(20);
	}
	return NULL;
}

/* Truncation races with copying; every byte is written, none of it matters. */
static void copying_survives_a_truncation_at_any_time(void **state)
{
	static uint8_t bytes[16 * PAGE];
	struct guest_memory *memory = memory_new();
	unsigned faults = guest_memory_faults;
	struct split_device device;
	uint8_t *ring;
	pthread_t thread;

	/* The test framework has taken the handler away since the last test. */
	require(guest_memory_guard() == 0);
	victim_fd = file_of(16 * PAGE);
	require(guest_memory_add(memory, 0, 16 * PAGE, 0, 0, victim_fd, NULL) == 0);
	ring = memory->regions[0].host;
	require(split_device_init(&device, memory, ring, ring + 1024, ring + 2048, 16, 0, 0) == 0);
	require(!split_device_failed(&device));
	require(pthread_create(&thread, NULL, truncate_repeatedly, NULL) == 0);
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(memory->regions[0].host, bytes, sizeof(bytes));
		memcpy(bytes, memory->regions[0].host, sizeof(bytes));
	}
	pthread_join(thread, NULL);
	require(ftruncate(victim_fd, 0) == 0);
	memcpy(memory->regions[0].host, bytes, sizeof(bytes));
	require(guest_memory_faults != faults && guest_memory_broken(memory));
	/* The ring sees it on its next visit, and for good. */
	require(split_device_failed(&device) && split_device_failed(&device) && device.broken);
	guest_memory_free(memory);
	close(victim_fd);
}

/* What is mapped counts from its file's beginning and in whole pages, for its peer and for all. */
static void what_is_mapped_is_limited(void **state)
{
	struct guest_quota *quota = guest_quota_new(4 * PAGE, NULL);
	struct guest_quota *other = guest_quota_new(0, NULL);
	struct guest_memory *memory = memory_new();
	struct guest_memory *unlimited = memory_new();
	struct error error;
	int fd = file_of(8 * PAGE), huge = file_of(1ULL << 46);

	memory->quota = quota;
	unlimited->quota = other;
	require(guest_memory_add(memory, 0, 1, 0, 4 * PAGE, fd, &error) == -EDQUOT);
	require(strstr(error.text, "the limit of the port (memory-limit-gib)"));
	require(guest_memory_add(memory, 0, (1ULL << 46) - PAGE, 0, 0, huge, &error) == -EDQUOT);
	require(guest_quota_used(quota) == 0 && mappings() == 0);
	require(guest_memory_add(memory, 0, 1, 0, 2 * PAGE, fd, NULL) == 0);
	require(guest_quota_used(quota) == 3 * PAGE);
	require(guest_memory_add(memory, PAGE, PAGE + 1, PAGE, 0, fd, NULL) == -EDQUOT);
	require(guest_memory_add(memory, PAGE, PAGE, PAGE, 0, fd, NULL) == 0);
	guest_mapping_set_rules(false, 5 * PAGE);
	require(guest_memory_add(unlimited, 0, 2 * PAGE, 0, 0, fd, &error) == -EDQUOT);
	require(strstr(error.text, "the limit of all ports (switch.memory-limit-gib)"));
	require(guest_memory_add(unlimited, 0, PAGE, 0, 0, fd, NULL) == 0);
	/* What fails for another reason counts for nothing. */
	guest_mapping_set_rules(false, GUEST_MAPPINGS_BYTES);
	require(guest_memory_add(unlimited, PAGE, 9 * PAGE, PAGE, 0, fd, NULL) == -EINVAL);
	require(guest_quota_used(other) == PAGE);
	/* A limit that shrinks takes nothing away. */
	guest_quota_set_limit(quota, PAGE);
	require(guest_memory_add(memory, 4 * PAGE, 1, 4 * PAGE, 0, fd, NULL) == -EDQUOT);
	guest_quota_put(quota);
	guest_quota_put(NULL);
	guest_memory_free(memory);
	guest_memory_free(unlimited);
	require(guest_quota_used(other) == 0 && mappings() == 0);
	guest_quota_put(other);
	close(fd);
	close(huge);
}

static void files_on_a_disk_need_permission(void **state)
{
	struct guest_memory *memory = memory_new();
	char name[] = "/var/tmp/guest_memory_test.XXXXXX";
	struct error error;
	int fd = mkstemp(name);

	require(fd >= 0 && unlink(name) == 0 && ftruncate(fd, PAGE) == 0);
	if (fcntl(fd, F_GET_SEALS) >= 0)
		skip(); /* /var/tmp is on tmpfs */
	require(guest_memory_add(memory, 0, PAGE, 0, 0, fd, &error) == -EINVAL);
	require(strstr(error.text, "guest address 0x0: memory region's file is neither a memfd"));
	guest_mapping_set_rules(true, GUEST_MAPPINGS_BYTES);
	require(guest_memory_add(memory, 0, PAGE, 0, 0, fd, NULL) == 0);
	guest_mapping_set_rules(false, GUEST_MAPPINGS_BYTES);
	guest_memory_free(memory);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translation_agrees_with_a_byte_map),
		cmocka_unit_test(regions_that_make_no_sense_are_refused),
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(only_files_are_mapped),
		cmocka_unit_test(slots_are_bounded),
		cmocka_unit_test(what_is_mapped_is_limited),
		cmocka_unit_test(files_on_a_disk_need_permission),
		cmocka_unit_test(copies_share_their_mappings),
		cmocka_unit_test(truncated_files_break_their_memory_only),
		cmocka_unit_test(copying_survives_a_truncation_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
