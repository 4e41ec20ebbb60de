/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP for an address of the switch's own, in a network where nobody else answers for it: the
 * address of its DHCP server, which clients speak to when they renew. RFC 826. Pure; any thread.
 */
#ifndef VSW_SERVICE_ARP_H
#define VSW_SERVICE_ARP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/mac.h"

/* The shortest frame of Ethernet, without FCS. */
#define ARP_FRAME 60u

/* Answers a request for the address (host order), which is at `mac`. False where the frame is none:
 * then nothing is to be sent. */
bool arp_answer(uint8_t answer[ARP_FRAME], const uint8_t *frame, size_t length, uint32_t address,
	const uint8_t mac[MAC_SIZE]);

#endif
