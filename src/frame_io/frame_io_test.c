/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames through a pair of sockets, which like a TAP give and take one a call, with a ring, where
 * the kernel has it, and without.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/common.h"
#include "frame_io/frame_io.h"

#define SIZE 96 /* room for a frame */

static int ends[2];
static struct frame_io_ring *ring; /* of ends[0]; NULL where the case has none */
static uint8_t rooms[FRAME_IO_MAX][SIZE];
static struct iovec pieces[FRAME_IO_MAX][3];
static struct frame_io ios[FRAME_IO_MAX];

static int open_plain(void **state)
{
	ring = NULL;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

static int open_ring(void **state)
{
	struct error error;

	if (open_plain(state) < 0)
		return -1;
	ring = frame_io_ring_new(ends[0], &error);
	if (!ring)
		printf("no io_uring here: %s\n", error.text);
	return 0;
}

static int close_all(void **state)
{
	frame_io_ring_free(ring);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* Rooms, or frames of 10 bytes and more, in one to three pieces. */
static void lay(unsigned count, bool frames)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned length = frames ? 10 + i : SIZE, parts = 1 + i % 3;
		uint8_t *start = rooms[i];

		memset(rooms[i], frames ? (int)i : 0xff, SIZE);
		for (unsigned k = 0; k + 1 < parts; k++, start += 4, length -= 4)
			pieces[i][k] = (struct iovec){start, 4};
		pieces[i][parts - 1] = (struct iovec){start, length};
		ios[i] = (struct frame_io){.pieces = pieces[i], .count = parts, .result = 1};
	}
}

static void put(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		memset(rooms[0], (int)i, SIZE);
		assert_int_equal(send(ends[1], rooms[0], 10 + i, 0), 10 + i);
	}
}

static const unsigned counts[] = {1, FRAME_IO_FEW - 1, FRAME_IO_FEW, 17, FRAME_IO_MAX};

static void frames_are_read_in_order(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(counts); c++) {
		/* As many as are there, and then fewer than are asked for. */
		for (unsigned lacking = 0; lacking < 2; lacking++) {
			put(counts[c] - lacking);
			lay(counts[c], false);
			frame_io_read(ring, ends[0], ios, counts[c]);
			for (unsigned i = 0; i < counts[c] - lacking; i++) {
				assert_int_equal(ios[i].result, 10 + i);
				assert_int_equal(rooms[i][0], i);
				assert_int_equal(rooms[i][9 + i], i);
				assert_int_equal(rooms[i][10 + i], 0xff);
			}
			if (lacking)
				assert_int_equal(ios[counts[c] - 1].result, -EAGAIN);
		}
	}
}

static void frames_are_written_in_order(void **state)
{
	uint8_t frame[SIZE];

	for (unsigned c = 0; c < ARRAY_SIZE(counts); c++) {
		lay(counts[c], true);
		frame_io_write(ring, ends[0], ios, counts[c]);
		for (unsigned i = 0; i < counts[c]; i++) {
			assert_int_equal(ios[i].result, 10 + i);
			assert_int_equal(recv(ends[1], frame, SIZE, 0), 10 + i);
			assert_int_equal(frame[0], i);
			assert_int_equal(frame[9 + i], i);
		}
		assert_int_equal(recv(ends[1], frame, SIZE, 0), -1);
	}
}

/* A receiver without room refuses each frame by itself, and nothing waits for it. */
static void a_full_receiver_is_not_waited_for(void **state)
{
	unsigned taken = 0, last = FRAME_IO_MAX;
	uint8_t frame[SIZE];

	while (last == FRAME_IO_MAX) {
		lay(FRAME_IO_MAX, true);
		frame_io_write(ring, ends[0], ios, FRAME_IO_MAX);
		for (last = 0; last < FRAME_IO_MAX && ios[last].result >= 0; last++)
			continue;
		for (unsigned i = last; i < FRAME_IO_MAX; i++)
			assert_int_equal(ios[i].result, -EAGAIN);
		taken += last;
		assert_true(taken < 1000000);
	}
	while (recv(ends[1], frame, SIZE, 0) > 0)
		taken--;
	assert_int_equal(taken, 0);
}

