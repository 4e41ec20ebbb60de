/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port security, before anything is learned. A port that has a `mac` or an `ip` list is *secured*;
 * all others pay one test and are not judged at all. What a secured port sends must be readable in
 * the private head (all of the frame, or its first 256 bytes), behind any tags, and:
 *
 *   Ethernet   the source is `mac`, where there is one
 *   ARP, RARP  complete, for Ethernet and IPv4; the sender is the frame's source; its protocol
 *              address is listed, or 0.0.0.0 in a request: a probe (RFC 5227, 2.1.1)
 *   IPv4       the source is listed, or 0.0.0.0 of a DHCP client (RFC 2131, 4.1) or in a report of
 *              IGMP (RFC 3376, 4.2.13); fragments as well. 169.254.0.0/16 must be listed like any
 *              other.
 *   IPv6       the source is listed or link-local (RFC 4291, 2.5.6: every interface has such an
 *              address, and how it chooses it is its own affair), or :: in what comes before an
 *              address is one's own: duplicate address detection, router solicitation (RFC 4862,
 *              RFC 4861), reports of MLD (RFC 3810, 5.2.13). Where a link-local one is listed, only
 *              listed ones are allowed.
 *   ND         link-layer options are the frame's source; the target of an advertisement, and that
 *              of a solicitation from ::, are as a source must be; no fragments (RFC 6980)
 *   servers    to UDP port 68 or 546, router advertisements and redirects of ICMP and ICMPv6, and
 *              replies of RARP only from a `trusted` port
 *   LLC        no ARP or IP in SNAP or under a SAP of its own
 *
 * "Listed" asks nothing where the port has no `ip`. Frames of other ether types pass.
 */
#ifndef VSW_FORWARD_SECURITY_H
#define VSW_FORWARD_SECURITY_H

#include "forward/security_rules.h"
#include "forward/stage.h"

/* Judges a frame of a secured port; the packet is without its network's tag. Reads nothing but the
 * head, which begins with a whole Ethernet header. Any thread. */
enum drop_reason security_judge(const struct security_rules *rules, const struct packet *packet);

ALWAYS_INLINE enum drop_reason security_check(
	const struct topology_port *ingress, const struct packet *packet)
{
	if (likely(!ingress->security))
		return STAGE_NEXT;
	return security_judge(ingress->security, packet);
}

#endif
