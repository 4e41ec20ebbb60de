/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why vswd cannot be reached, or gives no answer, in words that say what to do: nobody is there,
 * somebody is and we may not ask, or it does not move.
 */
#ifndef VSW_CLI_UNREACHABLE_H
#define VSW_CLI_UNREACHABLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* connect() to the socket at the path failed with this errno: the cause, in *error. */
void unreachable_explain(const char *path, int cause, struct error *error);

/* "use sudo, or join the group 'kvm'": who may open the socket at the path. */
void unreachable_who_may(const char *path, struct error *error);

/* The process at the other end of a connection, 0 where the kernel does not say. */
pid_t unreachable_peer(int fd);

/* True where that process is stopped (SIGSTOP, a debugger), or frozen on its way to the end: it
 * will not answer before somebody does something. *what says which. */
bool unreachable_stopped(pid_t pid, const char **what);

#endif
