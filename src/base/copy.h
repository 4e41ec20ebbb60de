/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying the pieces of frames that are too much for the near caches: segments of 64 KiB, a burst
 * of which is megabytes. The C library chooses by the length of each call, and a guest hands such a
 * frame over in pieces of a page or less; who knows the whole says so.
 */
#ifndef VSW_BASE_COPY_H
#define VSW_BASE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/common.h"

/* Bytes from which on a frame is large. */
#define COPY_LARGE_FRAME 12288
/* Bytes from which on a piece of one is worth the start of a string instruction. */
#define COPY_LARGE_PIECE 1024

/* True where this processor's string instructions are made for it (ERMS). Constant from the
 * start. */
extern bool copy_fast_strings;

/* Sanitizers do not see into an instruction of ours. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COPY_STRINGS 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef COPY_STRINGS
#endif
#endif

/* memcpy() for a piece of a frame of `frame` bytes; all lengths in bytes. Any thread. */
ALWAYS_INLINE void copy_piece(void *to, const void *from, size_t length, uint32_t frame)
{
#ifdef COPY_STRINGS
	/* Lines written whole are not read before, and the source is fetched far ahead. */
	if (unlikely(frame >= COPY_LARGE_FRAME && length >= COPY_LARGE_PIECE) &&
		copy_fast_strings) {
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
		return;
	}
#endif
	memcpy(to, from, length);
}

#endif
