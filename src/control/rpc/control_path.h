/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the control sockets are, for the daemon and for its tools. Stateless; any thread.
 */
#ifndef VSW_CONTROL_RPC_CONTROL_PATH_H
#define VSW_CONTROL_RPC_CONTROL_PATH_H

#include <limits.h>

/* A folder of its own: whoever may write the folder of the ports' sockets could replace the
 * socket. */
#define CONTROL_PATH "/run/virtswitch/control/control.sock"

/* What the read-only socket answers where something would change: a code of JSON-RPC. */
#define CONTROL_ONLY_SHOWS (-32001)

/* The read-only socket beside the full one: "/a/control.sock" has "/a/control-ro.sock". Cut at
 * PATH_MAX. */
void control_path_read_only(const char *path, char read_only[PATH_MAX]);

#endif
