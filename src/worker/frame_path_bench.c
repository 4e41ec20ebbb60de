/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole way of a frame inside the switch, without sockets and threads: a guest's transmitq, the
 * forwarding stages, another guest's receiveq. A driver of our own plays both guests between the
 * measured pieces.
 *
 * usage: frame_path_bench split|packed BYTES ROUNDS [BURST]
 *
 * Prints cycles (of the time stamp counter) a frame, of a batch of BURST (64). bench/instructions
 * runs it under callgrind and counts the instructions below frame_path(), which do not depend on
 * the machine's mood.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "forward/forward.h"
#include "virtio/packed_driver.h"
#include "virtio/split_driver.h"
#include "virtio_net/device.h"
#include "worker/worker_thread.h"

#define RING_SIZE   256
#define SLOT_SIZE   2048
#define HEADER_SIZE 12
#define MEMORY_SIZE (4u << 20)
#define SLOTS       (1u << 20) /* where a queue's buffers begin, within its half of the memory */

/* One queue of one guest, both ends. Slots are used in turn, so what the driver has in flight needs
 * no book-keeping. */
struct link {
	struct split_driver split;
	struct packed_driver packed;
	struct net_device_queue device;
	struct ring_place place; /* as a port has one */
	uint8_t *base;           /* of its memory */
	uint64_t address;
	unsigned next_slot;
};

static struct guest_memory *memory;
static struct packet_batch *batch;
static struct forward_keys keys;
static struct forward_output output;
static bool packed;

static void die(const char *what)
{
	fprintf(stderr, "frame_path_bench: %s\n", what);
	exit(EXIT_FAILURE);
}

static void share_memory(uint64_t size)
{
	int fd = memfd_create("frame_path_bench", 0);
	struct error error;

	memory = guest_memory_new();
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || !memory ||
		guest_memory_add(memory, 0, size, 0, 0, fd, &error) < 0)
		die("no shared memory");
	close(fd);
}

static void open_link(struct link *link, uint64_t address)
{
	uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
			    (packed ? 1ULL << VIRTIO_F_RING_PACKED : 0);
	uint8_t *base = memory->regions[0].host + address;
	struct device_ring_parts parts = {base, base + 0x10000, base + 0x20000};
	uint32_t start = packed ? PACKED_BASE_FRESH : 0;

	link->base = base;
	link->address = address;
	if (packed ? packed_driver_init(&link->packed, parts.descriptors, parts.driver_area,
			     parts.device_area, RING_SIZE, features)
		   : split_driver_init(&link->split, parts.descriptors, parts.driver_area,
			     parts.device_area, RING_SIZE, features))
		die("no driver");
	if (net_device_init(&link->device, memory, &parts, RING_SIZE, features, start, 0) < 0)
		die("no device");
	device_ring_set_place(&link->device.ring, &link->place);
}

static void add_slot(struct link *link, uint32_t length, bool writable)
{
	uint64_t address = link->address + SLOTS + link->next_slot * SLOT_SIZE;
	int result;

	link->next_slot = (link->next_slot + 1) % RING_SIZE;
	if (packed)
		result = packed_driver_add(&link->packed, &(struct driver_buffer){address, length},
			!writable, writable, NULL, 0);
	else
		result = split_driver_add(&link->split, &(struct driver_buffer){address, length},
			!writable, writable, NULL, 0);
	if (result < 0)
		die("ring full");
}

static void publish(struct link *link)
{
	if (packed)
		packed_driver_publish(&link->packed);
	else
		split_driver_publish(&link->split);
}

static unsigned take_back(struct link *link)
{
	unsigned count = 0;
	uint64_t token;
	uint32_t written;

	while (packed ? packed_driver_take(&link->packed, &token, &written)
		      : split_driver_take(&link->split, &token, &written))
		count++;
	return count;
}

/* What a worker does with a batch. */
static NO_INLINE void frame_path(const struct forward_context *context, struct link *from,
	struct link *to, struct counters *counters)
{
	batch->count = 0;
	batch->pieces_used = 0;
	batch->frames_max = PACKET_BATCH;
	batch->port = 0;
	net_device_receive(&from->device, batch, &counters[0]);
	if (batch->count <= WORKER_SMALL_BATCH)
		net_outlook_fetch(&to->device.outlook);
	forward_classify(context, batch, &keys, &counters[0]);
	forward_decide(context, batch, &keys, &output, &counters[0]);
	for (unsigned i = 0; i < output.count; i++)
		net_device_send(&to->device, batch, output.mask[output.touched[i]], &counters[1]);
	forward_output_clear(&output);
	net_device_release(&from->device);
}

static void lay_frames(const struct link *from)
{
	static const uint8_t addresses[12] = {0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1};

	for (unsigned i = 0; i < RING_SIZE; i++) {
		uint8_t *frame = from->base + SLOTS + i * SLOT_SIZE + HEADER_SIZE;

		memcpy(frame, addresses, sizeof(addresses));
		frame[12] = 0x08;
	}
}

int main(int argc, char **argv)
{
	static struct link from, to;
	static struct counters counters[2];
	struct snapshot *snapshot = snapshot_new(2, 1);
	struct fdb *fdb = fdb_new(1024, 0, 2, 1);
	const struct forward_context context = {.snapshot = snapshot, .fdb = fdb, .now = 1};
	bool counted = argc == 4 || argc == 5;
	uint32_t length = counted ? (uint32_t)atoi(argv[2]) : 0;
	unsigned rounds = counted ? (unsigned)atoi(argv[3]) : 0;
	unsigned burst = argc == 5 ? (unsigned)atoi(argv[4]) : PACKET_BATCH;
	uint64_t cycles = 0, begin;

	if (length < 14 || length + HEADER_SIZE > SLOT_SIZE || !rounds || !burst ||
		burst > PACKET_BATCH)
		die("usage: frame_path_bench split|packed BYTES ROUNDS [BURST]");
	packed = strcmp(argv[1], "packed") == 0;
	batch = mmap(
		NULL, sizeof(*batch), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (batch == MAP_FAILED || !snapshot || !fdb)
		die("no memory");
	share_memory(2 * MEMORY_SIZE);
	open_link(&from, 0);
	open_link(&to, MEMORY_SIZE);
	lay_frames(&from);
	topology_network_set(&snapshot->topology, 0, 0);
	if (topology_access_set(&snapshot->topology, 0, 0) < 0 ||
		topology_access_set(&snapshot->topology, 1, 0) < 0)
		die("no memory");
	fdb_learn(fdb, 0, (const uint8_t[6]){0x52, 0x54, 0, 0, 0, 2}, 1, 1);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < burst; i++) {
			add_slot(&from, HEADER_SIZE + length, false);
			add_slot(&to, SLOT_SIZE, true);
		}
		publish(&from);
		publish(&to);
		begin = clock_cycles();
		frame_path(&context, &from, &to, counters);
		cycles += clock_cycles() - begin;
		if (take_back(&from) != burst || take_back(&to) != burst)
			die("frames were lost");
	}
	printf("%s %u bytes: %.1f cycles a frame\n", argv[1], length,
		(double)cycles / rounds / burst);
	return EXIT_SUCCESS;
}
