/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a peer has written an eventfd, without reading it: a read may wait for the peer, and
 * takes away what is not ours. The kernel notes an edge (epoll, edge-triggered); we look whether
 * there is one. However often the peer writes, that costs nobody but the peer.
 */
#ifndef VSW_BASE_EDGE_H
#define VSW_BASE_EDGE_H

#include <stdbool.h>

/* Begins to watch; what the eventfd holds already is no edge. A descriptor that the caller owns and
 * gives up with fd_close(), or -errno. The eventfd is borrowed, and may be closed before or
 * after. */
int edge_watch(int eventfd);

/* True where it was written since edge_watch(), or since the last time that this was true. */
bool edge_seen(int watch);

#endif
