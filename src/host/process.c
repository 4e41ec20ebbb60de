/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/process.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

void process_describe(pid_t pid, char text[PROCESS_TEXT_SIZE])
{
	char path[32], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = pid > 0 ? fopen(path, "re") : NULL;
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	if (*name)
		snprintf(text, PROCESS_TEXT_SIZE, "process %d (%s)", (int)pid, name);
	else if (pid > 0)
		snprintf(text, PROCESS_TEXT_SIZE, "process %d", (int)pid);
	else
		snprintf(text, PROCESS_TEXT_SIZE, "another process");
}

/* A line of /proc/locks: "1: FLOCK  ADVISORY  WRITE 123 08:01:4567 0 EOF", see proc(5). */
pid_t process_holding(const struct stat *file)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	pid_t holder = 0;

	while (locks && !holder && fgets(line, sizeof(line), locks)) {
		unsigned device[2];
		uintmax_t inode;
		int pid;

		if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%ju", &pid, &device[0], &device[1],
			    &inode) == 4 &&
			device[0] == major(file->st_dev) && device[1] == minor(file->st_dev) &&
			inode == file->st_ino)
			holder = pid;
	}
	if (locks)
		fclose(locks);
	return holder > 0 ? holder : 0;
}
