/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which QEMU will be started: options come and go with its versions, so that the words for one do
 * not start another. The binary is asked itself; that runs it, for a moment and without a machine.
 */
#ifndef VSW_CLI_QEMU_VERSION_H
#define VSW_CLI_QEMU_VERSION_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

struct qemu_version {
	unsigned major, minor;
};

/* The oldest one that the words are tested with, and what is assumed where there is none to ask. */
#define QEMU_VERSION_OLDEST ((struct qemu_version){7, 2})

/* "9.2" or "9.2.1", whatever follows behind a blank or '-'. False where the text is not that. */
bool qemu_version_parse(const char *text, struct qemu_version *version);

bool qemu_version_at_least(const struct qemu_version *version, unsigned major, unsigned minor);

/* In the absolute folders of PATH: the qemu-system-* for this machine's processor, else one for
 * any, else qemu-kvm or kvm. False where there is none. */
bool qemu_version_find(char path[PATH_MAX]);

/* Asks a binary (a path, or a name to be found in PATH). 0, or a negative error with *error filled
 * where it cannot be run, says nothing of a version, or does not end within
 * QEMU_VERSION_SECONDS. */
#define QEMU_VERSION_SECONDS 10
int qemu_version_ask(const char *binary, struct qemu_version *version, struct error *error);

#endif
