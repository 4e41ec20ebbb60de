/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's vhost-net: a device that carries frames between virtqueues in memory of ours and a
 * TAP, by a thread of the kernel's. Opening it is an act on the host (host/host.h); what is done
 * with it then takes no privilege (vhost/kernel.h).
 */
#ifndef VSW_HOST_VHOST_NET_H
#define VSW_HOST_VHOST_NET_H

#include "base/error.h"

/* A new device, for one pair of queues: a descriptor (O_CLOEXEC), or -errno and the reason: -ENOENT
 * where the kernel has none. */
int host_vhost_net_open(struct error *error);

#endif
