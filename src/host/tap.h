/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP interface of our own: Ethernet frames, one descriptor a queue, gone when it is closed.
 *
 *   tap_open() -> up, without carrier -> tap_set_carrier(true) <-> (false) -> tap_close()
 *
 * The kernel hands a frame to one of the attached queues, chosen by flow; a queue that is detached
 * gets none. Without offloads the kernel has finished checksums and segments. With them a header of
 * virtio-net stands in front of each frame, in both directions, and says what is left to do; what the
 * kernel may leave undone is nothing, until tap_set_offloads().
 *
 * One read or write of a queue's descriptor is one frame; the descriptors never block. One thread.
 */
#ifndef VSW_HOST_TAP_H
#define VSW_HOST_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/if_tun.h>

#include "base/error.h"
#include "packet/mac.h"

/* From Linux 6.2 on; Debian 12's headers are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* As many as the kernel gives one interface. */
#define TAP_QUEUES_MAX 256

struct tap {
	char name[16];
	unsigned queues;
	unsigned offloads;       /* TUN_F_* that the kernel has; 0: no header in front of frames */
	uint32_t header_size;    /* bytes of that header */
	int fds[TAP_QUEUES_MAX]; /* [queues], -1 beyond */
	bool attached[TAP_QUEUES_MAX]; /* frames may come out of fds[i] */
};

struct tap_config {
	const char *name;   /* shorter than IFNAMSIZ */
	unsigned queues;    /* 1..TAP_QUEUES_MAX */
	uint16_t mtu;       /* bytes */
	bool offload;       /* a header in front of frames */
	const uint8_t *mac; /* NULL: the kernel's choice */
};

/* Makes the interface in the present network namespace and brings it up, without carrier. 0, or
 * -errno and what could not be done. tap_close() is due only after success. */
int tap_open(struct tap *tap, const struct tap_config *config, struct error *error);

/* Shows the link as up or down. 0 or -errno. */
int tap_set_carrier(const struct tap *tap, bool carrier);

/* Uses the first `queues` (at least 1) of the interface's queues and detaches the others. An interface
 * with one queue has nothing to change. 0, or -errno and the reason. */
int tap_use_queues(struct tap *tap, unsigned queues, struct error *error);

/* With offloads: what the kernel may leave undone from now on (of tap->offloads), and the size of the
 * header. Frames that wait already are as they are. 0, or -errno and the reason. */
int tap_set_offloads(struct tap *tap, unsigned offloads, uint32_t header_size, struct error *error);

void tap_close(struct tap *tap);

#endif
