/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only way to read untrusted bytes of variable shape: a position that cannot leave its buffer.
 * A read past the end yields zero (or NULL) and makes the cursor `failed` for good, so a parser may
 * read a whole header and check once. Multi-byte reads are big endian unless named otherwise.
 * The cursor borrows the bytes; nothing here allocates.
 */
#ifndef VSW_BASE_CURSOR_H
#define VSW_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct cursor cursor_new(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	return (struct cursor){.at = at, .end = at + length, .failed = false};
}

static inline size_t cursor_left(const struct cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

/* Steps over `length` bytes and returns where they begin; NULL where fewer are left. */
static inline const void *cursor_take(struct cursor *cursor, size_t length)
{
	const uint8_t *taken = cursor->at;

	if (cursor->failed || length > cursor_left(cursor)) {
		cursor->failed = true;
		return NULL;
	}
	cursor->at += length;
	return taken;
}

/* Copies `length` bytes out; zeroes where fewer are left. Returns false then. */
static inline bool cursor_copy(struct cursor *cursor, void *to, size_t length)
{
	const void *from = cursor_take(cursor, length);

	if (!from) {
		memset(to, 0, length);
		return false;
	}
	memcpy(to, from, length);
	return true;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
	uint8_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return value;
}

static inline uint16_t cursor_be16(struct cursor *cursor)
{
	uint16_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return __builtin_bswap16(value);
}

static inline uint32_t cursor_be32(struct cursor *cursor)
{
	uint32_t value;

	cursor_copy(cursor, &value, sizeof(value));
	return __builtin_bswap32(value);
}

#endif
