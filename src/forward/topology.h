/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which port is in which network: the part of a snapshot (snapshot.h) that every frame needs. The
 * control thread builds one, and it is immutable once the snapshot is published.
 *
 * Ports and networks are named by small indices which the control thread gives out: an index keeps
 * its meaning as long as its port or network exists, whatever else changes, and is used again only
 * after everything learned about the old owner is gone.
 */
#ifndef VSW_FORWARD_TOPOLOGY_H
#define VSW_FORWARD_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/common.h"

struct security_rules;

/* Ports of one switch that the configuration may have. Sets the size of per-worker tables (10
 * bytes a port), nothing else. */
#define TOPOLOGY_PORT_MAX    1024
/* The index of the local port (port/local.h), and where indices end with it. */
#define TOPOLOGY_PORT_LOCAL  TOPOLOGY_PORT_MAX
#define TOPOLOGY_INDEX_MAX   (TOPOLOGY_PORT_MAX + 1)
/* Networks of one switch: as many as there are VLAN ids, and some without one. */
#define TOPOLOGY_NETWORK_MAX 4096
#define TOPOLOGY_VLAN_COUNT  4096

enum topology_mode {
	TOPOLOGY_ABSENT, /* no such port */
	/* The local port: it may send into every network, as its frames say (packet->network),
	 * and gets what is sent to it by rule: addresses that are bound to it in the FDB, and
	 * what a stage diverts (stage_divert()). It is no member of any network, and nothing is
	 * learned to be behind it. */
	TOPOLOGY_LOCAL,
	TOPOLOGY_ACCESS, /* untagged frames of one network */
	TOPOLOGY_TRUNK,  /* tagged frames of several, untagged ones of the native network */
};

struct topology_port {
	enum topology_mode mode;
	uint16_t network; /* access: the network; trunk: the native one or NETWORK_NONE */
	uint16_t *
		vlan_network; /* trunk: [TOPOLOGY_VLAN_COUNT], VLAN id to network or NETWORK_NONE */
	uint32_t flood_limit; /* frames a second that may be flooded from here; 0: any number */
	/* Those of this second: the second in the upper half. Written by the workers that serve the
	 * port, by compare-and-swap; owned. */
	uint64_t *flooded;
	bool qinq;    /* frames whose payload begins with a tag may enter and leave */
	bool trusted; /* may be a server in networks that have services (services.h) */
	struct security_rules *security; /* what its frames may claim; NULL: anything */
};

struct topology_network {
	bool present;
	uint16_t vlan;         /* its tag on trunks; 0: it has none and travels untagged only */
	unsigned member_count; /* ports to which a frame of this network may be flooded */
	uint16_t *members;     /* port indices, rising */
	uint16_t link_local;   /* bit i: 01:80:c2:00:00:0i passes between its ports */
	unsigned held_count;   /* ports that are held: no members, though they carry the network */
	uint16_t *held;
	unsigned services;        /* enum topology_service: what of theirs is diverted */
	uint32_t service_address; /* of the DHCP server; host order */
};

/* What the switch itself answers in a network. */
enum topology_service {
	TOPOLOGY_DHCP = 1 << 0,   /* DHCPv4 */
	TOPOLOGY_ARP = 1 << 1,    /* questions for the server's address */
	TOPOLOGY_ROUTER = 1 << 2, /* router solicitations */
	TOPOLOGY_DHCPV6 = 1 << 3,
};

struct topology {
	unsigned port_count; /* highest port index in use + 1 */
	unsigned network_count;
	/* Some port is held in some network (topology_holds()), or some network has services. */
	bool unusual;
	struct topology_port *ports;
	struct topology_network *networks;
};

/* Makes an empty topology with room for so many ports and networks; 0 or -ENOMEM. */
int topology_init(struct topology *topology, unsigned port_count, unsigned network_count);

/* Fills in a network / an access port / a trunk. Indices below the counts given to
 * topology_init(); networks come before the ports that name them, and each port is set once.
 * `networks` lists what the trunk carries tagged (each has a vlan); the native one leaves
 * untagged even where it is listed. Return 0, or -ENOMEM: the topology is fit only for
 * topology_fini() then. */
void topology_network_set(struct topology *topology, uint16_t network, uint16_t vlan);
int topology_access_set(struct topology *topology, uint16_t port, uint16_t network);
int topology_trunk_set(struct topology *topology, uint16_t port, uint16_t native,
	const uint16_t *networks, unsigned count);

/* Makes TOPOLOGY_PORT_LOCAL, which must be below port_count, the local port. */
void topology_local_set(struct topology *topology);

/* Lets the link-local groups of `groups` (bit i: 01:80:c2:00:00:0i) pass in the network. */
void topology_pass_link_local(struct topology *topology, uint16_t network, uint16_t groups);

/* Limits what the port may have flooded, in frames a second. 0 or -ENOMEM. */
int topology_limit_flood(struct topology *topology, uint16_t port, uint32_t limit);

/* From now on nothing is flooded into or out of the port in this network. Where memory is short,
 * or the port is not in it, nothing changes. */
void topology_hold(struct topology *topology, uint16_t port, uint16_t network);

/* Whether it is so. */
bool topology_holds(const struct topology *topology, uint16_t port, uint16_t network);

/* What of the network's frames is for the switch itself: enum topology_service. */
void topology_serve(
	struct topology *topology, uint16_t network, unsigned services, uint32_t address);

/* The port may be a server in networks that have services. */
void topology_trust(struct topology *topology, uint16_t port);

/* From now on frames with a second tag, or one of another type than 0x8100, may enter and leave
 * by the port; not in a trunk's native network (classify.h). */
void topology_allow_qinq(struct topology *topology, uint16_t port);

/* Port security: from now on the port's frames must keep to these rules, which are copied
 * (security.h). Once a port. 0 or -ENOMEM. */
int topology_secure(struct topology *topology, uint16_t port, const struct security_rules *rules);

/* Frees what it holds. */
void topology_fini(struct topology *topology);

static inline bool topology_has_local(const struct topology *topology)
{
	return topology->port_count > TOPOLOGY_PORT_LOCAL &&
	       topology->ports[TOPOLOGY_PORT_LOCAL].mode == TOPOLOGY_LOCAL;
}

/* topology_carries() for other ports than access ports. */
bool topology_carries_other(const struct topology *topology, uint16_t port, uint16_t network);

/* True where frames of `network` may leave by `port`: the last check before every output, so that
 * isolation does not rest on what was learned. */
static inline bool topology_carries(
	const struct topology *topology, uint16_t port, uint16_t network)
{
	const struct topology_port *p = &topology->ports[port];

	if (likely(p->mode == TOPOLOGY_ACCESS))
		return p->network == network;
	return topology_carries_other(topology, port, network);
}

#endif
