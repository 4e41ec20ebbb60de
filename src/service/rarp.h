/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Announcements by RARP: a broadcast that says where a station is, for a VM that has just come here
 * and whose guest cannot say so itself (SEND_RARP of vhost-user). Every switch that it reaches
 * learns the way; nobody answers. RFC 903; QEMU's own announcements look the same.
 *
 * Like every service: frames in, frames out; no I/O, no clock, no state but its own. Control
 * thread.
 */
#ifndef VSW_SERVICE_RARP_H
#define VSW_SERVICE_RARP_H

#include <stdint.h>

#include "packet/mac.h"

/* The shortest frame of Ethernet, without FCS. */
#define RARP_FRAME 60u

/* Makes the announcement of a station with this address. */
void rarp_announce(uint8_t frame[RARP_FRAME], const uint8_t mac[MAC_SIZE]);

#endif
