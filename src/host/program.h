/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs of the system that we run: nft. One is started in a network namespace with a text for
 * its input, and what it says (stdout and stderr together) can be read from a descriptor. Whoever
 * started it waits for `exited` to be readable, never for the program, and then asks how it ended.
 * It is found in the system's folders only, gets no descriptor of ours and a bare environment, and
 * is killed by the kernel where the thread that started it ends first.
 *
 *   start -> running -- exited is readable --> finish        or kill, and then finish
 *
 * Control thread.
 */
#ifndef VSW_HOST_PROGRAM_H
#define VSW_HOST_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/netns.h"

#define HOST_PROGRAM_WORDS 8

struct host_program {
	const char *words[HOST_PROGRAM_WORDS + 1]; /* its name and arguments; NULL ends them */
	char netns[NETNS_NAME_SIZE];               /* "": ours */
	const char *input;
	size_t size;
};

struct host_running {
	int pid;
	int exited; /* readable when it has ended */
	int output; /* non-blocking */
};

/* 0, or -ENOENT and the reason where this machine has no such program. */
int host_program_find(const char *name, struct error *error);

/* 0, or -errno and the reason: -ENOENT where there is no such program. */
int host_program_start(
	const struct host_program *request, struct host_running *running, struct error *error);

/* Ends it, if it still runs. */
void host_program_kill(const struct host_running *running);

/* Waits at most this long for it to end. True where it has. */
bool host_program_wait(const struct host_running *running, int milliseconds);

/* Of one that has ended: true where it succeeded, else *error has what it said first. Closes the
 * descriptors. */
bool host_program_finish(struct host_running *running, const char *name, struct error *error);

#endif
