/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The addresses that VMs are told to use where the configuration gives none: QEMU gives the same
 * one to every VM, so two of them could not talk.
 *
 * The rule: 52:54 and four bytes of a hash of the host's and the port's name. Ports with a
 * configured address keep it. The others follow in the order of their names, and one whose address
 * is taken gets the next higher one that is free. So no two ports of a switch have the same
 * address, whatever their networks; and an address depends on other ports only where two would be
 * equal, which with a thousand ports happens to one in four million.
 *
 * Pure; any thread.
 */
#ifndef VSW_CONTROL_DERIVED_MAC_H
#define VSW_CONTROL_DERIVED_MAC_H

#include "control/model.h"

/* 32 bits for a port; what is given to derived_macs(), unless a test wants another one. */
uint32_t derived_mac_hash(const char *host, const char *port);

/* Fills macs[i] for ports[i] of a sorted model. 0 or -ENOMEM. */
int derived_macs(const struct model *model, const char *host,
	uint32_t (*hash)(const char *host, const char *port), uint8_t (*macs)[6]);

#endif
