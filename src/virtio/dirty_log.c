/* SPDX-License-Identifier: BSD-3-Clause */
#include "virtio/dirty_log.h"

#include <errno.h>
#include <stdlib.h>

#define BITS 8 /* of a byte of the log */

struct dirty_log {
	struct guest_mapping *mapping;
	uint8_t *bytes;
	uint64_t size; /* bytes */
};

struct dirty_log *dirty_log_new(
	struct guest_quota *quota, uint64_t size, uint64_t offset, int fd, struct error *error)
{
	struct dirty_log *log;
	uint64_t end;

	if (!size || !checked_add(size, offset, &end)) {
		error_set(error, -EINVAL,
			"dirty log: size 0x%llx at offset 0x%llx is empty or wraps",
			(unsigned long long)size, (unsigned long long)offset);
		return NULL;
	}
	log = calloc(1, sizeof(*log));
	if (!log) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	if (guest_mapping_new(&log->mapping, quota, fd, end, "dirty log", error) < 0) {
		free(log);
		return NULL;
	}
	log->bytes = guest_mapping_start(log->mapping) + offset;
	log->size = size;
	return log;
}

void dirty_log_free(struct dirty_log *log)
{
	if (!log)
		return;
	guest_mapping_release(log->mapping);
	free(log);
}

bool dirty_log_broken(const struct dirty_log *log)
{
	return guest_mapping_broken(log->mapping);
}

bool dirty_log_holds(const struct dirty_log *log, uint64_t address, uint64_t length)
{
	uint64_t last;

	return length && checked_add(address, length - 1, &last) &&
	       last / DIRTY_LOG_PAGE / BITS < log->size;
}

void dirty_log_write(const struct dirty_log *log, uint64_t address, uint64_t length)
{
	uint64_t last, page = address / DIRTY_LOG_PAGE;
	uint8_t mask = 0;

	if (!length)
		return;
	if (!checked_add(address, length - 1, &last))
		last = UINT64_MAX;
	last /= DIRTY_LOG_PAGE;
	for (; page <= last && page / BITS < log->size; page++) {
		mask |= (uint8_t)(1 << page % BITS);
		if (page != last && page % BITS != BITS - 1)
			continue;
		__atomic_fetch_or(&log->bytes[page / BITS], mask, __ATOMIC_SEQ_CST);
		mask = 0;
	}
}

void queue_log_elements(const struct queue_log *log, uint64_t address, unsigned size,
	unsigned entries, unsigned first, unsigned count)
{
	unsigned straight;

	if (!log->ring)
		return;
	/* A driver that makes buffers available while we take them may have had us go round. */
	count = MIN(count, entries);
	straight = MIN(count, entries - first);
	dirty_log_write(log->log, address + (uint64_t)first * size, (uint64_t)straight * size);
	dirty_log_write(log->log, address, (uint64_t)(count - straight) * size);
}

void queue_log_pieces(const struct queue_log *log, const struct iovec *pieces, uint32_t length)
{
	unsigned region = 0;

	if (!log->frames)
		return;
	while (length) {
		uint32_t step = (uint32_t)MIN(pieces->iov_len, length);
		uint64_t address;

		if (guest_memory_to_guest(log->memory, pieces->iov_base, &address, &region))
			dirty_log_write(log->log, address, step);
		length -= step;
		pieces++;
	}
}

void queue_log_signal(const struct queue_log *log)
{
	if (log->bell)
		bell_owe(log->bell);
}

bool queue_log_broken(const struct queue_log *log)
{
	return log && dirty_log_broken(log->log);
}
