/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files about interfaces share. */
#ifndef VSW_HOST_LINK_PRIVATE_H
#define VSW_HOST_LINK_PRIVATE_H

#include <linux/netlink.h>

/* Fills a struct link from a message of the kernel about one; any other is left alone. A
 * netlink_take. */
void link_take(const struct nlmsghdr *message, void *link);

#endif
