/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settings of the kernel in /proc/sys that are one character long, in the present network namespace
 * of the calling thread. What is as wanted is not written.
 *
 * Acts: host.h. Control thread.
 */
#ifndef VSW_HOST_SETTING_H
#define VSW_HOST_SETTING_H

#include "base/error.h"

/* The first character; '\0' where it cannot be read. */
char host_setting_read(const char *path);
/* 0, or -errno and what could not be written. */
int host_setting_write(const char *path, char value, struct error *error);

/* The interface, at whose other side are VMs, takes no address, route or redirect from there. A
 * kernel without IPv6 has less to set. 0, or -errno and what could not be set. */
int host_setting_learn_nothing(const char *interface, struct error *error);

/* Interfaces by which a default route was learned from router advertisements go on learning when
 * the kernel forwards; no other one begins to. 0, or -errno and what could not be set. */
int host_setting_keep_learning(struct error *error);

#endif
