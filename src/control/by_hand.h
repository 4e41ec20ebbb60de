/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was changed by hand since the last file: `vsw port set` and its like change the running
 * switch and no file. The running switch keeps what the file said (runtime.filed); a file that is
 * applied or compared later says of each line of its difference whether it undoes such a change.
 * Control thread only.
 */
#ifndef VSW_CONTROL_BY_HAND_H
#define VSW_CONTROL_BY_HAND_H

#include "control/diff.h"
#include "control/runtime.h"

/* Marks what undoes a change by hand in a difference from the running model to a file's. How many,
 * or -ENOMEM. */
int by_hand_mark(struct diff *diff, const struct runtime *runtime);

/* A file says now what is running: it was applied, or written. */
void by_hand_settle(struct runtime *runtime);

/* Which one it was: the one that a reload reads, with this text, or (digest: NULL) another. */
void by_hand_note_file(struct runtime *runtime, const char *file, const char *digest);

/* How many lines the difference has from what the last file said to what is running; 0 also where
 * that is not known. */
unsigned by_hand_count(const struct runtime *runtime);

#endif
