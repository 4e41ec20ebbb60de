/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Killing the device side of a packed ring at every instruction of a burst. A child process serves
 * a ring that is shared with this one, which has it execute one instruction at a time and keeps
 * each state of the shared memory: all that a successor could find. From each of them a successor
 * goes on, with a driver that stood still or that went on meanwhile. The driver must get every
 * chain back once, in order, with the length that was written or none; and the ring must then work
 * for two laps.
 */
#include "virtio/test_ring.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virtio/packed_device.h"
#include "virtio/packed_resume.h"

/* The driver's private records are saved and restored with it. */
#include "virtio/packed_driver.c"

#define SIZE_TESTED 9
#define BASE        UINT64_C(0x10000)
#define BUFFER      64
#define WRITTEN     32
#define STATES_MAX  64

/* What both processes and the driver share. */
static struct shared {
	struct vring_packed_desc ring[SIZE_TESTED + 1] __attribute__((aligned(64)));
	uint32_t driver_event, device_event;
	struct ring_place place;
	struct vring_packed_desc tables[SIZE_TESTED + 1][2];
	uint8_t buffers[BUFFER];
} * shared, states[STATES_MAX];
static unsigned state_count;
static unsigned tried, ambiguous;

static struct setting {
	unsigned size;
	unsigned start;   /* slots that were used before */
	unsigned burst;   /* chains that the child serves in one burst ... */
	unsigned left;    /* ... and those that it leaves */
	unsigned pattern; /* of the chains' kinds */
	bool writable, in_order;
} setting;

static struct guest_memory memory;
static struct packed_driver driver;
static struct packed_device device;
static uint64_t added, returned; /* chains, which are numbered; the token is the number */

static const struct ring_identity identity = {1, 2, 3, 4, false};

static uint64_t features(void)
{
	return FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_RING_PACKED) |
	       FEATURE(VIRTIO_RING_F_INDIRECT_DESC) |
	       (setting.in_order ? FEATURE(VIRTIO_F_IN_ORDER) : 0);
}

/* kind 0: one slot; 1: a table of two; 2 and 3: so many slots. */
static bool add(unsigned kind)
{
	uint64_t offset = (uint64_t)((uint8_t *)shared->tables[added % (SIZE_TESTED + 1)] -
				     (uint8_t *)shared);
	struct packed_driver_table table = {
		shared->tables[added % (SIZE_TESTED + 1)], BASE + offset, 2};
	unsigned count = kind == 1 ? 2 : kind > 1 ? kind : 1;
	struct driver_buffer buffers[3];

	for (unsigned i = 0; i < count; i++)
		buffers[i] = (struct driver_buffer){
			BASE + offsetof(struct shared, buffers), BUFFER};
	if (packed_driver_add(&driver, buffers, setting.writable ? 0 : count,
		    setting.writable ? count : 0, kind == 1 ? &table : NULL, added) < 0)
		return false;
	added++;
	return true;
}

static unsigned kind_of(uint64_t number)
{
	static const uint8_t kinds[][4] = {{0, 0, 0, 0}, {2, 0, 3, 1}, {3, 2, 0, 2}, {1, 0, 0, 2}};

	return kinds[setting.pattern][number % 4];
}

/* Serves up to `limit` chains in one burst; how many. */
static unsigned serve(unsigned limit)
{
	struct ring_chain chains[SIZE_TESTED];
	struct iovec pieces[4];
	unsigned count = 0;
	uint32_t length;

	while (count < limit && packed_device_available(&device)) {
		require(packed_device_take(
				&device, &chains[count], setting.writable, pieces, 4, &length) > 0);
		count++;
	}
	for (unsigned i = 0; i < count; i++)
		packed_device_give(&device, chains[i], setting.writable ? WRITTEN : 0);
	packed_device_publish(&device);
	return count;
}

/* Takes back what is used: in order; `empty`: nothing may be in it. Returns how many. */
static unsigned take_back(bool empty, bool must_be_full)
{
	uint64_t token;
	uint32_t written;
	unsigned count = 0;

	while (packed_driver_take(&driver, &token, &written)) {
		require(token == returned);
		require(written == 0 || (setting.writable && written == WRITTEN));
		require(!empty || !written);
		require(!must_be_full || !setting.writable || written == WRITTEN);
		returned++;
		count++;
	}
	require(!driver.broken);
	return count;
}

