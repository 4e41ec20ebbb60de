/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is for the switch itself in networks that have services (topology_serve()), by run:
 *
 *   DHCP     UDP to port 67 that is broadcast or for the server's address, whatever MAC address
 *            it is sent to: the server has the gateway's address, and that may be a TAP's
 *   ARP      a request for the server's address
 *   router   ICMPv6 router solicitations
 *   DHCPv6   UDP to port 547 of ff02::1:2
 *
 * goes to the local port and nowhere else. Fragments do not: no client of these sends any. And in
 * such a network nobody else is a server: what port security calls so (security.h) is refused from
 * every port that is not trusted, also from one that has no `mac` or `ip`, as is what cannot be
 * told.
 *
 * Reads nothing but the private heads. As all stages: stage.h.
 */
#ifndef VSW_FORWARD_SERVICES_H
#define VSW_FORWARD_SERVICES_H

#include "forward/stage.h"

/* Drops what servers that nobody trusts say, of the packets of `mask`; the others. */
uint64_t services_refuse(struct stage_run *run, uint16_t network, uint64_t mask);

/* Sends to the local port what is for it; the others. */
uint64_t services_divert(struct stage_run *run, uint16_t network, uint64_t mask);

#endif
