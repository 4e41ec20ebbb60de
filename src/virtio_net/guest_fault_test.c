/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are truncated under as many pages as a ring can reach: one fault for each mapping, no
 * mapping more than before, next to no memory; and mappings that leave while a handler looks at the
 * list of all.
 */
#include "virtio/test_ring.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/rcu.h"
#include "virtio_net/device.h"

#define PAGE   4096u
#define SIZE   RING_SIZE_MAX
#define MIB    (UINT64_C(1) << 20)
#define RING   UINT64_C(0)
#define BUFFER (UINT64_C(1) << 32) /* one on every other page */

static int file_of(uint64_t size)
{
	int fd = memfd_create("guest_fault_test", MFD_CLOEXEC);

	require(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

/* The number behind `key` in a file of /proc/self; "": the number of lines. */
static uint64_t process(const char *name, const char *key)
{
	FILE *file = fopen(name, "re");
	unsigned long long number = 0;
	char line[512];

	require(file);
	while (fgets(line, sizeof(line), file))
		if (!*key)
			number++;
		else if (!strncmp(line, key, strlen(key)))
			number = strtoull(line + strlen(key), NULL, 10);
	fclose(file);
	return number;
}

static struct guest_memory *memory_of(int *ring_fd, int *buffer_fd)
{
	struct guest_memory *memory = guest_memory_new();

	require(memory);
	*ring_fd = file_of(2 * MIB);
	*buffer_fd = file_of(2 * PAGE * (uint64_t)SIZE);
	require(guest_memory_add(memory, RING, 2 * MIB, RING, 0, *ring_fd, NULL) == 0);
	require(guest_memory_add(memory, BUFFER, 2 * PAGE * (uint64_t)SIZE, BUFFER, 0, *buffer_fd,
			NULL) == 0);
	return memory;
}

/* Descriptors of a chain: nearly as many as are walked over for one frame. */
#define CHAIN 4000

/* One chain of many one-byte buffers, on every other page. */
static void offer(uint8_t *ring)
{
	struct vring_desc *descriptors = (struct vring_desc *)ring;
	struct vring_avail *available = (struct vring_avail *)(ring + MIB);

	for (unsigned i = 0; i < CHAIN; i++)
		descriptors[i] = (struct vring_desc){BUFFER + 2 * PAGE * (uint64_t)i, 1,
			VRING_DESC_F_WRITE | (i + 1 < CHAIN ? VRING_DESC_F_NEXT : 0),
			(uint16_t)(i + 1)};
	for (unsigned i = 0; i < 8; i++)
		available->ring[i] = 0;
	available->idx = 8;
}

static struct packet_batch *frames(unsigned count, uint32_t length)
{
	static uint8_t tail[PACKET_LENGTH_MAX];
	struct packet_batch *batch = aligned_alloc(CACHE_LINE, sizeof(*batch));

	require(batch);
	batch->count = count;
	batch->pieces_used = count;
	for (unsigned i = 0; i < count; i++) {
		batch->pieces[i] = (struct iovec){tail, length - PACKET_HEAD_SIZE};
		batch->packets[i] = (struct packet){
			.head = packet_buffer(batch, i),
			.head_length = PACKET_HEAD_SIZE,
			.tail = &batch->pieces[i],
			.tail_count = 1,
			.length = length,
			.network = NETWORK_NONE,
		};
		memset(batch->packets[i].head, 0x02, PACKET_HEAD_SIZE);
	}
	return batch;
}

static void one_fault_for_4000_missing_pages(void **state)
{
	const uint64_t features = FEATURE(VIRTIO_F_VERSION_1);
	int ring_fd, buffer_fd;
	struct guest_memory *memory = memory_of(&ring_fd, &buffer_fd);
	uint8_t *ring = memory->regions[0].host;
	struct packet_batch *batch = frames(8, 3000);
	struct counters counters = {0};
	struct net_device_queue queue;
	uint64_t maps = process("/proc/self/maps", ""), resident;
	unsigned faults;

	require(guest_memory_guard() == 0);
	require(net_device_init(&queue, memory,
			&(struct device_ring_parts){ring, ring + MIB, ring + MIB + MIB / 2}, SIZE,
			features, 0, 0) == 0);
	offer(ring);
	faults = guest_memory_faults;
	require(ftruncate(buffer_fd, 0) == 0);
	resident = process("/proc/self/status", "VmRSS:");
	net_device_send(&queue, batch, 0xff, &counters);
	require(guest_memory_faults == faults + 1);
	require(process("/proc/self/maps", "") <= maps + 2);
	/* One frame of 3,000 pages would be 12 MiB; what the batch takes is its list of pieces. */
	require(process("/proc/self/status", "VmRSS:") < resident + 8 * 1024);
	/* The first frame met it; for the others the ring is broken already. */
	require(counters.packets == 1 && counters.drops[DROP_RING_ERROR] == 7);
	require(device_ring_broken(&queue.ring));
	net_device_send(&queue, batch, 0xff, &counters);
	require(counters.packets == 1 && counters.drops[DROP_RING_ERROR] == 15);
	guest_memory_free(memory);
	free(batch);
	close(ring_fd);
	close(buffer_fd);
}

/* A kernel that commits no memory in advance for the whole mapping still has some for a page. */
static void a_page_where_the_whole_is_too_much(void **state)
{
	struct guest_memory *memory = guest_memory_new();
	int fd = file_of(64 * MIB);
	unsigned faults = guest_memory_faults;
	struct rlimit before, tight;

	require(guest_memory_guard() == 0);
	require(guest_memory_add(memory, 0, 64 * MIB, 0, 0, fd, NULL) == 0);
	require(ftruncate(fd, 0) == 0);
	require(getrlimit(RLIMIT_DATA, &before) == 0);
	tight = before;
	tight.rlim_cur = (process("/proc/self/status", "VmData:") + 1024) * 1024;
	require(setrlimit(RLIMIT_DATA, &tight) == 0);
	for (unsigned i = 0; i < 10; i++)
		ring_store(memory->regions[0].host[i * 2 * PAGE + 5], 7);
	require(setrlimit(RLIMIT_DATA, &before) == 0);
	require(guest_memory_faults > faults && guest_memory_broken(memory));
	for (unsigned i = 0; i < 10; i++)
		require(ring_load(memory->regions[0].host[i * 2 * PAGE + 5]) == 7);
	guest_memory_free(memory);
	close(fd);
}

static uint8_t *victim; /* published by the control thread; NULL: none at present */
static bool stopping;

/* A worker whose memory vanishes again and again. */
static void *touch(void *argument)
{
	rcu_join();
	while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		uint8_t *at = rcu_read(&victim);

		for (unsigned i = 0; at && i < 16; i++)
			ring_store(at[i * PAGE], 1);
		rcu_pass();
	}
	rcu_leave();
	return NULL;
}

/* Others' mappings leave, and new ones take their addresses, while a handler looks for its own. */
static void mappings_leave_beside_a_handler(void **state)
{
	struct guest_memory *others[50] = {NULL};
	int other_fd = file_of(16 * PAGE);
	unsigned faults = guest_memory_faults;
	pthread_t thread;

	require(guest_memory_guard() == 0);
	require(pthread_create(&thread, NULL, touch, NULL) == 0);
	for (unsigned i = 0; i < 1000; i++) {
		struct guest_memory *memory = guest_memory_new();
		int fd = file_of(16 * PAGE);

		require(guest_memory_add(memory, 0, 16 * PAGE, 0, 0, fd, NULL) == 0);
		require(ftruncate(fd, 0) == 0);
		rcu_publish(&victim, memory->regions[0].host);
		for (unsigned k = 0; k < ARRAY_SIZE(others); k++) {
			struct guest_memory *other = guest_memory_new();

			guest_memory_free(others[k]);
			require(guest_memory_add(other, 0, 16 * PAGE, 0, 0, other_fd, NULL) == 0);
			require(!guest_memory_broken(other));
			others[k] = other;
		}
		rcu_publish(&victim, NULL);
		rcu_wait();
		guest_memory_free(memory);
		close(fd);
	}
	__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	for (unsigned k = 0; k < ARRAY_SIZE(others); k++)
		guest_memory_free(others[k]);
	require(guest_memory_faults - faults >= 500);
	close(other_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_fault_for_4000_missing_pages),
		cmocka_unit_test(a_page_where_the_whole_is_too_much),
		cmocka_unit_test(mappings_leave_beside_a_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
