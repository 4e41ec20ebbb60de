/* SPDX-License-Identifier: BSD-3-Clause */
/* Which address a secured port's frame was refused for, for whoever has to find the guest that sent
 * it. */
#ifndef VSW_FORWARD_SECURITY_NOTE_H
#define VSW_FORWARD_SECURITY_NOTE_H

#include "forward/security_rules.h"
#include "packet/drop.h"
#include "packet/packet.h"
#include "packet/refused.h"

/* True where security_judge()'s reason is about an address. */
static inline bool security_names_address(enum drop_reason reason)
{
	return reason == DROP_SPOOFED_SOURCE || reason == DROP_SPOOFED_ADDRESS;
}

/*
 * Fills *address from a frame that security_judge() has just refused with such a reason. The MAC
 * address is the frame's source, or what ARP or neighbour discovery name in its place; the IP
 * address is the sender's, or the target of neighbour discovery where that is what is not allowed.
 * Cold; the frame's worker.
 */
void security_note(const struct security_rules *rules, const struct packet *packet,
	enum drop_reason reason, uint32_t now, struct refused_address *address);

#endif
