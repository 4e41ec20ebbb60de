/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The address for which a frame was refused last: what `spoofed-source` and `spoofed-address` are
 * about. A copy, so nothing of the packet is kept.
 *
 * One writer (that of the counters it stands with), any number of readers: the sequence is odd
 * while the writer is at it, and a reader that finds it odd, or changed, reads once more. A reader
 * that never finds it at rest gives up: somebody floods, and what it shows does not matter to the
 * microsecond.
 */
#ifndef VSW_PACKET_REFUSED_H
#define VSW_PACKET_REFUSED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What it was. All zero: nothing was refused so far. */
struct refused_address {
	uint32_t second; /* of the monotonic clock */
	uint8_t reason;  /* enum drop_reason */
	uint8_t ip_size; /* 4, 16, or 0 where the frame names none */
	uint8_t mac[6];  /* of the frame, or what ARP or neighbour discovery in it say instead */
	uint8_t ip[16];
	uint32_t padding;
};

#define REFUSED_WORDS (sizeof(struct refused_address) / sizeof(uint64_t))
_Static_assert(sizeof(struct refused_address) == 4 * sizeof(uint64_t), "whole words");

/* Looks at a writer that is at it before a reader gives up. */
#define REFUSED_LOOKS 100

struct refused {
	uint32_t sequence;
	uint64_t words[REFUSED_WORDS];
};

/* By the writer only. */
static inline void refused_write(struct refused *refused, const struct refused_address *address)
{
	uint32_t sequence = refused->sequence;
	uint64_t words[REFUSED_WORDS];

	memcpy(words, address, sizeof(words));
	__atomic_store_n(&refused->sequence, sequence + 1, __ATOMIC_RELAXED);
	/* The odd number is seen before any of the words ... */
	for (unsigned i = 0; i < REFUSED_WORDS; i++)
		__atomic_store_n(&refused->words[i], words[i], __ATOMIC_RELEASE);
	/* ... and the even one after all of them. */
	__atomic_store_n(&refused->sequence, sequence + 2, __ATOMIC_RELEASE);
}

/* By any thread. False where nothing was refused, or no look was a quiet one. */
static inline bool refused_read(const struct refused *refused, struct refused_address *address)
{
	for (unsigned look = 0; look < REFUSED_LOOKS; look++) {
		uint32_t before = __atomic_load_n(&refused->sequence, __ATOMIC_ACQUIRE);
		uint64_t words[REFUSED_WORDS];

		if (!before)
			return false;
		for (unsigned i = 0; i < REFUSED_WORDS; i++)
			words[i] = __atomic_load_n(&refused->words[i], __ATOMIC_ACQUIRE);
		/* None of the loads above comes after this one. */
		if (before & 1 || __atomic_load_n(&refused->sequence, __ATOMIC_RELAXED) != before)
			continue;
		memcpy(address, words, sizeof(words));
		return true;
	}
	return false;
}

#endif
