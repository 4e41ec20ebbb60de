/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes become a session of the backend: messages with descriptors of every kind, sent in any
 * order. Watched: the port's contract (test_port.c), that at most one reply comes and is well
 * formed, and that not one descriptor is left when the session ends.
 *
 * Input, repeated: a byte of how (below), a byte for the id, then by kind the payload's bytes.
 * Half-valid sessions come from the bit that begins with a message in order and only then spoils
 * it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/fd.h"
#include "vhost/test_port.h"

#define HOW_VALID      1 /* a message in order, spoilt by what follows */
#define HOW_NEED_REPLY 2
#define HOW_WILD_ID    4   /* four bytes of id instead of one */
#define HOW_WILD_SIZE  8   /* two bytes of size */
#define HOW_FDS        16  /* a byte of count and kind of descriptors */
#define HOW_PAYLOAD    32  /* a byte of length, and bytes laid over the payload */
#define HOW_FAIL       64  /* the port fails this one */
#define HOW_GONE       128 /* the peer vanishes, another comes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int make_fd(unsigned kind)
{
	int fds[2] = {-1, -1};

	switch (kind & 3) {
	case 0:
		return eventfd(0, EFD_CLOEXEC);
	case 1:
		if (pipe(fds) == 0)
			fd_close(&fds[0]);
		return fds[1];
	case 2:
		return memfd_create("fuzz", MFD_CLOEXEC);
	default:
		return dup(2);
	}
}

static void make_message(struct cursor *input, unsigned how, struct vhost_message *message)
{
	uint32_t id = cursor_u8(input);
	uint8_t bytes[255];
	unsigned length;

	id = how & HOW_WILD_ID ? id | (uint32_t)cursor_be16(input) << 8
			       : id % (VHOST_USER_REQUEST_END + 1);
	if (how & HOW_VALID)
		test_message(message, id, cursor_u8(input) & 7, cursor_u8(input) & 3);
	else
		vhost_message_init(message, id, 0, VHOST_PAYLOAD_MAX);
	if (how & HOW_NEED_REPLY)
		message->header.flags |= VHOST_MESSAGE_NEED_REPLY;
	if (how & HOW_WILD_SIZE)
		message->header.size = cursor_be16(input) % (VHOST_PAYLOAD_MAX + 1);
	else if (!(how & HOW_VALID))
		message->header.size = vhost_message_row(id) ? vhost_message_row(id)->size_minimum
							     : 0;
	if (how & HOW_FDS) {
		unsigned count = cursor_u8(input);

		vhost_message_close_fds(message);
		message->fd_count = count & 7;
		message->fds_lost = count >> 7;
		for (unsigned i = 0; i < message->fd_count; i++)
			message->fds[i] = make_fd((count >> 4) + i);
	}
	if (how & HOW_PAYLOAD) {
		length = (unsigned)MIN(cursor_u8(input), cursor_left(input));
		cursor_copy(input, bytes, length);
		memcpy(message->payload.bytes, bytes, length);
	}
}

static void check_result(const struct vhost_result *result, uint32_t id)
{
	check(result->verdict == VHOST_ACCEPTED || result->error.text[0] != '\0');
	check(result->verdict != VHOST_CLOSE || !result->has_reply);
	if (!result->has_reply)
		return;
	check(result->reply.header.id == id);
	check(result->reply.header.flags == (VHOST_MESSAGE_VERSION | VHOST_MESSAGE_REPLY));
	check(result->reply.header.size <= VHOST_PAYLOAD_MAX && result->reply.fd_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct test_port port;
	static struct vhost_message message;
	static struct vhost_result result;
	struct cursor input = cursor_new(data, size);
	unsigned before = test_fd_count();
	unsigned how;

	test_port_open(&port);
	while (cursor_left(&input) > 1 && !input.failed) {
		uint32_t id;

		how = cursor_u8(&input);
		make_message(&input, how, &message);
		id = message.header.id;
		port.fail_update = port.fail_memory = how & HOW_FAIL ? 12 : 0;
		if (how & HOW_GONE) {
			vhost_message_close_fds(&message);
			test_port_close(&port);
			check(port.fault[0] == '\0');
			test_port_open(&port);
			continue;
		}
		vhost_backend_handle(&port.backend, &message, &result);
		check_result(&result, id);
		check(port.fault[0] == '\0');
		if (result.verdict == VHOST_CLOSE && how & HOW_VALID)
			break;
	}
	test_port_close(&port);
	check(port.fault[0] == '\0');
	check(test_fd_count() == before);
	return 0;
}