static void begin(void)
{
	memset(shared, 0, sizeof(*shared));
	added = returned = 0;
	packed_driver_fini(&driver);
	require(packed_driver_init(&driver, shared->ring, &shared->driver_event,
			&shared->device_event, setting.size, features()) == 0);
	require(packed_device_init(&device, &memory, shared->ring, &shared->driver_event,
			&shared->device_event, setting.size, features(), PACKED_BASE_FRESH) == 0);
	ring_place_begin(&shared->place, &identity, PACKED_BASE_FRESH, packed_place_used(0, true));
	device.place = &shared->place;
	for (unsigned i = 0; i < setting.start; i++) {
		require(add(0));
		packed_driver_publish(&driver);
		require(serve(1) == 1 && take_back(false, true) == 1);
	}
	for (unsigned i = 0; i < setting.burst + setting.left; i++)
		add(kind_of(i));
	packed_driver_publish(&driver);
}

static void note_state(void)
{
	if (state_count && memcmp(&states[state_count - 1], shared, sizeof(*shared)) == 0)
		return;
	require(state_count < STATES_MAX);
	states[state_count++] = *shared;
}

/* Has a child serve the burst, and keeps every state of the memory. False where that is not
 * allowed. */
static bool collect_states(void)
{
	pid_t child = fork();
	int status;

	require(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(2);
		raise(SIGSTOP);
		serve(setting.burst);
		raise(SIGSTOP);
		_exit(0);
	}
	require(waitpid(child, &status, 0) == child);
	if (!WIFSTOPPED(status))
		return false;
	state_count = 0;
	do {
		note_state();
		require(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
		require(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	} while (WSTOPSIG(status) == SIGTRAP);
	note_state();
	kill(child, SIGKILL);
	require(waitpid(child, &status, 0) == child);
	return true;
}

static enum packed_resume ask(uint32_t base, struct ring_place *place, uint32_t *found)
{
	*found = base;
	return packed_resume(shared->ring, setting.size, place, &identity, setting.writable, found);
}

/* A successor goes on in one of the states. */
static void go_on(const struct shared *state, bool driver_went_on)
{
	uint32_t base;

	*shared = *state;
	tried++;
	if (driver_went_on) {
		/* What the killed process published is whole. */
		take_back(false, true);
		while (add(kind_of(added)))
			;
		packed_driver_publish(&driver);
	}
	/* Nothing but the frontend's word tells some rings from fresh ones: where a chain goes
	 * around the end, and all else is available. */
	if (ask(PACKED_BASE_FRESH, &shared->place, &base) == PACKED_RESUME_BASE) {
		require(ask(0, &shared->place, &base) == PACKED_RESUME_RECORDED);
		if (base != PACKED_BASE_FRESH)
			require(setting.pattern && ++ambiguous);
	}
	/* What was not published by its writer comes back empty. */
	take_back(driver_went_on, false);
	require(packed_device_init(&device, &memory, shared->ring, &shared->driver_event,
			&shared->device_event, setting.size, features(), base) == 0);
	ring_place_begin(&shared->place, &identity, PACKED_BASE_FRESH,
		packed_place_used(base & 0x7fff, base >> 31));
	device.place = &shared->place;
	for (unsigned i = 0; i < 2 * setting.size; i++) {
		while (serve(2))
			;
		take_back(false, false);
		require(returned == added && driver.free_count == setting.size);
		require(add(i % 4 == 2 && setting.size > 2 ? 2 : 0));
		packed_driver_publish(&driver);
	}
	require(!device.broken);
}

static bool try_setting(void)
{
	struct packed_driver_chain chains[SIZE_TESTED];
	struct packed_driver saved;
	uint64_t saved_added, saved_returned;

	begin();
	saved = driver;
	saved_added = added;
	saved_returned = returned;
	memcpy(chains, driver.chains, setting.size * sizeof(chains[0]));
	if (!collect_states())
		return false;
	for (unsigned i = 0; i < 2 * state_count; i++) {
		driver = saved;
		added = saved_added;
		returned = saved_returned;
		memcpy(driver.chains, chains, setting.size * sizeof(chains[0]));
		go_on(&states[i / 2], i % 2);
	}
	return true;
}

static void killed_at_every_instruction(void **state)
{
	static const unsigned sizes[] = {1, 4, SIZE_TESTED};

	for (unsigned i = 0; i < 3 * 2 * 2 * 4 * 3; i++) {
		unsigned size = sizes[i % 3];

		for (unsigned start = i % size; start < 2 * size; start += size / 2 + 1) {
			setting = (struct setting){
				.size = size,
				.start = start,
				.burst = 1 + i / 48 * 2,
				.left = i / 12 % 2,
				.pattern = size == 1 ? 0 : i / 12 % 4,
				.writable = i / 3 % 2,
				.in_order = i / 6 % 2,
			};
			if (!try_setting())
				skip();
		}
	}
	require(ambiguous < tried / 100);
}

/* A ring of which everything before `given` was used, as the record says. */
static void lay_ring(unsigned given, bool writable)
{
	setting = (struct setting){.size = 4, .start = given, .burst = 2, .writable = writable};
	begin();
}

/* A base that says neither "where rings begin" nor "unknown". */
static bool names_place(uint32_t base)
{
	return base && base != PACKED_BASE_FRESH;
}

static void who_is_believed(void **state)
{
	struct ring_identity other = identity;
	uint32_t found;

	for (unsigned given = 1; given < 9; given++) {
		uint16_t code = (uint16_t)(given % 4 | (given / 4 % 2 ? 0 : 0x8000));
		uint32_t here = code | (uint32_t)code << 16;
		uint16_t last = (uint16_t)((given - 1) % 4 | ((given - 1) / 4 % 2 ? 0 : 0x8000));
		uint32_t before = last | (uint32_t)last << 16;

		lay_ring(given, false);
		/* The frontend repeats where the ring began, or knows nothing. */
		require(ask(0, &shared->place, &found) == PACKED_RESUME_RECORDED && found == here);
		require(ask(PACKED_BASE_FRESH, &shared->place, &found) == PACKED_RESUME_RECORDED &&
			found == here);
		require(ask(0x8000, &shared->place, &found) == PACKED_RESUME_RECORDED &&
			found == here);
		/* It was told another place since then. */
		if (names_place(here))
			require(ask(here, &shared->place, &found) == PACKED_RESUME_BASE);
		shared->place.base = here;
		require(ask(here, &shared->place, &found) == PACKED_RESUME_RECORDED);
		ring_place_stop(&shared->place);
		if (names_place(here))
			require(ask(here, &shared->place, &found) == PACKED_RESUME_BASE);
		/* A place beyond which the ring was served is old, whoever names it. */
		if (names_place(before)) {
			require(ask(before, &shared->place, &found) == PACKED_RESUME_LOST);
			require(ask(before, NULL, &found) == PACKED_RESUME_LOST);
		}
		require(ask(0, &shared->place, &found) == PACKED_RESUME_RECORDED && found == here);
		/* No record, or that of another ring. */
		require(ask(0, NULL, &found) == PACKED_RESUME_LOST);
		ring_place_forget(&shared->place);
		require(ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
		other.descriptors++;
		ring_place_begin(&shared->place, &other, PACKED_BASE_FRESH,
			packed_place_used(code & 0x7fff, code >> 15));
		require(ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
		/* A driver that began anew meanwhile. */
		lay_ring(given, false);
		memset(shared->ring, 0, sizeof(shared->ring));
		require(ask(PACKED_BASE_FRESH, &shared->place, &found) == PACKED_RESUME_BASE &&
			found == PACKED_BASE_FRESH);
	}
}

/* Whatever the record says: nothing outside the ring is touched, and what the ring cannot be at is
 * refused. */
static void wrong_records_are_refused(void **state)
{
	uint64_t random = 1;
	uint32_t found;

	for (unsigned given = 1; given < 9; given++) {
		for (unsigned slot = 0; slot < 0x10000; slot += slot < 8 ? 1 : 61) {
			struct packed_place wrong = {
				(uint16_t)slot, (uint16_t)(slot & PACKED_STATE)};

			lay_ring(given, true);
			shared->place.next = shared->place.ahead = wrong;
			require(slot < 4 || ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
			lay_ring(given, true);
			shared->place.ahead = wrong;
			require(slot < 4 || ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
			lay_ring(given, true);
			shared->place.next.flags ^= (uint16_t)(slot | 1);
			require(ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
		}
		/* The next one was. */
		lay_ring(given, true);
		shared->ring[given % 4].flags ^= PACKED_USED;
		require(ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
		/* What was written over goes beyond one lap. */
		lay_ring(given, true);
		shared->ring[(given + 1) % 4].flags ^= PACKED_USED;
		shared->place.chain = (given + 1) % 4 | 4 << 16;
		require(ask(0, &shared->place, &found) == PACKED_RESUME_LOST);
	}
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t *words = (uint64_t *)shared->ring;

		lay_ring(1 + i % 8, i & 8);
		shared->place.position = test_random(&random) & UINT64_C(0x8080000380800003);
		shared->place.chain = (uint32_t)test_random(&random) & (i & 16 ? 0x00030003 : ~0u);
		for (unsigned word = 0; word < 8; word++)
			if (test_below(&random, 2))
				words[word] ^= test_random(&random);
		if (ask(0, &shared->place, &found) == PACKED_RESUME_RECORDED)
			require((found & 0x7fff) < 4 && (found >> 16) == (found & 0xffff));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_every_instruction),
		cmocka_unit_test(who_is_believed),
		cmocka_unit_test(wrong_records_are_refused),
	};

	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	memory.count = 1;
	memory.regions[0] = (struct guest_region){.guest_address = BASE,
		.size = sizeof(*shared),
		.user_address = BASE,
		.host = (uint8_t *)shared};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
