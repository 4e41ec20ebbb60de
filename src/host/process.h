/* SPDX-License-Identifier: BSD-3-Clause */
/* Other processes, in the words of messages. Within this folder. */
#ifndef VSW_HOST_PROCESS_H
#define VSW_HOST_PROCESS_H

#include <sys/stat.h>
#include <sys/types.h>

#define PROCESS_TEXT_SIZE 64

/* "process 123 (vswd)", or "another process" where the pid is 0: the kernel does not say, or it is
 * one of another namespace. */
void process_describe(pid_t pid, char text[PROCESS_TEXT_SIZE]);

/* Who holds the lock of flock(2) on the file; 0 where that is not known. */
pid_t process_holding(const struct stat *file);

#endif