/* An error of one frame is that frame's: here, memory that is not there. */
static void an_error_is_of_its_frame(void **state)
{
	uint8_t frame[SIZE];

	for (unsigned count = 2; count <= 8; count += 6) {
		lay(count, true);
		ios[1].pieces[0].iov_base = (void *)16;
		frame_io_write(ring, ends[0], ios, count);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(ios[i].result, i == 1 ? -EFAULT : (int)(10 + i));
		for (unsigned i = 0; i < count - 1; i++)
			assert_true(recv(ends[1], frame, SIZE, 0) > 0);
	}
}

/* What the ring is asked for is what it is restricted to: the descriptor is gone, the file not. */
static void a_ring_keeps_its_file(void **state)
{
	if (!ring)
		skip();
	close(ends[0]);
	put(FRAME_IO_FEW);
	lay(FRAME_IO_FEW, false);
	frame_io_read(ring, -1, ios, FRAME_IO_FEW);
	for (unsigned i = 0; i < FRAME_IO_FEW; i++)
		assert_int_equal(ios[i].result, 10 + i);
	ends[0] = -1;
}

/* What waits when a ring is made is not taken. */
static void a_new_ring_takes_nothing(void **state)
{
	struct frame_io_ring *other;
	struct error error;

	put(1);
	other = frame_io_ring_new(ends[0], &error);
	lay(1, false);
	frame_io_read(other, ends[0], ios, 1);
	assert_int_equal(ios[0].result, 10);
	frame_io_ring_free(other);
}

/* A file that does not know RWF_NOWAIT would answer later. */
static void a_ring_needs_a_file_that_does_not_wait(void **state)
{
	struct error error = {.text = ""};
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_null(frame_io_ring_new(fd, &error));
	assert_string_not_equal(error.text, "");
	close(fd);
}

/* How many are asked for follows from how many came. */
static void a_window_follows_what_comes(void **state)
{
	struct frame_io_window window = {0};

	assert_int_equal(frame_io_first(&window), FRAME_IO_FEW - 1);
	/* A flood: each call takes all that was asked for. */
	assert_int_equal(frame_io_next(2, 2), FRAME_IO_FEW);
	assert_int_equal(frame_io_next(FRAME_IO_FEW, 5), FRAME_IO_FEW - 1);
	assert_int_equal(frame_io_next(FRAME_IO_FEW - 1, 7), 7);
	assert_int_equal(frame_io_next(FRAME_IO_FEW - 1, 100), FRAME_IO_MAX);
	frame_io_learn(&window, 100);
	assert_int_equal(frame_io_first(&window), FRAME_IO_MAX);
	frame_io_learn(&window, 10);
	assert_int_equal(frame_io_first(&window), 11);
	frame_io_learn(&window, 0);
	assert_int_equal(frame_io_first(&window), FRAME_IO_FEW - 1);
}

static void a_ring_needs_a_file(void **state)
{
	struct error error = {.text = ""};

	assert_null(frame_io_ring_new(-1, &error));
	assert_string_not_equal(error.text, "");
	frame_io_ring_free(NULL);
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup_teardown(test, open_ring, close_all),                               \
		cmocka_unit_test_setup_teardown(test, open_plain, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(frames_are_read_in_order),
		BOTH(frames_are_written_in_order),
		BOTH(a_full_receiver_is_not_waited_for),
		BOTH(an_error_is_of_its_frame),
		cmocka_unit_test_setup_teardown(a_ring_keeps_its_file, open_ring, close_all),
		cmocka_unit_test_setup_teardown(a_new_ring_takes_nothing, open_plain, close_all),
		cmocka_unit_test(a_ring_needs_a_file),
		cmocka_unit_test(a_ring_needs_a_file_that_does_not_wait),
		cmocka_unit_test(a_window_follows_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
