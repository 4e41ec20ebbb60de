/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The leases' journal: STATE-DIR/dhcp/leases, a line for each change (service/lease_record.h).
 * Lines are collected and written with one system call, before the answers that promise what they
 * say are sent. They are not synced to the disk: what is promised outlives vswd, however it ends,
 * not a power failure (docs/decisions/lease-journal.md).
 *
 *   open -> add, write, ... -> close
 *           begin -> copy, ... -> finish: the file again with what holds now, in pieces, beside the
 *           lines that are added meanwhile, which go into both
 *
 * The folder is locked while it is open: a second vswd with the same one is refused. Control
 * thread; nothing here waits for a disk.
 */
#ifndef VSW_CONTROL_LEASE_JOURNAL_H
#define VSW_CONTROL_LEASE_JOURNAL_H

#include "base/error.h"
#include "service/lease_record.h"

struct lease_journal;

/* Hands over what the file has, in its order. NULL with *error filled. */
struct lease_journal *lease_journal_open(const char *state_dir,
	void (*each)(void *owner, const struct lease_record *record), void *owner,
	struct error *error);

/* NULL is allowed. */
void lease_journal_close(struct lease_journal *journal);

/* Adds a line to those that are to be written; what has no room is written at once. */
void lease_journal_add(struct lease_journal *journal, const struct lease_record *record);

/* Writes what was added since. 0, or -errno: then nobody may rely on any of it. */
int lease_journal_write(struct lease_journal *journal);

/* True where the file is much longer than so many lines would be. */
bool lease_journal_is_long(const struct lease_journal *journal, unsigned lines);

/* Begins a new file, which takes the old one's place when it is finished. Errors end the attempt:
 * the old file goes on. */
int lease_journal_begin(struct lease_journal *journal, struct error *error);
void lease_journal_copy(struct lease_journal *journal, const struct lease_record *record);
int lease_journal_finish(struct lease_journal *journal, struct error *error);

#endif
