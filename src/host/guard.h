/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the host's own stack from what an interface receives: packet sockets see each frame, and
 * then it is dropped, before bridges, VLANs, netfilter's other hooks and the protocols. What the
 * stack sends is not concerned.
 *
 * A guard is an nf_tables chain at the interface's ingress hook, in a table that belongs to one
 * netlink socket: the kernel removes it with that socket, also where the process was killed, and
 * lets nobody else change it. `nft list ruleset` shows it as virtswitch-PID-IFINDEX.
 *
 *   host_guard_open() -> a descriptor: the guard stands until it is closed
 */
#ifndef VSW_HOST_GUARD_H
#define VSW_HOST_GUARD_H

#include "base/error.h"
#include "host/link.h"

/* In the present namespace of the calling thread. A descriptor, or -errno and the reason. Control
 * thread. */
int host_guard_open(const struct link *link, struct error *error);

#endif
