/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/chain.h"

#include <string.h>

bool chain_append(struct chain_walk *walk, uint64_t address, uint32_t length, bool writable)
{
	/* An empty buffer would cost a step and count as nothing: no driver has a use for one. */
	if (!length || writable != walk->writable)
		return false;
	walk->length += length;
	if (walk->length > UINT32_MAX)
		return false;
	while (length) {
		uint32_t contiguous = length;
		uint8_t *host = guest_memory_translate(
			walk->memory, address, &contiguous, walk->region);

		if (!host || walk->count == walk->pieces_max)
			return false;
		walk->pieces[walk->count++] = (struct iovec){host, contiguous};
		address += contiguous;
		length -= contiguous;
	}
	return true;
}

bool chain_copy(struct chain_walk *walk, uint64_t address, void *to, uint32_t length)
{
	uint8_t *next = to;

	while (length) {
		uint32_t contiguous = length;
		const uint8_t *host = guest_memory_translate(
			walk->memory, address, &contiguous, walk->region);

		if (!host)
			return false;
		memcpy(next, host, contiguous);
		next += contiguous;
		address += contiguous;
		length -= contiguous;
	}
	return true;
}
